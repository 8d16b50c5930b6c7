/**
 * The cloud's end of a link over the plain binding.
 *
 * It is an {@link ACCEPTED_LINK} as any other; but it lives on streams that follow one another,
 * each for a lease, and its exchanges have calls of their own. So it is idle when no stream is
 * left.
 *
 * Driver law: one input, or {@link PlainAcceptedLink.tick} at {@link PlainAcceptedLink.deadline};
 * what there is to write is written to the streams meanwhile.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import { encodeConfiguration, PING_BYTES } from '../wire/control-frames.ts'
import { encodeFrame } from '../wire/frame.ts'
import { FrameType, type Hello, type Offer, type Welcome } from '../wire/frame-types.ts'
import { encodeWelcome } from '../wire/greetings.ts'
import { encodeOffer } from '../wire/heads.ts'
import { DATA_BYTES, MAX_DATA_BYTES } from '../wire/limits.ts'
import { ACCEPTED_LINK } from './accepted-link.ts'
import { grant, greet, type GrantMemory } from './grants.ts'
import type { LinkEnd, LinkState } from './link.ts'
import { ignored, Machine, misuse, type Table } from './table.ts'

/**
 * One stream of offers, as the cloud writes it. Derived: `lease`, its time is over; `expire`, its
 * clean end was not taken in time.
 */
// prettier-ignore
export const ACCEPTED_STREAM = {
  live:   { say: 'live',  lease: 'ending', end: 'ending', expire: misuse, cut: 'over',  gone: 'over'  },
  ending: { say: ignored, lease: ignored,  end: ignored,  expire: 'over', cut: 'over',  gone: 'over'  },
  over:   { say: ignored, lease: ignored,  end: ignored,  expire: ignored, cut: ignored, gone: ignored },
} as const satisfies Table<
  'live' | 'ending' | 'over',
  'say' | 'lease' | 'end' | 'expire' | 'cut' | 'gone'
>

/** The HTTP of one stream of offers. */
export interface OfferStreamPort {
  /** A whole frame; what is written in one turn may leave together. */
  write(frame: Uint8Array): void
  /** Ends it, behind what was written. */
  end(): void
  /** Ends it, at once. */
  cut(): void
}

/** Whom the link tells. */
export interface PlainAcceptedLinkHandler {
  /** There are more grants. */
  granted(): void
  closed(end: LinkEnd): void
}

/** How long a stream's clean end may take: a connector that is stopped cannot hold it. */
const FAREWELL_MS = 1_000
/** The live stream, its successor, and what a broken network holds on to. */
const MAX_STREAMS = 4

/** What a link knows beside its state. */
export type PlainAcceptedLinkMemory = GrantMemory

/** The cloud's end. */
export class PlainAcceptedLink {
  readonly #machine: Machine<
    LinkState,
    keyof (typeof ACCEPTED_LINK)['open'],
    PlainAcceptedLinkMemory
  >
  readonly #memory: PlainAcceptedLinkMemory = { grants: 0, offers: 0 }
  readonly #handler: PlainAcceptedLinkHandler
  readonly #welcome: Omit<Welcome, 'maxDataBytes'>
  /** Oldest first. */
  readonly #streams: AcceptedStream[] = []

  /** @param hello of its first stream, whose version was found to be ours */
  constructor(
    handler: PlainAcceptedLinkHandler,
    hello: Hello,
    welcome: Omit<Welcome, 'maxDataBytes'>,
  ) {
    this.#machine = new Machine(ACCEPTED_LINK, 'opening' as LinkState, this.#memory)
    this.#handler = handler
    this.#welcome = welcome
    this.#machine.step('hello')
    greet(this.#memory, hello)
    this.#machine.step('welcome')
  }

  get state(): LinkState {
    return this.#machine.state
  }

  /** Offers that may be made now. */
  get grants(): number {
    return this.state === 'open' ? this.#memory.grants : 0
  }

  /** When to {@link tick}; `Infinity`: never. */
  get deadline(): number {
    let nearest = Infinity
    for (const { deadline } of this.#streams) nearest = Math.min(nearest, deadline)
    return nearest
  }

  // ── inputs ────────────────────────────────────────────────────────────────────────────────

  /**
   * A stream of it was asked for. Its HELLO says how many grants the connector counts: it knows of
   * every one that arrived here and not of every offer, so it never counts fewer than there are.
   *
   * @returns the stream: tell {@link gone} when it is no more
   */
  stream(port: OfferStreamPort, hello: Hello, now: number): AcceptedStream {
    const isFirst = this.#streams.length === 0
    const stream = new AcceptedStream(port, this.#welcome, now)
    const maxDataBytes = Math.max(DATA_BYTES, Math.min(MAX_DATA_BYTES, hello.maxDataBytes))
    stream.say(FrameType.WELCOME, encodeWelcome({ ...this.#welcome, maxDataBytes }))
    this.#streams.push(stream)
    if (this.#streams.length > MAX_STREAMS) this.#streams[0]!.end(now)
    if (!isFirst) this.#memory.grants = Math.min(this.#memory.grants, hello.granted)
    else this.#handler.granted()
    return stream
  }

  /** @throws PeerViolation `GRANT_EXCEEDED` */
  granted(offers: number): void {
    if (!this.#machine.step('grant')) return
    grant(this.#memory, offers)
    this.#handler.granted()
  }

  /** The connector leaves: its streams end behind what was offered on them. */
  goodbye(now: number): void {
    if (!this.#machine.step('goodbye')) return
    for (const stream of this.#streams) stream.end(now)
    this.#over('idle', 'drained')
  }

  /** A stream is no more. */
  gone(stream: AcceptedStream): void {
    stream.gone()
    const at = this.#streams.indexOf(stream)
    if (at < 0) return
    this.#streams.splice(at, 1)
    if (this.#streams.length > 0) return
    if (this.state === 'draining') this.#over('idle', 'drained')
    else this.#over('lost', 'lost')
  }

  /** The {@link deadline} came. */
  tick(now: number): void {
    for (const stream of [...this.#streams]) stream.tick(now)
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────

  /** Spends a grant. */
  offer(offer: Offer): void {
    const payload = encodeOffer(offer)
    if (!this.#machine.step('offer')) return
    this.#newest?.say(FrameType.OFFER, payload)
    this.#memory.grants -= 1
  }

  /** Tells the connector to pull its configuration. */
  hint(version: string): void {
    if (this.state === 'open')
      this.#newest?.say(FrameType.CONFIGURATION, encodeConfiguration({ version }))
  }

  /** Offers nothing more; what the connector was offered it may still claim. */
  drain(): void {
    if (this.#machine.step('drain')) this.#newest?.say(FrameType.DRAIN)
  }

  /** Ends it, with its streams. */
  close(now: number): void {
    for (const stream of this.#streams) stream.end(now)
    this.#over('close', 'closed')
  }

  /** Ends it at once, without a goodbye that the other end could hold up. */
  cut(): void {
    for (const stream of this.#streams) stream.cut()
    this.#over('close', 'closed')
  }

  #over(event: 'idle' | 'lost' | 'close', reason: LinkEnd['reason']): void {
    if (this.#machine.step(event)) this.#handler.closed({ reason })
  }

  get #newest(): AcceptedStream | undefined {
    return this.#streams.at(-1)
  }
}

/** One stream of a link. */
export class AcceptedStream {
  readonly #machine: Machine<
    keyof typeof ACCEPTED_STREAM,
    keyof (typeof ACCEPTED_STREAM)['live'],
    { pingAt: number; endAt: number }
  >
  readonly #memory: { pingAt: number; endAt: number }
  readonly #port: OfferStreamPort
  readonly #pingMs: number

  /** @internal */
  constructor(
    port: OfferStreamPort,
    { pingMs, leaseMs }: Pick<Welcome, 'pingMs' | 'leaseMs'>,
    now: number,
  ) {
    this.#port = port
    this.#pingMs = pingMs
    this.#memory = { pingAt: now + pingMs, endAt: now + leaseMs }
    this.#machine = new Machine(
      ACCEPTED_STREAM,
      'live' as keyof typeof ACCEPTED_STREAM,
      this.#memory,
    )
  }

  get deadline(): number {
    const { pingAt, endAt } = this.#memory
    if (this.#machine.state === 'live') return Math.min(pingAt, endAt)
    return this.#machine.state === 'ending' ? endAt : Infinity
  }

  say(type: FrameType, payload?: Uint8Array): void {
    if (this.#machine.step('say')) this.#port.write(encodeFrame(type, 0, 0, payload))
  }

  end(now: number): void {
    if (this.#machine.step('end')) this.#ending(now)
  }

  cut(): void {
    if (this.#machine.step('cut')) this.#port.cut()
  }

  gone(): void {
    this.#machine.step('gone')
  }

  tick(now: number): void {
    const { pingAt, endAt } = this.#memory
    if (this.#machine.state === 'ending') {
      if (now >= endAt && this.#machine.step('expire')) this.#port.cut()
      return
    }
    if (now >= endAt && this.#machine.step('lease')) return this.#ending(now)
    if (now < pingAt) return
    this.#memory.pingAt = now + this.#pingMs
    this.say(FrameType.PING, new Uint8Array(PING_BYTES))
  }

  #ending(now: number): void {
    this.#memory.endAt = now + FAREWELL_MS
    this.#port.end()
  }
}
