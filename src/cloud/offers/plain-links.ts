/**
 * The links that connectors hold over the plain binding, and what becomes of them when a
 * connector's standing or process changes. The HTTP of their streams is whoever calls.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import {
  DeadlineWheel,
  PLAIN_FEATURES,
  PLAIN_WINDOW_BYTES,
  PlainAcceptedLink,
  PROTOCOL_VERSION,
  Refused,
  succession,
  type AcceptedStream,
  type Hello,
  type LinkEnd,
  type Offer,
  type OfferStreamPort,
} from '../../protocol/internal.ts'
import { tenantKey, type TenantKey } from '../directory/tenant-key.ts'
import { MAX_LINKS } from './connector-links.ts'
import type { LinkAudit } from './link-audit.ts'
import type { Origin } from './origin.ts'
import type { OfferLink } from './offer-link.ts'
import type { Claimer } from './submission.ts'

/**
 * After a goodbye, claims are still on their way on other connections. So long they count; then
 * what is not claimed goes elsewhere. Milliseconds.
 */
const LEAVING_MS = 1_000

/** All of one instance. */
export class PlainLinks {
  readonly #origin: Origin
  readonly #audit: LinkAudit
  readonly #links = new Map<string, PlainLink>()
  readonly #wheel: DeadlineWheel

  constructor(origin: Origin, audit: LinkAudit) {
    this.#origin = origin
    this.#audit = audit
    this.#wheel = new DeadlineWheel(origin.clocks.now())
  }

  get size(): number {
    return this.#links.size
  }

  /** Whose links these are; some of them more than once. */
  *claimers(): Iterable<Claimer> {
    for (const { claimer } of this.#links.values()) yield claimer
  }

  /** What each can do. */
  *featured(): Iterable<readonly [Claimer, readonly string[]]> {
    for (const { claimer, features } of this.#links.values()) yield [claimer, features]
  }

  /**
   * Opens a link, or continues one with a fresh stream. Call the answer when the stream is no more.
   *
   * @throws Refused `not-found` when a newer link has taken its place, `unavailable` when the
   *   connector holds too many
   */
  stream(claimer: Claimer, id: string, hello: Hello, port: OfferStreamPort): () => void {
    const key = `${claimer.connectorId} ${id}`
    let link = this.#links.get(key)
    const is = link === undefined ? 'successor' : succession(link.hello, hello)
    if (is === 'earlier' || is === 'unrelated')
      throw new Refused('not-found', 'a newer link, or one of another process, has this name')
    if (link === undefined && this.#countOf(claimer.connectorId) >= MAX_LINKS)
      throw new Refused('unavailable', `${MAX_LINKS} links are open already`)
    const isNew = link?.continues(claimer, hello) !== true
    if (isNew) {
      // A new epoch replaces the old one at once; the old one's late goodbye finds nothing to
      // remove.
      link?.close()
      this.#audit.connected(claimer)
      link = new PlainLink(this.#origin, claimer, hello, (gone, reason) => {
        this.#audit.disconnected(claimer, reason)
        if (this.#links.get(key) === gone) this.#links.delete(key)
      })
      this.#links.set(key, link)
    }
    const gone = link!.stream(port, hello)
    // Now that there is a stream it has a deadline.
    if (isNew) this.#wheel.add(link!)
    return gone
  }

  /** So many more offers, on the link of that epoch. */
  grant(claimer: Claimer, id: string, epoch: number | undefined, offers: number): void {
    this.#own(claimer, id, epoch).machine.granted(offers)
  }

  /** The connector ends the link, unless a newer one took its place. */
  goodbye(claimer: Claimer, id: string, epoch: number): void {
    this.#own(claimer, id, epoch).goodbye()
  }

  #own({ connectorId }: Claimer, id: string, epoch: number | undefined): PlainLink {
    const link = this.#links.get(`${connectorId} ${id}`)
    const isNamed = link !== undefined && (epoch === undefined || link.hello.epoch === epoch)
    if (!isNamed) throw new Refused('not-found', 'no such link')
    return link
  }

  /**
   * The links of a connector, or all, offer nothing more; it learns that it should go elsewhere.
   */
  drain(connectorId?: string): void {
    for (const link of this.#of(connectorId)) link.drain()
  }

  /** Tells a connector that its configuration is another; whether a link carried it. */
  hint(connectorId: string, version: string): boolean {
    const links = this.#of(connectorId)
    for (const link of links) link.machine.hint(version)
    return links.length > 0
  }

  /** Ends every link. */
  close(): void {
    for (const link of this.#of(undefined)) link.close()
  }

  /** Breaks every link of a connector, at once. */
  cut(connectorId: string): void {
    for (const link of this.#of(connectorId)) link.machine.cut()
  }

  /** Looks at the deadlines of links and streams; every now and then. */
  tick(now: number): void {
    this.#wheel.advance(now)
  }

  #of(connectorId: string | undefined): PlainLink[] {
    return [...this.#links.values()].filter(
      (link) => connectorId === undefined || link.connectorId === connectorId,
    )
  }

  #countOf(connectorId: string): number {
    return this.#of(connectorId).length
  }
}

type Closed = (link: PlainLink, reason: LinkEnd['reason']) => void

/** Joins a {@link PlainAcceptedLink} to the origin. */
class PlainLink implements OfferLink {
  readonly machine: PlainAcceptedLink
  readonly claimer: Claimer
  readonly hello: Hello
  /** Whose offers it takes. */
  readonly #group: TenantKey
  readonly #origin: Origin
  readonly #closed: Closed
  #isAttached = false
  /** Until when claims count, once the connector left. */
  #leavesAt = Infinity
  #isForgotten = false

  constructor(origin: Origin, claimer: Claimer, hello: Hello, closed: Closed) {
    const { pingMs, leaseMs } = origin.limits
    this.#origin = origin
    this.#closed = closed
    this.claimer = claimer
    this.hello = hello
    this.#group = tenantKey(claimer.tenantId, claimer.groupId)
    const handler = { granted: () => this.#granted(), closed: (end: LinkEnd) => this.#ended(end) }
    this.machine = new PlainAcceptedLink(handler, hello, {
      version: PROTOCOL_VERSION,
      instance: origin.instance,
      windowBytes: PLAIN_WINDOW_BYTES,
      pingMs,
      leaseMs,
      features: PLAIN_FEATURES,
    })
  }

  /** Whether a fresh stream is this link's; a draining one is over, and another may begin. */
  continues({ groupId }: Claimer, hello: Hello): boolean {
    const isSame = succession(this.hello, hello) === 'same' && groupId === this.claimer.groupId
    return isSame && this.machine.state === 'open'
  }

  get connectorId(): string {
    return this.claimer.connectorId
  }

  /** An HTTP call cannot switch protocols in its middle. */
  get features(): readonly string[] {
    return this.hello.features.filter((feature) => feature !== 'upgrade')
  }

  get offers(): number {
    return this.hello.offers
  }

  get streams(): number {
    return this.hello.streams ?? 0
  }

  get grants(): number {
    return this.machine.grants
  }

  /** For the wheel. */
  get deadline(): number | undefined {
    return this.#isForgotten ? undefined : Math.min(this.machine.deadline, this.#leavesAt)
  }

  expire(now: number): void {
    this.machine.tick(now)
    if (now >= this.#leavesAt) this.#forget()
  }

  stream(port: OfferStreamPort, hello: Hello): () => void {
    const stream: AcceptedStream = this.machine.stream(port, hello, this.#origin.clocks.now())
    return () => this.machine.gone(stream)
  }

  offer(offer: Offer): void {
    this.machine.offer(offer)
  }

  goodbye(): void {
    const now = this.#origin.clocks.now()
    this.#leavesAt = now + LEAVING_MS
    this.#origin.detach(this)
    this.machine.goodbye(now)
  }

  drain(): void {
    this.machine.drain()
    this.#origin.detach(this)
  }

  close(): void {
    this.machine.close(this.#origin.clocks.now())
    this.#forget()
  }

  #granted(): void {
    if (this.#isAttached) return this.#origin.granted(this)
    // One without offers is for claims only.
    if (this.offers === 0) return
    this.#isAttached = true
    this.#origin.attach(this.#group, this)
  }

  #ended({ reason }: LinkEnd): void {
    this.#closed(this, reason)
    this.#origin.detach(this)
    if (this.#leavesAt === Infinity) this.#forget()
  }

  /** What it did not claim goes elsewhere. */
  #forget(): void {
    if (this.#isForgotten) return
    this.#isForgotten = true
    this.#origin.lost(this)
  }
}
