/**
 * One user's exchange, as its origin holds it: queued, offered, claimed, until its outcome.
 *
 * @see spec/PROTOCOL.md, "Offers"
 * @module
 */
import {
  Exchange,
  ExchangeFailed,
  isReplayable,
  MAX_ATTEMPTS,
  OfferEntry,
  type Claim,
  type DeadlineHandle,
  type ExchangeId,
  type ExchangeOutcome,
  type ExchangeWire,
} from '../../protocol/index.ts'
import type { Origin } from './origin.ts'
import type { OfferLink, QueuedOffer } from './request-queue.ts'
import type {
  CarriageOptions,
  Claimer,
  Destination,
  Submission,
  Submitter,
  Ticket,
} from './submission.ts'
import type { TenantKey } from '../directory/tenant-key.ts'

/** Owned by its origin, which forgets it once it has its outcome. */
export class OfferedExchange implements Ticket, QueuedOffer {
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
