/**
 * What a token endpoint's answer must look like, beyond what the library that reads it asks for.
 *
 * @see RFC 6749 section 5.1; OpenID Connect Core 1.0 sections 3.1.3.3, 3.1.3.6 and 3.3.2.11
 * @module
 */
import { base64url } from 'jose'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { issuerDenial, SignInDenied } from '../identity/sign-in-errors.ts'
import { tokenWithoutNulls, withoutNulls } from './null-claims.ts'
import { screenToken, USUAL_CLAIMS, type ScreenOptions } from './token-screen.ts'

/** What an ID token may call itself: never an access or a logout token. */
const ID_TOKEN_TYPES = [undefined, 'jwt']
const ID_TOKEN_CLAIMS = [...USUAL_CLAIMS, 'nonce']

/**
 * Checks a token answer before the library reads it. Hands on the answer without members that are
 * `null`, and the ID token as it came. Without `code` it answers a refresh token.
 *
 * @throws SignInDenied
 */
export async function screenTokenAnswer(
  response: Response,
  code: string | undefined,
  algorithms: readonly string[],
  crypto: Pick<CryptoProvider, 'subtle'>,
): Promise<{ readonly answer: Response; readonly token?: string }> {
  if (response.status !== 200) {
    await refuseError(response)
    return { answer: response }
  }
  checkJson(response)
  const answer = (await response
    .clone()
    .json()
    .catch(() => undefined)) as Record<string, unknown> | null | undefined
  // The library says what is wrong with it.
  if (typeof answer !== 'object' || answer === null) return { answer: response }
  const { id_token: token, access_token: accessToken, token_type: type } = answer
  if (token === undefined || token === null) throw new SignInDenied('token-missing')
  if (typeof token !== 'string') throw new SignInDenied('token-malformed')
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer')
    throw new SignInDenied('issuer-malformed', 'token-type')
  const required = code === undefined ? USUAL_CLAIMS : ID_TOKEN_CLAIMS
  const options: ScreenOptions = { algorithms, claims: required, types: ID_TOKEN_TYPES }
  const { header, claims } = screenToken(token, options)
  for (const [claim, whole] of [
    ['at_hash', accessToken],
    ['c_hash', code],
  ] as const) {
    // Neither must be there: when it is, it must be true.
    if (claims[claim] === undefined) continue
    if (typeof whole !== 'string' || claims[claim] !== (await leftHalf(crypto, header.alg, whole)))
      throw new SignInDenied('token-hash', claim)
  }
  const { status, headers } = response
  // The library looks at claims and not at the signature, which is verified later: of the token as
  // it came.
  const readable = { ...withoutNulls(answer), id_token: tokenWithoutNulls(token) }
  return { token, answer: new Response(JSON.stringify(readable), { status, headers }) }
}

/**
 * Reads the error of a 401 itself, because the library drops it. Anything that is not an error of
 * RFC 6749 section 5.2 is left to the library.
 */
async function refuseError(response: Response): Promise<void> {
  const answer: unknown = await response
    .clone()
    .json()
    .catch(() => undefined)
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return
  throw issuerDenial(answer.error, response.status)
}

/** @throws SignInDenied `issuer-malformed` when it does not call itself JSON */
export function checkJson({ headers }: Response): void {
  const [type = ''] = (headers.get('content-type') ?? '').split(';')
  if (type.trim().toLowerCase() !== 'application/json')
    throw new SignInDenied('issuer-malformed', 'content-type')
}

/** The left half of the hash that goes with a signature, as base64url. */
async function leftHalf(
  { subtle }: Pick<CryptoProvider, 'subtle'>,
  algorithm: string,
  text: string,
): Promise<string> {
  // EdDSA over Curve25519 goes with SHA-512.
  const bits = /^..(256|384|512)$/.exec(algorithm)?.[1] ?? '512'
  const octets = new TextEncoder().encode(text)
  const digest = new Uint8Array(await subtle.digest(`SHA-${bits}`, octets))
  return base64url.encode(digest.subarray(0, digest.length / 2))
}
