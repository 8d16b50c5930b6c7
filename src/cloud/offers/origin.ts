/**
 * The origin of exchanges: the part of a cloud instance that owns each user's offer, from the queue
 * to its outcome.
 *
 * Bindings report links and claims; the edge submits requests and is told of claims and failures.
 * An exchange gets exactly one outcome: claimed and then closed, or failed before any claim. Which
 * link is offered what is decided by the dispatcher: here are the objects that it knows by name.
 *
 * @see spec/PROTOCOL.md, "Offers" and "Dispatch"
 * @module
 */
import {
  DeadlineWheel,
  Dispatcher,
  isReplayable,
  SHARES,
  SLOT_MS,
  slotGet,
  slotDelete,
  slotMap,
  slotSet,
  slotValues,
  TIME_LIMITS,
  type AttemptOutcome,
  type Claim,
  type ClaimAnswer,
  type Deadlined,
  type DispatchDecision,
  type Decline,
  type ExchangeId,
  type ExchangeWire,
  type HandshakeAnswer,
  type HealthOutcome,
  type Shares,
  type TimeLimits,
} from '../../protocol/internal.ts'
import { ObservedExchange, type ExchangeObserver } from '../../runtime/exchange-observer.ts'
import { AttachedLinks } from './attached-links.ts'
import { dispatchRequest } from './dispatch-request.ts'
import { countedApplications, countedConnectors, countedGroups } from './counted.ts'
import { failingAlone } from './counted-failing.ts'
import { countedQueues } from './counted-queues.ts'
import { ExchangeIds } from './exchange-ids.ts'
import { SOON_MS } from './offer-failure.ts'
import { OfferedExchange } from './offered-exchange.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { systemScheduler, type Scheduler } from '../../runtime/scheduler.ts'
import type { OfferLink } from './offer-link.ts'
import type { OfferOutcome } from './offer-queue.ts'
import { seenPair } from './seen-pair.ts'
import type { OriginOptions } from './origin-options.ts'
import { remoteHost } from './remote-host.ts'
import { RemoteOffers } from './remote-offers.ts'
import type {
  CarriageOptions,
  Claimer,
  Destination,
  Submission,
  Submitter,
  Ticket,
} from './submission.ts'
import type { TenantKey } from '../directory/tenant-key.ts'

/** Owns every exchange of the users this instance holds. */
export class Origin {
  readonly instance: string
  readonly clocks: Clocks
  readonly limits: TimeLimits
  readonly #scheduler: Scheduler
  readonly #dispatcher: Dispatcher
  readonly #shares: Shares
  readonly #observer: ExchangeObserver | undefined
  readonly #strange: OriginOptions['strange']
  readonly #ids: ExchangeIds
  readonly #entries = slotMap<ExchangeId, OfferedExchange>()
  readonly #links = new AttachedLinks()
  readonly #wheel: DeadlineWheel
  readonly #remote: RemoteOffers | undefined
  #isTicking = false

  /** @internal */
  constructor(options: OriginOptions) {
    const { instance, clocks, crypto, limits = TIME_LIMITS, queue, isPublished } = options
    this.instance = instance
    this.clocks = clocks
    this.limits = limits
    this.#observer = options.observer
    this.#strange = options.strange
    this.#scheduler = options.scheduler ?? systemScheduler({ clocks, keepsAlive: false })
    this.#ids = new ExchangeIds(crypto)
    this.#wheel = new DeadlineWheel(clocks.now())
    this.#shares = { ...SHARES, ...options.shares }
    this.#dispatcher = new Dispatcher({
      shares: this.#shares,
      claimMs: limits.claimMs,
      seed: crypto.getRandomValues(new Uint32Array(1))[0],
    })
    if (queue === undefined) return
    const returned = (told: OfferOutcome) => slotGet(this.#entries, told.id)?.returned(told)
    const inside = { dispatcher: this.#dispatcher, perform: () => this.#perform(), crypto }
    this.#remote = new RemoteOffers(remoteHost(this, { ...inside, returned, isPublished }), queue)
  }

  /** Exchanges that have no outcome yet. */
  get open(): number {
    return this.#entries.slotOf.size
  }

  /** Whether any link serves a group. */
  isServed(group: TenantKey): boolean {
    return (this.#dispatcher.state.groups.get(group)?.capacity ?? 0) > 0
  }

  /** Requests of a group that wait to be offered. */
  waiting(group: TenantKey): number {
    return this.#dispatcher.state.groups.get(group)?.waiting ?? 0
  }

  /**
   * Takes no offers of other instances any more: the first step of an instance that stops. Its own
   * users' requests may go to others still, and what is under way goes on.
   */
  retire(): void {
    this.#remote?.retire()
  }

  /**
   * Parts from other instances: what waits here goes to links of this one alone. What is under way
   * goes on. For an instance that stops.
   */
  end(): void {
    this.#remote?.leave()
  }

  /** What it holds, by group, application and connector. Costs a walk. @internal */
  counted() {
    return {
      groups: countedGroups(this.#dispatcher.state),
      connectors: countedConnectors(this.#dispatcher.state, this.clocks.now()),
      applications: countedApplications(slotValues(this.#entries)),
      failing: (faults: number) => failingAlone(this.#dispatcher.state, faults, this.clocks.now()),
      queues: () => countedQueues(this.#dispatcher.state, this.#shares, this.clocks.now()),
    }
  }

  // ── the edge ──────────────────────────────────────────────────────────────────────────────

  /** Puts a request on the queue of a group. `cancel` is for a user who leaves. @internal */
  submit(submission: Submission, to: Destination, submitter: Submitter): Ticket {
    const id = submission.id ?? this.#ids.next()
    const entry = new OfferedExchange(this, id, submission, to, submitter)
    slotSet(this.#entries, id, entry)
    entry.watch = this.#wheel.add(entry)
    this.#keepTicking()
    if (this.#remote?.isReachable === false && !this.isServed(to.group)) {
      entry.refuse('instances-unreachable', SOON_MS)
      return entry
    }
    this.#dispatcher.submit(
      dispatchRequest(id, submission, to),
      // The very moment at which the entry would say that nobody has come.
      entry.deadline,
      this.clocks.now(),
    )
    this.#perform()
    return entry
  }

  // ── links ─────────────────────────────────────────────────────────────────────────────────

  /** `link` serves `group` from now on. @internal */
  attach(group: TenantKey, link: OfferLink): void {
    const number = this.#links.add(link)
    this.#dispatcher.attach(
      {
        ...{ link: number, group, connector: link.connectorId, features: link.features },
        ...{ offers: link.offers, granted: link.grants, streams: link.streams },
        ...{ isRemote: link.isRemote, connectors: link.connectors },
      },
      this.clocks.now(),
    )
    if (link.isRemote !== true) this.#remote?.changed(group)
    this.#perform()
  }

  /** `link` takes more offers than before. @internal */
  granted(link: OfferLink): void {
    const number = this.#links.number(link)
    const known = number === undefined ? undefined : this.#dispatcher.state.links.get(number)
    const offers = known === undefined ? 0 : this.#links.free(link) - known.granted
    if (number === undefined || offers <= 0) return
    this.#dispatcher.granted(number, offers, this.clocks.now())
    this.#changed(number)
    this.#perform()
  }

  /** `link` takes no offers any more; those that it has may still be claimed. @internal */
  detach(link: OfferLink): void {
    const number = this.#links.remove(link)
    if (number === undefined) return
    const group = this.#dispatcher.state.links.get(number)?.group.key
    this.#dispatcher.detach(number, this.clocks.now())
    if (group !== undefined && link.isRemote !== true) this.#remote?.changed(group as TenantKey)
    this.#perform()
  }

  /** `link` died: its unclaimed offers go elsewhere. @internal */
  lost(link: OfferLink): void {
    this.detach(link)
    for (const entry of slotValues(this.#entries)) entry.linkLost(link)
    this.#remote?.linkLost(link)
  }

  /**
   * A connector claims attempt `claim.attempt`. Undefined: gone, to another or for good; the
   * binding says so. The offer must have been made to the claimer's group, in its tenant.
   *
   * @internal
   */
  claim(
    claimer: Claimer,
    claim: Claim,
    wire: ExchangeWire,
    carriage: CarriageOptions,
  ): ClaimAnswer | undefined {
    const entry = this.#named(claimer, claim)
    return entry?.claim(claim, claimer.connectorId, wire, carriage)
  }

  /** Whether an exchange that `claimer` may claim is replayable. @internal */
  isReplayable(claimer: Claimer, id: ExchangeId): boolean {
    const entry = slotGet(this.#entries, id)
    return entry?.isFor(claimer) === true && isReplayable(entry.submission)
  }

  /** A connector declines an offer. @internal */
  declined(claimer: Claimer, decline: Decline): void {
    const entry = this.#named(claimer, decline)
    if (entry !== undefined) entry.declined(claimer.connectorId, decline.attempt, decline.reason)
    else
      this.#remote
        ?.foreign(decline.id)
        ?.declined(claimer.connectorId, decline.attempt, decline.reason)
  }

  // ── entries ───────────────────────────────────────────────────────────────────────────────

  /** What became of an exchange's attempt; undefined: nobody knows whose it was. @internal */
  outcome(id: ExchangeId, outcome: AttemptOutcome, connectorId: string | undefined): void {
    const seen = this.#remote && seenPair(this.#dispatcher.state, id)
    this.#dispatcher.outcome(id, outcome, this.clocks.now(), connectorId)
    this.#remote?.tell(id, outcome, connectorId)
    if (seen?.isNews(outcome) === true) this.#remote!.saw(seen, outcome as HealthOutcome)
    this.#perform()
  }

  /** What the answer to a request with an affinity shows; before its outcome says so. @internal */
  authentication(id: ExchangeId, answer: HandshakeAnswer | 'switched'): void {
    this.#dispatcher.authentication(id, answer, this.clocks.now())
  }

  /** Nobody will ask for an affinity of an application again. @internal */
  part(application: string, affinity: string): void {
    this.#dispatcher.part(application, affinity)
  }

  /** An offer that `link` was chosen for is said later. @internal */
  reserve(link: OfferLink): void {
    this.#links.reserve(link)
  }

  /** It is said now; unless it `isSaid`, the link may be told another instead. @internal */
  unreserve(link: OfferLink, isSaid: boolean): void {
    this.#links.release(link)
    if (isSaid) return
    const number = this.#links.number(link)
    if (link.isRemote !== true || number === undefined) return this.granted(link)
    // What was announced says nothing of what was chosen here since.
    this.#dispatcher.granted(number, 1, this.clocks.now())
    this.#perform()
  }

  /** Whether `link` may still be told an offer that it was chosen for. @internal */
  takes(link: OfferLink): boolean {
    return link.isRemote === true || this.#links.number(link) !== undefined
  }

  /** An attempt failed, and another is wanted, until then. Monotonic milliseconds. @internal */
  resubmit(id: ExchangeId, waitUntil: number): void {
    this.#dispatcher.resubmit(id, waitUntil, this.clocks.now())
    this.#perform()
  }

  /** Nobody waits for it any more. @internal */
  withdraw(id: ExchangeId): void {
    this.#dispatcher.withdraw(id, this.clocks.now())
    this.#perform()
  }

  /**
   * Whether a claim that brought no answer yet may be given up, to offer it to another.
   *
   * @internal
   */
  mayGiveUp(id: ExchangeId): boolean {
    return this.#dispatcher.mayGiveUp(id, this.clocks.now())
  }

  /** Forgets an exchange that has its outcome; `isTold`: the dispatcher knows it. @internal */
  forget(entry: OfferedExchange, isTold = false): void {
    slotDelete(this.#entries, entry.id)
    this.#wheel.remove(entry.watch!)
    if (!isTold) this.withdraw(entry.id)
  }

  /** Watches a deadline until it is undefined. @internal */
  watch(entry: Deadlined): void {
    this.#wheel.add(entry)
    this.#keepTicking()
  }

  /** What watches an exchange; undefined: nobody does. @internal */
  observe(
    exchangeId: ExchangeId,
    tenantId: string,
    applicationId: string,
  ): ObservedExchange | undefined {
    if (this.#observer === undefined) return undefined
    const about = { exchangeId, tenantId, applicationId }
    return new ObservedExchange(this.#observer, this.clocks, about)
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** The exchange of that id, where it is for the connector's group. */
  #named(claimer: Claimer, { id, attempt }: Pick<Claim, 'id' | 'attempt'>) {
    const entry = slotGet(this.#entries, id)
    if (entry === undefined) return undefined
    const isFor = entry.isFor(claimer)
    if (!isFor || entry.isStrangeTo(claimer.connectorId, attempt))
      this.#strange?.(claimer, id, isFor)
    return isFor ? entry : undefined
  }

  /** After each input; what is performed may itself be one. */
  #perform(): void {
    for (const decision of this.#dispatcher.decisions()) {
      const entry = slotGet(this.#entries, decision.id) ?? this.#remote?.foreign(decision.id)
      if (decision.type === 'refuse') entry?.refuse(decision.reason, decision.retryAfterMs)
      else this.#offer(entry, decision)
    }
  }

  /** It was decided, and its link or its user may have gone before it could be done. */
  #offer(entry: Offered | undefined, { link: number, claimMs, isPinned }: OfferDecision): void {
    const link = this.#links.link(number)
    if (link === undefined) return
    entry?.offer(link, claimMs, isPinned)
    this.#changed(number)
  }

  #changed(number: number): void {
    const link = this.#dispatcher.state.links.get(number)
    if (link?.isRemote === false) this.#remote?.changed(link.group.key as TenantKey)
  }

  #keepTicking(): void {
    if (this.#isTicking) return
    this.#isTicking = true
    this.#scheduler.at(this.clocks.now() + SLOT_MS, () => this.#tick())
  }

  #tick(): void {
    this.#isTicking = false
    const now = this.clocks.now()
    // The dispatcher first: it knows why somebody has waited in vain.
    this.#dispatcher.tick(now)
    this.#perform()
    this.#wheel.advance(now)
    if (this.#wheel.size > 0) this.#keepTicking()
  }
}

/** Whatever is put on a link: an exchange of this instance, or of another. */
interface Offered {
  offer(link: OfferLink, claimMs: number, isPinned: boolean): void
}

type OfferDecision = Extract<DispatchDecision, { type: 'offer' }>
