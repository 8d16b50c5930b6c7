/**
 * The cloud's end of a link.
 *
 * Driver law: one input ({@link AcceptedLink.receive}, a command, or {@link AcceptedLink.tick} at
 * {@link AcceptedLink.deadline}), then {@link AcceptedLink.takeOutput} until the transport is full or nothing is left, then wait.
 *
 * @see spec/PROTOCOL.md, "Links"
 * @module
 */
import { PeerViolation } from './errors.ts'
import type { ExchangeWire } from './exchange-ports.ts'
import type { Exchange } from './exchange.ts'
import { FrameReader } from './frame.ts'
import {
  FrameFlag,
  FrameType,
  ResetCode,
  type Claim,
  type Decline,
  type Hello,
  type Offer,
  type Welcome,
} from './frame-types.ts'
import {
  decodeClaim,
  decodeCredit,
  decodeDecline,
  decodeHello,
  decodePing,
  encodeConfiguration,
  encodeOffer,
  encodeReset,
  encodeWelcome,
} from './heads.ts'
import { Heartbeat } from './link-heartbeat.ts'
import type { LinkEnd, LinkLocalEvent, LinkState } from './link.ts'
import { MAX_DATA_BYTES, MAX_WINDOW_BYTES } from './limits.ts'
import { Multiplexer, type LinkBudget } from './multiplexer.ts'
import { ignored, Machine, misuse, violation, type Table } from './table.ts'

/** Every state × event pair of the cloud's end. */
// prettier-ignore
export const ACCEPTED_LINK = {
  //          what we do                                                                                                               what the connector says
  opening:  { welcome: 'open', refuse: 'refused', offer: misuse, drain: 'closed',   idle: ignored,  close: 'closed', lost: 'closed', hello: 'opening', claim: violation,  decline: violation,  grant: violation,  exchange: violation,  ping: violation,  goodbye: 'closed'   },
  open:     { welcome: misuse, refuse: misuse,    offer: 'open', drain: 'draining', idle: ignored,  close: 'closed', lost: 'closed', hello: violation, claim: 'open',     decline: 'open',     grant: 'open',     exchange: 'open',     ping: 'open',     goodbye: 'draining' },
  draining: { welcome: misuse, refuse: misuse,    offer: misuse, drain: ignored,    idle: 'closed', close: 'closed', lost: 'closed', hello: violation, claim: 'draining', decline: 'draining', grant: ignored,    exchange: 'draining', ping: 'draining', goodbye: 'draining' },
  closed:   { welcome: misuse, refuse: misuse,    offer: misuse, drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  hello: ignored,   claim: ignored,    decline: ignored,    grant: ignored,    exchange: ignored,    ping: ignored,    goodbye: ignored    },
  refused:  { welcome: misuse, refuse: misuse,    offer: misuse, drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  hello: violation, claim: violation,  decline: violation,  grant: violation,  exchange: violation,  ping: violation,  goodbye: ignored    },
} as const satisfies Table<
  LinkState,
  LinkLocalEvent | 'welcome' | 'refuse' | 'offer',
  'hello' | 'claim' | 'decline' | 'grant' | 'exchange' | 'ping' | 'goodbye'
>

/** Whom an accepted link tells; except for `wake`, never from inside a command. */
export interface AcceptedLinkHandler {
  /** There is something to send: {@link AcceptedLink.takeOutput} before this turn ends. */
  wake(): void
  /** The connector introduces itself. `undefined`: refused, its versions are none of ours. */
  hello(hello: Hello): Welcome | undefined
  /** A claim. `undefined`: gone. */
  claim(claim: Claim, wire: ExchangeWire, carriage: LinkCarriage): ClaimAnswer | undefined
  decline(decline: Decline): void
  /** There are more grants. */
  granted(): void
  closed(end: LinkEnd): void
}

/** How this link bounds an exchange. */
export interface LinkCarriage {
  readonly windowBytes: number
  readonly maxWindowBytes: number
  readonly budget: LinkBudget
}

/** A claim that counts: the exchange, and whether the connector waits for its CONFIRM. */
export interface ClaimAnswer {
  readonly exchange: Exchange
  readonly confirm: boolean
}

/** The cloud's end. */
export class AcceptedLink {
  readonly #machine = new Machine(ACCEPTED_LINK, 'opening')
  readonly #handler: AcceptedLinkHandler
  readonly #multiplexer = new Multiplexer(
    () => this.#handler.wake(),
    () => this.#idle(),
  )
  readonly #reader: FrameReader
  #heartbeat: Heartbeat
  #welcome: Welcome | undefined
  #grants = 0
  #offers = 0
  #now: number

  /** @param openingMs until HELLO must have come */
  constructor(handler: AcceptedLinkHandler, openingMs: number, now: number) {
    this.#handler = handler
    this.#now = now
    this.#heartbeat = new Heartbeat(openingMs, now)
    this.#reader = new FrameReader(
      {
        frame: (type, flags, number, payload) => this.#received(type, flags, number, payload),
        data: (number, bytes, end) => {
          if (!this.#machine.step('exchange')) return
          this.#multiplexer.receivedData(number, bytes, end, this.#now)
        },
      },
      MAX_DATA_BYTES,
    )
  }

  get state(): LinkState {
    return this.#machine.state
  }

  /** Offers that may be made now. */
  get grants(): number {
    return this.state === 'open' ? this.#grants : 0
  }

  /** Exchanges open. */
  get open(): number {
    return this.#multiplexer.open
  }

  /** When to {@link tick}; `Infinity` when it is over. */
  get deadline(): number {
    return this.#isOver ? Infinity : this.#heartbeat.deadline
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────

  /** Spends a grant. */
  offer(offer: Offer): void {
    if (!this.#machine.step('offer')) return
    this.#multiplexer.send(FrameType.OFFER, 0, encodeOffer(offer))
    this.#grants -= 1
  }

  /** Tells the connector to pull its configuration. */
  hint(version: string): void {
    if (this.state !== 'open') return
    this.#multiplexer.send(FrameType.CONFIGURATION, 0, encodeConfiguration({ version }))
  }

  /** Offers nothing more; closes when the last exchange ended. */
  drain(): void {
    if (!this.#machine.step('drain')) return
    this.#multiplexer.send(FrameType.DRAIN, 0)
    if (this.#multiplexer.open === 0) this.#idle()
  }

  close(): void {
    if (this.#machine.step('close')) this.#end({ reason: 'closed' })
  }

  // ── inputs ────────────────────────────────────────────────────────────────────────────────

  /** Bytes from the transport. */
  receive(bytes: Uint8Array, now: number): void {
    if (this.#isOver) return
    this.#now = now
    this.#heartbeat.heard(now)
    try {
      this.#reader.push(bytes)
    } catch (cause) {
      if (!(cause instanceof PeerViolation)) throw cause
      this.#fail(cause)
    }
  }

  /** The transport ended, or broke. */
  lost(cause?: unknown): void {
    if (this.#machine.step('lost')) this.#end({ reason: 'lost', cause })
  }

  /** The {@link deadline} came. */
  tick(now: number): void {
    const verdict = this.#isOver ? undefined : this.#heartbeat.check(now)
    if (verdict === undefined) return
    if (verdict === 'ping' && this.state !== 'opening') {
      this.#multiplexer.send(FrameType.PING, 0, new Uint8Array(8))
    } else if (this.#machine.step('lost')) this.#end({ reason: 'silent' })
  }

  /** What to send, in order; DATA only while there is room. */
  takeOutput(roomBytes: number): Uint8Array[] {
    return this.#multiplexer.takeOutput(roomBytes)
  }

  /** Whether DATA waits for room in the transport. */
  get hasMore(): boolean {
    return this.#multiplexer.hasMore
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  get #isOver(): boolean {
    return this.state === 'closed' || this.state === 'refused'
  }

  #received(type: FrameType, flags: number, number: number, payload: Uint8Array): void {
    const step = (event: keyof (typeof ACCEPTED_LINK)['open']) => this.#machine.step(event)
    switch (type) {
      case FrameType.HELLO:
        if (step('hello')) this.#greeted(decodeHello(payload))
        return
      case FrameType.CLAIM:
        if (step('claim')) this.#claimed(number, decodeClaim(payload))
        return
      case FrameType.DECLINE:
        if (step('decline')) this.#handler.decline(decodeDecline(payload))
        return
      case FrameType.PING:
        if (step('ping') && (flags & FrameFlag.ACK) === 0) {
          this.#multiplexer.send(FrameType.PING, 0, decodePing(payload), FrameFlag.ACK)
        }
        return
      case FrameType.DRAIN:
        if (step('goodbye') && this.#multiplexer.open === 0) this.#idle()
        return
      case FrameType.CREDIT:
        if (number === 0) return step('grant') ? this.#granted(decodeCredit(payload)) : undefined
    }
    if (step('exchange')) this.#multiplexer.received(type, flags, number, payload, this.#now)
  }

  #greeted(hello: Hello): void {
    const welcome = this.#handler.hello(hello)
    if (welcome === undefined) {
      this.#machine.step('refuse')
      this.#multiplexer.send(FrameType.RESET, 0, encodeReset({ code: ResetCode.UNSUPPORTED }))
      return this.#handler.closed({ reason: 'refused' })
    }
    this.#machine.step('welcome')
    this.#welcome = welcome
    this.#multiplexer.maxDataBytes = Math.min(welcome.maxDataBytes, hello.maxDataBytes)
    this.#heartbeat = new Heartbeat(welcome.pingMs, this.#now)
    this.#offers = hello.offers
    this.#grants = hello.offers
    this.#multiplexer.send(FrameType.WELCOME, 0, encodeWelcome(welcome))
    this.#handler.granted()
  }

  #claimed(number: number, claim: Claim): void {
    const wire = this.#multiplexer.openNumber(number)
    const { budget } = this.#multiplexer
    const { windowBytes } = this.#welcome!
    const carriage = { windowBytes, maxWindowBytes: MAX_WINDOW_BYTES, budget }
    // Refused before the budget is exceeded, not after.
    const reserved = budget.reserve(windowBytes)
    const answer = reserved ? this.#handler.claim(claim, wire, carriage) : undefined
    if (answer === undefined) {
      if (reserved) budget.release(windowBytes)
      return this.#multiplexer.send(FrameType.RESET, number, encodeReset({ code: ResetCode.GONE }))
    }
    this.#multiplexer.adopt(number, answer.exchange)
    if (answer.confirm) this.#multiplexer.send(FrameType.CONFIRM, number)
  }

  #granted(offers: number): void {
    if (this.#grants + offers > this.#offers) {
      throw new PeerViolation('GRANT_EXCEEDED', `${this.#grants} + ${offers} of ${this.#offers}`)
    }
    this.#grants += offers
    this.#handler.granted()
  }

  #idle(): void {
    if (this.#machine.step('idle')) this.#end({ reason: 'drained' })
  }

  #fail(cause: PeerViolation): void {
    this.#multiplexer.send(FrameType.RESET, 0, encodeReset({ code: ResetCode.VIOLATION }))
    if (this.#machine.step('close')) this.#end({ reason: 'violation', cause })
  }

  #end(end: LinkEnd): void {
    this.#multiplexer.lost(end.cause)
    this.#handler.closed(end)
  }
}
