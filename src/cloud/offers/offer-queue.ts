/**
 * The port between the instances of one service: offers that an instance has no link for travel to
 * one that has, as values, and what becomes of them travels back.
 *
 * The queue is never trusted for at most once: only the origin confirms an attempt, so what is
 * lost, doubled or late costs time and nothing else. Every value carries a version, and room for
 * more.
 *
 * @see spec/PROTOCOL.md, "Dispatch"
 * @module
 */
import type { AttemptOutcome, ExchangeId, HealthOutcome, Offer } from '../../protocol/internal.ts'

/** One attempt of an exchange, on its way to an instance that has a link for it. */
export interface OfferEnvelope {
  readonly v: 1
  readonly id: ExchangeId
  readonly attempt: number
  readonly tenantId: string
  readonly groupId: string
  readonly applicationId: string
  readonly applicationVersion: string
  /** Features that a link must have named. */
  readonly needs: readonly string[]
  /** Connectors that may not be offered it. */
  readonly excluded: readonly string[]
  /** The one connector that may be: it has the connection that the request goes on. */
  readonly only?: string | undefined
  /** Whose share of the application's it takes. */
  readonly share: string
  /** The group serves no other application. */
  readonly isAlone: boolean
  readonly isReplayable: boolean
  /** How long a claim is waited for. Milliseconds, from when it was made. */
  readonly validMs: number
  /** The instance that holds the user: the claim goes there. */
  readonly origin: string
  /** The offer as the connector is told it. */
  readonly head: Offer
}

/** What became of an attempt: told between its origin and the instance that delivered it. */
export interface OfferOutcome {
  readonly v: 1
  readonly id: ExchangeId
  readonly attempt: number
  readonly outcome: AttemptOutcome
  /** Absent: no connector was chosen, or it is not known. */
  readonly connectorId?: string | undefined
}

/** What an instance can deliver for a group. */
export interface OfferPresence {
  readonly v: 1
  readonly instance: string
  readonly tenantId: string
  readonly groupId: string
  /** Offers that its links take at once; 0: it serves the group no more. */
  readonly offers: number
  /** Those of them that may be made now. */
  readonly granted: number
  /** Features that any of its links named. */
  readonly features: readonly string[]
  /** Who holds these links: what all of them have refused is not sent here. */
  readonly connectors: readonly string[]
}

/** What an instance has seen of a connector, for whoever has a link to it too. */
export interface OfferHealth {
  readonly v: 1
  readonly instance: string
  readonly tenantId: string
  readonly groupId: string
  readonly applicationId: string
  readonly connectorId: string
  readonly outcome: HealthOutcome
}

/**
 * `instance`: who has put it on a link. `declined`: nobody could. `unknown`: nobody has said, so it
 * may be on one.
 */
export type OfferReceipt = { readonly instance: string } | 'declined' | 'unknown'

/** One instance, as the queue calls it. */
export interface OfferReceiver {
  readonly instance: string
  offered(envelope: OfferEnvelope): OfferReceipt
  told(outcome: OfferOutcome): void
  announced(presence: OfferPresence): void
  observed(health: OfferHealth): void
  /** An instance has left, or is silent: nothing that it has said holds any more. */
  gone(instance: string): void
  /** Whether others can be asked; they can at first. What they announced is announced anew. */
  reachable(isReachable: boolean): void
}

/**
 * Joins the instances of a cloud: an offer goes to one that has a link for it, its outcome comes
 * back.
 */
export interface OfferQueue {
  /**
   * To one instance that serves the group, and of those only to one that is asked; resolves when it
   * has said what it did, or when its claim has come too late.
   *
   * @throws Refused `unavailable`, at once, when nobody can be asked now; `too-large` when it is
   *   longer than an offer may be that travels
   */
  publish(envelope: OfferEnvelope): Promise<OfferReceipt>
  /** To that instance. */
  tell(instance: string, outcome: OfferOutcome): void
  /** To all other instances. */
  announce(presence: OfferPresence): void
  /** To all other instances, within a second. */
  observe(health: OfferHealth): void
  /**
   * Takes part until the function that is returned is called. It is told what others have announced
   * before, and they that it leaves.
   */
  join(receiver: OfferReceiver): () => void
}
