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
  Exchange,
  ExchangeFailed,
  isReplayable,
  MAX_ATTEMPTS,
  OfferEntry,
  TIME_LIMITS,
  type Claim,
  type CreditBudget,
  type DeadlineHandle,
  type Decline,
  type ExchangeHandler,
  type ExchangeId,
  type ExchangeOutcome,
  type ExchangeWire,
  type Offer,
  type TimeLimits,
} from '../../protocol/index.ts'
import { ExchangeIds } from './exchange-ids.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { OfferLink, QueuedOffer, RequestQueue } from './request-queue.ts'
import type { TenantKey } from '../directory/tenant-key.ts'
import { unreferenced } from '../../runtime/unreferenced.ts'

/** What the edge wants done: an offer without what the origin adds. */
export type Submission = Omit<Offer, 'id' | 'attempt' | 'remainingMs' | 'origin'> & {
  /** What the user is shown: the exchange's id begins with it. */
  readonly requestNumber?: string
}

/** Whom the origin tells. */
export interface Submitter extends ExchangeHandler {
  /**
   * A connector took it; body bytes may flow within `exchange.writable`. After a re-offer, once
   * more.
   */
  claimed(exchange: Exchange): void
  /** No connector took it. */
  failed(error: ExchangeFailed): void
}

/** Where a request is queued. */
export interface Destination {
  readonly tenantId: string
  readonly groupId: string
  /** Both, as the queue knows them. */
  readonly group: TenantKey
  /** Milliseconds to the response head. Default: the origin's. */
  readonly responseHeadMs?: number
}

/** A connector that claims, as its certificate says and the registry confirms. */
export interface Claimer {
  readonly tenantId: string
  readonly connectorId: string
  readonly groupId: string
}

/** How a binding bounds the exchanges it carries. */
export interface CarriageOptions {
  /** First credit of the response body. */
  readonly windowBytes: number
  readonly maxWindowBytes?: number
  readonly budget?: CreditBudget
}

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
  readonly #entries = new Map<ExchangeId, Entry>()
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
    const entry = new Entry(
      this,
      this.#ids.next(submission.requestNumber),
      submission,
      to,
      submitter,
    )
    this.#entries.set(entry.id, entry)
    entry.watch = this.#wheel.add(entry)
    this.#timer ??= unreferenced(setInterval(() => this.#tick(), 50))
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

  /** For entries: forgets one that has its outcome. */
  forget(entry: Entry): void {
    this.#entries.delete(entry.id)
    this.#wheel.remove(entry.watch!)
    if (this.#entries.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    this.#wheel.advance(this.clocks.now())
  }
}

/** What the edge holds of a submitted request. */
export interface Ticket {
  readonly id: ExchangeId
  /** It was sent to a connector, once at least. */
  readonly isOffered: boolean
  /** The user went away. */
  cancel(): void
  /**
   * A claimed exchange closed before any answer; `true`: it is offered again, `claimed` or `failed`
   * will follow.
   */
  offeredAgain(outcome: ExchangeOutcome): boolean
  /** The exchange has its outcome; the origin forgets it. */
  settle(): void
}

class Entry implements Ticket, QueuedOffer {
  readonly id: ExchangeId
  readonly group: TenantKey
  readonly submission: Submission
  /** Its place on the origin's wheel. */
  watch: DeadlineHandle | undefined
  readonly #origin: Origin
  readonly #to: Destination
  readonly #submitter: Submitter
  readonly #offer: OfferEntry
  #link: OfferLink | undefined
  #exchange: Exchange | undefined
  #settled = false

  constructor(
    origin: Origin,
    id: ExchangeId,
    submission: Submission,
    to: Destination,
    submitter: Submitter,
  ) {
    this.id = id
    this.group = to.group
    this.submission = submission
    this.#origin = origin
    this.#to = to
    this.#submitter = submitter
    this.#offer = new OfferEntry(origin.clocks.now() + origin.limits.queueWaitMs)
  }

  get deadline(): number {
    return this.#exchange?.deadline ?? this.#offer.deadline
  }

  get isUpgrade(): boolean {
    return this.submission.upgrade !== undefined
  }

  isFor(claimer: Claimer): boolean {
    return claimer.tenantId === this.#to.tenantId && claimer.groupId === this.#to.groupId
  }

  get isOffered(): boolean {
    return this.#offer.attempt > 0
  }

  queue(): void {
    let answer
    try {
      answer = this.#origin.queue.put(this)
    } catch (cause) {
      // A queue of the embedder's: whoever brought the offer here, a link perhaps, has nothing to
      // do with it.
      return this.#fail(new ExchangeFailed('cloud', 'internal', { cause }))
    }
    if (answer === 'full') this.#fail(new ExchangeFailed('cloud', 'queue-full'))
    if (answer === 'unsupported') this.#fail(new ExchangeFailed('connector', 'upgrade-unsupported'))
  }

  deliver(link: OfferLink): void {
    const { clocks, limits, instance } = this.#origin
    const attempt = this.#offer.offer(clocks.now() + limits.claimMs)
    this.#link = link
    const remainingMs = limits.claimMs
    try {
      const { submission } = this
      // Field by field: a spread costs as much as the rest of an offer.
      link.offer({
        id: this.id,
        attempt,
        applicationId: submission.applicationId,
        applicationVersion: submission.applicationVersion,
        method: submission.method,
        target: submission.target,
        headers: submission.headers,
        user: submission.user,
        body: submission.body,
        upgrade: submission.upgrade,
        remainingMs,
        origin: instance,
      })
    } catch (cause) {
      // An offer that cannot be said is this user's trouble, and nobody else's.
      this.#offer.cancel()
      this.#fail(new ExchangeFailed('cloud', 'internal', { cause }))
    }
  }

  claimed(claim: Claim, wire: ExchangeWire, carriage: CarriageOptions): Exchange | undefined {
    if (!this.#offer.claim(claim.attempt)) return undefined
    const { responseHeadMs } = this.#to
    const exchange = new Exchange(wire, this.#submitter, {
      role: 'requester',
      now: this.#origin.clocks.now(),
      requestBody: this.submission.body.kind !== 'none',
      sendCreditBytes: claim.credit,
      receiveWindowBytes: carriage.windowBytes,
      ...(carriage.maxWindowBytes !== undefined && { maxWindowBytes: carriage.maxWindowBytes }),
      ...(carriage.budget !== undefined && { budget: carriage.budget }),
      limits: this.#origin.limits,
      ...(responseHeadMs !== undefined && { responseHeadMs }),
      ...(this.submission.upgrade !== undefined && { upgradeWindowBytes: carriage.windowBytes }),
    })
    this.#exchange = exchange
    this.#submitter.claimed(exchange)
    return exchange
  }

  linkLost(link: OfferLink): void {
    if (this.#link === link && this.#exchange === undefined) this.returned(this.#offer.attempt)
  }

  /** What was claimed can no longer be declined: its exchange is under way. */
  declined(attempt: number): void {
    if (this.#exchange === undefined) this.returned(attempt)
  }

  /** The link of this attempt died or declined it, or the claim was lost. */
  returned(attempt: number): boolean {
    const { clocks, limits } = this.#origin
    if (!this.#offer.returned(attempt, clocks.now() + limits.queueWaitMs)) return false
    this.#link = undefined
    this.#exchange = undefined
    if (this.#offer.state === 'failed')
      this.#fail(new ExchangeFailed('connector', 'attempts-exhausted'))
    else this.queue()
    return true
  }

  offeredAgain(outcome: ExchangeOutcome): boolean {
    if (outcome.kind !== 'failed' || outcome.error.reason !== 'connector-lost') return false
    return isReplayable(this.submission) && this.returned(this.#offer.attempt)
  }

  cancel(): void {
    if (this.#settled) return
    this.#origin.queue.withdraw(this)
    this.#offer.cancel()
    this.#exchange?.cancel()
    this.settle()
  }

  expire(): void {
    if (this.#exchange !== undefined) return this.#exchange.expire()
    const reason = this.#offer.state === 'waiting' ? 'no-connector' : 'claim-timeout'
    if (reason === 'claim-timeout' && this.#goesElsewhere()) return
    if (!this.#offer.expire()) return
    this.#origin.queue.withdraw(this)
    this.#fail(new ExchangeFailed('connector', reason))
  }

  /** Nobody has claimed it in time: its link may be half-open, long before a ping tells. */
  #goesElsewhere(): boolean {
    const isServed = this.#origin.queue.silent(this.group, this.#link!)
    return isServed && this.#offer.attempt < MAX_ATTEMPTS && this.returned(this.#offer.attempt)
  }

  settle(): void {
    if (this.#settled) return
    this.#settled = true
    this.#origin.forget(this)
  }

  #fail(error: ExchangeFailed): void {
    this.settle()
    this.#submitter.failed(error)
  }
}
