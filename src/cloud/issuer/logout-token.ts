/**
 * The logout token with which an issuer says that a user's session there has ended. Whoever knows
 * the address can send one, so all of it is checked before anything is believed, and each is taken
 * once.
 *
 * @see OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6
 * @module
 */
import { decodeJwt } from 'jose'
import type { KeySet } from './key-set.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import { screenToken } from './token-screen.ts'

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** A token without `exp` is good for this long; one with it, no longer. */
export const LOGOUT_TOKEN_MS = 5 * 60_000
const MAX_TOKEN_CHARACTERS = 16 * 1024
const MAX_ID_CHARACTERS = 255

/** Whose session at the issuer has ended: at least one of the two is there. */
export interface LogoutClaims {
  readonly issuer: string
  readonly subject?: string
  readonly issuerSession?: string
  /** Names the token, once for ever. */
  readonly id: string
}

export interface LogoutTokenOptions {
  readonly issuer: string
  readonly clientId: string
  readonly keys: Pick<KeySet, 'verify'>
  readonly algorithms: readonly string[]
  readonly wallNow: number
  readonly leewayMs: number
}

/** The audiences a token claims to be for, unverified: which application's it may be. */
export function claimedAudiences(token: string): readonly string[] {
  if (token.length > MAX_TOKEN_CHARACTERS) return []
  try {
    const { aud = [] } = decodeJwt(token)
    return typeof aud === 'string' ? [aud] : aud
  } catch {
    return []
  }
}

/** @throws SignInDenied, or an error of jose */
export async function verifyLogoutToken(
  token: string,
  options: LogoutTokenOptions,
): Promise<LogoutClaims> {
  screenToken(token, {
    algorithms: options.algorithms,
    types: [undefined, 'logout+jwt'],
    claims: ['iss', 'aud', 'iat', 'jti'],
    maxCharacters: MAX_TOKEN_CHARACTERS,
  })
  const expected = {
    issuer: options.issuer,
    audience: options.clientId,
    algorithms: [...options.algorithms],
    requiredClaims: ['iat', 'jti', 'events'],
    maxTokenAge: LOGOUT_TOKEN_MS / 1000,
    clockTolerance: options.leewayMs / 1000,
    currentDate: new Date(options.wallNow),
  }
  const payload = await options.keys.verify(token, expected, 'anybody')
  const { jti, sub } = payload
  const { events, sid, nonce } = payload as Readonly<Record<string, unknown>>
  if (!isObject(events) || !isObject(events[LOGOUT_EVENT])) throw malformed('events')
  // An ID token has one: it must not pass for this.
  if (nonce !== undefined) throw malformed('nonce')
  const subject = optionalId(sub, 'sub')
  const issuerSession = optionalId(sid, 'sid')
  if (subject === undefined && issuerSession === undefined) throw malformed('sub')
  return {
    issuer: options.issuer,
    id: optionalId(jti, 'jti') ?? '',
    ...(subject !== undefined && { subject }),
    ...(issuerSession !== undefined && { issuerSession }),
  }
}

function optionalId(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '' || value.length > MAX_ID_CHARACTERS)
    throw malformed(name)
  return value
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const malformed = (evidence: string) => new SignInDenied('token-malformed', evidence)
