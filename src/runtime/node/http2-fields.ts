/**
 * Header lists as `node:http2` takes them.
 *
 * @see RFC 9113, section 8.2
 * @module
 */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http2'
import { withoutHeaders } from '../../protocol/http/header-list.ts'
import type { HeaderList } from '../../protocol/wire/frame-types.ts'

/** What belongs to an HTTP/1.1 connection and has no place in HTTP/2 (RFC 9113 §8.2.2). */
const CONNECTION_SPECIFIC = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'te',
]

/** Several fields of one name stay several. @throws TypeError for what is no field */
export function fieldsOf(headers: HeaderList): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null)
  const kept = withoutHeaders(headers, ...CONNECTION_SPECIFIC)
  for (let i = 0; i < kept.length; i += 2) {
    const [name, value] = [kept[i]!, kept[i + 1]!]
    // A NUL would begin another field in Node's own list.
    validateHeaderName(name)
    validateHeaderValue(name, value)
    const field = name.toLowerCase()
    const before = fields[field]
    if (before === undefined) fields[field] = value
    else if (typeof before === 'string') fields[field] = [before, value]
    else before.push(value)
  }
  return fields
}

/**
 * Twice what may be there once Node refuses. HTTP/1.1 would have passed it on, and its reader
 * joined it.
 */
export function joinedWhereNeeded<T>(
  fields: OutgoingHttpHeaders,
  send: (fields: OutgoingHttpHeaders) => T,
): T {
  try {
    return send(fields)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_HTTP2_HEADER_SINGLE_VALUE') throw error
    return send(joinedFields(fields))
  }
}

function joinedFields(fields: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const joined = Object.entries(fields).map(([name, value]) => {
    const stays = !Array.isArray(value) || name === 'set-cookie'
    return [name, stays ? value : value.join(', ')]
  })
  return Object.fromEntries(joined) as OutgoingHttpHeaders
}
