/**
 * The connector's end of an exchange over the plain binding: it makes the calls.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { NotSentCause } from '../wire/control-frames.ts'
import { ApiMisuse, PeerViolation } from '../wire/errors.ts'
import {
  FrameFlag,
  FrameType,
  ResetCode,
  type ExchangeId,
  type ResponseHead,
} from '../wire/frame-types.ts'
import { writeClaim } from '../wire/heads.ts'
import { deliverFrame } from './exchange-frames.ts'
import type { Exchange } from './exchange.ts'
import {
  PlainExchange,
  type PlainExchangeMemory,
  type PlainExchangePort,
} from './plain-exchange.ts'
import { ignored, Machine, misuse, violation, type Table } from './table.ts'

/**
 * - `pulling`: `…/body` was called, and is not answered yet.
 * - `pulled`: it is open.
 * - `claiming`: `…/response` is to be the claim, and is not called yet.
 * - `claimed`: it is called, with CLAIM first.
 * - `answering`: it is called, after a pull.
 */
export type PlainResponderState =
  'unclaimed' | 'pulling' | 'pulled' | 'claiming' | 'claimed' | 'answering' | 'over'

/** The connector's end of an exchange over the plain binding. */
// prettier-ignore
export const PLAIN_RESPONDER = {
  //           what we do                                                                          what the cloud says
  unclaimed: { pull: 'pulling', claim: 'claiming', answer: misuse,      cut: 'over',  lost: 'over',  confirm: violation, refuse: violation, accept: violation },
  pulling:   { pull: misuse,    claim: misuse,     answer: misuse,      cut: 'over',  lost: 'over',  confirm: 'pulled',  refuse: 'over',    accept: violation },
  pulled:    { pull: misuse,    claim: misuse,     answer: 'answering', cut: 'over',  lost: 'over',  confirm: violation, refuse: violation, accept: violation },
  claiming:  { pull: misuse,    claim: misuse,     answer: 'claimed',   cut: 'over',  lost: 'over',  confirm: violation, refuse: violation, accept: violation },
  claimed:   { pull: misuse,    claim: misuse,     answer: ignored,     cut: 'over',  lost: 'over',  confirm: violation, refuse: 'over',    accept: 'over'    },
  answering: { pull: misuse,    claim: misuse,     answer: ignored,     cut: 'over',  lost: 'over',  confirm: violation, refuse: 'over',    accept: 'over'    },
  over:      { pull: misuse,    claim: misuse,     answer: ignored,     cut: ignored, lost: ignored, confirm: ignored,   refuse: ignored,   accept: ignored   },
} as const satisfies Table<
  PlainResponderState,
  'pull' | 'claim' | 'answer' | 'cut' | 'lost',
  'confirm' | 'refuse' | 'accept'
>

/**
 * How long a claim waits for its answer, to leave with it in one call. Milliseconds; the cloud
 * gives a claim a second at least.
 */
export const CLAIM_HELD_MS = 100

/** Whom the connector's end tells. */
export interface PlainResponderPort extends PlainExchangePort {
  /** Calls `…/body`. */
  pull(): void
  /** The call that was to be the claim failed: it may never have arrived. */
  unclaimed(): void
}

/** All that it knows, beside what it has to say. */
export interface PlainResponderMemory extends PlainExchangeMemory {
  /** Until when a claim waits for its answer. */
  heldUntil: number
  /** Whether something was said beside CLAIM. */
  said: boolean
}

/** The connector's end. */
export class PlainResponder extends PlainExchange<PlainResponderMemory> {
  readonly #machine: Machine<
    PlainResponderState,
    keyof (typeof PLAIN_RESPONDER)['over'],
    PlainResponderMemory
  >
  readonly #port: PlainResponderPort

  constructor(port: PlainResponderPort, maxDataBytes: number) {
    super(port, maxDataBytes, { now: 0, untaken: 0, heldUntil: 0, said: false })
    this.#machine = new Machine(PLAIN_RESPONDER, 'unclaimed' as PlainResponderState, this.memory)
    this.#port = port
  }

  get state(): PlainResponderState {
    return this.#machine.state
  }

  /** When {@link open} is to be asked again; undefined: never. */
  get deadline(): number | undefined {
    return this.state === 'claiming' ? this.memory.heldUntil : undefined
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────

  /** Claims by a pull: nothing is done before its CONFIRM. */
  claimByPull(exchange: Exchange): void {
    this.exchange = exchange
    this.#machine.step('pull')
    this.#port.pull()
  }

  /** Claims by the answer. */
  claimByAnswer(exchange: Exchange, id: ExchangeId, attempt: number, now: number): void {
    this.exchange = exchange
    this.#machine.step('claim')
    this.memory.heldUntil = now + CLAIM_HELD_MS
    this.output.head(FrameType.CLAIM, 0, 0, writeClaim, { id, attempt, credit: 0 })
  }

  /**
   * Whether to call `…/response` now, at the end of a turn in which something was said or when the
   * {@link deadline} came: `whole`, where all that is to be said has been, or as a `stream`.
   */
  open(now: number): 'whole' | 'stream' | undefined {
    const { state } = this
    if (state !== 'claiming' && state !== 'pulled') return undefined
    const { heldUntil, said } = this.memory
    if (!said && (state === 'pulled' || now < heldUntil)) return undefined
    this.#machine.step('answer')
    return this.isComplete ? 'whole' : 'stream'
  }

  /** The claim waits for its answer no longer. */
  hurry(): void {
    this.memory.heldUntil = 0
  }

  /** Nothing more is said. */
  get isComplete(): boolean {
    return this.exchange!.isClosed
  }

  // ── inputs ────────────────────────────────────────────────────────────────────────────────

  /** `…/body` is answered with 200: the claim counts. */
  confirmed(): boolean {
    return this.#machine.step('confirm')
  }

  /** `…/response` is answered with 204: the cloud has all of it. */
  accepted(): void {
    this.#machine.step('accept')
  }

  /** A call is answered with 409 or 410: another has it, or nobody wants it any more. */
  refused(): void {
    if (!this.#machine.step('refuse')) return
    this.exchange!.receivedReset(ResetCode.GONE)
  }

  // ── what the exchange says ────────────────────────────────────────────────────────────────

  informational(head: ResponseHead): void {
    this.#saying()
    this.sayHead(FrameType.INFORMATIONAL, head)
  }

  respond(head: ResponseHead, end: boolean): void {
    this.#saying()
    this.sayHead(FrameType.RESPONSE, head, end ? FrameFlag.END : 0)
  }

  stop(code: ResetCode): void {
    this.#saying()
    this.sayStop(code)
  }

  reset(code: ResetCode, cause?: NotSentCause): void {
    // Nothing can be said of a claim that is not confirmed: it ends with its call.
    if (this.state === 'pulling') return this.#cut()
    this.#saying()
    this.sayReset(code, cause)
  }

  closed(): void {
    if (this.exchange?.state === 'cancelled') this.#cut()
    else this.#port.wake()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** The cloud may have all of the answer before the request body's end is read. @internal */
  protected override get isOver(): boolean {
    return this.exchange!.isClosed
  }

  /** @internal */
  protected override stepLost(): boolean {
    const isClaim = this.state === 'pulling' || this.state === 'claimed'
    if (!this.#machine.step('lost')) return false
    // What the cloud has seen the answer of, it no longer takes for declined.
    if (isClaim && this.exchange!.state !== 'responding') this.#port.unclaimed()
    return true
  }

  /** @internal */
  protected override received(
    type: FrameType,
    flags: number,
    payload: Uint8Array,
    now: number,
  ): void {
    deliverFrame(this.exchange!, type, flags, payload, now)
  }

  /** @internal */
  protected override receivedData(bytes: Uint8Array, end: boolean, now: number): void {
    this.exchange!.receivedData(bytes, end, now)
  }

  /** @internal */
  protected override ended(): void {
    // The request body's END says whether it is whole.
  }

  /** @internal */
  protected override violated(error: PeerViolation): void {
    this.exchange!.violated(error)
  }

  /** @internal */
  protected override sentAll(): void {
    // The exchange closes, or its request body goes on.
  }

  #cut(): void {
    if (this.#machine.step('cut')) this.#port.cut()
  }

  #saying(): void {
    if (this.exchange === undefined) throw new ApiMisuse('claim the offer first')
    this.memory.said = true
  }
}
