/**
 * The connector's end of a link. Same driver law as the cloud's end (see accepted-link.ts).
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
  decodeConfiguration,
  decodeOffer,
  decodePing,
  decodeReset,
  decodeWelcome,
  encodeClaim,
  encodeCredit,
  encodeDecline,
  encodeHello,
  encodeReset,
} from './heads.ts'
import { DeadlineWheel } from './deadlines.ts'
import { Heartbeat } from './link-heartbeat.ts'
import type { LinkEnd, LinkLocalEvent, LinkState } from './link.ts'
import { MAX_DATA_BYTES, MAX_NUMBER } from './limits.ts'
import { Multiplexer, type LinkBudget } from './multiplexer.ts'
import { ignored, Machine, misuse, violation, type Table } from './table.ts'

/** Every state × event pair of the connector's end. */
// prettier-ignore
export const DIALLED_LINK = {
  //          what we do                                                                                                      what the cloud says
  opening:  { claim: misuse,     decline: misuse,     grant: misuse,  drain: 'closed',   idle: ignored,  close: 'closed', lost: 'closed', welcome: 'open',    refuse: 'refused',  offer: violation,  exchange: violation,  ping: violation,  hint: violation,  goodbye: 'closed'   },
  open:     { claim: 'open',     decline: 'open',     grant: 'open',  drain: 'draining', idle: ignored,  close: 'closed', lost: 'closed', welcome: violation, refuse: violation,  offer: 'open',     exchange: 'open',     ping: 'open',     hint: 'open',     goodbye: 'draining' },
  draining: { claim: 'draining', decline: 'draining', grant: ignored, drain: ignored,    idle: 'closed', close: 'closed', lost: 'closed', welcome: violation, refuse: violation,  offer: 'draining', exchange: 'draining', ping: 'draining', hint: 'draining', goodbye: 'draining' },
  closed:   { claim: ignored,    decline: ignored,    grant: ignored, drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  welcome: ignored,   refuse: ignored,    offer: ignored,    exchange: ignored,    ping: ignored,    hint: ignored,    goodbye: ignored    },
  refused:  { claim: misuse,     decline: misuse,     grant: misuse,  drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  welcome: violation, refuse: violation,  offer: violation,  exchange: violation,  ping: violation,  hint: violation,  goodbye: ignored    },
} as const satisfies Table<
  LinkState,
  LinkLocalEvent | 'claim' | 'decline' | 'grant',
  'welcome' | 'refuse' | 'offer' | 'exchange' | 'ping' | 'hint' | 'goodbye'
>

/** Whom a dialled link tells; except for `wake`, never from inside a command. */
export interface DialledLinkHandler {
  /** There is something to send: {@link DialledLink.takeOutput} before this turn ends. */
  wake(): void
  welcome(welcome: Welcome): void
  offer(offer: Offer): void
  /** The cloud has another configuration. */
  hint(version: string): void
  /** The cloud drains: dial another link. */
  draining(): void
  closed(end: LinkEnd): void
}

/** What a claim needs beside its frame. */
export interface ClaimOptions {
  /** Makes the responder's exchange; the pull's credit is reserved in `budget`. */
  open(wire: ExchangeWire, bounds: { windowBytes: number; budget: LinkBudget }): Exchange
  /** The cloud confirms; without it, no CONFIRM is awaited: the request is replayable. */
  confirmed?: () => void
}

/** The connector's end. */
export class DialledLink {
  readonly #machine = new Machine(DIALLED_LINK, 'opening')
  readonly #handler: DialledLinkHandler
  readonly #multiplexer = new Multiplexer(
    () => this.#handler.wake(),
    () => this.#idle(),
  )
  readonly #reader: FrameReader
  readonly #wheel: DeadlineWheel
  /** Claims that wait for CONFIRM. */
  readonly #unconfirmed = new Map<number, () => void>()
  #heartbeat: Heartbeat
  #welcome: Welcome | undefined
  #now: number

  /** @param openingMs until WELCOME must have come */
  constructor(handler: DialledLinkHandler, hello: Hello, openingMs: number, now: number) {
    this.#handler = handler
    this.#now = now
    this.#heartbeat = new Heartbeat(openingMs, now)
    this.#wheel = new DeadlineWheel(now)
    this.#multiplexer.maxDataBytes = hello.maxDataBytes
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
    this.#multiplexer.send(FrameType.HELLO, 0, encodeHello(hello))
  }

  get state(): LinkState {
    return this.#machine.state
  }

  /** Exchanges open. */
  get open(): number {
    return this.#multiplexer.open
  }

  /** When to {@link tick}; `Infinity` when it is over. */
  get deadline(): number {
    if (this.#isOver) return Infinity
    const { deadline } = this.#heartbeat
    // The wheel wants a look per slot while exchanges are open.
    return this.#multiplexer.open > 0 ? Math.min(deadline, this.#now + 50) : deadline
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────

  /**
   * Claims an offer. The exchange it returns may be over already when the link is.
   *
   * @param credit the pull: bytes of the request body the cloud may send at once
   * @returns undefined when the link can carry no further exchange now: decline the offer
   */
  claim(claim: Claim, options: ClaimOptions): Exchange | undefined {
    const { budget } = this.#multiplexer
    if (this.#multiplexer.lastNumber + 1 >= MAX_NUMBER) {
      this.drain()
      return undefined
    }
    if (this.#isOver || !budget.reserve(claim.credit)) return undefined
    this.#machine.step('claim')
    const number = this.#multiplexer.lastNumber + 1
    const wire = this.#multiplexer.openNumber(number)
    const exchange = options.open(wire, { windowBytes: this.#welcome!.windowBytes, budget })
    this.#multiplexer.adopt(number, exchange)
    if (options.confirmed !== undefined) this.#unconfirmed.set(number, options.confirmed)
    this.#multiplexer.send(FrameType.CLAIM, number, encodeClaim(claim))
    this.#wheel.add({
      get deadline() {
        return exchange.isClosed ? undefined : exchange.deadline
      },
      expire: () => exchange.expire(),
    })
    return exchange
  }

  decline(decline: Decline): void {
    if (this.#machine.step('decline')) {
      this.#multiplexer.send(FrameType.DECLINE, 0, encodeDecline(decline))
    }
  }

  /** `offers` more slots are free. */
  grant(offers: number): void {
    if (this.#machine.step('grant')) {
      this.#multiplexer.send(FrameType.CREDIT, 0, encodeCredit(offers))
    }
  }

  /** Takes no more offers; closes when the last exchange ended. */
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
    if (this.#isOver) return
    this.#now = now
    this.#wheel.advance(now)
    const verdict = this.#heartbeat.check(now)
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
    const step = (event: keyof (typeof DIALLED_LINK)['open']) => this.#machine.step(event)
    switch (type) {
      case FrameType.WELCOME:
        if (step('welcome')) this.#welcomed(decodeWelcome(payload))
        return
      case FrameType.OFFER:
        if (step('offer')) this.#handler.offer(decodeOffer(payload))
        return
      case FrameType.CONFIGURATION:
        if (step('hint')) this.#handler.hint(decodeConfiguration(payload).version)
        return
      case FrameType.PING:
        if (step('ping') && (flags & FrameFlag.ACK) === 0) {
          this.#multiplexer.send(FrameType.PING, 0, decodePing(payload), FrameFlag.ACK)
        }
        return
      case FrameType.DRAIN:
        if (step('goodbye')) this.#handler.draining()
        if (this.#multiplexer.open === 0) this.#idle()
        return
      case FrameType.RESET:
        if (number === 0) return this.#refused(decodeReset(payload).code)
        this.#unconfirmed.delete(number)
        break
      case FrameType.CONFIRM:
        if (step('exchange')) this.#confirmed(number)
        return
    }
    if (step('exchange')) this.#multiplexer.received(type, flags, number, payload, this.#now)
  }

  #welcomed(welcome: Welcome): void {
    this.#welcome = welcome
    this.#multiplexer.maxDataBytes = Math.min(this.#multiplexer.maxDataBytes, welcome.maxDataBytes)
    this.#heartbeat = new Heartbeat(welcome.pingMs, this.#now)
    this.#handler.welcome(welcome)
  }

  /** Number 0: the link itself. */
  #refused(code: ResetCode): void {
    if (this.state === 'opening') {
      this.#machine.step('refuse')
      return this.#handler.closed({ reason: 'refused' })
    }
    this.lost(new PeerViolation('UNEXPECTED_EVENT', `the cloud closed the link with code ${code}`))
  }

  #confirmed(number: number): void {
    const confirmed = this.#unconfirmed.get(number)
    this.#unconfirmed.delete(number)
    if (confirmed !== undefined) return confirmed()
    if (number > this.#multiplexer.lastNumber) {
      throw new PeerViolation('UNKNOWN_NUMBER', `CONFIRM of ${number}, never opened`)
    }
  }

  #idle(): void {
    if (this.#machine.step('idle')) this.#end({ reason: 'drained' })
  }

  #fail(cause: PeerViolation): void {
    this.#multiplexer.send(FrameType.RESET, 0, encodeReset({ code: ResetCode.VIOLATION }))
    if (this.#machine.step('close')) this.#end({ reason: 'violation', cause })
  }

  #end(end: LinkEnd): void {
    this.#unconfirmed.clear()
    this.#multiplexer.lost(end.cause)
    this.#handler.closed(end)
  }
}
