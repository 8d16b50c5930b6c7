/**
 * Claims that are `null`: they say what absent ones say, and the libraries that check tokens refuse
 * them.
 *
 * @see RFC 7519 section 4; OpenID Connect Core 1.0 section 5.3.2
 * @module
 */
import {
  base64url,
  compactVerify,
  jwtVerify,
  UnsecuredJWT,
  type CryptoKey,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose'

/** A member that is `null` says what an absent one says. */
export function withoutNulls<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null)) as T
}

/**
 * A token whose claims are read by who does not verify its signature: it has none that fits any
 * more, where something was left out.
 */
export function tokenWithoutNulls(token: string): string {
  const [header, payload, signature] = token.split('.')
  const claims = nullable(payload)
  return claims === undefined ? token : [header, encoded(claims), signature].join('.')
}

/**
 * The claims of a signed token, as {@link jwtVerify} checks them, without those that are `null`.
 *
 * @throws An error of jose
 */
export async function verifyClaims(
  token: string,
  key: CryptoKey | JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  const claims = nullable(token.split('.')[1])
  if (claims === undefined) return (await jwtVerify(token, key as JWTVerifyGetKey, options)).payload
  const { algorithms } = options
  const { protectedHeader } = await compactVerify(
    ...([token, key as JWTVerifyGetKey, algorithms && { algorithms }] as const),
  )
  // What an extension makes of the payload is not what was looked at here.
  if (protectedHeader.crit !== undefined)
    return (await jwtVerify(token, key as JWTVerifyGetKey, options)).payload
  // The signature is good: the rest of the checks are the same for a token that never had one.
  const { typ } = protectedHeader
  const unsigned = [
    encoded({ alg: 'none', ...(typ !== undefined && { typ }) }),
    encoded(claims),
    '',
  ]
  return UnsecuredJWT.decode(unsigned.join('.'), options).payload
}

/** The claims of a payload without those that are `null`; `undefined`: none is. */
function nullable(payload: string | undefined): JWTPayload | undefined {
  if (payload === undefined) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(base64url.decode(payload))
    const claims = JSON.parse(text) as JWTPayload | null
    const isObject = typeof claims === 'object' && claims !== null && !Array.isArray(claims)
    return isObject && Object.values(claims).includes(null) ? withoutNulls(claims) : undefined
  } catch {
    return undefined
  }
}

const encoded = (value: object) => base64url.encode(new TextEncoder().encode(JSON.stringify(value)))
