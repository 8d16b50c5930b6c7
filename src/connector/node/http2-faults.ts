/**
 * From what an application does to a stream of HTTP/2 to who is at fault, and back.
 *
 * @see RFC 9113, section 7
 * @module
 */
import { constants } from 'node:http2'
import { ResetCode } from '../../protocol/internal.ts'
import { fault } from './application-faults.ts'

/** TLS agreed on another protocol, or what was to speak HTTP/2 does not. */
export const NO_HTTP2 = 'ERR_NO_HTTP2'
/** What TLS says where none of the protocols will do that were offered. */
export const NO_PROTOCOL = /ALERT_NO_APPLICATION_PROTOCOL$/
/** A switch of protocols was asked of an application that speaks no HTTP/1.1. */
export const NO_HTTP1 = 'ERR_NO_HTTP1'
/** The application reset the stream; its message says how. */
export const STREAM_RESET = 'ERR_HTTP2_STREAM_RESET'

/** Codes by which nghttp2 ends what it cannot read: they come of what the application wrote. */
const MALFORMED: ReadonlySet<number> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
  constants.NGHTTP2_COMPRESSION_ERROR,
])

/** What to tell the cloud of a stream that ended without END_STREAM. */
export function faultOfReset(code: number): ResetCode {
  return MALFORMED.has(code) ? ResetCode.APPLICATION_MALFORMED : ResetCode.APPLICATION_ABORTED
}

/** The same for the operator. */
export function resetError(code: number): Error {
  return fault(STREAM_RESET, `the stream was reset with ${NAMES.get(code) ?? code}`)
}

const NAMES: ReadonlyMap<number, string> = new Map(
  [
    ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT'],
    ...['STREAM_CLOSED', 'FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR'],
    ...['CONNECT_ERROR', 'ENHANCE_YOUR_CALM', 'INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
  ].map((name, code) => [code, name]),
)
