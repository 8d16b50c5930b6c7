/**
 * One OpenID Connect issuer as the sign-in sees it: its metadata, its token endpoint and its keys.
 *
 * Everything is fetched with a time limit and a size cap and without redirects, from addresses that the pinned issuer's own metadata names; an unknown key id causes
 * at most one look-up per half minute.
 *
 * @see OpenID Connect Core 1.0 section 3.1.3.7; RFC 8725
 * @module
 */
import { createRemoteJWKSet, customFetch as joseFetch, jwtVerify, type JWTPayload } from 'jose'
import * as oauth from 'oauth4webapi'
import type { SignInAttempt, SignInIdentity } from '../protocol/sign-in.ts'
import { boundedFetch, type Fetch } from './bounded-fetch.ts'
import { denialOf, SignInDenied } from './sign-in-errors.ts'

export interface IssuerOptions {
  /** The issuer identifier: https, or http on a loopback address. */
  readonly issuer: string
  /** Default: the runtime's. */
  readonly fetch?: Fetch
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** How long one answer may take. Milliseconds. */
  readonly timeoutMs: number
  /** How long metadata and keys are used before they are fetched again. Milliseconds. */
  readonly metadataMs: number
  /** How far clocks may differ. Milliseconds. */
  readonly leewayMs: number
}

/** A client of the issuer: one application. */
export interface IssuerClient {
  readonly id: string
  readonly secret?: string
  readonly redirectUri: string
}

/** Signatures by a private key only: never `none`, never a shared secret. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]
const KEY_COOL_DOWN_MS = 30_000

interface Known {
  readonly metadata: oauth.AuthorizationServer
  readonly keys: ReturnType<typeof createRemoteJWKSet>
  readonly until: number
}

export class Issuer {
  readonly #options: IssuerOptions
  readonly #fetch: Fetch
  readonly #insecure: boolean
  #known: Known | undefined
  #asking: Promise<Known> | undefined

  constructor(options: IssuerOptions) {
    this.#options = options
    this.#fetch = boundedFetch(options)
    this.#insecure = isLoopback(new URL(options.issuer))
  }

  /** The issuer's metadata; fetched once for all who ask at the same time. */
  async metadata(): Promise<oauth.AuthorizationServer> {
    return (await this.#know()).metadata
  }

  /** Exchanges the code for an ID token, and checks the claims that need no key. */
  async redeem(client: IssuerClient, attempt: SignInAttempt, code: string): Promise<string> {
    const { metadata } = await this.#know()
    try {
      const self = this.#client(client)
      const parameters = oauth.validateAuthResponse(
        // The callback's own `iss` was compared with the attempt's: what is said here is what was checked there.
        metadata,
        self,
        new URLSearchParams({ code, state: attempt.state, iss: attempt.issuer }),
        attempt.state,
      )
      const response = await oauth.authorizationCodeGrantRequest(
        metadata,
        self,
        client.secret === undefined ? oauth.None() : oauth.ClientSecretBasic(client.secret),
        parameters,
        client.redirectUri,
        attempt.verifier,
        this.#http(),
      )
      const tokens = await oauth.processAuthorizationCodeResponse(metadata, self, response, {
        expectedNonce: attempt.nonce,
        requireIdToken: true,
      })
      return tokens.id_token!
    } catch (error) {
      throw denialOf(error)
    }
  }

  /** Checks the ID token's signature by the issuer's keys, and every claim again by our own clock. */
  async verify(client: IssuerClient, nonce: string, token: string): Promise<JWTPayload> {
    const { metadata, keys } = await this.#know()
    const wallNow = this.#options.wallClock()
    const leewayMs = this.#options.leewayMs
    let claims: JWTPayload
    try {
      const verified = await jwtVerify(token, keys, {
        issuer: metadata.issuer,
        audience: client.id,
        algorithms: ALGORITHMS,
        requiredClaims: ['sub', 'iat', 'exp', 'nonce'],
        clockTolerance: leewayMs / 1000,
        currentDate: new Date(wallNow),
      })
      claims = verified.payload
    } catch (error) {
      throw denialOf(error)
    }
    const { aud, azp, iat, sub } = claims
    if (typeof sub !== 'string' || sub === '' || sub.length > MAX_CLAIM_CHARACTERS)
      throw new SignInDenied('token-malformed')
    if (claims['nonce'] !== nonce) throw new SignInDenied('token-nonce')
    if (azp === undefined ? Array.isArray(aud) && aud.length > 1 : azp !== client.id)
      throw new SignInDenied('token-audience')
    if (iat! * 1000 > wallNow + leewayMs) throw new SignInDenied('token-not-yet-valid')
    return claims
  }

  async #know(): Promise<Known> {
    if (this.#known !== undefined && this.#options.wallClock() < this.#known.until)
      return this.#known
    this.#asking ??= this.#discover().finally(() => (this.#asking = undefined))
    return this.#asking
  }

  async #discover(): Promise<Known> {
    const { issuer, metadataMs, timeoutMs, wallClock } = this.#options
    const url = new URL(issuer)
    try {
      const response = await oauth.discoveryRequest(url, { algorithm: 'oidc', ...this.#http() })
      const metadata = await oauth.processDiscoveryResponse(url, response)
      const keys = createRemoteJWKSet(this.#endpoint(metadata.jwks_uri), {
        [joseFetch]: this.#fetch,
        cooldownDuration: KEY_COOL_DOWN_MS,
        cacheMaxAge: metadataMs,
        timeoutDuration: timeoutMs,
      })
      this.#endpoint(metadata.authorization_endpoint)
      this.#endpoint(metadata.token_endpoint)
      return (this.#known = { metadata, keys, until: wallClock() + metadataMs })
    } catch (error) {
      throw denialOf(error)
    }
  }

  /** An endpoint the metadata must name, over https unless the issuer itself is on a loopback address. */
  #endpoint(address: string | undefined): URL {
    const url = URL.canParse(address ?? '') ? new URL(address!) : undefined
    if (url?.protocol === 'https:' || (this.#insecure && url && isLoopback(url))) return url
    throw new SignInDenied('issuer-malformed')
  }

  #http(): oauth.HttpRequestOptions<'GET'> & oauth.HttpRequestOptions<'POST', URLSearchParams> {
    return {
      [oauth.customFetch]: (url: string, init: object) => this.#fetch(url, init as RequestInit),
      [oauth.allowInsecureRequests]: this.#insecure,
    }
  }

  #client(client: IssuerClient): oauth.Client {
    return {
      client_id: client.id,
      // The library reads the machine's clock: the skew leads it to ours.
      [oauth.clockSkew]: Math.round((this.#options.wallClock() - Date.now()) / 1000),
      [oauth.clockTolerance]: this.#options.leewayMs / 1000,
    }
  }
}

/** What goes into every cookie is kept short; no issuer is known to need more. */
const MAX_CLAIM_CHARACTERS = 255
const MAX_METHODS = 16
const short = (value: string | undefined) =>
  value !== undefined && value.length <= MAX_CLAIM_CHARACTERS ? value : undefined

/** The identity that verified claims tell. */
export function identityOf(claims: JWTPayload): SignInIdentity {
  const one = (name: string) => {
    const value = claims[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const many = (name: string) => {
    const value = claims[name]
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined
  }
  const optional = {
    name: one('name'),
    // An address that the issuer says is unverified is nobody's.
    email: claims['email_verified'] === false ? undefined : one('email'),
    username: one('preferred_username'),
    groups: many('groups'),
    roles: many('roles'),
    strength: short(one('acr')),
    methods: many('amr')?.filter(short).slice(0, MAX_METHODS),
    issuerSession: short(one('sid')),
  }
  const authTime = claims['auth_time']
  return {
    subject: claims.sub!,
    issuer: claims.iss!,
    ...(Object.fromEntries(
      Object.entries(optional).filter(([, value]) => value !== undefined),
    ) as Partial<SignInIdentity>),
    authenticatedAt: (typeof authTime === 'number' ? authTime : claims.iat!) * 1000,
    expiresAt: claims.exp! * 1000,
  }
}

/** `http:` on an address that only this machine can mean. */
function isLoopback({ protocol, hostname }: URL): boolean {
  return (
    protocol === 'http:' &&
    (/^(?:.+\.)?localhost$/.test(hostname) ||
      /^127\.\d+\.\d+\.\d+$/.test(hostname) ||
      hostname === '[::1]')
  )
}
