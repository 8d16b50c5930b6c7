/**
 * The plain binding, connector side, link by link: the HTTP of its streams of offers and of its
 * small calls.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { ClientRequest, IncomingMessage } from 'node:http'
import {
  DeadlineWheel,
  encodeCredit,
  encodeDecline,
  helloQuery,
  MAX_DATA_BYTES,
  PLAIN_FEATURES,
  PlainDialledLink,
  PROTOCOL_VERSION,
  SLOT_MS,
  type DeclineReason,
  type DialledStream,
  type Exchange,
  type Hello,
  type LinkEnd,
  type Offer,
  type PlainDialledLinkPort,
  type PlainResponder,
  type TimeLimits,
  type Welcome,
} from '../../protocol/internal.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { timerOf, type Scheduler, type Timer } from '../../runtime/scheduler.ts'
import { EXCHANGE_TOKEN_HEADER, TurnEnd, type Flushed } from '../../runtime/node/frame-stream.ts'
import { ForeignCarrier, type ClaimLine, type LineTerms, type Origins } from '../claim-line.ts'
import type { OfferSlots, SlotHolder } from '../offer-slots.ts'
import type { ClaimedJob, Worker } from '../worker.ts'
import type { CloudConnections, WholeCall } from './cloud-connections.ts'
import { LinkRefused } from './link-refused.ts'
import { PlainCarrier, type PlainCalls } from './plain-carrier.ts'

/** Options of {@link PlainLink}. */
export interface PlainLinkOptions {
  /** The id of the cloud instance, and the base URL of its connector listener. */
  readonly instance: string
  readonly url: string
  /** Connections with the connector's certificate; the current ones at each call. */
  readonly connections: () => CloudConnections
  readonly worker: Worker
  readonly clocks: Clocks
  /** Default: the runtime's timers, which keep no process alive. */
  readonly scheduler?: Scheduler | undefined
  readonly limits: TimeLimits
  /** This run of the connector, and this link of it. */
  readonly run: string
  /** Features that it names beside those of its binding. Default: none. */
  readonly abilities?: readonly string[] | undefined
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
  /** The cloud drains: another link should take over. */
  draining(): void
}

/** A claim that waits for its answer is looked at so often. Milliseconds. */
const HELD_MS = 10

/** One link to one cloud instance. */
export class PlainLink implements PlainCalls, PlainDialledLinkPort, SlotHolder, ClaimLine {
  readonly clocks: Clocks
  readonly limits: TimeLimits
  readonly #options: PlainLinkOptions
  readonly #path: string
  readonly #origin: string
  readonly #base: string
  readonly #machine: PlainDialledLink
  readonly #streams = new Map<DialledStream, ClientRequest>()
  /** The deadlines of exchanges. */
  readonly #wheel: DeadlineWheel
  /** Claims that wait for their answers, oldest first. */
  readonly #held = new Map<PlainResponder, Flushed>()
  readonly #timer: Timer
  readonly #stopLooking: () => void
  #stopHolding: (() => void) | undefined
  readonly #turnEnd = new TurnEnd()
  /** Whole answers under way. */
  #answers = 0
  /** Nothing more is told. */
  #isOver = false
  #isGone = (): void => undefined
  readonly gone = new Promise<void>((resolve) => (this.#isGone = resolve))

  constructor(options: PlainLinkOptions) {
    const { clocks, limits, slots, run, epoch, abilities = [] } = options
    this.#options = options
    this.clocks = clocks
    this.limits = limits
    this.#path = `/links/${run}-0`
    const { origin, pathname } = new URL(options.url)
    this.#origin = origin
    this.#base = pathname.replace(/\/$/, '')
    const now = clocks.now()
    this.#wheel = new DeadlineWheel(now)
    const hello = {
      versions: [PROTOCOL_VERSION],
      run,
      index: 0,
      epoch,
      offers: slots.total,
      granted: slots.free,
      maxDataBytes: MAX_DATA_BYTES,
      features: [...PLAIN_FEATURES, ...abilities],
      slots: slots.slots,
      streams: 0,
    }
    this.#machine = new PlainDialledLink(this, hello, limits.controlCallMs)
    slots.attach(this)
    this.#timer = timerOf(options)
    this.#stopLooking = this.#timer.every(SLOT_MS, () => this.#look())
    this.#machine.dial(now)
  }

  /** Takes no more offers; what is under way goes on. */
  drain(): void {
    this.#options.slots.detach(this)
    // What waits for its answer is claimed before the goodbye arrives.
    for (const [machine, it] of this.#held) {
      machine.hurry()
      it.flush()
    }
    this.#machine.drain(this.clocks.now())
  }

  /** Ends it; nothing more is told. */
  close(): void {
    this.#isOver = true
    this.drain()
  }

  // ── what carriers ask ─────────────────────────────────────────────────────────────────────

  get maxDataBytes(): number {
    return this.#machine.maxDataBytes
  }

  stream(path: string, token?: string): ClientRequest {
    return this.#options.connections().stream('POST', `${this.#options.url}${path}`, {
      'content-type': 'application/octet-stream',
      ...(token !== undefined && { [EXCHANGE_TOKEN_HEADER]: token }),
    })
  }

  post(path: string, body: Uint8Array, call: WholeCall, token?: string): void {
    this.#answers += 1
    this.#post(
      path,
      body,
      {
        answered: (status) => {
          this.#answered()
          call.answered(status)
        },
        failed: (error) => {
          this.#answered()
          call.failed(error)
        },
      },
      token,
    )
  }

  wake(it: Flushed): void {
    this.#turnEnd.wake(it)
  }

  watch(exchange: Exchange): void {
    this.#wheel.add({
      get deadline() {
        return exchange.isClosed ? undefined : exchange.deadline
      },
      expire: () => exchange.expire(),
    })
  }

  hold(machine: PlainResponder, it: Flushed): void {
    this.#held.set(machine, it)
    this.#stopHolding ??= this.#timer.every(HELD_MS, () => this.#lookHeld())
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
    this.#machine.freed(this.clocks.now())
  }

  // ── what the link asks, and tells ─────────────────────────────────────────────────────────

  get free(): number {
    return this.#options.slots.free
  }

  call(stream: DialledStream, hello: Hello): void {
    const { url, connections } = this.#options
    const query = new URLSearchParams(helloQuery(hello).map(([key, value]) => [key, value]))
    const call = connections().stream('GET', `${url}${this.#path}/offers?${query}`)
    this.#streams.set(stream, call)
    call.on('response', (response) => this.#read(stream, response))
    call.on('error', (error) => this.#ended(stream, error))
    call.end()
  }

  cut(stream: DialledStream): void {
    this.#streams.get(stream)?.destroy()
  }

  credit(offers: number): void {
    const path = `${this.#path}/credit?epoch=${this.#options.epoch}`
    this.#small(path, encodeCredit(offers), (isDone) => this.#machine.credited(isDone))
  }

  goodbye(): void {
    const path = `${this.#path}/goodbye?epoch=${this.#options.epoch}`
    this.#small(path, new Uint8Array(), (isDone) => this.#machine.left(isDone))
  }

  welcome(welcome: Welcome): void {
    if (!this.#isOver) this.#options.events.up(welcome)
  }

  offer(offer: Offer): void {
    // Nobody waits for what it would come to.
    if (this.#isOver) return
    const { slots, worker, instance, origins } = this.#options
    const carrier = new PlainCarrier(this, offer)
    slots.take()
    if (offer.origin === instance) return worker.offered(offer, carrier)
    if (origins?.isListed(offer.origin) === true) {
      const home = { decline: this.declined.bind(this), release: () => this.released() }
      return worker.offered(offer, new ForeignCarrier(offer, origins, home))
    }
    carrier.decline('unlisted-origin')
    carrier.release()
  }

  hint(version: string): void {
    if (!this.#isOver) this.#options.events.hint(version)
  }

  draining(): void {
    if (!this.#isOver) this.#options.events.draining()
  }

  closed({ reason, cause }: LinkEnd): void {
    this.#options.slots.detach(this)
    if (!this.#isOver)
      this.#options.events.ended(cause ?? new Error(`the stream of offers ended: ${reason}`))
    this.#lookGone()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #read(stream: DialledStream, response: IncomingMessage): void {
    response.on('error', () => undefined)
    if (response.statusCode !== 200) {
      response.resume()
      return this.#ended(stream, new LinkRefused(response.statusCode!, 'the offers stream'))
    }
    stream.answered()
    response.on('data', (chunk: Uint8Array) => stream.receive(chunk, this.clocks.now()))
    response.on('close', () => this.#ended(stream, new Error('the offers stream ended')))
  }

  #ended(stream: DialledStream, cause: unknown): void {
    if (this.#streams.delete(stream)) stream.gone(cause)
  }

  #look(): void {
    const now = this.clocks.now()
    this.#wheel.advance(now)
    if (now >= this.#machine.deadline) this.#machine.tick(now)
    // Exchanges outlive their link here: each has calls of its own.
    if (this.#machine.state === 'closed' && this.#wheel.size === 0) this.#stopLooking()
  }

  #lookHeld(): void {
    const now = this.clocks.now()
    for (const [machine, it] of this.#held) {
      const { deadline = now } = machine
      if (deadline > now) return
      this.#held.delete(machine)
      it.flush()
    }
    this.#stopHolding?.()
    this.#stopHolding = undefined
  }

  #answered(): void {
    this.#answers -= 1
    this.#lookGone()
  }

  /** What was said last counts: it is gone when no answer is under way either. */
  #lookGone(): void {
    if (this.#machine.state === 'closed' && this.#answers === 0) this.#isGone()
  }

  /** `done`: whether the answer came, and was the one that says so. */
  #small(path: string, body: Uint8Array, done = (_isDone: boolean): void => undefined): void {
    this.#post(path, body, {
      answered: (status) => done(status === 204),
      failed: () => done(false),
    })
  }

  #post(path: string, body: Uint8Array, call: WholeCall, token?: string): void {
    const headers = ['content-type', 'application/octet-stream']
    if (token !== undefined) headers.push(EXCHANGE_TOKEN_HEADER, token)
    const target = { origin: this.#origin, path: `${this.#base}${path}`, headers }
    this.#options.connections().post(target, body, call)
  }
}
