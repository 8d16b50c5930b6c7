/**
 * Heads of requests and answers, between HTTP/1.1's way to write them and HTTP/2's.
 *
 * @see RFC 9113, sections 8.2 and 8.3
 * @module
 */
import { sensitiveHeaders, type OutgoingHttpHeaders } from 'node:http2'
import type { HeaderList, ResponseHead } from '../../protocol/internal.ts'
import { fieldsOf } from '../../runtime/node/http2-fields.ts'
import type { BackendRequest } from '../backend.ts'
import { internalAddress } from '../internal-request.ts'

/** An answer's status, apart from its fields. */
export function headOf(raw: HeaderList): ResponseHead {
  const headers: string[] = []
  let status = 0
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i] === ':status') status = Number(raw[i + 1])
    else headers.push(raw[i]!, raw[i + 1]!)
  }
  return { status, headers }
}

/** Secrets of one user stay out of the compression that the requests of others share. */
const SENSITIVE = ['authorization', 'cookie', 'proxy-authorization']

/** Pseudo-fields first, then the rest, framed by HTTP/2. */
export function requestFields({
  application,
  method,
  target,
  headers,
  body,
}: BackendRequest): OutgoingHttpHeaders {
  const { isSecure, hostField } = internalAddress(application)
  const { host, cookie, 'content-length': _, ...fields } = fieldsOf(headers)
  const authority = typeof host === 'string' ? host : hostField
  return {
    ':method': method,
    ':scheme': isSecure ? 'https' : 'http',
    ':authority': authority,
    ':path': target,
    ...fields,
    ...(cookie !== undefined && {
      cookie: typeof cookie === 'string' ? cookie : cookie.join('; '),
    }),
    ...(body.kind === 'length' && { 'content-length': String(body.bytes) }),
    // We pass them on, whoever asks.
    te: 'trailers',
    [sensitiveHeaders]: SENSITIVE,
  }
}
