/**
 * The plain binding, cloud side, link by link: `GET /links/{link}/offers` streams offers to a
 * connector.
 *
 * A link outlives its streams: each ends after a lease, and the connector opens its successor
 * before. A link without a live stream is lost, and its unclaimed offers go elsewhere.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { ServerResponse } from 'node:http'
import {
  DATA_BYTES,
  encodeConfiguration,
  encodeFrame,
  encodeOffer,
  encodeWelcome,
  FrameType,
  MAX_DATA_BYTES,
  PeerViolation,
  PLAIN_FEATURES,
  PROTOCOL_VERSION,
  Refused,
  type Hello,
  type LinkEnd,
  type Offer,
} from '../../protocol/index.ts'
import { PLAIN_WINDOW_BYTES } from '../../runtime/node/frame-stream.ts'
import { MAX_LINKS } from '../offers/connector-links.ts'
import type { LinkAudit } from '../offers/link-audit.ts'
import type { Origin } from '../offers/origin.ts'
import type { Claimer } from '../offers/submission.ts'
import type { OfferLink } from '../offers/request-queue.ts'
import { tenantKey, type TenantKey } from '../directory/tenant-key.ts'

/** The links that connectors hold over the plain binding. */
export class PlainLinks {
  readonly #origin: Origin
  readonly #audit: LinkAudit
  readonly #links = new Map<string, PlainLink>()

  constructor(origin: Origin, audit: LinkAudit) {
    this.#origin = origin
    this.#audit = audit
  }

  get size(): number {
    return this.#links.size
  }

  /** Whose links these are; some of them more than once. */
  *claimers(): Iterable<Claimer> {
    for (const { claimer } of this.#links.values()) yield claimer
  }

  /** `GET /links/{link}/offers`: opens a link, or continues one with a fresh stream. */
  stream(claimer: Claimer, id: string, hello: Hello, response: ServerResponse): void {
    const key = `${claimer.connectorId} ${id}`
    let link = this.#links.get(key)
    if (link !== undefined && hello.epoch < link.epoch) {
      throw new Refused('not-found', 'a newer link has taken its place')
    }
    if (link === undefined && this.#countOf(claimer.connectorId) >= MAX_LINKS) {
      throw new Refused('unavailable', `${MAX_LINKS} links are open already`)
    }
    if (link?.continues(claimer, hello) !== true) {
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
    link.addStream(response, hello)
  }

  #countOf(connectorId: string): number {
    let count = 0
    for (const link of this.#links.values()) if (link.connectorId === connectorId) count += 1
    return count
  }

  /** `POST /links/{link}/credit`: so many more offers. */
  grant(claimer: Claimer, id: string, offers: number): void {
    this.#own(claimer, id).grant(offers)
  }

  /**
   * `POST /links/{link}/goodbye`: the connector ends the link, unless a newer one took its place.
   */
  goodbye(claimer: Claimer, id: string, epoch: number): void {
    const link = this.#own(claimer, id)
    if (link.epoch !== epoch) throw noSuchLink()
    link.close()
  }

  #own({ connectorId }: Claimer, id: string): PlainLink {
    const link = this.#links.get(`${connectorId} ${id}`)
    if (link === undefined) throw noSuchLink()
    return link
  }

  /**
   * The links of a connector, or all, offer nothing more; it learns that it should go elsewhere.
   */
  drain(connectorId?: string): void {
    for (const link of this.#links.values()) {
      if (connectorId === undefined || link.connectorId === connectorId) link.drain()
    }
  }

  /** Tells a connector that its configuration is another; whether a link carried it. */
  hint(connectorId: string, version: string): boolean {
    let isTold = false
    for (const link of this.#links.values())
      if (link.connectorId === connectorId) {
        link.hint(version)
        isTold = true
      }
    return isTold
  }

  /** Ends every link. */
  close(): void {
    for (const link of this.#links.values()) link.close()
  }

  /** Breaks every link of a connector, at once. */
  cut(connectorId: string): void {
    for (const link of this.#links.values()) if (link.connectorId === connectorId) link.cut()
  }
}

function noSuchLink(): Refused {
  return new Refused('not-found', 'no such link')
}

/** Streams of one link: the live one, its successor, and what a broken network holds on to. */
const MAX_STREAMS = 4

type Closed = (link: PlainLink, reason: LinkEnd['reason']) => void

class PlainLink implements OfferLink {
  readonly claimer: Claimer
  readonly epoch: number
  /** Whose offers it takes. */
  readonly #group: TenantKey
  readonly #origin: Origin
  readonly #offers: number
  readonly #closed: Closed
  readonly #streams = new Set<OfferStream>()
  #grants: number
  #draining = false
  #isClosed = false

  constructor(origin: Origin, claimer: Claimer, hello: Hello, closed: Closed) {
    this.#origin = origin
    this.claimer = claimer
    this.#group = tenantKey(claimer.tenantId, claimer.groupId)
    this.epoch = hello.epoch
    this.#offers = hello.offers
    this.#grants = Math.min(hello.offers, hello.granted)
    this.#closed = closed
  }

  /** Whether a fresh stream is this link's; a draining one is over, and another may begin. */
  continues({ groupId }: Claimer, { epoch }: Hello): boolean {
    return !this.#draining && epoch === this.epoch && groupId === this.claimer.groupId
  }

  get connectorId(): string {
    return this.claimer.connectorId
  }

  /** An HTTP call cannot switch protocols in its middle. */
  get carriesUpgrades(): boolean {
    return false
  }

  get grants(): number {
    return this.#draining || this.#isClosed ? 0 : this.#grants
  }

  addStream(response: ServerResponse, hello: Hello): void {
    const { pingMs, leaseMs } = this.#origin.limits
    const stream = new OfferStream(response, { pingMs, leaseMs }, (over) =>
      this.#streamClosed(over),
    )
    stream.write(
      FrameType.WELCOME,
      encodeWelcome({
        version: PROTOCOL_VERSION,
        instance: this.#origin.instance,
        windowBytes: PLAIN_WINDOW_BYTES,
        maxDataBytes: Math.max(DATA_BYTES, Math.min(MAX_DATA_BYTES, hello.maxDataBytes)),
        pingMs,
        leaseMs,
        features: PLAIN_FEATURES,
      }),
    )
    this.#streams.add(stream)
    if (this.#streams.size > MAX_STREAMS) [...this.#streams][0]!.end()
    if (this.#streams.size === 1) this.#origin.queue.attach(this.#group, this)
  }

  offer(offer: Offer): void {
    this.#newest().write(FrameType.OFFER, encodeOffer(offer))
    this.#grants -= 1
  }

  grant(offers: number): void {
    // No more than it first said it takes: a grant is a slot that came free.
    if (this.#grants + offers > this.#offers) {
      throw new PeerViolation('GRANT_EXCEEDED', `${this.#grants} + ${offers} of ${this.#offers}`)
    }
    this.#grants += offers
    this.#origin.queue.granted(this.#group, this)
  }

  drain(): void {
    if (this.#draining) return
    this.#draining = true
    this.#newest().write(FrameType.DRAIN)
  }

  hint(version: string): void {
    this.#newest().hint(version)
  }

  close(reason: LinkEnd['reason'] = 'closed'): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const stream of this.#streams) stream.end()
    this.#closed(this, reason)
    this.#origin.queue.detach(this.#group, this)
    this.#origin.lost(this)
  }

  /** Closes it without a goodbye that the other end could hold up. */
  cut(): void {
    const streams = [...this.#streams]
    this.close()
    for (const stream of streams) stream.cut()
  }

  #newest(): OfferStream {
    return [...this.#streams].at(-1)!
  }

  #streamClosed(stream: OfferStream): void {
    this.#streams.delete(stream)
    if (this.#streams.size === 0) this.close(this.#draining ? 'drained' : 'lost')
  }
}

/** One HTTP response that carries offers for a lease. */
class OfferStream {
  readonly #response: ServerResponse
  readonly #ping: NodeJS.Timeout
  readonly #lease: NodeJS.Timeout

  constructor(
    response: ServerResponse,
    limits: { pingMs: number; leaseMs: number },
    closed: (stream: OfferStream) => void,
  ) {
    this.#response = response
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'cache-control': 'no-store',
    })
    this.#ping = setInterval(() => this.write(FrameType.PING, new Uint8Array(8)), limits.pingMs)
    this.#lease = setTimeout(() => this.end(), limits.leaseMs)
    response
      .on('error', () => undefined) // the close event says it
      .on('close', () => {
        clearInterval(this.#ping)
        clearTimeout(this.#lease)
        closed(this)
      })
  }

  write(type: FrameType, payload?: Uint8Array): void {
    this.#response.write(encodeFrame(type, 0, 0, payload))
  }

  hint(version: string): void {
    this.write(FrameType.CONFIGURATION, encodeConfiguration({ version }))
  }

  /** Ends it cleanly, and surely: a connector that is stopped cannot hold it open. */
  end(): void {
    this.#response.end()
    setTimeout(() => {
      if (!this.#response.writableFinished) this.#response.destroy()
    }, 1_000).unref()
  }

  cut(): void {
    this.#response.destroy()
  }
}
