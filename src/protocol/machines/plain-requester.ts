/**
 * The cloud's end of an exchange over the plain binding: it answers the connector's calls.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import { ApiMisuse, PeerViolation } from '../wire/errors.ts'
import { FrameType, type Claim, type ExchangeId } from '../wire/frame-types.ts'
import { decodeClaim } from '../wire/heads.ts'
import { deliverFrame } from './exchange-frames.ts'
import type { Exchange } from './exchange.ts'
import {
  PLAIN_CREDIT_BYTES,
  PlainExchange,
  type PlainExchangeMemory,
  type PlainExchangePort,
} from './plain-exchange.ts'
import { ignored, Machine, misuse, violation, type Table } from './table.ts'

/**
 * - `claiming`: `…/response` is open, and CLAIM has not come.
 * - `pulled`: `…/body` alone is open.
 * - `waiting`: so it is, and nothing more comes on it.
 * - `exchanging`: both are open.
 * - `answering`: only `…/response` matters.
 */
export type PlainRequesterState =
  'unclaimed' | 'claiming' | 'pulled' | 'waiting' | 'exchanging' | 'answering' | 'over'

/**
 * The cloud's end of an exchange over the plain binding. Derived: `sent`, our request body is
 * closed; `refuse`, the claim does not count; `expire`, CLAIM did not come in time; `close`, the
 * exchange is over.
 */
// prettier-ignore
export const PLAIN_REQUESTER = {
  //            what we do                                                                        what the connector does
  unclaimed:  { sent: misuse,      refuse: misuse,  expire: ignored, close: misuse,  lost: 'over',  pull: 'pulled',  answer: 'claiming',   claim: violation   },
  claiming:   { sent: misuse,      refuse: 'over',  expire: 'over',  close: misuse,  lost: 'over',  pull: violation, answer: violation,    claim: 'answering' },
  pulled:     { sent: 'waiting',   refuse: 'over',  expire: ignored, close: 'over',  lost: 'over',  pull: violation, answer: 'exchanging', claim: violation   },
  waiting:    { sent: ignored,     refuse: 'over',  expire: ignored, close: 'over',  lost: 'over',  pull: violation, answer: 'answering',  claim: violation   },
  exchanging: { sent: 'answering', refuse: misuse,  expire: ignored, close: 'over',  lost: 'over',  pull: violation, answer: violation,    claim: violation   },
  answering:  { sent: ignored,     refuse: 'over',  expire: ignored, close: 'over',  lost: 'over',  pull: violation, answer: violation,    claim: violation   },
  over:       { sent: ignored,     refuse: ignored, expire: ignored, close: ignored, lost: ignored, pull: violation, answer: violation,    claim: violation   },
} as const satisfies Table<
  PlainRequesterState,
  'sent' | 'refuse' | 'expire' | 'close' | 'lost',
  'pull' | 'answer' | 'claim'
>

/** Whom the cloud's end tells. */
export interface PlainRequesterPort extends PlainExchangePort {
  /** The exchange of a claim that counts; undefined: gone. */
  claim(claim: Claim): Exchange | undefined
  /** The call that was to be the claim is none, or its exchange is `gone`: say so on it. */
  refuse(reason: 'gone' | PeerViolation): void
  /** Nothing more comes on `…/body`: end it, once what was said has left. */
  endBody(): void
  /** The exchange is over: calls that are still open come to their end. */
  finish(): void
  /** Nothing follows, in whatever way it ended. */
  over(): void
}

/** All that it knows, beside what it has to say. */
export interface PlainRequesterMemory extends PlainExchangeMemory {
  /** Until when CLAIM must come. */
  claimBy: number
}

/** The cloud's end. */
export class PlainRequester extends PlainExchange<PlainRequesterMemory> {
  readonly #machine: Machine<
    PlainRequesterState,
    keyof (typeof PLAIN_REQUESTER)['over'],
    PlainRequesterMemory
  >
  readonly #port: PlainRequesterPort
  readonly #id: ExchangeId
  readonly #mayClaimByAnswer: () => boolean

  /** @param mayClaimByAnswer whether the exchange is replayable: everything else is pulled first */
  constructor(
    port: PlainRequesterPort,
    id: ExchangeId,
    maxDataBytes: number,
    mayClaimByAnswer: () => boolean,
  ) {
    super(port, maxDataBytes, { now: 0, untaken: 0, claimBy: 0 })
    this.#machine = new Machine(PLAIN_REQUESTER, 'unclaimed' as PlainRequesterState, this.memory)
    this.#port = port
    this.#id = id
    this.#mayClaimByAnswer = mayClaimByAnswer
  }

  get state(): PlainRequesterState {
    return this.#machine.state
  }

  /** Whether `…/response` may be called. */
  get awaitsAnswer(): boolean {
    return this.state === 'pulled' || this.state === 'waiting'
  }

  /** When to {@link expire}; undefined: never. */
  get deadline(): number | undefined {
    return this.state === 'claiming' ? this.memory.claimBy : undefined
  }

  // ── inputs ────────────────────────────────────────────────────────────────────────────────

  /** `…/body` is called: the claim. `false`: gone. */
  pull(attempt: number, now: number): boolean {
    this.memory.now = now
    this.#machine.step('pull')
    const exchange = this.#port.claim({ id: this.#id, attempt, credit: PLAIN_CREDIT_BYTES })
    this.exchange = exchange
    if (exchange === undefined) this.#machine.step('refuse')
    // A pull gives more credit than is ever sent from inside a claim: there is no body.
    else if (exchange.writable === 0) this.sentAll()
    return exchange !== undefined
  }

  /**
   * `…/response` is called.
   *
   * @param claimMs how soon CLAIM must come, where it is the claim
   */
  answer(claimMs: number, now: number): void {
    this.memory.now = now
    this.memory.claimBy = now + claimMs
    const from = this.state
    this.#machine.step('answer')
    if (from === 'waiting') this.#port.endBody()
  }

  /** The {@link deadline} passed: a call that never says what it is for does not stay for ever. */
  expire(): void {
    if (this.#machine.step('expire')) this.#refused(noClaim())
  }

  // ── what the exchange says ────────────────────────────────────────────────────────────────

  informational(): void {
    throw new ApiMisuse('a requester sends no heads')
  }

  respond(): void {
    throw new ApiMisuse('a requester sends no heads')
  }

  stop(): void {
    // The rest of the answer is read and discarded.
  }

  /** There is no RESET towards the connector: it sees its calls break. */
  reset(): void {
    this.unsay()
    this.#port.cut()
  }

  closed(): void {
    if (!this.#machine.step('close')) return
    this.#port.finish()
    this.#port.over()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  protected override get isOver(): boolean {
    return this.state === 'over'
  }

  /** @internal */
  protected override stepLost(): boolean {
    const isFirst = this.#machine.step('lost')
    if (isFirst) this.#port.over()
    return isFirst
  }

  /** @internal */
  protected override received(
    type: FrameType,
    flags: number,
    payload: Uint8Array,
    now: number,
  ): void {
    if (this.isOver) return
    if (this.exchange === undefined) return this.#claimed(type, payload)
    deliverFrame(this.exchange, type, flags, payload, now)
    // No octet of the body follows that the connector does not want.
    if (type === FrameType.STOP) this.sentAll()
  }

  /** @internal */
  protected override receivedData(bytes: Uint8Array, end: boolean, now: number): void {
    if (this.isOver) return
    if (this.exchange === undefined)
      throw new PeerViolation('UNEXPECTED_EVENT', 'DATA before CLAIM')
    this.exchange.receivedData(bytes, end, now)
  }

  /** @internal */
  protected override ended(): void {
    if (this.exchange === undefined) throw noClaim()
    // The answer broke off without END: a lost transport is an abort, never an end.
    if (this.exchange.state !== 'answered') this.lost()
  }

  /** @internal */
  protected override violated(error: PeerViolation): void {
    if (this.exchange !== undefined) return this.exchange.violated(error)
    if (this.#machine.step('refuse')) this.#refused(error)
  }

  /**
   * Until the answer's call is there `…/body` stays open all the same: nothing else would tell the
   * connector that the user has left, or the cloud that the connector has.
   *
   * @internal
   */
  protected override sentAll(): void {
    const isAnswering = this.state === 'exchanging'
    if (this.#machine.step('sent') && isAnswering) this.#port.endBody()
  }

  #claimed(type: FrameType, payload: Uint8Array): void {
    if (type !== FrameType.CLAIM)
      throw new PeerViolation('UNEXPECTED_EVENT', 'the first frame is CLAIM')
    const claim = decodeClaim(payload)
    this.#machine.step('claim')
    const counts = claim.id === this.#id && this.#mayClaimByAnswer()
    this.exchange = counts ? this.#port.claim({ ...claim, credit: 0 }) : undefined
    if (this.exchange === undefined && this.#machine.step('refuse')) this.#refused('gone')
  }

  #refused(reason: 'gone' | PeerViolation): void {
    this.#port.over()
    this.#port.refuse(reason)
  }
}

function noClaim(): PeerViolation {
  return new PeerViolation('UNEXPECTED_EVENT', 'there is no CLAIM')
}
