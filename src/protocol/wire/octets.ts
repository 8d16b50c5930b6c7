/**
 * Octets joined, for the rare case that two pieces must wait as one, and in hexadecimal.
 *
 * @module
 */

import { ApiMisuse } from './errors.ts'

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

/**
 * The octets of lower-case hexadecimal digits.
 *
 * @param bytes how many they must be
 * @param what they are, for whoever gave others
 * @throws ApiMisuse
 */
export function fromHexadecimal(digits: string, bytes: number, what: string): Uint8Array {
  const octets = new Uint8Array(bytes)
  writeHexadecimal(digits, octets, 0, bytes, what)
  return octets
}

/** As {@link fromHexadecimal}, into `octets` from `at` on. */
export function writeHexadecimal(
  digits: string,
  octets: Uint8Array,
  at: number,
  bytes: number,
  what: string,
): void {
  let isWhole = digits.length === 2 * bytes
  for (let i = 0; i < bytes && isWhole; i++) {
    const octet = (digit(digits, 2 * i) << 4) | digit(digits, 2 * i + 1)
    isWhole = octet >= 0
    octets[at + i] = octet
  }
  if (!isWhole) throw new ApiMisuse(`${what} is ${2 * bytes} hexadecimal digits`)
}

/** The value of a lower-case hexadecimal digit; negative for anything else. */
function digit(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1
}
