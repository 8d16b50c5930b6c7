/**
 * What goes into the dispatcher and what comes out of it: plain values, all of them.
 *
 * @see spec/PROTOCOL.md, "Dispatch"
 * @module
 */
import type { HandshakeAnswer, HandshakeStep } from '../http/connection-handshake.ts'
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
  /** Connectors that have refused it at another instance. Default: none. */
  readonly excluded?: readonly string[] | undefined
  /** The group serves no other application: this one may take all of it. Default: false. */
  readonly isAlone?: boolean | undefined
  /** It goes on connections that are its user's alone. Default: on any. */
  readonly affinity?: DispatchAffinity | undefined
  /** The one connector that has such a connection, as another instance knows. Default: any. */
  readonly only?: string | undefined
}

/** Whose connections a request goes on. */
export interface DispatchAffinity {
  readonly id: string
  /** Several connections of its user share it, so its requests are in no order. */
  readonly isShared: boolean
  /** What the request shows of a handshake. */
  readonly step: HandshakeStep
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
  /** Long exchanges that it carries beside them. Default: none. */
  readonly streams?: number | undefined
  /**
   * It stands for the links of other instances, as they announce them: taken where no link of this
   * instance can be, and without a health of its own. Default: false.
   */
  readonly isRemote?: boolean | undefined
  /** Of such a link: who the connectors there are. Default: it is not known. */
  readonly connectors?: readonly string[] | undefined
}

/** What became of the current attempt of an exchange. */
export type AttemptOutcome =
  // A connector took it.
  | 'claimed'
  // DECLINE `unknown-application`.
  | 'unknown-application'
  // DECLINE for any other reason: the connector pauses, and is not at fault.
  | 'declined'
  | 'not-sent'
  // The connector could not sign the user on: it may for others, and is not at fault.
  | 'not-signed-on'
  | 'claim-missed'
  | 'given-up'
  | 'lost'
  | 'violation'
  // The connector has no connection any more that the user was known on.
  | 'pin-lost'
  // The first response head came: the pair answers.
  | 'answered'
  // It is long: it holds no slot any more.
  | 'long'
  // It is over, in whatever way.
  | 'ended'

/** What an outcome says of the connector's health for the application. */
export type HealthOutcome = Extract<
  AttemptOutcome,
  | 'unknown-application'
  | 'not-sent'
  | 'claim-missed'
  | 'given-up'
  | 'lost'
  | 'violation'
  | 'answered'
>

/** One input of the dispatcher. `waitUntil`: monotonic milliseconds, until it must be offered. */
export type DispatchInput =
  | { readonly type: 'submit'; readonly request: DispatchRequest; readonly waitUntil: number }
  /** An attempt failed, and the offer machine wants another one. */
  | { readonly type: 'resubmit'; readonly id: ExchangeId; readonly waitUntil: number }
  /** Nobody waits for it any more. */
  | { readonly type: 'withdraw'; readonly id: ExchangeId }
  | {
      readonly type: 'outcome'
      readonly id: ExchangeId
      readonly outcome: AttemptOutcome
      /** Who it was, where another instance delivered it. Absent: it is not known. */
      readonly connector?: string | undefined
    }
  /** What the answer to a request with an affinity shows; said before `answered`. */
  | {
      readonly type: 'authentication'
      readonly id: ExchangeId
      readonly answer: HandshakeAnswer | 'switched'
    }
  /** Nobody will ask for an affinity of an application again. */
  | { readonly type: 'part'; readonly application: string; readonly affinity: string }
  /** What another instance has seen of a connector. */
  | {
      readonly type: 'observed'
      readonly group: string
      readonly application: string
      readonly connector: string
      readonly outcome: HealthOutcome
    }
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
      /** No other connection will do than those of its affinity that are there. */
      readonly isPinned: boolean
    }
  /** It cannot be offered, and is forgotten: why, and after how long to try again. */
  | {
      readonly type: 'refuse'
      readonly id: ExchangeId
      readonly reason: FailureReason
      readonly retryAfterMs?: number | undefined
    }

/** Options of a dispatcher. */
export interface DispatchOptions {
  /** Default {@link SHARES}. */
  readonly shares?: Shares | undefined
  /** Until a claim, in milliseconds. Default 5 000; 1 000 at most while another could take it. */
  readonly claimMs?: number | undefined
  /** Any number: what jitter is drawn from. Two instances should not have the same. Default 1. */
  readonly seed?: number | undefined
}

/** How much of what is there one application, and one user, may hold. */
export interface Shares {
  /**
   * Of its group's capacity, one application, above 0 to 1; all of it where the group serves no
   * other. Default 0.5.
   */
  readonly application: number
  /** Of its application's share, one user, above 0 to 1. Default 0.5. */
  readonly user: number
  /** Requests of a group that wait at once; the same shares hold for them. Default 1 000. */
  readonly waiting: number
}

/** The default shares: half of what is there each, and 1 000 waiting requests. */
export const SHARES: Shares = { application: 0.5, user: 0.5, waiting: 1_000 }
