/**
 * Whether the application got a request that failed: what its user must know before they repeat it.
 *
 * @see spec/PROTOCOL.md, "Error codes"
 * @module
 */
import type { FailureReason } from '../wire/errors.ts'

/** `none`: certainly not; `unknown`: nobody can know; `reached`: it has answered, or begun to. */
export type Delivery = 'none' | 'unknown' | 'reached'

/**
 * Of a request that a connector has claimed. A row for each reason: another one is not compiled
 * without.
 */
const CLAIMED: Readonly<Record<FailureReason, Delivery>> = {
  // Offered again, after a claim that was lost.
  'no-connector': 'unknown',
  'queue-full': 'unknown',
  'claim-timeout': 'unknown',
  'attempts-exhausted': 'unknown',
  'connector-lost': 'unknown',
  'connector-violation': 'unknown',
  'connector-aborted': 'unknown',
  // It found no room for a connection, or trusted none: before anything was sent.
  'connector-exhausted': 'none',
  'application-certificate': 'none',
  'unknown-application': 'none',
  'upgrade-unsupported': 'none',
  'method-unsupported': 'none',
  'application-unreachable': 'unknown',
  'application-timeout': 'unknown',
  'application-aborted': 'unknown',
  'application-malformed': 'reached',
  'idle-timeout': 'unknown',
  'user-aborted': 'unknown',
  'user-malformed': 'unknown',
  'head-too-large': 'none',
  'target-too-long': 'none',
  'user-too-slow': 'unknown',
  'origin-refused': 'none',
  cancelled: 'unknown',
  internal: 'unknown',
}

/** How far a request had come. */
export interface DeliveryFacts {
  /** It was sent to a connector. */
  readonly isOffered: boolean
  /** A connector has claimed it. */
  readonly isClaimed: boolean
  /** A connector may begin it before its claim is confirmed. */
  readonly isReplayable: boolean
}

export function deliveryOf(reason: FailureReason, facts: DeliveryFacts): Delivery {
  if (facts.isClaimed) return CLAIMED[reason]
  // Its claim may have been lost, and it was begun; any other waits for a confirmation that never
  // came.
  return facts.isOffered && facts.isReplayable ? 'unknown' : 'none'
}
