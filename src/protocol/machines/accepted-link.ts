/**
 * The cloud's end of a link. How it is driven: link-endpoint.ts.
 *
 * @see spec/PROTOCOL.md, "Links"
 * @module
 */
import { PeerViolation } from '../wire/errors.ts'
import type { CreditBudget } from './body-receiver.ts'
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
import { decodeHello, encodeWelcome } from '../wire/greetings.ts'
import { decodeClaim, decodeDecline, writeOffer } from '../wire/heads.ts'
import {
  decodeCredit,
  decodeEmpty,
  encodeConfiguration,
  encodeReset,
} from '../wire/control-frames.ts'
import { MAX_NUMBER, MAX_WINDOW_BYTES } from '../wire/limits.ts'
import { isAgreed } from '../wire/features.ts'
import { grant, greet, type GrantMemory } from './grants.ts'
import { greasedFeatures, type Random } from './grease.ts'
import { LongExchanges } from './long-exchange.ts'
import { LinkEndpoint, type LinkHandler } from './link-endpoint.ts'
import type { LinkLocalEvent, LinkState } from './link.ts'
import { LinkBudget } from './link-budget.ts'
import { ignored, Machine, misuse, violation, type Table } from './table.ts'

/** Every state × event pair of the cloud's end. */
// prettier-ignore
export const ACCEPTED_LINK = {
  //          what we do                                                                                                               what the connector says
  opening:  { welcome: 'open', refuse: 'refused', offer: misuse, drain: 'closed',   idle: ignored,  close: 'closed', lost: 'closed', hello: 'opening', claim: violation,  decline: violation,  grant: violation,  exchange: violation,  ping: violation,  goodbye: 'closed',   unknown: violation  },
  open:     { welcome: misuse, refuse: misuse,    offer: 'open', drain: 'draining', idle: ignored,  close: 'closed', lost: 'closed', hello: violation, claim: 'open',     decline: 'open',     grant: 'open',     exchange: 'open',     ping: 'open',     goodbye: 'draining', unknown: 'open'     },
  draining: { welcome: misuse, refuse: misuse,    offer: misuse, drain: ignored,    idle: 'closed', close: 'closed', lost: 'closed', hello: violation, claim: 'draining', decline: 'draining', grant: ignored,    exchange: 'draining', ping: 'draining', goodbye: 'draining', unknown: 'draining' },
  closed:   { welcome: misuse, refuse: misuse,    offer: misuse, drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  hello: ignored,   claim: ignored,    decline: ignored,    grant: ignored,    exchange: ignored,    ping: ignored,    goodbye: ignored,    unknown: ignored    },
  refused:  { welcome: misuse, refuse: misuse,    offer: misuse, drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  hello: violation, claim: violation,  decline: violation,  grant: violation,  exchange: violation,  ping: violation,  goodbye: ignored,    unknown: violation  },
} as const satisfies Table<
  LinkState,
  LinkLocalEvent | 'welcome' | 'refuse' | 'offer',
  'exchange' | 'ping' | 'goodbye' | 'unknown' | 'hello' | 'claim' | 'decline' | 'grant'
>

/** Whom an accepted link tells; except for `wake`, never from inside a command. */
export interface AcceptedLinkHandler extends LinkHandler {
  /** The connector introduces itself. `undefined`: refused, its versions are none of ours. */
  hello(hello: Hello): Welcome | undefined
  /** A claim. `undefined`: gone. */
  claim(claim: Claim, wire: ExchangeWire, carriage: LinkCarriage): ClaimAnswer | undefined
  decline(decline: Decline): void
  /** There are more grants. */
  granted(): void
  /** It takes no offers any more: one end has said that it drains. */
  draining?(): void
}

/** How this link bounds an exchange. */
export interface LinkCarriage {
  readonly windowBytes: number
  readonly maxWindowBytes: number
  readonly budget: CreditBudget
}

/** A claim that counts: the exchange, and whether the connector waits for its CONFIRM. */
export interface ClaimAnswer {
  readonly exchange: Exchange
  readonly confirm: boolean
  /** Told, at most once, that the exchange is long: it holds no slot of its connector any more. */
  becameLong?(): void
}

/**
 * The cloud's end.
 *
 *     const link = new AcceptedLink(handler, TIME_LIMITS.controlCallMs, now())
 *     channel.onmessage = ({ data }) => link.receive(data, now())
 *     channel.onclose = () => link.lost()
 *     // and in handler.wake():
 *     for (const chunk of link.takeOutput(TRANSPORT_ROOM_BYTES)) channel.send(chunk)
 */
export class AcceptedLink extends LinkEndpoint {
  readonly #machine: Machine<LinkState, keyof (typeof ACCEPTED_LINK)['open']>
  readonly #handler: AcceptedLinkHandler
  #carriage: LinkCarriage | undefined
  readonly #memory: GrantMemory = { grants: 0, offers: 0 }

  /**
   * @param openingMs until HELLO must have come
   * @param random what grease is made of; without it this end sends none
   */
  constructor(handler: AcceptedLinkHandler, openingMs: number, now: number, random?: Random) {
    const machine = new Machine(ACCEPTED_LINK, 'opening' as LinkState)
    super(machine, handler, openingMs, now, undefined, random)
    this.#machine = machine
    this.#handler = handler
  }

  /** Offers that may be made now. */
  get grants(): number {
    return this.state === 'open' ? this.#memory.grants : 0
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────

  /** Spends a grant. */
  offer(offer: Offer): void {
    if (!this.#machine.step('offer')) return
    this.multiplexer.sendHead(FrameType.OFFER, 0, writeOffer, offer)
    this.#memory.grants -= 1
  }

  override drain(): void {
    super.drain()
    this.#handler.draining?.()
  }

  /**
   * Tells the connector to pull its configuration; `false`: the link is not open, and nothing was
   * said.
   */
  hint(version: string): boolean {
    if (this.state !== 'open') return false
    this.multiplexer.send(FrameType.CONFIGURATION, 0, encodeConfiguration({ version }))
    return true
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
      case FrameType.HELLO:
        if (this.#machine.step('hello')) this.#greet(decodeHello(payload))
        return
      case FrameType.CLAIM:
        if (this.#machine.step('claim')) this.#claimed(number, decodeClaim(payload))
        return
      case FrameType.DECLINE:
        if (this.#machine.step('decline')) this.#handler.decline(decodeDecline(payload))
        return
      case FrameType.DRAIN:
        decodeEmpty(payload)
        if (!this.#machine.step('goodbye')) return
        this.#handler.draining?.()
        if (this.open === 0) this.idle()
        return
      case FrameType.CREDIT:
        if (number !== 0) break
        if (this.#machine.step('grant')) this.#granted(decodeCredit(payload))
        return
    }
    this.exchangeFrame(type, flags, number, payload)
  }

  #greet(hello: Hello): void {
    const welcome = this.#handler.hello(hello)
    if (welcome === undefined) {
      this.#machine.step('refuse')
      this.multiplexer.send(FrameType.RESET, 0, encodeReset({ code: ResetCode.UNSUPPORTED }))
      return this.#handler.closed({ reason: 'refused' })
    }
    this.#machine.step('welcome')
    const { windowBytes } = welcome
    const { slots = hello.offers, streams = 0 } = hello
    // Claims of offers that came over other links count here as well.
    const budget = new LinkBudget(slots + streams, windowBytes)
    this.#carriage = { windowBytes, maxWindowBytes: MAX_WINDOW_BYTES, budget }
    this.multiplexer.long = new LongExchanges(streams)
    const maxDataBytes = Math.min(welcome.maxDataBytes, hello.maxDataBytes)
    const isExtensible = isAgreed('extensible', welcome.features, hello.features)
    this.greeted(welcome.pingMs, maxDataBytes, isExtensible)
    greet(this.#memory, hello)
    const greased = greasedFeatures(welcome, this.grease)
    this.multiplexer.send(FrameType.WELCOME, 0, encodeWelcome(greased, this.grease?.octets()))
    this.#handler.granted()
  }

  #claimed(number: number, claim: Claim): void {
    if (number >= MAX_NUMBER)
      throw new PeerViolation('NUMBER_NOT_INCREASING', `${number} is not below ${MAX_NUMBER}`)
    const wire = this.multiplexer.openNumber(number)
    const carriage = this.#carriage!
    const { budget, windowBytes } = carriage
    // Refused before the budget is exceeded, not after.
    const reserved = budget.reserve(windowBytes)
    const answer = reserved ? this.#handler.claim(claim, wire, carriage) : undefined
    if (answer === undefined) {
      if (reserved) budget.release(windowBytes, 0)
      return this.multiplexer.send(FrameType.RESET, number, encodeReset({ code: ResetCode.GONE }))
    }
    this.multiplexer.adopt(wire, answer.exchange, answer)
    if (answer.confirm) this.multiplexer.send(FrameType.CONFIRM, number)
  }

  #granted(offers: number): void {
    grant(this.#memory, offers)
    this.#handler.granted()
  }
}
