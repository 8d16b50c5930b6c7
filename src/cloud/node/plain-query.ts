/**
 * What calls of the plain binding say in their addresses.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import {
  decodeHello,
  encodeHello,
  PeerViolation,
  PROTOCOL_VERSION,
  type Hello,
} from '../../protocol/index.ts'

/** HELLO as a query: the plain binding has no frame to put it in. */
export function helloOf(query: URLSearchParams): Hello {
  const versions = (query.get('versions') ?? '').split(',').map(Number)
  if (!versions.includes(PROTOCOL_VERSION)) {
    throw new PeerViolation('UNSUPPORTED_VERSION', `this cloud speaks version ${PROTOCOL_VERSION}`)
  }
  // The same bounds as the frame's.
  return decodeHello(
    encodeHello({
      versions,
      instance: query.get('instance') ?? '',
      index: integer(query, 'index'),
      epoch: integer(query, 'epoch'),
      offers: integer(query, 'offers'),
      granted: integer(query, 'granted'),
      maxDataBytes: integer(query, 'max-data'),
      features: (query.get('features') ?? '').split(',').filter((name) => name !== ''),
    }),
  )
}

/** A parameter that is a whole number. */
export function integer(query: URLSearchParams, name: string): number {
  const value = query.get(name) ?? ''
  if (!/^\d{1,10}$/.test(value)) {
    throw new PeerViolation('MALFORMED_MESSAGE', `"${name}" must be a whole number`)
  }
  return Number(value)
}
