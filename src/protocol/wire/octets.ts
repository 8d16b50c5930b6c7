/**
 * Octets joined, for the rare case that two pieces must wait as one, and in hexadecimal.
 *
 * @module
 */

/** Both, copied into one. */
export function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const octets = new Uint8Array(first.length + second.length)
  octets.set(first)
  octets.set(second, first.length)
  return octets
}

/** The two lower-case hexadecimal digits of each octet. */
export const HEX: readonly string[] = Array.from({ length: 256 }, (_, octet) =>
  octet.toString(16).padStart(2, '0'),
)

/** Octets in lower-case hexadecimal. */
export function hexadecimal(octets: Uint8Array): string {
  let digits = ''
  for (const octet of octets) digits += HEX[octet]!
  return digits
}
