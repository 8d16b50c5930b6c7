/**
 * Why a request is offered to nobody: absence is told as such, want of capacity as such, and whose
 * share is spent.
 *
 * @see spec/PROTOCOL.md, "Dispatch"
 * @module
 */
import type { FailureReason } from '../wire/errors.ts'
import { whyUnsupported, type NoChoice } from './dispatch-choice.ts'
import type { Share } from './dispatch-shares.ts'
import type { RequestState } from './dispatch-state.ts'

/** @param spent the share that keeps it from being offered; none: there is no room for anybody */
export function refusalOf(
  record: RequestState,
  obstacle: NoChoice | 'share',
  spent: Share | undefined,
): FailureReason {
  switch (obstacle) {
    case 'absent':
      return 'no-connector'
    case 'unsupported':
      return whyUnsupported(record)
    case 'excluded':
      return 'attempts-exhausted'
    case 'lost':
      return 'pin-lost'
    case 'held':
      return 'user-share'
    case 'busy':
    case 'share':
      return spent === undefined ? 'connectors-busy' : SPENT[spent]
  }
}

/** Of what there is no room for, or no room to wait: whoever asks again later may find some. */
export const SPENT = {
  group: 'queue-full',
  application: 'application-share',
  user: 'user-share',
} as const satisfies Readonly<Record<Share | 'group', FailureReason>>

/** What passes: after so many milliseconds it may be tried again. */
export function retryAfterMs(reason: FailureReason): number | undefined {
  return WANTS_OF_ROOM.has(reason) ? 1_000 : undefined
}

const WANTS_OF_ROOM: ReadonlySet<FailureReason> = new Set([
  'connectors-busy',
  ...Object.values(SPENT),
])
