/**
 * From what an HTTP library threw to who is at fault.
 *
 * @module
 */
import { ResetCode, type NotSentCause } from '../../protocol/internal.ts'
import { EXHAUSTED, OUT_OF_TIME, UNTRUSTED, WRONG_NAME } from './failure-codes.ts'

/** We sent, or were about to send, a body other than the head announced. */
export const BODY_LENGTH = 'ERR_REQUEST_BODY_LENGTH'
/**
 * The application answered with a status that answers nothing: below 100, or a 101 nobody asked
 * for.
 */
export const UNUSABLE_STATUS = 'ERR_UNUSABLE_STATUS'
/** The application coded its answer for the transfer, and nobody had asked for that. */
export const TRANSFER_CODING = 'ERR_TRANSFER_CODING'
/** No connection within the connect limit. */
export const CONNECT_TIMEOUT = 'ERR_CONNECT_TIMEOUT'
/** The connection that the user was known by is there no more. */
export const PIN_LOST = 'ERR_PIN_LOST'
/** A connection was reset: `undici` would take a reset after a body without length for its end. */
export const CONNECTION_RESET = 'ERR_CONNECTION_RESET'

/** An error with a code that {@link faultOf} knows. */
export function fault(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

/** What to tell the cloud. */
export function faultOf(error: unknown, responded: boolean): ResetCode {
  const { name, code = '', message = '' } = error as NodeJS.ErrnoException
  // undici's parser says in words what Node's says by code.
  const isSyntax = code.startsWith('HPE_') || name === 'HTTPParserError'
  // The end of a connection inside a message: broken off, whatever the parser calls it.
  if (isSyntax && (code === 'HPE_INVALID_EOF_STATE' || message.includes('Invalid EOF state')))
    return ResetCode.APPLICATION_ABORTED
  if (isSyntax || MALFORMED.has(code)) return ResetCode.APPLICATION_MALFORMED
  if (code === 'UND_ERR_SOCKET' && message.startsWith('bad '))
    return ResetCode.APPLICATION_MALFORMED
  // A head it could not read, once it had read a length in it; later, an answer shorter than its
  // length.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && !responded)
    return ResetCode.APPLICATION_MALFORMED
  if (code === PIN_LOST) return ResetCode.PIN_LOST
  if (OURS.test(code)) return ResetCode.INTERNAL
  if (EXHAUSTED.has(code)) return ResetCode.CONNECTOR_EXHAUSTED
  if (UNTRUSTED.has(code) || OUT_OF_TIME.has(code) || code === WRONG_NAME)
    return ResetCode.APPLICATION_CERTIFICATE
  return responded || BROKEN.has(code) ? ResetCode.APPLICATION_ABORTED : ResetCode.UNREACHABLE
}

/**
 * Why a request got no connection; undefined: the fault is our own, and another connector would
 * have it as well.
 */
export function notSentCauseOf(error: unknown): NotSentCause | undefined {
  const code = faultOf(error, false)
  switch (code) {
    case ResetCode.APPLICATION_CERTIFICATE:
    case ResetCode.CONNECTOR_EXHAUSTED:
    case ResetCode.PIN_LOST:
      return code
    case ResetCode.INTERNAL:
      return undefined
    default:
      return LATE.has((error as NodeJS.ErrnoException).code ?? '')
        ? ResetCode.TIMEOUT
        : ResetCode.UNREACHABLE
  }
}

/** What broke off an answer that had begun, told apart from a connection that never brought one. */
export function insideAnswer(error: unknown, responded: boolean): unknown {
  if (!responded || !isStale(error)) return error
  return Object.assign(fault(CONNECTION_RESET, 'closed inside its answer'), { cause: error })
}

/**
 * Whether the application may have closed the connection before it saw the request (RFC 9110
 * §9.2.2).
 */
export function isStale(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException
  return BROKEN.has(code) && faultOf(error, false) !== ResetCode.APPLICATION_MALFORMED
}

/** No connection in time, by our clock, undici's or the kernel's. */
const LATE = new Set([CONNECT_TIMEOUT, 'UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'])
const MALFORMED = new Set(['UND_ERR_HEADERS_OVERFLOW', UNUSABLE_STATUS, TRANSFER_CODING])
/** It accepted the connection, and broke it. */
const BROKEN = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', CONNECTION_RESET])
/** What the libraries say of requests they refuse to make, and of a backend that is closed. */
const OURS =
  /^(UND_ERR_(INVALID_ARG|NOT_SUPPORTED|REQ_CONTENT_LENGTH_MISMATCH|DESTROYED|CLOSED|ABORTED)|ERR_(INVALID_|UNESCAPED_|HTTP_|STREAM_|REQUEST_BODY_LENGTH).*)$/
