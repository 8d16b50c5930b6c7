/**
 * Claims of a user that an application's sign-on names, as an OFFER carries them.
 *
 * @see spec/PROTOCOL.md, "Sign-on"
 * @module
 */

/** What a claim says of a user: a text, a number, a truth value, or a list of texts. */
export type TypedClaim = string | number | boolean | readonly string[]
/** Claims by their names. What is absent is not known. */
export type TypedClaims = Readonly<Record<string, TypedClaim>>

/** Claims that one application's sign-on names, at most. */
export const MAX_SIGN_ON_CLAIMS = 32
/** Their names and texts together, as UTF-8; a number or a truth value counts 8. */
export const MAX_SIGN_ON_CLAIM_BYTES = 8 * 1024
/** Characters of a claim's name. */
export const MAX_CLAIM_NAME = 256

/** What is wrong with claims, in words that quote nothing. */
export function typedClaimsFault(claims: unknown): string | undefined {
  if (!isMap(claims)) return 'claims must be a map'
  const entries = Object.entries(claims)
  if (entries.length > MAX_SIGN_ON_CLAIMS) return `more than ${MAX_SIGN_ON_CLAIMS} claims`
  let left = MAX_SIGN_ON_CLAIM_BYTES
  for (const [name, value] of entries) {
    if (name === '' || name.length > MAX_CLAIM_NAME)
      return `a claim's name must have 1 to ${MAX_CLAIM_NAME} characters`
    if (!isTypedClaim(value)) return 'a claim must be text, a number, a boolean or a list of texts'
    left -= utf8Bytes(name) + bytesOf(value)
    if (left < 0) return `claims of more than ${MAX_SIGN_ON_CLAIM_BYTES} octets`
  }
  return undefined
}

/** Whether a value that was decoded is a map. */
export function isMap(value: unknown): value is Record<string, unknown> {
  const isObject = typeof value === 'object' && value !== null
  return isObject && !Array.isArray(value) && !(value instanceof Uint8Array)
}

/** Whether a claim can be told; a list is of texts alone. */
export function isTypedClaim(value: unknown): value is TypedClaim {
  if (typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function bytesOf(value: TypedClaim): number {
  if (typeof value === 'string') return utf8Bytes(value)
  // An empty text is not free: a list of many would be.
  if (typeof value === 'object') return value.reduce((sum, text) => sum + 1 + utf8Bytes(text), 0)
  return 8
}

/** Half a character counts as what stands in its place, U+FFFD. */
function utf8Bytes(text: string): number {
  let bytes = 0
  for (const sign of text) bytes += sign < '\x80' ? 1 : sign < '\u0800' ? 2 : sign.length + 2
  return bytes
}
