/**
 * What goes into the dispatcher and what comes out of it: plain values, all of them.
 *
 * @see spec/PROTOCOL.md, "Dispatch"
 * @module
 */
import type { ExchangeId } from '../wire/frame-types.ts'
import type { FailureReason } from '../wire/errors.ts'

/** A request that wants a connector. */
export interface DispatchRequest {
  readonly id: ExchangeId
  /** Tenant and connector group, as one key. */
  readonly group: string
  /** Tenant and application, as one key: whose share of the group's capacity it takes. */
  readonly application: string
  /** Issuer and subject, else the client's address: whose share of the application's it takes. */
  readonly user: string
  readonly isReplayable: boolean
  /** Features that a link must have named to be offered it. */
  readonly needs: readonly string[]
}

/** A link that takes offers. */
export interface DispatchLink {
  /** The driver's name of it; never used again. */
  readonly link: number
  readonly group: string
  readonly connector: string
  readonly features: readonly string[]
  /** Offers that it takes at once, at the most. */
  readonly offers: number
  /** Those of them that may be made now. */
  readonly granted: number
}

/** What became of the current attempt of an exchange. */
export type AttemptOutcome =
  /** A connector took it. */
  | 'claimed'
  /** DECLINE `unknown-application`. */
  | 'unknown-application'
  /** DECLINE for any other reason: the connector pauses, and is not at fault. */
  | 'declined'
  | 'not-sent'
  | 'claim-missed'
  | 'given-up'
  | 'lost'
  | 'violation'
  /** The first response head came: the pair answers. */
  | 'answered'
  /** It is long: it holds no slot any more. */
  | 'long'
  /** It is over, in whatever way. */
  | 'ended'

/** One input of the dispatcher. */
export type DispatchInput =
  | { readonly type: 'submit'; readonly request: DispatchRequest }
  /** An attempt failed, and the offer machine wants another one. */
  | { readonly type: 'resubmit'; readonly id: ExchangeId }
  /** Nobody waits for it any more. */
  | { readonly type: 'withdraw'; readonly id: ExchangeId }
  | { readonly type: 'outcome'; readonly id: ExchangeId; readonly outcome: AttemptOutcome }
  | { readonly type: 'attach'; readonly link: DispatchLink }
  | { readonly type: 'granted'; readonly link: number; readonly offers: number }
  | { readonly type: 'detach'; readonly link: number }
  | { readonly type: 'tick' }

/** What the dispatcher decided. */
export type DispatchDecision =
  /** Put it on that link; a claim must come within `claimMs`. */
  | {
      readonly type: 'offer'
      readonly id: ExchangeId
      readonly link: number
      readonly claimMs: number
    }
  /** It cannot be offered: to whom it is told, and after how long to try again. */
  | {
      readonly type: 'refuse'
      readonly id: ExchangeId
      readonly reason: FailureReason
      readonly retryAfterMs?: number | undefined
    }
