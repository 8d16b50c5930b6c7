/**
 * The payloads of the small frames: credit, ends, hints and pings.
 *
 * @see spec/PROTOCOL.md, "Frames"
 * @module
 */
import { ApiMisuse } from './errors.ts'
import { ResetCode } from './frame-types.ts'
import { MAX_CREDIT } from './limits.ts'
import { encode } from './msgpack.ts'
import { malformed, readElements } from './positional.ts'

/**
 * Four raw octets: bytes, or offers on number 0. Never 0, which would say nothing (RFC 9113,
 * section 6.9).
 */
export function encodeCredit(amount: number): Uint8Array {
  if (amount < 1 || amount > MAX_CREDIT) throw new ApiMisuse(`cannot grant ${amount}`)
  return u32(amount)
}

/**
 * Reads the payload of a CREDIT: bytes, or offers on number 0.
 *
 * @throws PeerViolation `MALFORMED_FRAME`
 */
export function decodeCredit(payload: Uint8Array): number {
  const amount = readU32(payload, 'CREDIT')
  if (amount === 0) throw malformed('CREDIT', 'grants nothing')
  return amount
}

/** What RESET and STOP carry. */
export interface Reset {
  readonly code: ResetCode
  /** With NOT_SENT alone: why. Default `UNREACHABLE`. */
  readonly cause?: NotSentCause | undefined
}

/** Why nothing of a request was sent: each has words of its own for the user. */
export type NotSentCause =
  | typeof ResetCode.UNREACHABLE
  | typeof ResetCode.TIMEOUT
  | typeof ResetCode.APPLICATION_CERTIFICATE
  | typeof ResetCode.CONNECTOR_EXHAUSTED
  | typeof ResetCode.SIGN_ON
  | typeof ResetCode.PIN_LOST

/** The code, four raw octets; NOT_SENT may be followed by four more, the cause. */
export function encodeReset({ code, cause }: Reset): Uint8Array {
  if (code === ResetCode.LOST) throw new ApiMisuse('LOST is never sent')
  if (cause === undefined) return u32(code)
  if (code !== ResetCode.NOT_SENT) throw new ApiMisuse('only NOT_SENT has a cause')
  const octets = new Uint8Array(8)
  octets.set(u32(code))
  octets.set(u32(cause), 4)
  return octets
}

const RECEIVABLE: ReadonlySet<number> = new Set(
  Object.values(ResetCode).filter((code) => code !== ResetCode.LOST),
)

const NOT_SENT_CAUSES: ReadonlySet<unknown> = new Set<NotSentCause>([
  ResetCode.UNREACHABLE,
  ResetCode.TIMEOUT,
  ResetCode.APPLICATION_CERTIFICATE,
  ResetCode.CONNECTOR_EXHAUSTED,
  ResetCode.SIGN_ON,
  ResetCode.PIN_LOST,
])

/** Whether it is a code that says why nothing was sent. */
export function isNotSentCause(code: unknown): code is NotSentCause {
  return NOT_SENT_CAUSES.has(code)
}

/**
 * A code from a later version, or one that is never sent, reads as INTERNAL: the exchange is over,
 * the link is not. A cause of a later version is none.
 */
export function decodeReset(payload: Uint8Array): Reset {
  if (payload.length === 8) {
    const reset = decodeReset(payload.subarray(0, 4))
    if (reset.code !== ResetCode.NOT_SENT) throw malformed('RESET', 'only NOT_SENT has a cause')
    const cause = readU32(payload.subarray(4), 'RESET')
    return isNotSentCause(cause) ? { ...reset, cause } : reset
  }
  const code = readU32(payload, 'RESET')
  return { code: RECEIVABLE.has(code) ? (code as ResetCode) : ResetCode.INTERNAL }
}

/** The code, four raw octets. */
export function encodeStop({ code }: Pick<Reset, 'code'>): Uint8Array {
  return encodeReset({ code })
}

/**
 * Reads the payload of a STOP; a code of a later version reads as INTERNAL.
 *
 * @throws PeerViolation `MALFORMED_FRAME`
 */
export function decodeStop(payload: Uint8Array): Pick<Reset, 'code'> {
  if (payload.length !== 4) throw malformed('STOP', 'carries 4 octets')
  return decodeReset(payload)
}

/** CONFIGURATION: a hint that there is a newer one to pull. */
export interface ConfigurationHint {
  readonly version: string
}

/** `[version]` */
export function encodeConfiguration(hint: ConfigurationHint): Uint8Array {
  return encode([hint.version])
}

/**
 * Reads the payload of a CONFIGURATION.
 *
 * @throws PeerViolation `MALFORMED_FRAME`
 */
export function decodeConfiguration(payload: Uint8Array): ConfigurationHint {
  const version = readElements(payload, 'CONFIGURATION', (from) => from.name('version'))
  return { version }
}

/** Octets of a PING; its answer carries the same. */
export const PING_BYTES = 8

/** The octets of a PING, to be sent back as they are. */
export function decodePing(payload: Uint8Array): Uint8Array {
  if (payload.length !== PING_BYTES) throw malformed('PING', `carries ${PING_BYTES} octets`)
  return payload
}

/** CONFIRM and DRAIN say all by their type. */
export function decodeEmpty(payload: Uint8Array): void {
  if (payload.length !== 0) throw malformed('CONFIRM or DRAIN', 'carries nothing')
}

function u32(value: number): Uint8Array {
  const octets = new Uint8Array(4)
  for (let i = 0; i < 4; i++) octets[i] = value >>> (24 - 8 * i)
  return octets
}

function readU32(payload: Uint8Array, frame: string): number {
  if (payload.length !== 4) throw malformed(frame, 'carries 4 octets')
  return ((payload[0]! << 24) | (payload[1]! << 16) | (payload[2]! << 8) | payload[3]!) >>> 0
}
