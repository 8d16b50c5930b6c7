/**
 * Entries as octets: JSON, in which octets are `{"$octets": base64url}`.
 *
 * @module
 */
const OCTETS = '$octets'

export function encodeEntry(entry: unknown): Uint8Array {
  const text = JSON.stringify(entry, (_, value: unknown) =>
    value instanceof Uint8Array ? { [OCTETS]: Buffer.from(value).toString('base64url') } : value,
  )
  return new TextEncoder().encode(text)
}

export function decodeEntry(octets: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(octets), (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !(OCTETS in value)) return value
    return new Uint8Array(Buffer.from(String(value[OCTETS]), 'base64url'))
  }) as unknown
}
