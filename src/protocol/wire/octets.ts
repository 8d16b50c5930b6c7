/**
 * Octets, one after the other: for the rare case that two pieces must wait as one.
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
