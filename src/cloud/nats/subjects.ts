/**
 * Names in the broker. What comes from outside, such as ids, may hold what is syntax there (`*`,
 * `>`, `.`): it is hashed, always.
 *
 * @module
 */
import { createHash } from 'node:crypto'

/** Whatever this service says over the broker is below it. */
export const SUBJECT_ROOT = 'ap1'

/** Where answers to requests come, and what is watched. */
export const INBOX_PREFIX = `${SUBJECT_ROOT}.i`

/** `ap1.<kind>.<name>`; the kind is the service's own word, the name is hashed. */
export function subjectOf(kind: string, ...name: readonly string[]): string {
  return `${SUBJECT_ROOT}.${kind}.${hashedName(...name)}`
}

/** 52 characters, A–Z and 2–7: base32 of the SHA-256 of the parts, which are joined by NUL. */
export function hashedName(...parts: readonly string[]): string {
  return base32(createHash('sha256').update(parts.join('\0')).digest())
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** @see RFC 4648 section 6; without padding */
function base32(octets: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const octet of octets) {
    held = ((held << 8) | octet) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(held >> bits) & 31]
    }
  }
  return bits === 0 ? text : text + ALPHABET[(held << (5 - bits)) & 31]
}
