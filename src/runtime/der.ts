/**
 * What must be known of an encoding before, or instead of, reading it.
 *
 * @module
 */

/**
 * Whether octets are one DER sequence from the first to the last: a tag, a definite length in its
 * shortest form, and as many octets as it says. The certificate library reads on happily with more
 * behind it. X.690 §8.1, §10.1
 */
export function isOneSequence(octets: Uint8Array): boolean {
  const [tag, first = 0] = octets
  if (tag !== 0x30) return false
  if (first < 0x80) return octets.length === 2 + first
  const lengthOctets = octets.subarray(2, 2 + (first & 0x7f))
  if (lengthOctets.length === 0 || lengthOctets.length > 3 || lengthOctets[0] === 0) return false
  const length = lengthOctets.reduce((sum, octet) => sum * 256 + octet, 0)
  return length >= 0x80 && octets.length === 2 + lengthOctets.length + length
}

/** Whether two encodings are the same, octet for octet. */
export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i])
}
