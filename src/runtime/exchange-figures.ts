/**
 * Counts the exchanges of one end by what became of them, and measures how long they waited.
 *
 * @module
 */
import type { FailureReason } from '../protocol/internal.ts'
import type { ExchangeEnding, ExchangeMoment, ExchangeObserver } from './exchange-observer.ts'
import { Histogram } from './figures.ts'

/** What is counted of one application. */
export class ApplicationFigures {
  readonly tenantId: string
  done = 0
  failed = 0
  cancelled = 0
  declined = 0
  /** Offers made. */
  offers = 0
  /** When a connector last brought an answer, and when one last failed at it. Milliseconds. */
  answeredAt = Number.NEGATIVE_INFINITY
  faultAt = Number.NEGATIVE_INFINITY
  /** Faults of connectors since the last answer. */
  faults = 0

  constructor(tenantId: string) {
    this.tenantId = tenantId
  }
}

/** Reasons that are a connector's, and neither its application's nor its user's. */
const OF_CONNECTORS: ReadonlySet<FailureReason> = new Set<FailureReason>([
  'claim-timeout',
  'attempts-exhausted',
  'connector-lost',
  'connector-violation',
  'connector-aborted',
  'connector-exhausted',
])

/** When an exchange began to wait for what comes next. */
interface Begun {
  at: number
}

/** The figures of one end. Its `observer` is what a cloud or a connector is given. */
export class ExchangeFigures {
  /** By application: those that requests were admitted for. */
  readonly applications = new Map<string, ApplicationFigures>()
  /** By reason. */
  readonly failures = new Map<FailureReason, number>()
  /** From a request's admission to the claim of a connector. Seconds. */
  readonly wait = new Histogram()
  /** From the claim to the head of the application's answer. Seconds. */
  readonly answer = new Histogram()
  /** By exchange: those that are open. */
  readonly #begun = new Map<string, Begun>()

  readonly observer: ExchangeObserver = {
    submitted: (moment) => this.#begin(moment),
    offered: (moment) => this.#offered(moment),
    claimed: (moment) => this.#measure(this.wait, moment),
    head: (moment) => this.#answered(moment),
    ended: (moment, ending) => this.#ended(moment, ending),
  }

  /** Drops applications that are published no more. */
  keep(isPublished: (applicationId: string) => boolean): void {
    for (const id of this.applications.keys()) if (!isPublished(id)) this.applications.delete(id)
  }

  #of({ applicationId, tenantId }: ExchangeMoment): ApplicationFigures {
    const known = this.applications.get(applicationId)
    if (known !== undefined) return known
    const made = new ApplicationFigures(tenantId)
    this.applications.set(applicationId, made)
    return made
  }

  #begin({ exchangeId, at }: ExchangeMoment): void {
    this.#begun.set(exchangeId, { at })
  }

  /** At a connector this is the first that is told. */
  #offered(moment: ExchangeMoment): void {
    this.#of(moment).offers += 1
    if (!this.#begun.has(moment.exchangeId)) this.#begin(moment)
  }

  #measure(histogram: Histogram, { exchangeId, at }: ExchangeMoment): void {
    const begun = this.#begun.get(exchangeId)
    if (begun === undefined) return
    histogram.observe(Math.max(0, at - begun.at) / 1_000)
    begun.at = at
  }

  #answered(moment: ExchangeMoment): void {
    this.#measure(this.answer, moment)
    const figures = this.#of(moment)
    figures.answeredAt = moment.at
    figures.faults = 0
  }

  #ended(moment: ExchangeMoment, { kind, reason }: ExchangeEnding): void {
    this.#begun.delete(moment.exchangeId)
    const figures = this.#of(moment)
    figures[kind] += 1
    if (reason === undefined) return
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1)
    if (!OF_CONNECTORS.has(reason)) return
    figures.faults += 1
    figures.faultAt = moment.at
  }
}
