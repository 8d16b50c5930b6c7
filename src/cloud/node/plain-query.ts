/**
 * What calls of the plain binding say in their addresses.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import {
  DATA_BYTES,
  MAX_DATA_BYTES,
  PeerViolation,
  PROTOCOL_VERSION,
  readHelloQuery,
  wholeNumber,
  type Hello,
} from '../../protocol/internal.ts'

/** HELLO as a query. */
export function helloOf(query: URLSearchParams): Hello {
  const hello = readHelloQuery((key) => query.get(key))
  if (!hello.versions.includes(PROTOCOL_VERSION)) {
    throw new PeerViolation('UNSUPPORTED_VERSION', `this cloud speaks version ${PROTOCOL_VERSION}`)
  }
  return hello
}

/** What a call for an exchange agrees on: absent, what everybody takes. */
export function maxDataBytes(query: URLSearchParams): number {
  if (!query.has('max-data')) return DATA_BYTES
  const bytes = integer(query, 'max-data')
  if (bytes >= DATA_BYTES && bytes <= MAX_DATA_BYTES) return bytes
  const bounds = `${DATA_BYTES} to ${MAX_DATA_BYTES}`
  throw new PeerViolation('MALFORMED_MESSAGE', `"max-data" must be ${bounds}`)
}

/** A parameter that is a whole number. */
export function integer(query: URLSearchParams, name: string): number {
  return wholeNumber(name, query.get(name))
}
