/**
 * The connector's end of a link over the plain binding.
 *
 * It is a {@link DIALLED_LINK} as any other; but it lives on streams that follow one another, each
 * for a lease, and its exchanges have calls of their own. So it is idle when no stream is left.
 *
 * Driver law: one input, a command, or {@link PlainDialledLink.tick} at {@link
 * PlainDialledLink.deadline}; calls are made through the port meanwhile, and what becomes of them
 * is told later, never from inside.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import { decodeConfiguration, decodeEmpty, decodePing } from '../wire/control-frames.ts'
import { PeerViolation } from '../wire/errors.ts'
import { FrameReader } from '../wire/frame.ts'
import { FrameType, type Hello, type Offer, type Welcome } from '../wire/frame-types.ts'
import { decodeWelcome } from '../wire/greetings.ts'
import { decodeOffer } from '../wire/heads.ts'
import { DATA_BYTES } from '../wire/limits.ts'
import { DIALLED_LINK } from './dialled-link.ts'
import { grant, greet, spend, type GrantMemory } from './grants.ts'
import type { LinkEnd, LinkState } from './link.ts'
import { ignored, Machine, misuse, violation, type Table } from './table.ts'

/**
 * One stream of offers, as the connector reads it. Derived: `succeed`, its successor is opened;
 * `silent`, nothing came for too long.
 */
// prettier-ignore
export const DIALLED_STREAM = {
  //           what we do                                               what the cloud does
  calling:   { succeed: misuse,      silent: 'over',  cut: 'over',  answer: 'greeting', welcome: violation, frame: violation,   gone: 'over'  },
  greeting:  { succeed: misuse,      silent: 'over',  cut: 'over',  answer: violation,  welcome: 'live',    frame: violation,   gone: 'over'  },
  live:      { succeed: 'succeeded', silent: 'over',  cut: 'over',  answer: violation,  welcome: violation, frame: 'live',      gone: 'over'  },
  succeeded: { succeed: ignored,     silent: 'over',  cut: 'over',  answer: violation,  welcome: violation, frame: 'succeeded', gone: 'over'  },
  over:      { succeed: ignored,     silent: ignored, cut: ignored, answer: ignored,    welcome: ignored,   frame: ignored,     gone: ignored },
} as const satisfies Table<
  'calling' | 'greeting' | 'live' | 'succeeded' | 'over',
  'succeed' | 'silent' | 'cut',
  'answer' | 'welcome' | 'frame' | 'gone'
>

/**
 * A connector's goodbye over the plain binding: `due` until no stream is on its way, for one that
 * came after it would open the link anew.
 */
// prettier-ignore
export const GOODBYE = {
  unsaid: { leave: 'due',   say: misuse  },
  due:    { leave: ignored, say: 'said'  },
  said:   { leave: ignored, say: ignored },
} as const satisfies Table<'unsaid' | 'due' | 'said', 'leave' | 'say'>

/** How long a slot that came free waits for company before it is granted. Milliseconds. */
const GATHER_MS = 250
/** How long the cloud may take to hear a goodbye, and to end the streams. Milliseconds. */
const GOODBYE_MS = 2_000
/** When the successor of a stream is opened, as a part of its lease. */
const SUCCEEDED_AT = 0.75
/** Pings that a stream may miss. */
const MISSED = 2.5

/** What the link asks for, and whom it tells. */
export interface PlainDialledLinkPort {
  /** Slots that are free. */
  readonly free: number
  /** Calls for a stream; `hello` says what is granted now. What comes of it is told to `stream`. */
  call(stream: DialledStream, hello: Hello): void
  /** Breaks the call of a stream. */
  cut(stream: DialledStream): void
  /** Grants so many more: {@link PlainDialledLink.credited} or not. */
  credit(offers: number): void
  /** Says goodbye: {@link PlainDialledLink.left}. */
  goodbye(): void
  /** The link is up. */
  welcome(welcome: Welcome): void
  offer(offer: Offer): void
  /** The cloud has another configuration. */
  hint(version: string): void
  /** The cloud drains: dial another link. */
  draining(): void
  closed(end: LinkEnd): void
}

/** What a link knows beside its state; moments are milliseconds, null: never. */
export interface PlainDialledLinkMemory extends GrantMemory {
  /** When slots that came free are granted. */
  grantAt: number | null
  /** When its streams are cut. */
  cutAt: number | null
  maxDataBytes: number
}

/** The connector's end. */
export class PlainDialledLink {
  readonly #machine: Machine<LinkState, keyof (typeof DIALLED_LINK)['open'], PlainDialledLinkMemory>
  readonly #memory: PlainDialledLinkMemory = {
    ...{ grants: 0, offers: 0, grantAt: null, cutAt: null },
    maxDataBytes: DATA_BYTES,
  }
  readonly #goodbye = new Machine(GOODBYE, 'unsaid' as keyof typeof GOODBYE)
  readonly #port: PlainDialledLinkPort
  readonly #hello: Hello
  readonly #openingMs: number
  readonly #streams = new Set<DialledStream>()

  /** @param openingMs until a stream's WELCOME must have come */
  constructor(port: PlainDialledLinkPort, hello: Hello, openingMs: number) {
    this.#machine = new Machine(DIALLED_LINK, 'opening' as LinkState, this.#memory)
    this.#port = port
    this.#hello = hello
    this.#openingMs = openingMs
    greet(this.#memory, hello)
  }

  get state(): LinkState {
    return this.#machine.state
  }

  /** The largest DATA payload that was agreed on. */
  get maxDataBytes(): number {
    return this.#memory.maxDataBytes
  }

  /** When to {@link tick}; `Infinity`: never. */
  get deadline(): number {
    const { grantAt, cutAt } = this.#memory
    let nearest = Math.min(this.#isGreeting ? Infinity : (grantAt ?? Infinity), cutAt ?? Infinity)
    for (const { deadline } of this.#streams) nearest = Math.min(nearest, deadline)
    return nearest
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────

  /** Calls for the first stream. */
  dial(now: number): void {
    this.#open(now)
  }

  /** A slot came free: a quarter of them is granted at once, fewer a little later. */
  freed(now: number): void {
    if (this.#isOver) return
    if (this.#owed * 4 >= this.#memory.offers) this.#grant(now)
    else this.#memory.grantAt ??= now + GATHER_MS
  }

  /** Takes no more offers; what is under way goes on. */
  drain(now: number): void {
    // The cloud may have opened it already: it is said goodbye to once it is.
    if (this.state !== 'opening') this.#machine.step('drain')
    if (!this.#isOver) this.#leave(now)
  }

  // ── inputs ────────────────────────────────────────────────────────────────────────────────

  /** What became of a grant. Where it may not have arrived, nobody knows how many there are. */
  credited(isDone: boolean): void {
    if (!isDone && this.state === 'open') this.#end('lost', { reason: 'lost' })
  }

  /** What became of the goodbye. */
  left(isDone: boolean): void {
    if (!isDone) this.#cut()
  }

  /** The {@link deadline} came. */
  tick(now: number): void {
    const { grantAt, cutAt } = this.#memory
    if (grantAt !== null && now >= grantAt) this.#grant(now)
    if (cutAt !== null && now >= cutAt) this.#cut()
    for (const stream of [...this.#streams]) {
      if (stream.isSilent(now)) this.#gone(stream, { reason: 'silent' })
      else if (this.state === 'open' && stream.isDue(now)) this.#open(now)
    }
  }

  // ── what a stream tells ───────────────────────────────────────────────────────────────────

  /** For streams: a frame of it, or its end. */
  readonly told = {
    welcome: (welcome: Welcome, now: number): void => this.#welcomed(welcome, now),
    frame: (type: FrameType, payload: Uint8Array): void => this.#received(type, payload),
    gone: (stream: DialledStream, cause: unknown): void =>
      this.#gone(stream, { reason: 'lost', cause }),
    violated: (cause: PeerViolation): void => this.#end('close', { reason: 'violation', cause }),
  }

  #welcomed(welcome: Welcome, now: number): void {
    if (!this.#hello.versions.includes(welcome.version))
      throw new PeerViolation('UNSUPPORTED_VERSION', `WELCOME names version ${welcome.version}`)
    this.#memory.maxDataBytes = Math.min(this.#hello.maxDataBytes, welcome.maxDataBytes)
    const isFirst = this.state === 'opening'
    if (isFirst) this.#machine.step('welcome')
    if (this.#goodbye.state === 'due') this.drain(now)
    else if (isFirst) this.#port.welcome(welcome)
  }

  #received(type: FrameType, payload: Uint8Array): void {
    switch (type) {
      case FrameType.OFFER:
        if (!this.#machine.step('offer')) return
        spend(this.#memory)
        return this.#port.offer(decodeOffer(payload))
      case FrameType.CONFIGURATION:
        if (this.#machine.step('hint')) this.#port.hint(decodeConfiguration(payload).version)
        return
      case FrameType.DRAIN: {
        decodeEmpty(payload)
        const isNews = this.state === 'open'
        if (this.#machine.step('goodbye') && isNews) this.#port.draining()
        return
      }
      case FrameType.PING:
        decodePing(payload)
        this.#machine.step('ping')
        return
      default:
        throw new PeerViolation('UNEXPECTED_EVENT', `frame type ${type} on a stream of offers`)
    }
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  get #isOver(): boolean {
    return this.state === 'closed' || this.state === 'refused'
  }

  /**
   * Whether a stream is on its way: it has said what is granted, which must not change meanwhile.
   */
  get #isGreeting(): boolean {
    for (const { isGreeting } of this.#streams) if (isGreeting) return true
    return false
  }

  /**
   * Slots that are free and not granted. Fewer than came free, after a link before this one brought
   * offers that nobody expected any more.
   */
  get #owed(): number {
    return Math.max(0, this.#port.free - this.#memory.grants)
  }

  #grant(now: number): void {
    this.#memory.grantAt = null
    if (this.#owed === 0 || this.state !== 'open') return
    if (this.#isGreeting) return void (this.#memory.grantAt = now)
    const offers = Math.min(this.#owed, this.#memory.offers - this.#memory.grants)
    this.#machine.step('grant')
    grant(this.#memory, offers)
    this.#port.credit(offers)
  }

  #open(now: number): void {
    for (const stream of this.#streams) stream.succeed()
    const stream = new DialledStream(this.told, this.#openingMs, now)
    this.#streams.add(stream)
    this.#port.call(stream, { ...this.#hello, granted: this.#memory.grants })
  }

  #leave(now: number): void {
    this.#goodbye.step('leave')
    this.#memory.cutAt ??= now + GOODBYE_MS
    if (!this.#isGreeting && this.#goodbye.step('say')) this.#port.goodbye()
  }

  #gone(stream: DialledStream, end: LinkEnd): void {
    if (!this.#streams.delete(stream)) return
    this.#port.cut(stream)
    if (this.#streams.size > 0) return
    if (this.state === 'draining') this.#end('idle', { reason: 'drained' })
    else this.#end('lost', end)
  }

  #end(event: 'idle' | 'lost' | 'close', end: LinkEnd): void {
    if (this.#machine.step(event)) this.#close(end)
  }

  #close(end: LinkEnd): void {
    this.#cut()
    this.#port.closed(end)
  }

  /** Their ends are told as any other. */
  #cut(): void {
    for (const stream of this.#streams) this.#port.cut(stream)
  }
}

/** Whom a stream tells. */
interface StreamListener {
  welcome(welcome: Welcome, now: number): void
  frame(type: FrameType, payload: Uint8Array): void
  gone(stream: DialledStream, cause: unknown): void
  violated(cause: PeerViolation): void
}

/** One stream of a link. */
export class DialledStream {
  readonly #machine: Machine<
    keyof typeof DIALLED_STREAM,
    keyof (typeof DIALLED_STREAM)['live'],
    { silentAt: number; dueAt: number; pingMs: number; now: number }
  >
  readonly #memory: { silentAt: number; dueAt: number; pingMs: number; now: number }
  readonly #listener: StreamListener
  readonly #reader: FrameReader

  /** @internal */
  constructor(listener: StreamListener, openingMs: number, now: number) {
    this.#listener = listener
    this.#memory = { silentAt: now + openingMs, dueAt: 0, pingMs: 0, now }
    const first = 'calling' as keyof typeof DIALLED_STREAM
    this.#machine = new Machine(DIALLED_STREAM, first, this.#memory)
    this.#reader = new FrameReader({
      frame: (type, _flags, _number, payload) => this.#received(type, payload),
      data: () => {
        throw new PeerViolation('UNEXPECTED_EVENT', 'DATA on a stream of offers')
      },
    })
  }

  /** Whether its WELCOME is awaited. */
  get isGreeting(): boolean {
    return this.#machine.state === 'calling' || this.#machine.state === 'greeting'
  }

  get deadline(): number {
    const { silentAt, dueAt } = this.#memory
    if (this.#machine.state === 'over') return Infinity
    return this.#machine.state === 'live' ? Math.min(silentAt, dueAt) : silentAt
  }

  // ── what its call tells ───────────────────────────────────────────────────────────────────

  /** It is answered with 200. */
  answered(): void {
    this.#machine.step('answer')
  }

  receive(bytes: Uint8Array, now: number): void {
    if (this.#machine.state === 'over') return
    const { pingMs } = this.#memory
    this.#memory.now = now
    if (pingMs > 0) this.#memory.silentAt = now + MISSED * pingMs
    try {
      this.#reader.push(bytes)
    } catch (error) {
      if (!(error instanceof PeerViolation)) throw error
      this.#machine.step('cut')
      this.#listener.violated(error)
    }
  }

  /** It ended, in whatever way. */
  gone(cause: unknown): void {
    this.#machine.step('gone')
    this.#listener.gone(this, cause)
  }

  // ── what its link asks ────────────────────────────────────────────────────────────────────

  /** Whether nothing came for too long; it is over then. */
  isSilent(now: number): boolean {
    return now >= this.#memory.silentAt && this.#machine.step('silent')
  }

  /** Whether it is time for its successor. */
  isDue(now: number): boolean {
    return this.#machine.state === 'live' && now >= this.#memory.dueAt
  }

  /** Its successor is opened. */
  succeed(): void {
    if (!this.isGreeting) this.#machine.step('succeed')
  }

  #received(type: FrameType, payload: Uint8Array): void {
    if (type !== FrameType.WELCOME) {
      if (this.#machine.step('frame')) this.#listener.frame(type, payload)
      return
    }
    if (!this.#machine.step('welcome')) return
    const welcome = decodeWelcome(payload)
    const { leaseMs, pingMs } = welcome
    // A lease of nothing would have its successor opened at once, and so on.
    if (leaseMs === 0) throw new PeerViolation('MALFORMED_FRAME', 'WELCOME without a lease')
    const { now } = this.#memory
    Object.assign(this.#memory, {
      ...{ pingMs, silentAt: now + MISSED * pingMs, dueAt: now + SUCCEEDED_AT * leaseMs },
    })
    this.#listener.welcome(welcome, now)
  }
}
