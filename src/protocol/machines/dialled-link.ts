/**
 * The connector's end of a link. How it is driven: link-endpoint.ts.
 *
 * @see spec/PROTOCOL.md, "Links"
 * @module
 */
import { PeerViolation } from '../wire/errors.ts'
import type { ExchangeWire } from './exchange-ports.ts'
import type { Exchange } from './exchange.ts'
import {
  FrameType,
  ResetCode,
  type Claim,
  type Decline,
  type Hello,
  type Offer,
  type Welcome,
} from '../wire/frame-types.ts'
import {
  decodeConfiguration,
  decodeEmpty,
  decodeReset,
  encodeCredit,
} from '../wire/control-frames.ts'
import { decodeWelcome, encodeHello } from '../wire/greetings.ts'
import { decodeOffer, writeClaim, writeDecline } from '../wire/heads.ts'
import { DeadlineWheel, SLOT_MS } from './deadlines.ts'
import { INITIAL_WINDOW_BYTES, MAX_NUMBER } from '../wire/limits.ts'
import { isAgreed } from '../wire/features.ts'
import { greasedFeatures, type Random } from './grease.ts'
import { LongExchanges } from './long-exchange.ts'
import { LinkEndpoint, type LinkHandler } from './link-endpoint.ts'
import type { LinkLocalEvent, LinkState } from './link.ts'
import type { CreditBudget } from './body-receiver.ts'
import { LinkBudget } from './link-budget.ts'
import { ignored, Machine, misuse, violation, type Table } from './table.ts'

/** Every state × event pair of the connector's end. */
// prettier-ignore
export const DIALLED_LINK = {
  //          what we do                                                                                                      what the cloud says
  opening:  { claim: misuse,     decline: misuse,     grant: misuse,  drain: 'closed',   idle: ignored,  close: 'closed', lost: 'closed', welcome: 'open',    refuse: 'refused',  offer: violation,  exchange: violation,  ping: violation,  hint: violation,  goodbye: 'closed',   unknown: violation  },
  open:     { claim: 'open',     decline: 'open',     grant: 'open',  drain: 'draining', idle: ignored,  close: 'closed', lost: 'closed', welcome: violation, refuse: violation,  offer: 'open',     exchange: 'open',     ping: 'open',     hint: 'open',     goodbye: 'draining', unknown: 'open'     },
  draining: { claim: 'draining', decline: 'draining', grant: ignored, drain: ignored,    idle: 'closed', close: 'closed', lost: 'closed', welcome: violation, refuse: violation,  offer: 'draining', exchange: 'draining', ping: 'draining', hint: 'draining', goodbye: 'draining', unknown: 'draining' },
  closed:   { claim: ignored,    decline: ignored,    grant: ignored, drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  welcome: ignored,   refuse: ignored,    offer: ignored,    exchange: ignored,    ping: ignored,    hint: ignored,    goodbye: ignored,    unknown: ignored    },
  refused:  { claim: misuse,     decline: misuse,     grant: misuse,  drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  welcome: violation, refuse: violation,  offer: violation,  exchange: violation,  ping: violation,  hint: violation,  goodbye: ignored,    unknown: violation  },
} as const satisfies Table<
  LinkState,
  LinkLocalEvent | 'claim' | 'decline' | 'grant',
  'exchange' | 'ping' | 'goodbye' | 'unknown' | 'welcome' | 'refuse' | 'offer' | 'hint'
>

/** Whom a dialled link tells; except for `wake`, never from inside a command. */
export interface DialledLinkHandler extends LinkHandler {
  welcome(welcome: Welcome): void
  offer(offer: Offer): void
  /** The cloud has another configuration. */
  hint(version: string): void
  /** The cloud drains: dial another link. */
  draining(): void
  /** What was said is about to be taken: what is said now goes with it. */
  leaving?(): void
}

/** What bounds the exchange of a claim. */
export interface ClaimBounds {
  /** First credit of the answer's body. */
  readonly windowBytes: number
  readonly budget: CreditBudget
}

/** What a claim needs beside its frame. */
export interface ClaimOptions {
  /** Makes the responder's exchange; the pull's credit is reserved in `budget`. */
  open(wire: ExchangeWire, bounds: ClaimBounds): Exchange
  /** The cloud confirms; without it, no CONFIRM is awaited: the request is replayable. */
  readonly confirmed?: (() => void) | undefined
  /** Told, at most once, that the exchange is long: its slot is free. */
  becameLong?(): void
}

/** The connector's end. */
export class DialledLink extends LinkEndpoint {
  readonly #machine: Machine<LinkState, keyof (typeof DIALLED_LINK)['open']>
  readonly #handler: DialledLinkHandler
  readonly #wheel: DeadlineWheel
  readonly #budget: LinkBudget
  readonly #maxDataBytes: number
  readonly #versions: readonly number[]
  readonly #features: readonly string[]
  /** Claims that wait for CONFIRM. */
  readonly #unconfirmed = new Map<number, () => void>()
  #windowBytes = 0

  /**
   * @param openingMs until WELCOME must have come
   * @param random what grease is made of; without it this end sends none
   */
  constructor(
    handler: DialledLinkHandler,
    hello: Hello,
    openingMs: number,
    now: number,
    random?: Random,
  ) {
    const machine = new Machine(DIALLED_LINK, 'opening' as LinkState)
    const wheel = new DeadlineWheel(now)
    super(machine, handler, openingMs, now, wheel, random)
    this.#machine = machine
    this.#handler = handler
    this.#wheel = wheel
    const { slots = hello.offers, streams = 0 } = hello
    // Claims of offers that came over other links count here as well.
    this.#budget = new LinkBudget(slots + streams, INITIAL_WINDOW_BYTES)
    this.multiplexer.long = new LongExchanges(streams)
    this.#maxDataBytes = hello.maxDataBytes
    this.#versions = hello.versions
    this.#features = hello.features
    const greased = greasedFeatures(hello, this.grease)
    this.multiplexer.send(FrameType.HELLO, 0, encodeHello(greased, this.grease?.octets()))
  }

  override get deadline(): number {
    // The wheel wants a look per slot while exchanges are open.
    return this.open > 0 ? Math.min(super.deadline, this.now + SLOT_MS) : super.deadline
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────

  /**
   * Claims an offer. The exchange it returns may be over already when the link is.
   *
   * @param credit the pull: bytes of the request body the cloud may send at once
   * @returns undefined when the link can carry no further exchange now: decline the offer
   */
  claim(claim: Claim, options: ClaimOptions): Exchange | undefined {
    const budget = this.#budget
    const number = this.multiplexer.lastNumber + 1
    if (number >= MAX_NUMBER) {
      this.drain()
      return undefined
    }
    if (this.isOver || !budget.reserve(claim.credit)) return undefined
    this.#machine.step('claim')
    const wire = this.multiplexer.openNumber(number)
    const exchange = options.open(wire, { windowBytes: this.#windowBytes, budget })
    this.multiplexer.adopt(wire, exchange, options)
    const { confirmed } = options
    if (confirmed !== undefined) this.#unconfirmed.set(number, confirmed)
    this.multiplexer.sendHead(FrameType.CLAIM, number, writeClaim, claim)
    return exchange
  }

  decline(decline: Decline): void {
    if (this.#machine.step('decline'))
      this.multiplexer.sendHead(FrameType.DECLINE, 0, writeDecline, decline)
  }

  /** `offers` more slots are free. */
  grant(offers: number): void {
    if (this.#machine.step('grant')) {
      this.multiplexer.send(FrameType.CREDIT, 0, encodeCredit(offers))
    }
  }

  override takeOutput(roomBytes: number): Uint8Array[] {
    this.#handler.leaving?.()
    return super.takeOutput(roomBytes)
  }

  override tick(now: number): void {
    if (this.isOver) return
    this.#wheel.advance(now)
    super.tick(now)
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  protected override received(
    type: FrameType,
    flags: number,
    number: number,
    payload: Uint8Array,
  ): void {
    switch (type) {
      case FrameType.WELCOME:
        if (this.#machine.step('welcome')) this.#welcomed(decodeWelcome(payload))
        return
      case FrameType.OFFER:
        if (this.#machine.step('offer')) this.#handler.offer(decodeOffer(payload))
        return
      case FrameType.CONFIGURATION:
        if (this.#machine.step('hint')) this.#handler.hint(decodeConfiguration(payload).version)
        return
      case FrameType.DRAIN:
        decodeEmpty(payload)
        if (this.#machine.step('goodbye')) this.#handler.draining()
        if (this.open === 0) this.idle()
        return
      case FrameType.RESET:
        if (number === 0) return this.#refused(decodeReset(payload).code)
        this.#unconfirmed.delete(number)
        break
      case FrameType.CONFIRM:
        decodeEmpty(payload)
        if (this.#machine.step('exchange')) this.#confirmed(number)
        return
    }
    this.exchangeFrame(type, flags, number, payload)
  }

  #welcomed(welcome: Welcome): void {
    if (!this.#versions.includes(welcome.version))
      throw new PeerViolation('UNSUPPORTED_VERSION', `WELCOME names version ${welcome.version}`)
    this.#windowBytes = welcome.windowBytes
    const maxDataBytes = Math.min(this.#maxDataBytes, welcome.maxDataBytes)
    const isExtensible = isAgreed('extensible', this.#features, welcome.features)
    this.greeted(welcome.pingMs, maxDataBytes, isExtensible)
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
    if (number > this.multiplexer.lastNumber) {
      throw new PeerViolation('UNKNOWN_NUMBER', `CONFIRM of ${number}, never opened`)
    }
  }
}
