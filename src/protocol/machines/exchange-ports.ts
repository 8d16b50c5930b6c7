/**
 * What an exchange stands between: the wire that carries it, the application at its end, and its
 * bounds.
 *
 * @module
 */
import type { CreditBudget } from './body-receiver.ts'
import type { ExchangeFailed } from '../wire/errors.ts'
import type { HeaderList, ResetCode, ResponseHead } from '../wire/frame-types.ts'
import type { KeptBody } from './kept-body.ts'
import type { NotSentCause } from '../wire/control-frames.ts'
import type { PatienceLimits } from './exchange-patience.ts'

/** How an exchange ended, said exactly once. */
export type ExchangeOutcome =
  | { kind: 'done' }
  | { kind: 'cancelled'; code: ResetCode }
  /** `notSent`: nothing of the request was handed on; the error says what was in the way. */
  | { kind: 'failed'; error: ExchangeFailed; notSent?: true }

/** Towards the peer. A binding enqueues; it never calls back in. */
export interface ExchangeWire {
  informational(head: ResponseHead): void
  respond(head: ResponseHead, end: boolean): void
  /** `bytes` of the body we send, already within credit; passed by reference. */
  data(bytes: Uint8Array, end: boolean): void
  /** Trailer fields; they end the body. */
  trailers(fields: HeaderList): void
  credit(bytes: number): void
  stop(code: ResetCode): void
  /** `cause`: with NOT_SENT alone. */
  reset(code: ResetCode, cause?: NotSentCause): void
  /** It is over, in whatever way; nothing follows. Said before the handler hears of it. */
  closed(): void
}

/** Towards the application: the edge on one end, the worker on the other. */
export interface ExchangeHandler {
  informational?(head: ResponseHead): void
  /** The final head. `end`: no body follows. */
  responded?(head: ResponseHead, end: boolean): void
  /** Bytes of the body we receive; report each with `consumed`. */
  data(bytes: Uint8Array): void
  /** The body we receive is complete. */
  ended(trailers: HeaderList | undefined): void
  /** A stalled `send` may go on. */
  writable(): void
  /** The peer wants no more of the body we send. */
  stopped(code: ResetCode): void
  /** It is over; nothing follows. */
  closed(outcome: ExchangeOutcome): void
}

/** Bounds of one exchange. */
export interface ExchangeOptions {
  /** `requester`: the cloud, which asks; `responder`: the connector, which answers. */
  readonly role: 'requester' | 'responder'
  /** Monotonic milliseconds. */
  readonly now: number
  /** Whether the request has a body at all. */
  readonly requestBody: boolean
  /** Bytes we may send at once: the pull's credit, or the response window. */
  readonly sendCreditBytes: number
  /** Requester: what earlier attempts sent of this body, which is sent first. Default: nothing. */
  readonly kept?: KeptBody | undefined
  /** Bytes the peer may send at once. */
  readonly receiveWindowBytes: number
  /** How far that window may grow, within `budget`. Default: not at all. */
  readonly maxWindowBytes?: number | undefined
  /** What all exchanges of a link may grant together. Default: no bound beside the window. */
  readonly budget?: CreditBudget | undefined
  /** Default {@link TIME_LIMITS}. */
  readonly limits?: PatienceLimits
  /** To the response head, from the last request-body byte. Default 85 000. */
  readonly responseHeadMs?: number
  /**
   * The user wants to switch protocols: the window that a 101 opens the request body with. Default
   * 0: no upgrade.
   */
  readonly upgradeWindowBytes?: number | undefined
}
