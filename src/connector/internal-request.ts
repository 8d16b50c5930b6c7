/**
 * From what the user asked of the external URL to what the application is asked at its internal one.
 *
 * Scheme, host and port come from the application's details only; the request contributes the octets after the
 * external path.
 *
 * @module
 */
import {
  joinInternal,
  pathAfter,
  readTarget,
  withoutHeaders,
  type ApplicationDetails,
  type HeaderList,
} from '../protocol/index.ts'

/** Path and query at the application. */
export function internalTarget(application: ApplicationDetails, target: string): string {
  const external = new URL(application.externalUrl)
  const { path, query } = readTarget(target, external.host)
  const rest = pathAfter(external.pathname, path)
  return joinInternal(new URL(application.internalUrl).pathname, rest) + query
}

/** The header list with the `Host` the application is to see, first as RFC 9110 §7.2 advises. */
export function withHost(headers: HeaderList, application: ApplicationDetails): HeaderList {
  const { hostHeader, internalUrl, externalUrl } = application
  const host = new URL(hostHeader === 'internal' ? internalUrl : externalUrl).host
  return ['Host', host, ...withoutHeaders(headers, 'host')]
}
