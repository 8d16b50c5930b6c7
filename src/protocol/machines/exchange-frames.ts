/**
 * From a frame to what it means for an exchange; the same for both roles and every binding.
 *
 * @module
 */
import { PeerViolation } from '../wire/errors.ts'
import type { Exchange } from './exchange.ts'
import { headerRule } from '../wire/frame-headers.ts'
import { FrameFlag, FrameType } from '../wire/frame-types.ts'
import { decodeCredit, decodeReset, decodeStop } from '../wire/control-frames.ts'
import { decodeInformational, decodeResponse, decodeTrailers } from '../wire/heads.ts'

/**
 * Tells `exchange` what a frame said. DATA is not among them: its bytes arrive in pieces, see
 * FrameSink.
 *
 * @throws PeerViolation for a frame that does not belong in an exchange, or not now
 */
export function deliverFrame(
  exchange: Exchange,
  type: FrameType,
  flags: number,
  payload: Uint8Array,
  now: number,
): void {
  // A connector that is sent an answer must not take it for one of its own.
  if (exchange.role === 'responder' && headerRule(type)?.by === 'connector')
    throw new PeerViolation('UNEXPECTED_EVENT', `frame type ${type} of the cloud`)
  switch (type) {
    case FrameType.RESPONSE:
      return exchange.receivedResponse(decodeResponse(payload), (flags & FrameFlag.END) !== 0, now)
    case FrameType.INFORMATIONAL:
      return exchange.receivedInformational(decodeInformational(payload))
    case FrameType.TRAILERS:
      if ((flags & FrameFlag.END) === 0)
        throw new PeerViolation('MALFORMED_FRAME', 'TRAILERS without END')
      return exchange.receivedTrailers(decodeTrailers(payload), now)
    case FrameType.CREDIT:
      return exchange.receivedCredit(decodeCredit(payload), now)
    case FrameType.STOP:
      return exchange.receivedStop(decodeStop(payload).code, now)
    case FrameType.RESET: {
      const { code, cause } = decodeReset(payload)
      return exchange.receivedReset(code, cause)
    }
    default:
      throw new PeerViolation('UNEXPECTED_EVENT', `frame type ${type} in an exchange`)
  }
}
