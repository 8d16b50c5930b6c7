/**
 * What calls of the plain binding say in their addresses.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import {
  PeerViolation,
  PROTOCOL_VERSION,
  readHelloQuery,
  wholeNumber,
  type Hello,
} from '../../protocol/index.ts'

/** HELLO as a query. */
export function helloOf(query: URLSearchParams): Hello {
  const hello = readHelloQuery((key) => query.get(key))
  if (!hello.versions.includes(PROTOCOL_VERSION)) {
    throw new PeerViolation('UNSUPPORTED_VERSION', `this cloud speaks version ${PROTOCOL_VERSION}`)
  }
  return hello
}

/** A parameter that is a whole number. */
export function integer(query: URLSearchParams, name: string): number {
  return wholeNumber(name, query.get(name))
}
