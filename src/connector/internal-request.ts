/**
 * From what the user asked of the external URL to what the application is asked at its internal
 * one.
 *
 * Scheme, host and port come from the application's details only; the request contributes the
 * octets after the external path.
 *
 * @module
 */
import {
  joinInternal,
  pathAfter,
  readTarget,
  type ApplicationDetails,
  type HeaderList,
} from '../protocol/internal.ts'

/** Where an application is and how it is addressed: what its details say, read once. */
export interface InternalAddress {
  /** Scheme, host and port, as a URL's origin. */
  readonly origin: string
  readonly isSecure: boolean
  /** A name or an address, an IPv6 one without brackets. */
  readonly hostname: string
  readonly port: number
  /** The `Host` it is shown. */
  readonly hostField: string
  readonly basePath: string
  readonly externalHost: string
  readonly externalPath: string
}

/** The address of an application; the same object for the same details. */
export function internalAddress(application: ApplicationDetails): InternalAddress {
  let address = addresses.get(application)
  if (address === undefined) {
    address = readAddress(application)
    addresses.set(application, address)
  }
  return address
}

const addresses = new WeakMap<ApplicationDetails, InternalAddress>()

function readAddress(application: ApplicationDetails): InternalAddress {
  const internal = new URL(application.internalUrl)
  const external = new URL(application.externalUrl)
  const isSecure = internal.protocol === 'https:'
  return {
    origin: internal.origin,
    isSecure,
    hostname: internal.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: internal.port === '' ? (isSecure ? 443 : 80) : Number(internal.port),
    hostField: application.hostHeader === 'internal' ? internal.host : external.host,
    basePath: internal.pathname,
    externalHost: external.host,
    externalPath: external.pathname,
  }
}

/** Path and query at the application. */
export function internalTarget(address: InternalAddress, target: string): string {
  const { path, query } = readTarget(target, address.externalHost)
  return joinInternal(address.basePath, pathAfter(address.externalPath, path)) + query
}

/** The header list with the `Host` the application is to see, first as RFC 9110 §7.2 advises. */
export function withHost(headers: HeaderList, address: InternalAddress): HeaderList {
  const list = new Array<string>(headers.length + 2)
  list[0] = 'Host'
  list[1] = address.hostField
  let end = 2
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name.length === 4 && name.toLowerCase() === 'host') continue
    list[end++] = name
    list[end++] = headers[i + 1]!
  }
  list.length = end
  return list
}
