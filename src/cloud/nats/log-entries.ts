/**
 * Entries as octets: JSON, in which octets are `{"$octets": base64url}`.
 *
 * @module
 */
const OCTETS = '$octets'

export function encodeEntry(entry: unknown): Uint8Array {
  const text = JSON.stringify(entry, function (this: Record<string, unknown>, key, value: unknown) {
    // A `Buffer` has made something else of itself by now.
    const held = this[key]
    if (!(held instanceof Uint8Array)) return value
    return { [OCTETS]: Buffer.from(held).toString('base64url') }
  })
  return new TextEncoder().encode(text)
}

export function decodeEntry(octets: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(octets), (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !(OCTETS in value)) return value
    return new Uint8Array(Buffer.from(String(value[OCTETS]), 'base64url'))
  }) as unknown
}
