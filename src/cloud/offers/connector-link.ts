/**
 * A multiplexed link of a connector, as the origin sees it: takes offers, brings claims. The
 * transport is whoever calls {@link ConnectorLink.link}.
 *
 * @module
 */
import {
  AcceptedLink,
  DATA_BYTES,
  INITIAL_WINDOW_BYTES,
  LINK_FEATURES,
  MAX_DATA_BYTES,
  PROTOCOL_VERSION,
  succession,
  type AcceptedLinkHandler,
  type Claim,
  type ClaimAnswer,
  type Decline,
  type ExchangeWire,
  type Hello,
  type LinkCarriage,
  type LinkEnd,
  type Offer,
  type Random,
  type Welcome,
} from '../../protocol/internal.ts'
import type { Origin } from './origin.ts'
import type { Claimer } from './submission.ts'
import type { OfferLink } from './offer-link.ts'
import { tenantKey, type TenantKey } from '../directory/tenant-key.ts'

/** What a link's transport is told. */
export interface ConnectorLinkEvents {
  /** There is something to send. */
  wake(): void
  /** The connector has introduced itself. */
  greeted?(hello: Hello): void
  closed(end: LinkEnd, link: ConnectorLink): void
}

/**
 * Joins an {@link AcceptedLink} to the origin.
 *
 *     const now = cloud.clocks.wallClock()
 *     const { connector } = await cloud.certificates.identify(certificate, now)
 *     const { tenantId, groupId, id: connectorId } = connector
 *     const { link } = new ConnectorLink(cloud.origin, { tenantId, groupId, connectorId }, {
 *       wake: () => …, // send what link.takeOutput(room) gives, before this turn ends
 *       closed: () => …,
 *     })
 */
export class ConnectorLink implements OfferLink, AcceptedLinkHandler {
  /** The machine that the transport drives. */
  readonly link: AcceptedLink
  readonly #origin: Origin
  readonly #claimer: Claimer
  /** Whose offers it takes. */
  readonly #group: TenantKey
  readonly #events: ConnectorLinkEvents
  /** What HELLO said of it. */
  #hello: Hello | undefined
  #attached = false

  /** @param random what grease is made of; without it this end sends none */
  constructor(origin: Origin, claimer: Claimer, events: ConnectorLinkEvents, random?: Random) {
    this.#origin = origin
    this.#claimer = claimer
    this.#group = tenantKey(claimer.tenantId, claimer.groupId)
    this.#events = events
    this.link = new AcceptedLink(this, origin.limits.controlCallMs, origin.clocks.now(), random)
  }

  get connectorId(): string {
    return this.#claimer.connectorId
  }

  get grants(): number {
    return this.link.grants
  }

  /** Whether it has introduced itself. */
  get isGreeted(): boolean {
    return this.#hello !== undefined
  }

  get features(): readonly string[] {
    return this.#hello?.features ?? []
  }

  get offers(): number {
    return this.#hello?.offers ?? 0
  }

  get streams(): number {
    return this.#hello?.streams ?? 0
  }

  offer(offer: Offer): void {
    this.link.offer(offer)
  }

  /**
   * Whether this link is to be used no more now that there is `other`: a later one of the same
   * run of the connector, and of the same index.
   */
  isReplacedBy(other: Hello): boolean {
    const own = this.#hello
    if (own === undefined || own === other) return false
    const is = succession(own, other)
    return is === 'same' || is === 'successor'
  }

  /**
   * Offers nothing more; what the connector has not claimed yet goes elsewhere, what it has is
   * finished.
   */
  retire(): void {
    this.#origin.lost(this)
    this.link.drain()
  }

  // ── what the link says ────────────────────────────────────────────────────────────────────

  wake(): void {
    this.#events.wake()
  }

  hello(hello: Hello): Welcome | undefined {
    if (!hello.versions.includes(PROTOCOL_VERSION)) return undefined
    this.#hello = hello
    this.#events.greeted?.(hello)
    return {
      version: PROTOCOL_VERSION,
      instance: this.#origin.instance,
      windowBytes: INITIAL_WINDOW_BYTES,
      maxDataBytes: Math.max(DATA_BYTES, Math.min(MAX_DATA_BYTES, hello.maxDataBytes)),
      pingMs: this.#origin.limits.pingMs,
      leaseMs: 0,
      features: LINK_FEATURES,
    }
  }

  claim(claim: Claim, wire: ExchangeWire, carriage: LinkCarriage): ClaimAnswer | undefined {
    return this.#origin.claim(this.#claimer, claim, wire, carriage)
  }

  decline(decline: Decline): void {
    this.#origin.declined(this.#claimer, decline)
  }

  granted(): void {
    if (this.#attached) return this.#origin.granted(this)
    // One without offers is for claims only.
    if (this.offers === 0) return
    this.#attached = true
    this.#origin.attach(this.#group, this)
  }

  draining(): void {
    this.#origin.detach(this)
  }

  ending(): void {
    this.#origin.detach(this)
  }

  closed(end: LinkEnd): void {
    this.#origin.lost(this)
    this.#events.closed(end, this)
  }
}
