/**
 * A multiplexed link of a connector, as the origin sees it: takes offers, brings claims. The transport is whoever calls
 * {@link ConnectorLink.link}.
 *
 * @module
 */
import {
  AcceptedLink,
  DATA_BYTES,
  INITIAL_WINDOW_BYTES,
  MAX_DATA_BYTES,
  PROTOCOL_VERSION,
  type AcceptedLinkHandler,
  type Claim,
  type ClaimAnswer,
  type Decline,
  type ExchangeWire,
  type Hello,
  type LinkCarriage,
  type LinkEnd,
  type Offer,
  type Welcome,
} from '../protocol/index.ts'
import type { Claimer, Origin } from './origin.ts'
import type { OfferLink } from './request-queue.ts'

/** What a link's transport is told. */
export interface ConnectorLinkEvents {
  /** There is something to send. */
  wake(): void
  closed(end: LinkEnd): void
}

/** Joins an {@link AcceptedLink} to the origin. */
export class ConnectorLink implements OfferLink, AcceptedLinkHandler {
  /** The machine that the transport drives. */
  readonly link: AcceptedLink
  readonly #origin: Origin
  readonly #claimer: Claimer
  readonly #events: ConnectorLinkEvents
  #attached = false

  constructor(origin: Origin, claimer: Claimer, events: ConnectorLinkEvents) {
    this.#origin = origin
    this.#claimer = claimer
    this.#events = events
    this.link = new AcceptedLink(this, origin.limits.requestHeadMs, origin.clocks.now())
  }

  get connectorId(): string {
    return this.#claimer.connectorId
  }

  get grants(): number {
    return this.link.grants
  }

  offer(offer: Offer): void {
    this.link.offer(offer)
  }

  // ── what the link says ────────────────────────────────────────────────────────────────────

  wake(): void {
    this.#events.wake()
  }

  hello({ versions, maxDataBytes }: Hello): Welcome | undefined {
    if (!versions.includes(PROTOCOL_VERSION)) return undefined
    return {
      version: PROTOCOL_VERSION,
      instance: this.#origin.instance,
      windowBytes: INITIAL_WINDOW_BYTES,
      maxDataBytes: Math.max(DATA_BYTES, Math.min(MAX_DATA_BYTES, maxDataBytes)),
      pingMs: this.#origin.limits.pingMs,
      leaseMs: 0,
      features: ['link'],
    }
  }

  claim(claim: Claim, wire: ExchangeWire, carriage: LinkCarriage): ClaimAnswer | undefined {
    const confirm = !this.#origin.isReplayable(this.#claimer, claim.id)
    const exchange = this.#origin.claim(this.#claimer, claim, wire, carriage)
    return exchange === undefined ? undefined : { exchange, confirm }
  }

  decline(decline: Decline): void {
    this.#origin.declined(this.#claimer, decline)
  }

  granted(): void {
    const { queue } = this.#origin
    if (this.#attached) return queue.granted(this.#claimer.groupId, this)
    this.#attached = true
    queue.attach(this.#claimer.groupId, this)
  }

  closed(end: LinkEnd): void {
    if (this.#attached) this.#origin.queue.detach(this.#claimer.groupId, this)
    this.#origin.lost(this)
    this.#events.closed(end)
  }
}
