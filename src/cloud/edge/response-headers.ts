/**
 * What a response's head and trailers go through on the way to the user.
 *
 * That no octet in them forges a line, the frame's decoder saw to.
 *
 * @see spec/PROTOCOL.md, "Targets, headers and the user's side"
 * @module
 */
import {
  FoldedNames,
  HOP_BY_HOP,
  isHopByHop,
  isNamed,
  nominatedNames,
  sanitiseTrailers,
  setsOurCookie,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/internal.ts'
import { isOwnCookie } from '../directory/cookies.ts'
import type { Published } from '../directory/published.ts'

/** Names that are looked at: a list without them, which is most, is passed on as it is. */
const RULED = new FoldedNames([
  ...HOP_BY_HOP,
  ...['content-length', 'content-location', 'location', 'set-cookie'],
])

/**
 * A response's header list as the user gets it: without what belongs to the connection and without
 * cookies in our names, with redirects to the internal URL turned to the external one. A 101 and a
 * 426 keep their `Upgrade`; a 205 has no content.
 */
export function responseHeaders(
  { status, headers }: ResponseHead,
  application: Published,
): HeaderList {
  const nominated = nominatedNames(headers)
  let changed: string[] | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    const passed =
      nominated?.has(name) === true && !(namesProtocols(status) && isNamed(name, 'upgrade'))
        ? undefined
        : RULED.has(name)
          ? ruled(name, value, status, application)
          : value
    if (passed !== value) changed ??= headers.slice(0, i)
    if (changed !== undefined && passed !== undefined) changed.push(name, passed)
  }
  return changed ?? headers
}

/** Response trailers that may be passed on; `undefined` when that is none. */
export function responseTrailers(trailers: HeaderList | undefined): HeaderList | undefined {
  if (trailers === undefined) return undefined
  const kept = sanitiseTrailers(trailers)
  return kept.length === 0 ? undefined : kept
}

/** Statuses that say in `Upgrade` what the connection becomes, or would have to (RFC 9110 §7.8). */
function namesProtocols(status: number): boolean {
  return status === 101 || status === 426
}

/** The value a field goes on with; `undefined`: it does not. */
function ruled(
  name: string,
  value: string,
  status: number,
  application: Published,
): string | undefined {
  if (isNamed(name, 'content-length')) {
    // None has content, and the first two may not say a length (RFC 9110 §8.6, §15.3.6).
    return status < 200 || status === 204 || status === 205 ? undefined : value
  }
  if (isNamed(name, 'set-cookie')) return setsOurCookie(value, isOwnCookie) ? undefined : value
  if (isNamed(name, 'location') || isNamed(name, 'content-location'))
    return translated(value, application)
  if (namesProtocols(status) && isNamed(name, 'upgrade')) return value
  return isHopByHop(name) ? undefined : value
}

/**
 * A redirect to the application's internal URL would lead the user nowhere, and tell what is
 * inside.
 */
function translated(value: string, { internalOrigin, application }: Published): string {
  const { internalUrl, externalUrl } = application
  if (!value.startsWith(internalOrigin)) return value
  if (value.startsWith(internalUrl)) return externalUrl + value.slice(internalUrl.length)
  return value === internalOrigin ? externalUrl : value
}
