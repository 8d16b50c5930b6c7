/**
 * The plain binding, connector side, link by link: keeps a stream of offers open to one cloud
 * instance.
 *
 * Each stream lives for a lease; its successor is opened before it ends, so there is always one
 * live. When there is none the link is lost.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request as httpsRequest, type Agent } from 'node:https'
import {
  DeadlineWheel,
  decodeConfiguration,
  decodeOffer,
  decodeWelcome,
  encodeCredit,
  encodeDecline,
  FrameReader,
  FrameType,
  helloQuery,
  MAX_DATA_BYTES,
  PeerViolation,
  PLAIN_FEATURES,
  PROTOCOL_VERSION,
  type DeclineReason,
  type Exchange,
  type Offer,
  type TimeLimits,
  type Welcome,
} from '../../protocol/index.ts'
import { ForeignCarrier, type ClaimLine, type LineTerms, type Origins } from '../claim-line.ts'
import type { OfferSlots, SlotHolder } from '../offer-slots.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { ClaimedJob, Worker } from '../worker.ts'
import { PlainCarrier, type PlainCalls } from './plain-carrier.ts'

/** Options of {@link PlainLink}. */
export interface PlainLinkOptions {
  /** The id of the cloud instance, and the base URL of its connector listener. */
  readonly instance: string
  readonly url: string
  /** Connections with the connector's certificate; the current ones at each call. */
  readonly agent: () => Agent
  readonly worker: Worker
  readonly clocks: Clocks
  readonly limits: TimeLimits
  /** This connector process, and this link of it. */
  readonly connectorInstance: string
  readonly epoch: number
  readonly slots: OfferSlots
  /** Where offers of other instances are claimed. Default: they are declined. */
  readonly origins?: Origins | undefined
  readonly events: PlainLinkEvents
}

export interface PlainLinkEvents {
  up(welcome: Welcome): void
  /** No live stream any more; the link is over. */
  ended(cause: unknown): void
  /** The cloud has another configuration. */
  hint(version: string): void
}

/** How long the cloud may take to hear a goodbye. Milliseconds. */
const GOODBYE_MS = 2_000

/** One link to one cloud instance. */
export class PlainLink implements PlainCalls, SlotHolder, ClaimLine {
  readonly clocks: Clocks
  readonly limits: TimeLimits
  readonly #options: PlainLinkOptions
  readonly #path: string
  readonly #streams = new Set<ClientRequest>()
  /** Streams that the cloud has not answered yet. */
  readonly #unanswered = new Set<ClientRequest>()
  readonly #wheel: DeadlineWheel
  readonly #tick: NodeJS.Timeout
  #welcome: Welcome | undefined
  #successor: NodeJS.Timeout | undefined
  #grantTimer: NodeJS.Timeout | undefined
  /** Slots that came free and were not granted again yet. */
  #free = 0
  /** It takes no more offers. */
  #closing = false
  /** Nothing more is told. */
  #isOver = false
  #isGone = (): void => undefined
  readonly gone = new Promise<void>((resolve) => (this.#isGone = resolve))
  /** What HELLO granted. */
  readonly #granted: number

  constructor(options: PlainLinkOptions) {
    this.#options = options
    this.clocks = options.clocks
    this.limits = options.limits
    this.#path = `/links/${options.connectorInstance}-0`
    this.#wheel = new DeadlineWheel(this.clocks.now())
    this.#granted = options.slots.free
    options.slots.attach(this)
    this.#tick = setInterval(() => {
      this.#wheel.advance(this.clocks.now())
      // Exchanges outlive their link here: each has calls of its own.
      if (this.#closing && this.#wheel.size === 0) clearInterval(this.#tick)
    }, 50)
    this.#tick.unref()
    this.#open()
  }

  /** Takes no more offers; what is under way goes on. */
  drain(): void {
    if (this.#closing) return
    this.#closing = true
    clearTimeout(this.#successor)
    clearTimeout(this.#grantTimer)
    this.#options.slots.detach(this)
    // A cloud that does not hear the goodbye learns it from its streams.
    if (this.#streams.size > 0) setTimeout(() => this.#cut(), GOODBYE_MS).unref()
    this.#leave()
  }

  /** Ends it; nothing more is told. */
  close(): void {
    this.#isOver = true
    this.drain()
  }

  // ── what carriers ask ─────────────────────────────────────────────────────────────────────

  post(path: string, headers: Record<string, string> = {}): ClientRequest {
    const call = httpsRequest(`${this.#options.url}${path}`, {
      method: 'POST',
      agent: this.#options.agent(),
      headers: { 'content-type': 'application/octet-stream', ...headers },
    })
    // Node's agents leave TLS sockets to gather small writes for as long as the other end delays
    // its acknowledgement.
    call.setNoDelay(true)
    return call
  }

  watch(exchange: Exchange): void {
    this.#wheel.add({
      get deadline() {
        return exchange.isClosed ? undefined : exchange.deadline
      },
      expire: () => exchange.expire(),
    })
  }

  /** Exchanges that it watches now. */
  get open(): number {
    return this.#wheel.size
  }

  claim(offer: Offer, job: ClaimedJob, terms: LineTerms): Exchange {
    return new PlainCarrier(this, offer, terms.isForeign).claim(job, terms)
  }

  declined({ id, attempt }: Offer, reason: DeclineReason): void {
    this.#small(`/exchanges/${id}/decline`, encodeDecline({ id, attempt, reason }))
  }

  released(): void {
    this.#options.slots.release()
  }

  /** A slot is free. */
  freed(): void {
    this.#free += 1
    if (this.#closing) return
    // A grant per exchange would be one more call each; they wait for company.
    if (this.#free * 4 >= this.#options.slots.total) this.#grant()
    else this.#grantTimer ??= setTimeout(() => this.#grant(), 250).unref()
  }

  // ── streams ───────────────────────────────────────────────────────────────────────────────

  #open(): void {
    const { url, connectorInstance, epoch, slots, agent } = this.#options
    const hello = helloQuery({
      versions: [PROTOCOL_VERSION],
      instance: connectorInstance,
      index: 0,
      epoch,
      offers: slots.total,
      granted: this.#granted,
      maxDataBytes: MAX_DATA_BYTES,
      features: PLAIN_FEATURES,
      slots: slots.slots,
      streams: 0,
    })
    const query = new URLSearchParams(hello.map(([key, value]) => [key, value]))
    const call = httpsRequest(`${url}${this.#path}/offers?${query}`, { agent: agent() })
    this.#streams.add(call)
    this.#unanswered.add(call)
    call.on('response', (response) => {
      this.#unanswered.delete(call)
      this.#read(call, response)
      if (this.#closing) this.#leave()
    })
    call.on('error', (error) => this.#ended(call, error))
    call.end()
  }

  #read(call: ClientRequest, response: IncomingMessage): void {
    if (response.statusCode !== 200) {
      response.resume()
      return this.#ended(
        call,
        new Error(`the cloud answered ${response.statusCode} to the offers stream`),
      )
    }
    const reader = new FrameReader({
      frame: (type, _flags, _number, payload) => this.#received(type, payload),
      data: () => {
        throw new PeerViolation('UNEXPECTED_EVENT', 'DATA on an offers stream')
      },
    })
    // A stream that is silent for two pings is half open.
    const silence = setTimeout(() => call.destroy(), this.limits.pingMs * 2.5).unref()
    response.on('data', (chunk: Uint8Array) => {
      silence.refresh()
      try {
        reader.push(chunk)
      } catch (error) {
        call.destroy(error as Error)
      }
    })
    response.on('error', () => undefined)
    response.on('close', () => {
      clearTimeout(silence)
      this.#ended(call, new Error('the offers stream ended'))
    })
  }

  #received(type: FrameType, payload: Uint8Array): void {
    // It has said goodbye, or will: the cloud takes back what is not claimed.
    if (this.#closing) return
    const { events, worker, instance, origins } = this.#options
    switch (type) {
      case FrameType.WELCOME:
        return this.#welcomed(decodeWelcome(payload))
      case FrameType.OFFER: {
        const offer = decodeOffer(payload)
        const carrier = new PlainCarrier(this, offer)
        this.#options.slots.take()
        if (offer.origin === instance) return worker.offered(offer, carrier)
        if (origins?.isListed(offer.origin) === true) {
          const home = { decline: this.declined.bind(this), release: () => this.released() }
          return worker.offered(offer, new ForeignCarrier(offer, origins, home))
        }
        carrier.decline('unlisted-origin')
        return carrier.release()
      }
      case FrameType.CONFIGURATION:
        return events.hint(decodeConfiguration(payload).version)
      case FrameType.DRAIN:
        // It may be another group that this connector serves from now on: a fresh stream finds out.
        return this.#open()
      case FrameType.PING:
        return
      default:
        throw new PeerViolation('UNEXPECTED_EVENT', `frame type ${type} on an offers stream`)
    }
  }

  #welcomed(welcome: Welcome): void {
    // A lease of nothing would have its successor opened at once, and so on.
    if (welcome.leaseMs === 0) throw new PeerViolation('MALFORMED_FRAME', 'WELCOME without a lease')
    const first = this.#welcome === undefined
    this.#welcome = welcome
    // The successor comes up well before the lease is over.
    clearTimeout(this.#successor)
    this.#successor = setTimeout(() => this.#open(), welcome.leaseMs * 0.75).unref()
    if (first) this.#options.events.up(welcome)
  }

  #ended(call: ClientRequest, cause: unknown): void {
    if (!this.#streams.delete(call)) return
    if (this.#unanswered.delete(call) && this.#closing) this.#leave()
    if (this.#streams.size > 0) return
    this.#isGone()
    clearTimeout(this.#successor)
    if (!this.#isOver) this.#options.events.ended(cause)
  }

  /**
   * Says goodbye, once no stream is on its way: one that came after it would open the link anew.
   */
  #leave(): void {
    if (this.#unanswered.size > 0 || this.#streams.size === 0) return
    const path = `${this.#path}/goodbye?epoch=${this.#options.epoch}`
    this.#small(path, new Uint8Array(), () => this.#cut())
  }

  #cut(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  // ── small calls ───────────────────────────────────────────────────────────────────────────

  #grant(): void {
    clearTimeout(this.#grantTimer)
    this.#grantTimer = undefined
    const offers = this.#free
    if (offers === 0 || this.#closing) return
    this.#free = 0
    this.#small(`${this.#path}/credit`, encodeCredit(offers), () => {
      // Whether the grant arrived, nobody knows: a new link starts with a fresh count.
      if (!this.#closing) this.#cut()
    })
  }

  /**
   * `failed`: the connection broke before an answer came, or the answer was not the one that says
   * it is done.
   */
  #small(path: string, body: Uint8Array, failed = (): void => undefined): void {
    const call = this.post(path, { 'content-length': String(body.length) })
    call.on('error', failed)
    call.on('response', (response) => {
      response.resume()
      if (response.statusCode !== 204) failed()
    })
    call.end(body)
  }
}
