/**
 * The worker: takes offers, calls applications, answers.
 *
 * It knows no binding. A binding hands it each offer with a {@link Carrier}, through which the offer is declined, or
 * claimed and answered.
 *
 * @module
 */
import {
  ClaimEntry,
  headersFault,
  joined,
  ResetCode,
  withoutHopByHop,
  type ApplicationDetails,
  type Exchange,
  type ExchangeHandler,
  type ExchangeOutcome,
  type HeaderList,
  type DeclineReason,
  type Offer,
  type ResponseHead,
} from '../protocol/index.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from './backend.ts'
import { internalTarget, withHost } from './internal-request.ts'
import type { Clocks } from './ports.ts'

/** How one offer is answered, whatever carries it. */
export interface Carrier {
  decline(reason: DeclineReason): void
  /**
   * Claims the offer and opens the exchange. `confirmed` is told when the cloud says so; a claim that is gone, and a
   * lost transport, close the exchange. `undefined`: no further exchange can be carried now.
   */
  claim(job: ClaimedJob, application: ApplicationDetails): Exchange | undefined
  /** The slot is free again: grant the cloud another offer. Once per offer. */
  release(): void
}

/** The worker's side of a claimed exchange. */
export interface ClaimedJob extends ExchangeHandler {
  /** The cloud confirms the claim. */
  confirmed(): void
}

/** Where the worker asks for applications: a cache in front of the cloud. */
export interface Applications {
  /** Details at least as new as `version`; undefined: the cloud knows no such application. */
  details(id: string, version: string): Promise<ApplicationDetails | undefined>
}

export interface WorkerOptions {
  readonly applications: Applications
  readonly backend: Backend
  readonly clocks: Clocks
  /** Told of each failed exchange, for logs: codes and causes, never contents. */
  readonly failed?: (offer: Offer, outcome: ExchangeOutcome, cause: unknown) => void
}

/** Runs every exchange of a connector. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #jobs = new Set<Job>()

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  /** Exchanges under way. */
  get busy(): number {
    return this.#jobs.size
  }

  /** A binding received an offer. */
  offered(offer: Offer, carrier: Carrier): void {
    const job: Job = new Job(offer, carrier, this.#options, () => this.#jobs.delete(job))
    this.#jobs.add(job)
    job.resolve()
  }
}

/** One offer, from its arrival to the end of its exchange. */
class Job implements ClaimedJob {
  readonly #offer: Offer
  readonly #carrier: Carrier
  readonly #options: WorkerOptions
  readonly #over: () => void
  readonly #claim: ClaimEntry
  #application: ApplicationDetails | undefined
  #exchange: Exchange | undefined
  #call: BackendCall | undefined
  /** Response bytes there was no credit for. */
  #held: Uint8Array | undefined
  /** The application's answer is complete, but for what is held. */
  #answer: { trailers: HeaderList | undefined } | undefined
  /** The head was all of the answer. */
  #isAnswered = false
  /** Request bytes the application has not taken yet. */
  #untaken = 0
  #cause: unknown

  constructor(offer: Offer, carrier: Carrier, options: WorkerOptions, over: () => void) {
    this.#offer = offer
    this.#carrier = carrier
    this.#options = options
    this.#over = over
    this.#claim = new ClaimEntry(offer)
  }

  /** Confirms that we know the application, before anything else. */
  resolve(): void {
    const { applicationId, applicationVersion } = this.#offer
    this.#claim.resolve()
    this.#options.applications.details(applicationId, applicationVersion).then(
      (details) => {
        if (details === undefined) this.#decline('unknown-application')
        else this.#take(details)
      },
      () => this.#decline('overloaded'),
    )
  }

  // ── what the cloud says ───────────────────────────────────────────────────────────────────

  confirmed(): void {
    this.#claim.confirm()
    // It may have ended here while the confirmation was on its way.
    if (this.#claim.mayStart) this.#start()
  }

  data(bytes: Uint8Array): void {
    if (this.#call!.write(bytes)) this.#exchange!.consumed(bytes.length, this.#now())
    else this.#untaken += bytes.length
  }

  ended(trailers: HeaderList | undefined): void {
    this.#call!.end(trailers)
  }

  writable(): void {
    const held = this.#held
    if (held !== undefined) {
      this.#held = undefined
      this.#send(held)
      if (this.#held !== undefined) return
    }
    if (this.#answer !== undefined) this.#finish(this.#answer.trailers)
    else this.#call?.resume()
  }

  stopped(): void {
    this.#call?.abort()
  }

  closed(outcome: ExchangeOutcome): void {
    if (outcome.kind !== 'done') {
      this.#claim.lost()
      this.#call?.abort()
      this.#options.failed?.(this.#offer, outcome, this.#cause)
    }
    this.#leave()
  }

  // ── what the application says ─────────────────────────────────────────────────────────────

  readonly #events: BackendEvents = {
    informational: (head) => this.#exchange!.inform(head),
    responded: (head) => {
      const headers = withoutHopByHop(head.headers)
      // What a frame may not carry would be our own violation, not the application's.
      if (headersFault(headers) !== undefined) return this.#malformed(headersFault(headers))
      this.#isAnswered = this.#isBodiless(head)
      this.#exchange!.respond({ status: head.status, headers }, this.#isAnswered, this.#now())
    },
    upgraded: (head) => this.#exchange!.upgrade(head, this.#now()),
    data: (bytes) => {
      // One more may follow a pause.
      if (this.#held === undefined) this.#send(bytes)
      else this.#held = joined(this.#held, bytes)
    },
    ended: (trailers) => {
      if (trailers !== undefined && headersFault(trailers) !== undefined) {
        return this.#malformed(headersFault(trailers))
      }
      if (this.#held === undefined) this.#finish(trailers)
      else this.#answer = { trailers }
    },
    drained: () => {
      const bytes = this.#untaken
      this.#untaken = 0
      if (bytes > 0) this.#exchange!.consumed(bytes, this.#now())
    },
    failed: (code, cause) => {
      this.#cause = cause
      this.#exchange!.abort(code)
    },
  }

  #malformed(fault: unknown): void {
    this.#cause = fault
    this.#call!.abort()
    this.#exchange!.abort(ResetCode.APPLICATION_MALFORMED)
  }

  #send(bytes: Uint8Array): void {
    const sent = this.#exchange!.send(bytes, this.#now())
    if (sent === bytes.length) return
    this.#held = bytes.subarray(sent)
    this.#call!.pause()
  }

  #finish(trailers: HeaderList | undefined): void {
    const exchange = this.#exchange!
    if (!this.#isAnswered) exchange.end(this.#now(), trailers)
    // It has answered: whatever of the request is still to come, nobody reads.
    exchange.stop(this.#now())
  }

  /** No body follows such a head (RFC 9112 §6.3). */
  #isBodiless({ status }: ResponseHead): boolean {
    return this.#offer.method === 'HEAD' || status === 204 || status === 304
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #decline(reason: DeclineReason): void {
    this.#claim.decline()
    this.#carrier.decline(reason)
    this.#leave()
  }

  #take(application: ApplicationDetails): void {
    const exchange = this.#carrier.claim(this, application)
    if (exchange === undefined) return this.#decline('overloaded')
    this.#claim.claim()
    this.#application = application
    this.#exchange = exchange
    if (this.#claim.mayStart) this.#start()
  }

  #start(): void {
    const application = this.#application!
    try {
      this.#call = this.#options.backend.call(this.#request(application), this.#events)
    } catch (error) {
      // A target or an application that no request can be made of.
      this.#cause = error
      this.#exchange!.abort(ResetCode.INTERNAL)
    }
  }

  #request(application: ApplicationDetails): BackendRequest {
    const { method, target, headers, body, upgrade } = this.#offer
    return {
      application,
      method,
      target: internalTarget(application, target),
      headers: withHost(headers, application),
      body,
      upgrade,
      replayable: this.#claim.replayable,
    }
  }

  #leave(): void {
    this.#over()
    this.#carrier.release()
  }

  #now(): number {
    return this.#options.clocks.now()
  }
}
