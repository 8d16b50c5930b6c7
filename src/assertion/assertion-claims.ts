/**
 * What an assertion says: the names that its maker and its readers share.
 *
 * @see docs/single-sign-on/assertion.md
 * @module
 */

/** The header field that carries it, where no other is configured. */
export const ASSERTION_HEADER = 'X-App-Proxy-Assertion'
/** The `typ` of its header: no other token can be taken for one. */
export const ASSERTION_TYPE = 'app-proxy-assertion+jwt'
/** How it is signed: ECDSA over P-256 with SHA-256. */
export const ASSERTION_ALGORITHM = 'ES256'
/** Where the keys are published, on each host with such an application and on the service's. */
export const ASSERTION_KEYS_PATH = '/.app-proxy/assertion-keys'
/** From `iat` to `exp`. Seconds. */
export const ASSERTION_SECONDS = 60

/** The claims of an assertion, as they are in its payload. */
export interface AssertionClaims {
  /** The service that made it. */
  readonly iss: string
  /** The application that it is for: its external URL. */
  readonly aud: string
  /** The user, by the identifier of {@link sub_iss}. Unique within it, and never assigned again. */
  readonly sub: string
  /** The issuer that named the user. */
  readonly sub_iss: string
  /** The tenant of the application. */
  readonly tid: string
  /** Names the request and the attempt to deliver it: never the same again. */
  readonly jti: string
  /** The request's method. */
  readonly htm: string
  /** The request's URL as the user sees it, without its query. */
  readonly htu: string
  /** When it was made. Seconds since 1970. */
  readonly iat: number
  /** When it ends: 60 seconds later. Seconds since 1970. */
  readonly exp: number
  /** The user's name, where the application's configuration names it. */
  readonly name?: string
  /** The user's e-mail address, where the application's configuration names it. */
  readonly email?: string
  /** The user's groups, where the application's configuration names them. */
  readonly groups?: readonly string[]
  /** The user's roles, where the application's configuration names them. */
  readonly roles?: readonly string[]
  /** Other claims that the application's configuration names. */
  readonly [claim: string]: unknown
}

/** Public keys as the service publishes them (RFC 7517). */
export interface AssertionKeySet {
  readonly keys: readonly AssertionPublicKey[]
}

/** A public key of P-256 (RFC 7518, section 6.2). Members that are not known are ignored. */
export interface AssertionPublicKey {
  /** Its name, as the header of an assertion has it. */
  readonly kid?: string
  readonly kty?: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly alg?: string
  readonly use?: string
}
