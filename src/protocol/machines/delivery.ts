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
  'instances-unreachable': 'unknown',
  'queue-full': 'unknown',
  'connectors-busy': 'unknown',
  'application-share': 'unknown',
  'user-share': 'unknown',
  'connector-too-old': 'none',
  'claim-timeout': 'unknown',
  'attempts-exhausted': 'unknown',
  'connector-lost': 'unknown',
  'connector-violation': 'unknown',
  'connector-aborted': 'unknown',
  // It found no room for a connection, or trusted none: before anything was sent.
  'connector-exhausted': 'none',
  'application-certificate': 'none',
  // It may be that the application did not take what it was told.
  'sign-on-failed': 'unknown',
  // It goes on no other connection than the one that was lost.
  'pin-lost': 'none',
  'connection-shared': 'reached',
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
  /** A connector has claimed it, and has not said that it sent nothing of it. */
  readonly isClaimed: boolean
  /**
   * The application may have got it otherwise: of an earlier claim, or of one that never reached us
   * and needs no confirmation.
   */
  readonly mayHaveBegun: boolean
}

export function deliveryOf(reason: FailureReason, facts: DeliveryFacts): Delivery {
  const delivery = facts.isClaimed ? CLAIMED[reason] : 'none'
  return delivery === 'none' && facts.mayHaveBegun ? 'unknown' : delivery
}
