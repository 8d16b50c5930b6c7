/**
 * How an application is published, as a person writes it.
 *
 * @see docs/publishing.md
 * @module
 */
import type { AnswerFault } from '../../protocol/internal.ts'

/** What every application may have beside its addresses and how users sign in. */
export interface PublishingInput {
  /** It is being worked on: its users get a page that says so, and nothing reaches it. */
  readonly maintenance?: MaintenanceInput | undefined
  /** Limits of its own. Default: those of every other application. */
  readonly limits?: ApplicationLimitsInput | undefined
  /** Requests of its users. Of a wildcard each label has its own. Default: there is no limit. */
  readonly rates?: RatesInput | undefined
  /**
   * Faults of an old device's answers that its connector mends: `repeated-content-length`,
   * `space-before-colon`, `folded-fields`, `bare-line-feed`; at least one. A connector has to know
   * how. Default: none, and such an answer is a 502.
   */
  readonly lenient?: readonly AnswerFault[] | undefined
}

/** Limits of an application's own, beside `responseHeadMs`. */
export interface ApplicationLimitsInput {
  /** Octets of a request's body; what has more is refused with 413. Default: there is no limit. */
  readonly requestBodyBytes?: number | undefined
  /**
   * Milliseconds that a request's body may stand still because its user sends nothing; up to a day.
   * A connector has to know this limit. Default: 120 000.
   */
  readonly requestIdleMs?: number | undefined
  /**
   * Milliseconds that an answer may stand still because the application says nothing; up to a day.
   * Event streams and WebSockets are not meant. A connector has to know this limit. Default: 120
   * 000.
   */
  readonly responseIdleMs?: number | undefined
}

/**
 * How many requests are passed on; what is more is refused at once with 429 and `Retry-After`. Each
 * instance of the service counts its own.
 */
export interface RatesInput {
  /** All requests together. Default: there is no limit. */
  readonly all?: RateInput | undefined
  /**
   * Those of one user: whoever is signed in, by issuer and subject; else the client's address, of
   * IPv6 its first 64 bits. Default: there is no limit.
   */
  readonly user?: RateInput | undefined
}

/** How often, and how much of it at once. */
export interface RateInput {
  /** From 0.001 to 1 000 000; a fraction is one in several seconds. */
  readonly perSecond: number
  /** How many may come at once, after a pause. Default: those of one second, and at least 1. */
  readonly burst?: number | undefined
}

/** An application is being worked on: new requests are answered with 503. */
export interface MaintenanceInput {
  /**
   * What users are told, in plain text; up to 500 characters. Whoever comes to the address reads
   * it. Default: that the application is being worked on.
   */
  readonly message?: string | undefined
  /**
   * When it is expected back: a time with its zone, such as `2026-12-01T06:00:00Z`. It is said on
   * the page and in `Retry-After`, and ends nothing by itself. Default: it is not said.
   */
  readonly until?: string | undefined
  /**
   * Whether what is open is broken off: answers under way, WebSockets, streams. Default: false, and
   * it goes on to its end.
   */
  readonly endsOpen?: boolean | undefined
}
