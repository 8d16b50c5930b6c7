/**
 * The UserInfo endpoint: where an issuer tells the claims that it leaves out of ID tokens.
 *
 * It is asked at the address of the issuer's own metadata, once for a sign-in, within a time and a
 * size and without redirects, and believed only about the subject of the ID token. Whatever goes
 * wrong leaves the claims unknown; nobody is refused for it alone.
 *
 * @see OpenID Connect Core 1.0 section 5.3
 * @module
 */
import { abortedAfter, timerOf, type Timer } from '../../runtime/scheduler.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import type { Fetch } from './bounded-fetch.ts'
import type { Claims } from './identity-claims.ts'
import type { KeySet } from './key-set.ts'
import { screenToken, SIGNATURE_ALGORITHMS } from './token-screen.ts'

export interface UserInfoOptions {
  readonly endpoint: URL
  /** One time limit, a cap on the size, no redirects. */
  readonly fetch: Fetch
  readonly accessToken: string
  /** Of the ID token. */
  readonly subject: string
  readonly issuer: string
  readonly clientId: string
  readonly keys: KeySet
  readonly wallNow: number
  readonly leewayMs: number
  /** Default: the runtime's. */
  readonly timer?: Timer | undefined
}

/**
 * How long UserInfo may take, head and body. Milliseconds: less than a step of the sign-in, which
 * goes on without it.
 */
export const USER_INFO_MS = 5_000
/** RFC 6749, appendix A.12, without the space. */
const ACCESS_TOKEN = /^[\x21-\x7e]+$/

/** @throws SignInDenied, or an error of jose */
export async function readUserInfo(options: UserInfoOptions): Promise<Claims> {
  const { endpoint, fetch, accessToken, subject } = options
  if (!ACCESS_TOKEN.test(accessToken)) throw new SignInDenied('issuer-malformed', 'access-token')
  const headers = {
    authorization: `Bearer ${accessToken}`,
    accept: 'application/json, application/jwt',
  }
  const response = await abortedAfter(options.timer ?? timerOf(), USER_INFO_MS, (signal) =>
    fetch(endpoint.href, { headers, signal }),
  )
  if (response.status !== 200)
    throw new SignInDenied('issuer-unavailable', `user-info-${response.status}`)
  const [type = ''] = (response.headers.get('content-type') ?? '').split(';')
  const claims =
    type.trim().toLowerCase() === 'application/jwt'
      ? await signedClaims(await response.text(), options)
      : await plainClaims(type, response)
  // Another user's claims are a mix-up at best (section 5.3.4).
  if (claims['sub'] !== subject) throw new SignInDenied('issuer-malformed', 'user-info-sub')
  return claims
}

async function plainClaims(type: string, response: Response): Promise<Claims> {
  if (type.trim().toLowerCase() !== 'application/json')
    throw new SignInDenied('issuer-malformed', 'content-type')
  const claims = (await response.json().catch(() => undefined)) as unknown
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims))
    throw new SignInDenied('issuer-malformed', 'user-info')
  return claims as Claims
}

/**
 * A signed answer must name its issuer and its audience (section 5.3.2): otherwise another token of
 * the same issuer would pass for one.
 */
async function signedClaims(token: string, options: UserInfoOptions): Promise<Claims> {
  const { issuer, clientId, keys, wallNow, leewayMs } = options
  screenToken(token, {
    algorithms: SIGNATURE_ALGORITHMS,
    claims: ['iss', 'sub', 'aud'],
    types: [undefined, 'jwt'],
  })
  const expected = {
    ...{ issuer, audience: clientId, algorithms: [...SIGNATURE_ALGORITHMS] },
    clockTolerance: leewayMs / 1000,
    currentDate: new Date(wallNow),
  }
  return keys.verify(token, expected, 'issuer')
}
