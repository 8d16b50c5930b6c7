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
  type AttemptOutcome,
  type Claim,
  type ClaimAnswer,
  type Deadlined,
  type Decline,
  type ExchangeId,
  type ExchangeWire,
  type TimeLimits,
} from '../../protocol/index.ts'
import { ObservedExchange, type ExchangeObserver } from '../../runtime/exchange-observer.ts'
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
  /** Told of each exchange's moments; it must not throw. Default: nobody is told. */
  readonly observer?: ExchangeObserver | undefined
}

/** Owns every exchange of the users this instance holds. */
export class Origin {
  readonly instance: string
  readonly queue: RequestQueue
  readonly clocks: Clocks
  readonly limits: TimeLimits
  readonly #observer: ExchangeObserver | undefined
  readonly #ids: ExchangeIds
  readonly #entries = new Map<ExchangeId, OfferedExchange>()
  readonly #wheel: DeadlineWheel
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(options: OriginOptions) {
    this.instance = options.instance
    this.queue = options.queue
    this.clocks = options.clocks
    this.limits = options.limits ?? TIME_LIMITS
    this.#observer = options.observer
    this.#ids = new ExchangeIds(options.crypto)
    this.#wheel = new DeadlineWheel(this.clocks.now())
  }

  /** Exchanges that have no outcome yet. */
  get open(): number {
    return this.#entries.size
  }

  /** Puts a request on the queue of a group. `cancel` is for a user who leaves. */
  submit(submission: Submission, to: Destination, submitter: Submitter): Ticket {
    const id = this.#ids.next(submission.requestNumber)
    const entry = new OfferedExchange(this, id, submission, to, submitter)
    this.#entries.set(entry.id, entry)
    entry.watch = this.#wheel.add(entry)
    this.#keepTicking()
    this.#put(entry)
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
  ): ClaimAnswer | undefined {
    const entry = this.#entries.get(claim.id)
    if (entry?.isFor(claimer) !== true) return undefined
    return entry.claim(claim, claimer.connectorId, wire, carriage)
  }

  /** Whether an exchange that `claimer` may claim is replayable. */
  isReplayable(claimer: Claimer, id: ExchangeId): boolean {
    const entry = this.#entries.get(id)
    return entry?.isFor(claimer) === true && isReplayable(entry.submission)
  }

  /** A connector declines an offer that came over `link`. */
  declined(claimer: Claimer, decline: Decline): void {
    const entry = this.#entries.get(decline.id)
    if (entry?.isFor(claimer) === true)
      entry.declined(claimer.connectorId, decline.attempt, decline.reason)
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

  // ── for entries ───────────────────────────────────────────────────────────────────────────

  /** What became of the latest attempt of an exchange. */
  outcome(id: ExchangeId, outcome: AttemptOutcome): void {
    const entry = this.#entries.get(id)
    if (outcome === 'claim-missed' && entry?.link !== undefined)
      this.queue.silent(entry.group, entry.link)
  }

  /** An attempt failed, and another one is wanted until `waitUntil`. */
  resubmit(id: ExchangeId, _waitUntil: number): void {
    this.#put(this.#entries.get(id)!)
  }

  /** Whether a silent claim goes to another connector: where there is one. */
  mayGiveUp(id: ExchangeId): boolean {
    const { group, link } = this.#entries.get(id)!
    return link !== undefined && this.queue.silent(group, link)
  }

  /** Forgets one that has its outcome. */
  forget(entry: OfferedExchange): void {
    this.queue.withdraw(entry)
    this.#entries.delete(entry.id)
    this.#wheel.remove(entry.watch!)
    this.#restIfIdle()
  }

  /** What watches an exchange; undefined: nobody does. */
  observe(
    exchangeId: ExchangeId,
    tenantId: string,
    applicationId: string,
  ): ObservedExchange | undefined {
    if (this.#observer === undefined) return undefined
    return new ObservedExchange(this.#observer, this.clocks, {
      exchangeId,
      tenantId,
      applicationId,
    })
  }

  #put(entry: OfferedExchange): void {
    let answer
    try {
      answer = this.queue.put(entry)
    } catch (cause) {
      // A queue of the embedder's: whoever brought the offer here, a link perhaps, has nothing to
      // do with it.
      return entry.refuse('internal', cause)
    }
    if (answer === 'full') entry.refuse('queue-full')
    if (answer === 'unsupported') entry.refuse('upgrade-unsupported')
    if (answer === 'exhausted') entry.refuse('attempts-exhausted')
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
