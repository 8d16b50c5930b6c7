/**
 * One user's exchange, as its origin holds it: what its offer decides is done here, and nothing is
 * decided.
 *
 * It stands between each attempt's exchange and the submitter, who hears of the one that counts.
 *
 * @see spec/PROTOCOL.md, "Offers"
 * @module
 */
import {
  Exchange,
  ExchangeFailed,
  handshakeAnswer,
  handshakeStep,
  isReplayable,
  KeptBody,
  OfferEntry,
  patienceFor,
  type AttemptOutcome,
  type Claim,
  type ClaimAnswer,
  type DeadlineHandle,
  type DeclineReason,
  type DeliveryFacts,
  type ExchangeHandler,
  type ExchangeId,
  type ExchangeOutcome,
  type ExchangeWire,
  type FailureReason,
  type HeaderList,
  type OfferEffect,
  type ResetCode,
  type ResponseHead,
} from '../../protocol/internal.ts'
import type { ObservedExchange } from '../../runtime/exchange-observer.ts'
import type { TenantKey } from '../directory/tenant-key.ts'
import { AttemptOffer } from './attempt-offer.ts'
import type { Origin } from './origin.ts'
import { failed, NOT_SENT_OUTCOMES } from './offer-failure.ts'
import type { OfferLink } from './offer-link.ts'
import type { OfferOutcome } from './offer-queue.ts'
import { REMOTE } from './remote-offers.ts'
import type { CarriageOptions, Claimer, Destination, Submission } from './submission.ts'
import type { Submitter, Ticket } from './submission.ts'

/** Owned by its origin, which forgets it once it has its outcome. */
export class OfferedExchange implements Ticket, ExchangeHandler {
  readonly id: ExchangeId
  readonly submission: Submission
  /** Its place on the origin's wheel. */
  watch: DeadlineHandle | undefined
  /** Undefined: nobody observes. */
  readonly #observed: ObservedExchange | undefined
  readonly #origin: Origin
  readonly #to: Destination
  readonly #submitter: Submitter
  readonly #offer: OfferEntry
  /** What was sent of the request body, for another attempt. */
  readonly #kept: KeptBody | undefined
  /** What carries the latest attempt. */
  #link: OfferLink | undefined
  /** Of the latest attempt, from its claim on. */
  #exchange: Exchange | undefined

  constructor(
    origin: Origin,
    id: ExchangeId,
    submission: Submission,
    to: Destination,
    submitter: Submitter,
  ) {
    const { clocks, limits } = origin
    const responseHeadMs = to.responseHeadMs ?? limits.responseHeadMs
    this.id = id
    this.submission = submission
    this.#origin = origin
    this.#to = to
    this.#submitter = submitter
    this.#offer = new OfferEntry(limits, isReplayable(submission), responseHeadMs, clocks.now())
    this.#kept = submission.body.kind === 'none' ? undefined : new KeptBody()
    this.#observed = origin.observe(id, to.tenantId, submission.applicationId)
    this.#observed?.submitted()
    this.#observed?.queued()
  }

  get deadline(): number {
    const { deadline } = this.#offer
    const exchange = this.#exchange
    return exchange === undefined ? deadline : Math.min(deadline, exchange.deadline)
  }

  get delivery(): DeliveryFacts {
    return this.#offer.delivery
  }

  get application(): TenantKey {
    return this.#to.application
  }

  /** Whether a connector has it. */
  get isClaimed(): boolean {
    const { state } = this.#offer
    return state !== 'waiting' && state !== 'preparing' && state !== 'offered'
  }

  isFor(claimer: Claimer): boolean {
    return claimer.tenantId === this.#to.tenantId && claimer.groupId === this.#to.groupId
  }

  /** Whether that connector was never told of this attempt. */
  isStrangeTo(connectorId: string, attempt: number): boolean {
    const isTold = this.#link?.isRemote === true || this.#link?.connectorId === connectorId
    return attempt > this.#offer.attempt || (attempt === this.#offer.attempt && !isTold)
  }

  // ── what the dispatcher decides ───────────────────────────────────────────────────────────

  /**
   * `link` takes it, and it must be claimed within `claimMs`. `isPinned`: no other connection will
   * do than those of its affinity that are there.
   */
  offer(link: OfferLink, claimMs: number, isPinned: boolean): void {
    const { prepare, headers } = this.submission
    const isRemote = link.isRemote === true
    const event = prepare === undefined ? 'offer' : 'prepare'
    const attempt = this.#offer.offer(link.connectorId, isRemote, claimMs, this.#now(), event)
    this.#link = link
    this.#observed?.offered(attempt, isRemote ? undefined : link.connectorId)
    if (prepare === undefined) return this.#say(link, attempt, headers, isPinned)
    this.#origin.reserve(link)
    prepare(this.id, attempt).then(
      (added) => this.#prepared(link, attempt, [...headers, ...added], isPinned),
      (cause: unknown) => this.#spoiled(link, attempt, cause),
    )
  }

  /** Nobody can take it. */
  refuse(reason: FailureReason, retryAfterMs?: number): void {
    if (this.#offer.refuse(reason) !== 'fail') return
    this.#fail(failed(this.#offer.failure, retryAfterMs))
  }

  /** Time passed. */
  expire(): void {
    const now = this.#now()
    if (this.#offer.deadline > now) return this.#exchange?.expire()
    const wasSaid = this.#offer.state !== 'preparing'
    const effect = this.#offer.expire(now)
    if (wasSaid) return this.#perform(effect, 'claim-missed')
    // A connector that was told nothing has missed nothing.
    this.#fail(new ExchangeFailed('cloud', this.#offer.failure))
  }

  // ── what the connectors say ───────────────────────────────────────────────────────────────

  /** `undefined`: gone, to another or for good. */
  claim(
    claim: Claim,
    connectorId: string,
    wire: ExchangeWire,
    carriage: CarriageOptions,
  ): ClaimAnswer | undefined {
    const now = this.#now()
    const effect = this.#offer.claim(claim.attempt, connectorId, now)
    if (effect === 'gone') return undefined
    this.#origin.outcome(this.id, 'claimed', connectorId)
    const exchange = new Exchange(wire, this, {
      role: 'requester',
      now,
      requestBody: this.#kept !== undefined,
      kept: this.#kept,
      sendCreditBytes: claim.credit,
      receiveWindowBytes: carriage.windowBytes,
      maxWindowBytes: carriage.maxWindowBytes,
      budget: carriage.budget,
      limits: patienceFor(this.#to.patience, this.#origin.limits),
      responseHeadMs: this.#offer.answerMs(now),
      upgradeWindowBytes: this.submission.upgrade !== undefined ? carriage.windowBytes : 0,
    })
    this.#exchange = exchange
    this.#observed?.claimed(connectorId)
    this.#submitter.claimed(exchange)
    return new Claimed(exchange, effect === 'confirm', this)
  }

  /** It holds no slot of its connector any more. */
  becameLong(): void {
    this.#tell('long')
  }

  /** A connector does not take attempt `attempt`. */
  declined(connectorId: string, attempt: number, reason: DeclineReason): void {
    if (connectorId !== this.#link?.connectorId) return
    const outcome = reason === 'unknown-application' ? reason : 'declined'
    const effect = this.#offer.declined(attempt, this.#now(), outcome === 'declined')
    this.#perform(effect, outcome)
  }

  /**
   * What another instance says of an attempt that it delivered. Time is the origin's own: a claim
   * that was missed there says nothing here.
   */
  returned({ attempt, outcome, connectorId }: OfferOutcome): void {
    if (this.#link?.isRemote !== true || attempt !== this.#offer.attempt) return
    // Nobody was told of it yet, whatever comes from another instance.
    if (this.#offer.state === 'preparing') return
    const now = this.#now()
    if (outcome === 'lost') return this.#perform(this.#offer.linkLost(now), 'lost')
    if (outcome !== 'declined' && outcome !== 'unknown-application') return
    // Whoever is not named cannot be kept from it: it is a matter of room, and tried again.
    const because = connectorId === undefined ? 'declined' : outcome
    const mayAskAgain = because === 'declined'
    this.#perform(this.#offer.declined(attempt, now, mayAskAgain, connectorId), because)
  }

  linkLost(link: OfferLink): void {
    if (link === this.#link) this.#perform(this.#offer.linkLost(this.#now()), 'lost')
  }

  // ── what the exchange of the latest attempt says ──────────────────────────────────────────

  informational(head: ResponseHead): void {
    this.#offer.began()
    this.#submitter.informational?.(head)
  }

  responded(head: ResponseHead, end: boolean): void {
    this.#offer.began()
    if (this.submission.affinity !== undefined) this.#tellHandshake(head)
    this.#tell('answered')
    this.#observed?.head()
    this.#submitter.responded?.(head, end)
  }

  data(bytes: Uint8Array): void {
    this.#observed?.body()
    this.#submitter.data(bytes)
  }

  ended(trailers: HeaderList | undefined): void {
    this.#submitter.ended(trailers)
  }

  writable(): void {
    this.#submitter.writable()
  }

  stopped(code: ResetCode): void {
    this.#submitter.stopped(code)
  }

  closed(outcome: ExchangeOutcome): void {
    if (outcome.kind === 'failed') {
      const { reason } = outcome.error
      const now = this.#now()
      if (outcome.notSent === true) {
        const isKept = this.#kept?.isWhole !== false
        const because = NOT_SENT_OUTCOMES[reason] ?? 'not-sent'
        return this.#perform(this.#offer.notSent(reason, isKept, now), because, outcome)
      }
      if (reason === 'connector-lost')
        return this.#perform(this.#offer.exchangeLost(now), 'lost', outcome)
      if (reason === 'connector-violation') this.#tell('violation')
    }
    this.#perform(this.#offer.ended(), 'ended', outcome)
  }

  // ── what its user does ────────────────────────────────────────────────────────────────────

  cancel(): void {
    if (!this.#offer.cancel()) return
    this.#origin.forget(this)
    this.#exchange?.cancel()
    this.#observed?.ended()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #say(link: OfferLink, attempt: number, headers: HeaderList, isPinned: boolean): void {
    try {
      const now = this.#now()
      const { instance } = this.#origin
      const remainingMs = this.#offer.remainingMs(now)
      const answerMs = this.#offer.answerMs(now)
      link.offer(
        new AttemptOffer(
          this.id,
          attempt,
          this.submission,
          headers,
          instance,
          remainingMs,
          answerMs,
          isPinned,
        ),
      )
    } catch (cause) {
      // An offer that cannot be said is this user's trouble, and nobody else's.
      if (this.#offer.cancel()) this.#fail(new ExchangeFailed('cloud', 'internal', { cause }))
    }
  }

  /** What the attempt carries is made. Meanwhile it may be over, or its link take no more. */
  #prepared(link: OfferLink, attempt: number, headers: HeaderList, isPinned: boolean): void {
    const isSaid = this.#origin.takes(link) && this.#offer.say(attempt)
    if (isSaid) this.#say(link, attempt, headers, isPinned)
    this.#origin.unreserve(link, isSaid)
    if (!isSaid) this.#perform(this.#offer.withhold(attempt, this.#now()), 'declined')
  }

  #spoiled(link: OfferLink, attempt: number, cause: unknown): void {
    if (this.#offer.spoil(attempt))
      this.#fail(new ExchangeFailed('cloud', 'sign-on-failed', { cause }))
    this.#origin.unreserve(link, false)
  }

  /** @param because what the dispatcher is told of the attempt that is over */
  #perform(effect: OfferEffect, because: AttemptOutcome, outcome?: ExchangeOutcome): void {
    switch (effect) {
      case 'silent':
        if (this.#origin.mayGiveUp(this.id))
          this.#perform(this.#offer.giveUp(this.#now()), 'given-up')
        return
      case 'give-up':
      case 'resubmit':
        this.#tell(because)
        return this.#goOn()
      case 'fail':
        this.#tell(because)
        return this.#fail(failed(this.#offer.failure))
      case 'end':
        this.#tell(because)
        this.#origin.forget(this, because === 'ended')
        this.#observed?.ended(outcome)
        return this.#submitter.closed(outcome!)
      case 'none':
        // Its user left, and still hears that it is over.
        if (outcome !== undefined && this.#offer.state === 'cancelled')
          this.#submitter.closed(outcome)
    }
  }

  /** To another connector; whatever still comes of the attempt before is discarded. */
  #goOn(): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#link = undefined
    if (exchange !== undefined) {
      exchange.cancel()
      this.#submitter.returned?.()
    }
    this.#observed?.queued()
    this.#origin.resubmit(this.id, this.#offer.deadline)
  }

  #fail(error: ExchangeFailed): void {
    this.#origin.forget(this)
    this.#observed?.ended({ kind: 'failed', error })
    this.#submitter.failed(error)
  }

  /** How far its user is known on the connection that it went on. */
  #tellHandshake({ status, headers }: ResponseHead): void {
    const answer =
      status === 101
        ? 'switched'
        : handshakeAnswer(status, headers, handshakeStep(this.submission.headers))
    this.#origin.authentication(this.id, answer)
  }

  /** Whoever another instance chose is not known before it claims, or declines. */
  #tell(outcome: AttemptOutcome): void {
    const { connector } = this.#offer
    // What is too large to travel is refused by other instances as by one connector.
    const isKnown = connector !== REMOTE || outcome === 'unknown-application'
    this.#origin.outcome(this.id, outcome, isKnown ? connector : undefined)
  }

  #now(): number {
    return this.#origin.clocks.now()
  }
}

/** What the binding is told of a claim. A class, as {@link AttemptOffer} is one. */
class Claimed implements ClaimAnswer {
  readonly exchange: Exchange
  readonly confirm: boolean
  readonly #owner: OfferedExchange

  constructor(exchange: Exchange, confirm: boolean, owner: OfferedExchange) {
    this.exchange = exchange
    this.confirm = confirm
    this.#owner = owner
  }

  becameLong(): void {
    this.#owner.becameLong()
  }
}
