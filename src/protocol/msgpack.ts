/** Placeholder signature; see the brief. */
import { Packr } from 'msgpackr'
import type { PeerViolationReason } from './errors.ts'

export interface DecodeLimits {
  readonly maxBytes: number
  readonly maxDepth: number
  /** What a refusal is called: `MALFORMED_MESSAGE` for control messages, `MALFORMED_FRAME` for frame payloads. */
  readonly reason: PeerViolationReason
}
const packr = new Packr({ useRecords: false })
export function encode(value: unknown): Uint8Array {
  return packr.pack(value)
}
export function decode(_octets: Uint8Array, _limits: DecodeLimits): unknown {
  throw new Error('not written yet')
}
