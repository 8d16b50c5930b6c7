/**
 * Which body a request head announces. Everything two parsers might read differently is refused:
 * the next hop frames the body anew from this answer and never from the fields.
 *
 * @see RFC 9112, section 6; RFC 9110, section 8.6
 * @module
 */
import { ExchangeFailed } from '../wire/errors.ts'
import type { BodyKind, HeaderList } from '../wire/frame-types.ts'
import { headerValues, isNamed } from './header-list.ts'

/**
 * The body that an HTTP/1.1 request head announces. A length of 0 is no body.
 *
 * @throws ExchangeFailed `user-malformed`: both `Content-Length` and `Transfer-Encoding` (RFC 9112,
 *   6.3), either of them repeated, a length that is not plain digits or is beyond what can be
 *   counted, a coding other than exactly `chunked` (6.1), or a TRACE with a body (RFC 9110, 9.3.8)
 */
export function bodyKindOf(method: string, headers: HeaderList): BodyKind {
  const lengths = headerValues(headers, 'content-length')
  const codings = headerValues(headers, 'transfer-encoding')
  if (lengths.length + codings.length > 1)
    throw malformed('more than one Content-Length or Transfer-Encoding')
  const kind = codings.length === 1 ? chunked(codings[0]!) : counted(lengths[0])
  if (method === 'TRACE' && kind.kind !== 'none') throw malformed('TRACE with a body')
  return kind
}

const NONE: BodyKind = Object.freeze({ kind: 'none' })
const STREAMED: BodyKind = Object.freeze({ kind: 'streamed' })

function chunked(coding: string): BodyKind {
  // Coding names know no case (RFC 9112, section 7); ",chunked" and the like pass some parsers, so
  // no list is read.
  if (coding.toLowerCase() !== 'chunked') throw malformed('a Transfer-Encoding other than chunked')
  return STREAMED
}

function counted(length: string | undefined): BodyKind {
  if (length === undefined) return NONE
  // 15 digits: exact in a JavaScript number.
  if (!/^[0-9]{1,15}$/.test(length)) throw malformed('a Content-Length that is no plain number')
  const bytes = Number(length)
  return bytes === 0 ? NONE : { kind: 'length', bytes }
}

function malformed(cause: string): ExchangeFailed {
  return new ExchangeFailed('user', 'user-malformed', { cause })
}

/** Whether an answer is a stream of events or of gRPC, which may be silent for long. */
export function isEventStream(headers: HeaderList): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (!isNamed(headers[i]!, 'content-type')) continue
    return /^\s*(text\/event-stream|application\/grpc)/i.test(headers[i + 1]!)
  }
  return false
}
