/**
 * Who asks, as far as is known. A session is one; so is a program that shows a token, which has no
 * session id.
 *
 * @module
 */
import type { UserClaims } from '../../protocol/wire/frame-types.ts'
import type { KeptClaims } from '../rules/named.ts'

/** Who asks, as far as is known: a session, or whoever a shown token speaks for. */
export interface Caller {
  /** Absent: anyone may ask. */
  readonly user?: UserClaims
  /** It shows a token: no cookie says who it is. */
  readonly showsToken?: true
  /** Names the session whose cookie the request carried. */
  readonly id?: string
  /** The name that the issuer assigns to the user. */
  readonly upn?: string
  /** When the session began here, or the token was issued. Milliseconds since 1970. */
  readonly startedAt?: number
  /** When the user last authenticated at the issuer, if it said. Milliseconds since 1970. */
  readonly authenticatedAt?: number
  /** How strongly: the issuer's `acr` and `amr`. */
  readonly strength?: string
  readonly methods?: readonly string[]
  /** The issuer's `acrs`, where it has a list of authentication contexts instead. */
  readonly contexts?: readonly string[]
  /** Other claims: those that policies of the application name, or that it is told. */
  readonly claims?: KeptClaims
  /** Groups or roles that somebody named had no room. */
  readonly isPartial?: boolean
  /** The issuer's `sid`: what a back-channel logout names. */
  readonly issuerSession?: string
  /** Milliseconds since 1970. */
  readonly expiresAt?: number
  /**
   * Where a session may outlive its ID token: the end of that, and when it was asked for.
   * Milliseconds since 1970.
   */
  readonly freshUntil?: number
  readonly renewedAt?: number
  /** A refresh token is kept for the session: it must be fresh to be of use. */
  readonly hasGrant?: true
}

/** Where nobody is asked who they are. */
export const ANYONE: Caller = {}
