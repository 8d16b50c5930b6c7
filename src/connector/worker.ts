/**
 * The worker: takes offers, calls applications, answers.
 *
 * It knows no binding. A binding hands it each offer with a {@link Carrier}, through which the
 * offer is declined, or claimed and answered.
 *
 * @module
 */
import {
  ClaimEntry,
  PeerViolation,
  requestNumberOf,
  ResetCode,
  SLOT_MS,
  TIME_LIMITS,
  Slots,
  type ApplicationDetails,
  type BodyKind,
  type Exchange,
  type ExchangeHandler,
  type ExchangeId,
  type ExchangeOutcome,
  type HeaderList,
  type DeclineReason,
  type Offer,
  type OwnPatience,
  type UserClaims,
} from '../protocol/internal.ts'
import { Containment } from '../runtime/containment.ts'
import type { Backend, BackendRequest } from './backend.ts'
import { internalAddress, internalTarget, withHost } from './internal-request.ts'
import type { Clocks } from '../runtime/clocks.ts'
import type { Scheduler } from '../runtime/scheduler.ts'
import type { ObservedExchange } from '../runtime/exchange-observer.ts'
import { Relay } from './relay.ts'

/** How one offer is answered, whatever carries it. */
export interface Carrier {
  decline(reason: DeclineReason): void
  /**
   * Claims the offer and opens the exchange. `confirmed` is told when the cloud says so; a claim
   * that is gone, and a lost transport, close the exchange. `undefined`: no further exchange can be
   * carried now.
   */
  claim(job: ClaimedJob, terms: ClaimTerms): Exchange | undefined
  /**
   * Sees to the line to the offer's origin, over which it is claimed. `false`: the origin cannot be
   * reached. Default: it is the line that the offer came by.
   */
  reach?(): boolean | Promise<boolean>
  /** Whether the offer came from another instance than its origin. Default: no. */
  readonly isForeign?: boolean
  /** The slot is free again: grant the cloud another offer. Once per offer. */
  release(): void
}

/** What the worker asks of an exchange. */
export interface ClaimTerms {
  /** Milliseconds to the response head, from the last request-body byte. */
  readonly responseHeadMs: number
  /** Whose idle limits it keeps, where they are not the connector's own. */
  readonly patience?: OwnPatience | undefined
}

/** The worker's side of a claimed exchange. */
export interface ClaimedJob extends ExchangeHandler {
  /** The cloud confirms the claim. */
  confirmed(): void
  /** Its slot is given back: at its end, or earlier when it is long. Later calls say nothing. */
  release(): void
}

/** Where the worker asks for applications: a cache in front of the cloud. */
export interface Applications {
  /**
   * Details at least as new as `version`, at once if they are known; undefined: the cloud knows no
   * such application.
   */
  details(
    id: string,
    version: string,
  ): ApplicationDetails | undefined | Promise<ApplicationDetails | undefined>
}

/** Options of {@link Worker}. */
export interface WorkerOptions {
  /** Where applications are looked up: an `ApplicationCache`. */
  readonly applications: Applications
  /** Calls them. */
  readonly backend: Backend
  /** What deadlines are told in. */
  readonly clocks: Clocks
  /**
   * Ends the wait for details and for the origin when the offer's time is over. Default: only who
   * is asked limits it.
   */
  readonly scheduler?: Scheduler | undefined
  /**
   * Told of each failed exchange, for logs: codes and causes, never contents. Whatever it throws is
   * ignored.
   */
  readonly failed?: (
    offer: Offer,
    outcome: ExchangeOutcome,
    cause: unknown,
    application: ApplicationDetails | undefined,
  ) => void
  /** Makes what watches an exchange; it must not throw. Default: nobody watches. @internal */
  readonly observe?: ((offer: Offer) => ObservedExchange) | undefined
  /** Told of each exchange that ended well. Must not throw. */
  readonly served?: (offer: Offer) => void
}

/** Runs every exchange of a connector. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #jobs = new Slots<Job>()

  constructor(options: WorkerOptions) {
    const { failed } = options
    this.#options = failed
      ? { ...options, failed: new Containment().notify('failed', failed) }
      : options
  }

  /** Exchanges under way. */
  get busy(): number {
    return this.#jobs.size
  }

  /** The same by application. Costs a walk. */
  get open(): ReadonlyMap<string, number> {
    const open = new Map<string, number>()
    for (const { applicationId } of this.#jobs.values())
      open.set(applicationId, (open.get(applicationId) ?? 0) + 1)
    return open
  }

  /** A binding received an offer. */
  offered(offer: Offer, carrier: Carrier): void {
    new Job(offer, carrier, this.#options, this.#jobs).resolve()
  }
}

/** One offer, from its arrival to the end of its exchange. */
class Job implements ClaimedJob {
  readonly #offer: Offer
  readonly #observed: ObservedExchange | undefined
  readonly #carrier: Carrier
  readonly #options: WorkerOptions
  readonly #jobs: Slots<Job>
  readonly #slot: number
  readonly #claim: ClaimEntry
  readonly #arrivedAt: number
  #application: ApplicationDetails | undefined
  #exchange: Exchange | undefined
  /** From the start of the call on. */
  #relay: Relay | undefined
  #cause: unknown
  #stopWaiting = nothing
  /** What its slot is given back by, once. */
  #release: (() => void) | undefined

  constructor(offer: Offer, carrier: Carrier, options: WorkerOptions, jobs: Slots<Job>) {
    this.#offer = offer
    this.#observed = options.observe?.(offer)
    this.#carrier = carrier
    this.#options = options
    this.#jobs = jobs
    this.#slot = jobs.add(this)
    this.#claim = new ClaimEntry(offer, carrier.isForeign)
    this.#release = () => carrier.release()
    this.#arrivedAt = options.clocks.now()
  }

  get applicationId(): string {
    return this.#offer.applicationId
  }

  /** Confirms that we know the application, before anything else. */
  resolve(): void {
    const { applicationId, applicationVersion, attempt } = this.#offer
    this.#observed?.offered(attempt)
    this.#claim.resolve()
    let details
    try {
      details = this.#options.applications.details(applicationId, applicationVersion)
    } catch (error) {
      this.#cause = error
      return this.#decline('overloaded')
    }
    // Once known, an application costs a request no turn of the event loop.
    if (!(details instanceof Promise)) return this.#resolved(details)
    this.#limitWaiting()
    details.then(
      (found) => this.#resolved(found),
      () => this.#decline('overloaded'),
    )
  }

  // ── what the cloud says ───────────────────────────────────────────────────────────────────

  confirmed(): void {
    this.#claim.confirm()
    // It may have ended here while the confirmation was on its way, and what may be repeated has
    // started without it.
    if (this.#claim.mayStart && this.#relay === undefined) this.#start()
  }

  data(bytes: Uint8Array): void {
    this.#started.write(bytes)
  }

  ended(trailers: HeaderList | undefined): void {
    this.#started.end(trailers)
  }

  writable(): void {
    this.#relay?.writable()
  }

  stopped(): void {
    this.#relay?.stopped()
  }

  closed(outcome: ExchangeOutcome): void {
    if (outcome.kind !== 'done') {
      this.#claim.lost()
      this.#relay?.abort()
      this.#options.failed?.(
        this.#offer,
        outcome,
        this.#relay?.cause ?? this.#cause,
        this.#application,
      )
    } else this.#options.served?.(this.#offer)
    this.#observed?.ended(outcome)
    this.#leave()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** Of an open exchange only an unconfirmed one has no call to an application yet. */
  get #started(): Relay {
    if (this.#relay === undefined)
      throw new PeerViolation('UNEXPECTED_EVENT', 'a request body before CONFIRM')
    return this.#relay
  }

  #resolved(application: ApplicationDetails | undefined): void {
    if (!this.#claim.resolved()) return
    if (application === undefined) return this.#decline('unknown-application')
    this.#application = application
    const reached = this.#carrier.reach?.() ?? true
    if (!(reached instanceof Promise)) return this.#reached(reached)
    this.#limitWaiting()
    reached.then(
      (isThere) => this.#reached(isThere),
      () => this.#reached(false),
    )
  }

  /** The line to the origin stands, or does not; or the time to claim is over, and we declined. */
  #reached(isThere: boolean): void {
    if (this.#claim.state !== 'reaching') return
    if (!isThere) return this.#decline('origin-unreachable')
    const exchange = this.#carrier.claim(this, {
      // A little more than is left to connect, so that what was not sent is told as such.
      responseHeadMs: Math.min(this.#headMs, this.#restMs + SLOT_MS),
      patience: this.#patience,
    })
    if (exchange === undefined) return this.#decline('overloaded')
    this.#claim.claim()
    this.#stopWaiting()
    this.#observed?.claimed()
    this.#exchange = exchange
    if (this.#claim.mayStart) this.#start()
  }

  #decline(reason: DeclineReason): void {
    if (!this.#claim.decline()) return
    this.#stopWaiting()
    this.#carrier.decline(reason)
    this.#observed?.declined()
    this.#leave()
  }

  /** Nobody waits for what comes after the offer's time. */
  #limitWaiting(): void {
    const { clocks, scheduler } = this.#options
    if (scheduler === undefined || this.#stopWaiting !== nothing) return
    const ms = Math.min(this.#offer.remainingMs, this.#restMs)
    this.#stopWaiting = scheduler.at(clocks.now() + ms, () => this.#decline('overloaded'))
  }

  #start(): void {
    const { backend, clocks } = this.#options
    const exchange = this.#exchange!
    if (this.#offer.method === 'CONNECT') return exchange.abort(ResetCode.UNSUPPORTED)
    try {
      const request = this.#request()
      this.#relay = new Relay(this.#offer, exchange, clocks, backend, request, this.#observed)
    } catch (error) {
      // A target or an application that no request can be made of.
      this.#cause = error
      exchange.abort(ResetCode.INTERNAL)
    }
  }

  #request(): BackendRequest {
    const application = this.#application!
    const answerMs = Math.min(this.#restMs, this.#headMs)
    return new OfferedRequest(this.#offer, application, this.#claim.replayable, answerMs)
  }

  /** Milliseconds to the response head: a request may be given more than others. */
  get #headMs(): number {
    return Math.max(this.#application!.responseHeadMs, this.#offer.answerMs ?? 0)
  }

  /** A user whose answer may be silent for longer than others' may be so as well. */
  get #patience(): OwnPatience {
    const application = this.#application!
    const { requestIdleMs, responseIdleMs, responseHeadMs } = application
    if (requestIdleMs !== undefined || this.#headMs === responseHeadMs) return application
    return { requestIdleMs: Math.max(this.#headMs, TIME_LIMITS.stalledMs), responseIdleMs }
  }

  /** Milliseconds until the user has waited too long for an answer. */
  get #restMs(): number {
    const { answerMs = Infinity } = this.#offer
    return Math.max(0, answerMs - (this.#options.clocks.now() - this.#arrivedAt))
  }

  release(): void {
    const release = this.#release
    this.#release = undefined
    release?.()
  }

  #leave(): void {
    this.#jobs.remove(this.#slot, this)
    this.release()
  }
}

/** A class, since objects that are all made in one place may be taken for long-lived by V8. */
class OfferedRequest implements BackendRequest {
  readonly application: ApplicationDetails
  readonly method: string
  readonly target: string
  readonly headers: HeaderList
  readonly body: BodyKind
  readonly upgrade: string | undefined
  readonly replayable: boolean
  readonly exchangeId: ExchangeId
  readonly user: UserClaims | undefined
  readonly answerMs: number
  readonly requestNumber: string
  readonly affinity: string | undefined
  readonly isPinned: boolean

  constructor(
    { id, method, target, headers, body, upgrade, user, affinity, pinned }: Offer,
    application: ApplicationDetails,
    replayable: boolean,
    answerMs: number,
  ) {
    const address = internalAddress(application)
    this.application = application
    this.method = method
    this.target = internalTarget(address, target)
    this.headers = withHost(headers, address)
    this.body = body
    this.upgrade = upgrade
    this.replayable = replayable
    this.exchangeId = id
    this.user = user
    this.answerMs = answerMs
    this.requestNumber = requestNumberOf(id)
    this.affinity = affinity
    this.isPinned = pinned === 1
  }
}

function nothing(): void {
  // no wait to end
}
