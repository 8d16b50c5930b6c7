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
/** Two characters for each 10 bits. */
const PAIRS: readonly string[] = Array.from(
  { length: 1024 },
  (_, bits) => ALPHABET[bits >>> 5]! + ALPHABET[bits & 31]!,
)
/** Hexadecimal digits that say the 20 bits of a group. */
const DIGITS = 5
const GROUPS = 4

/**
 * The number of an exchange's request, in the form `7k2m-x9pt-04rw-bn6e`: the first 80 bits of the
 * id.
 */
export function requestNumberOf(id: ExchangeId): string {
  let number = ''
  for (let group = 0; group < GROUPS; group++) {
    const bits = Number.parseInt(id.slice(group * DIGITS, (group + 1) * DIGITS), 16)
    if (group > 0) number += '-'
    number += PAIRS[bits >>> 10]! + PAIRS[bits & 1023]!
  }
  return number
}
