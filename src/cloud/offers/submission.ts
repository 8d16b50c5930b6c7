/**
 * What passes between the edge, the bindings and the origin: a request and whom to tell of it, and
 * a connector that claims it.
 *
 * @module
 */
import type {
  CreditBudget,
  Exchange,
  ExchangeFailed,
  ExchangeHandler,
  ExchangeId,
  ExchangeOutcome,
  Offer,
} from '../../protocol/index.ts'
import type { TenantKey } from '../directory/tenant-key.ts'

/** What the edge wants done: an offer without what the origin adds. */
export type Submission = Omit<Offer, 'id' | 'attempt' | 'remainingMs' | 'origin'> & {
  /** What the user is shown: the exchange's id begins with it. */
  readonly requestNumber?: string
}

/** Whom the origin tells. */
export interface Submitter extends ExchangeHandler {
  /**
   * A connector took it; body bytes may flow within `exchange.writable`. After a re-offer, once
   * more.
   */
  claimed(exchange: Exchange): void
  /** No connector took it. */
  failed(error: ExchangeFailed): void
}

/** Where a request is queued. */
export interface Destination {
  readonly tenantId: string
  readonly groupId: string
  /** Both, as the queue knows them. */
  readonly group: TenantKey
  /** Milliseconds to the response head. Default: the origin's. */
  readonly responseHeadMs?: number
}

/** A connector that claims, as its certificate says and the registry confirms. */
export interface Claimer {
  readonly tenantId: string
  readonly connectorId: string
  readonly groupId: string
}

/** How a binding bounds the exchanges it carries. */
export interface CarriageOptions {
  /** First credit of the response body. */
  readonly windowBytes: number
  readonly maxWindowBytes?: number
  readonly budget?: CreditBudget
}

/** What the edge holds of a submitted request. */
export interface Ticket {
  readonly id: ExchangeId
  /** It was sent to a connector, once at least. */
  readonly isOffered: boolean
  /** The user went away. */
  cancel(): void
  /**
   * A claimed exchange closed before any answer; `true`: it is offered again, `claimed` or `failed`
   * will follow.
   */
  offeredAgain(outcome: ExchangeOutcome): boolean
  /** The exchange has its outcome; the origin forgets it. */
  settle(): void
}
