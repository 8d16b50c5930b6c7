/**
 * Offers that a link may still make, as either of its ends counts them: the connector grants, the
 * cloud spends.
 *
 * @see spec/PROTOCOL.md, "Offers"
 * @module
 */
import { PeerViolation } from '../wire/errors.ts'

/** What is counted, as part of a link's memory. */
export interface GrantMemory {
  /** Offers that may be made now. */
  grants: number
  /** The most that may be granted at once: what HELLO said the connector takes. */
  offers: number
}

/** What HELLO grants. */
export function greet(memory: GrantMemory, hello: { offers: number; granted: number }): void {
  memory.offers = hello.offers
  memory.grants = Math.min(hello.offers, hello.granted)
}

/**
 * So many more.
 *
 * @throws PeerViolation `GRANT_EXCEEDED`: a grant is a slot that came free, and there are no more
 *   of them than HELLO said
 */
export function grant(memory: GrantMemory, offers: number): void {
  if (memory.grants + offers > memory.offers)
    throw new PeerViolation('GRANT_EXCEEDED', `${memory.grants} + ${offers} of ${memory.offers}`)
  memory.grants += offers
}

/**
 * An offer came.
 *
 * @throws PeerViolation `GRANT_EXCEEDED` for one that nobody granted
 */
export function spend(memory: GrantMemory): void {
  if (memory.grants === 0) throw new PeerViolation('GRANT_EXCEEDED', 'an offer nobody granted')
  memory.grants -= 1
}
