/**
 * The number of a request: what a user reads out, and what the id of its exchange begins with. So
 * the cloud, its audit and the log of a connector name one request by one number, and no message
 * has to carry it.
 *
 * @see spec/PROTOCOL.md, "Security rules"
 * @module
 */
import type { ExchangeId } from './frame-types.ts'

/**
 * Digits and letters that no hand and no voice takes for another (Crockford's Base32, lower case).
 */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const VALUES: Readonly<Record<string, number>> = Object.fromEntries(
  [...ALPHABET].map((character, value) => [character, value]),
)
/** Characters of a group, and the hexadecimal digits that say the same 20 bits. */
const [GROUP, DIGITS] = [4, 5]
const GROUPS = 4
/** Characters of a number, with the hyphens between its groups. */
const LENGTH = GROUPS * (GROUP + 1) - 1

/**
 * The number of an exchange's request, in the form `7k2m-x9pt-04rw-bn6e`: the first 80 bits of the
 * id.
 */
export function requestNumberOf(id: ExchangeId): string {
  let number = ''
  for (let group = 0; group < GROUPS; group++) {
    const bits = Number.parseInt(id.slice(group * DIGITS, (group + 1) * DIGITS), 16)
    if (group > 0) number += '-'
    for (let shift = 15; shift >= 0; shift -= 5) number += ALPHABET[(bits >>> shift) & 31]!
  }
  return number
}

/**
 * The hexadecimal digits that the id of this request's exchange begins with; `undefined` for what
 * is no such number.
 */
export function idPrefixOf(requestNumber: string): string | undefined {
  if (requestNumber.length !== LENGTH) return undefined
  let digits = ''
  for (let group = 0; group < GROUPS; group++) {
    let bits = 0
    for (let i = group * (GROUP + 1); i < group * (GROUP + 1) + GROUP; i++) {
      const value = VALUES[requestNumber[i]!]
      if (value === undefined) return undefined
      bits = bits * 32 + value
    }
    digits += bits.toString(16).padStart(DIGITS, '0')
  }
  return digits
}
