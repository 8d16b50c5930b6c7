/**
 * The access token that a program shows: a JWT of the tenant's issuer, for this application.
 *
 * @see RFC 9068 section 4; RFC 8725
 * @module
 */
import type { JWTPayload } from 'jose'
import type { KeySet } from './key-set.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import { screenToken, SIGNATURE_ALGORITHMS } from './token-screen.ts'

export interface AccessTokenOptions {
  readonly issuer: string
  /** One is enough. */
  readonly audiences: readonly string[]
  /** `any`: for issuers that do not mark their access tokens. */
  readonly type: 'at+jwt' | 'any'
  readonly maxCharacters: number
  /** Milliseconds since 1970. */
  readonly wallNow: number
  readonly leewayMs: number
}

/**
 * The types of issuers that do not mark their access tokens; never that of another kind of token.
 */
const UNMARKED_TYPES: readonly (string | undefined)[] = [undefined, 'jwt', 'at+jwt']
/** What only ID tokens have. */
const OF_ID_TOKENS: readonly string[] = ['nonce', 'at_hash', 'c_hash']

/**
 * Looks at what needs no key; `keys` is asked only for a token that could be good.
 *
 * @throws SignInDenied, or an error of jose
 */
export async function verifyAccessToken(
  token: string,
  keys: () => Promise<Pick<KeySet, 'verify'>>,
  options: AccessTokenOptions,
): Promise<JWTPayload> {
  const { issuer, audiences, type, maxCharacters, wallNow, leewayMs } = options
  const { claims } = screenToken(token, {
    algorithms: SIGNATURE_ALGORITHMS,
    types: type === 'any' ? UNMARKED_TYPES : [type],
    maxCharacters,
  })
  if (OF_ID_TOKENS.some((name) => claims[name] !== undefined))
    throw new SignInDenied('token-header', 'typ')
  // It is good only for who holds a key, and nobody here asks for a proof of that (RFC 7800).
  if (claims['cnf'] !== undefined) throw new SignInDenied('token-claims', 'cnf')
  if (claims.iss !== issuer) throw new SignInDenied('token-issuer')
  if (!audiences.some((audience) => [claims.aud].flat().includes(audience)))
    throw new SignInDenied('token-audience')
  const now = wallNow / 1000
  const leeway = leewayMs / 1000
  if (claims.exp! <= now - leeway) throw new SignInDenied('token-expired')
  if (Math.max(claims.nbf ?? 0, claims.iat!) > now + leeway)
    throw new SignInDenied('token-not-yet-valid')
  const expected = {
    issuer,
    audience: [...audiences],
    algorithms: [...SIGNATURE_ALGORITHMS],
    clockTolerance: leeway,
    currentDate: new Date(wallNow),
  }
  return (await keys()).verify(token, expected, 'anybody')
}
