/**
 * The origin of exchanges: the part of a cloud instance that owns each user's offer, from the queue
 * to its outcome.
 *
 * Bindings report links and claims; the edge submits requests and is told of claims and failures.
 * An exchange gets exactly one outcome: claimed and then closed, or failed before any claim.
 *
 * @see spec/PROTOCOL.md, "Offers"
 * @module
 */
import {
  DeadlineWheel,
  isReplayable,
  TIME_LIMITS,
  type Claim,
  type Deadlined,
  type Decline,
  type Exchange,
  type ExchangeId,
  type ExchangeWire,
  type TimeLimits,
} from '../../protocol/index.ts'
import { ExchangeIds } from './exchange-ids.ts'
import { OfferedExchange } from './offered-exchange.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { OfferLink, RequestQueue } from './request-queue.ts'
import type {
  CarriageOptions,
  Claimer,
  Destination,
  Submission,
  Submitter,
  Ticket,
} from './submission.ts'
import { unreferenced } from '../../runtime/unreferenced.ts'

export interface OriginOptions {
  /** The id of this cloud instance. */
  readonly instance: string
  readonly queue: RequestQueue
  readonly clocks: Clocks
  readonly crypto: CryptoProvider
  /** Default {@link TIME_LIMITS}. */
  readonly limits?: TimeLimits
}

/** Owns every exchange of the users this instance holds. */
export class Origin {
  readonly instance: string
  readonly queue: RequestQueue
  readonly clocks: Clocks
  readonly limits: TimeLimits
  readonly #ids: ExchangeIds
  readonly #entries = new Map<ExchangeId, OfferedExchange>()
  readonly #wheel: DeadlineWheel
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(options: OriginOptions) {
    this.instance = options.instance
    this.queue = options.queue
    this.clocks = options.clocks
    this.limits = options.limits ?? TIME_LIMITS
    this.#ids = new ExchangeIds(options.crypto)
    this.#wheel = new DeadlineWheel(this.clocks.now())
  }

  /** Exchanges that have no outcome yet. */
  get open(): number {
    return this.#entries.size
  }

  /** Puts a request on the queue of a group. `cancel` is for a user who leaves. */
  submit(submission: Submission, to: Destination, submitter: Submitter): Ticket {
    const entry = new OfferedExchange(
      this,
      this.#ids.next(submission.requestNumber),
      submission,
      to,
      submitter,
    )
    this.#entries.set(entry.id, entry)
    entry.watch = this.#wheel.add(entry)
    this.#keepTicking()
    entry.queue()
    return entry
  }

  /**
   * A connector claims attempt `claim.attempt`. Undefined: gone, to another or for good; the
   * binding says so. The offer must have been made to the claimer's group, in its tenant.
   */
  claim(
    claimer: Claimer,
    claim: Claim,
    wire: ExchangeWire,
    carriage: CarriageOptions,
  ): Exchange | undefined {
    const entry = this.#entries.get(claim.id)
    if (entry === undefined || !entry.isFor(claimer)) return undefined
    return entry.claimed(claim, wire, carriage)
  }

  /** Whether an exchange that `claimer` may claim is replayable. */
  isReplayable(claimer: Claimer, id: ExchangeId): boolean {
    const entry = this.#entries.get(id)
    return entry?.isFor(claimer) === true && isReplayable(entry.submission)
  }

  /** A connector declines an offer that came over `link`. */
  declined(claimer: Claimer, decline: Decline): void {
    const entry = this.#entries.get(decline.id)
    if (entry?.isFor(claimer) === true) entry.declined(decline.attempt)
  }

  /** A link died: its unclaimed offers go elsewhere. */
  lost(link: OfferLink): void {
    for (const entry of this.#entries.values()) entry.linkLost(link)
  }

  /** Tells `entry` when its deadline passes, until it has none. */
  watch(entry: Deadlined): void {
    this.#wheel.add(entry)
    this.#keepTicking()
  }

  /** For entries: forgets one that has its outcome. */
  forget(entry: OfferedExchange): void {
    this.#entries.delete(entry.id)
    this.#wheel.remove(entry.watch!)
    this.#restIfIdle()
  }

  #tick(): void {
    this.#wheel.advance(this.clocks.now())
    this.#restIfIdle()
  }

  #keepTicking(): void {
    this.#timer ??= unreferenced(setInterval(() => this.#tick(), 50))
  }

  #restIfIdle(): void {
    if (this.#wheel.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
