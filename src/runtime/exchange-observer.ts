/**
 * What an embedder may watch of each exchange, at either end: for metrics and traces.
 *
 * @module
 */
import {
  requestNumberOf,
  type ExchangeId,
  type ExchangeOutcome,
  type FailureReason,
  type Offer,
} from '../protocol/internal.ts'
import type { Clocks } from './clocks.ts'
import type { Containment } from './containment.ts'

/** Which exchange, and when. Values only: never a header, a target or an octet of a body. */
export interface ExchangeMoment {
  readonly exchangeId: ExchangeId
  /** What the user is shown; the id begins with it. */
  readonly requestNumber: string
  readonly tenantId: string
  readonly applicationId: string
  /** Whom it is offered to, or who claimed it; undefined: nobody yet. */
  readonly connectorId: string | undefined
  /** Counts the offers of this exchange, from 1 on. At the cloud: 0 before the first. */
  readonly attempt: number
  /** By the monotonic clock, in milliseconds. */
  readonly at: number
}

/** How an exchange ended. */
export interface ExchangeEnding {
  /** `declined`: at a connector that has not claimed it. */
  readonly kind: 'done' | 'cancelled' | 'failed' | 'declined'
  /** Why it failed. */
  readonly reason: FailureReason | undefined
}

/**
 * Told of each moment of each exchange, in this order; what it leaves out, nobody asks it. A member
 * is called where the moment happens, so it must be quick, and whatever it throws is told to
 * `onError` and changes nothing.
 *
 * An exchange that is offered once more goes back to `queued`. At a connector an exchange begins
 * with `offered`: each offer that comes is one.
 */
export interface ExchangeObserver {
  /** A user's request was admitted. The cloud only. */
  submitted?: ((moment: ExchangeMoment) => void) | undefined
  /** It waits for a connector. The cloud only. */
  queued?: ((moment: ExchangeMoment) => void) | undefined
  /** It is put before a connector. */
  offered?: ((moment: ExchangeMoment) => void) | undefined
  /** That connector takes it. */
  claimed?: ((moment: ExchangeMoment) => void) | undefined
  /** The head of the application's answer has come. */
  head?: ((moment: ExchangeMoment) => void) | undefined
  /** The first octets of its body, or of the tunnel, have come from the application. */
  body?: ((moment: ExchangeMoment) => void) | undefined
  /** It has its outcome, and nothing follows. */
  ended?: ((moment: ExchangeMoment, ending: ExchangeEnding) => void) | undefined
}

/** Whatever it throws is contained. */
export function containedObserver(
  observer: ExchangeObserver,
  containment: Containment,
): ExchangeObserver {
  const wrapped = <A extends unknown[]>(name: string, tell: ((...args: A) => void) | undefined) =>
    tell && containment.notify(`observer.${name}`, tell.bind(observer) as (...args: A) => void)
  return {
    submitted: wrapped('submitted', observer.submitted),
    queued: wrapped('queued', observer.queued),
    offered: wrapped('offered', observer.offered),
    claimed: wrapped('claimed', observer.claimed),
    head: wrapped('head', observer.head),
    body: wrapped('body', observer.body),
    ended: wrapped('ended', observer.ended),
  }
}

/** At a connector: what watches each offer; undefined where nobody observes. */
export function observed(
  observer: ExchangeObserver | undefined,
  containment: Containment,
  clocks: Pick<Clocks, 'now'>,
  keeper: { readonly identity: { readonly tenantId: string; readonly connectorId: string } },
): ((offer: Offer) => ObservedExchange) | undefined {
  if (observer === undefined) return undefined
  const contained = containedObserver(observer, containment)
  return ({ id: exchangeId, applicationId }) => {
    const { tenantId, connectorId } = keeper.identity
    const ids = { exchangeId, tenantId, applicationId, connectorId }
    return new ObservedExchange(contained, clocks, ids)
  }
}

/** What does not change of an exchange. */
export interface ObservedIds {
  readonly exchangeId: ExchangeId
  readonly tenantId: string
  readonly applicationId: string
  /** At a connector: itself. */
  readonly connectorId?: string | undefined
}

/** One exchange, for its observer. Where there is no observer, there is none of these. */
export class ObservedExchange {
  readonly #observer: ExchangeObserver
  readonly #clocks: Pick<Clocks, 'now'>
  readonly #ids: ObservedIds
  readonly #requestNumber: string
  #connectorId: string | undefined
  #attempt = 0
  #hasBody = false

  constructor(observer: ExchangeObserver, clocks: Pick<Clocks, 'now'>, ids: ObservedIds) {
    this.#observer = observer
    this.#clocks = clocks
    this.#ids = ids
    this.#requestNumber = requestNumberOf(ids.exchangeId)
    this.#connectorId = ids.connectorId
  }

  submitted(): void {
    this.#observer.submitted?.(this.#moment())
  }

  queued(): void {
    this.#connectorId = undefined
    this.#observer.queued?.(this.#moment())
  }

  offered(attempt: number, connectorId = this.#connectorId): void {
    this.#attempt = attempt
    this.#connectorId = connectorId
    this.#observer.offered?.(this.#moment())
  }

  claimed(connectorId = this.#connectorId): void {
    this.#connectorId = connectorId
    this.#observer.claimed?.(this.#moment())
  }

  head(): void {
    this.#observer.head?.(this.#moment())
  }

  /** Called for each piece: the first one tells. */
  body(): void {
    if (this.#hasBody) return
    this.#hasBody = true
    this.#observer.body?.(this.#moment())
  }

  /** A connector that has not claimed it has nothing more to do with it. */
  declined(): void {
    this.#observer.ended?.(this.#moment(), { kind: 'declined', reason: undefined })
  }

  /** It is over. Without an outcome: its user left. */
  ended(outcome?: ExchangeOutcome): void {
    const kind = outcome?.kind ?? 'cancelled'
    const reason = outcome?.kind === 'failed' ? outcome.error.reason : undefined
    this.#observer.ended?.(this.#moment(), { kind, reason })
  }

  #moment(): ExchangeMoment {
    return {
      exchangeId: this.#ids.exchangeId,
      requestNumber: this.#requestNumber,
      tenantId: this.#ids.tenantId,
      applicationId: this.#ids.applicationId,
      connectorId: this.#connectorId,
      attempt: this.#attempt,
      at: this.#clocks.now(),
    }
  }
}
