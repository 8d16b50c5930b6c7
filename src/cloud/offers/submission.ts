/**
 * What passes between the edge, the bindings and the origin: a request and whom to tell of it, and
 * a connector that claims it.
 *
 * @module
 */
import type {
  CreditBudget,
  DeliveryFacts,
  Exchange,
  ExchangeFailed,
  ExchangeHandler,
  ExchangeId,
  HeaderList,
  Offer,
  OwnPatience,
} from '../../protocol/internal.ts'
import type { TenantKey } from '../directory/tenant-key.ts'

/** What the edge wants done: an offer without what the origin adds. */
export type Submission = Omit<
  Offer,
  'id' | 'attempt' | 'remainingMs' | 'answerMs' | 'origin' | 'pinned'
> & {
  /** The id of its exchange, which is drawn for it alone. Default: one is drawn. */
  readonly id?: ExchangeId
  /**
   * Whose share of the application's it takes: names the user, else where the request comes from.
   */
  readonly share?: string | undefined
  /**
   * Features that whoever is offered it must have named, beside those that the request itself
   * wants. Default: none.
   */
  readonly needs?: readonly string[] | undefined
  /** Its group serves no other application. Default: false. */
  readonly isAlone?: boolean | undefined
  /**
   * Makes the header fields that one attempt alone carries, beside {@link Offer.headers}: asked
   * when a link is chosen, while the time to claim it runs. What rejects fails the request.
   * Default: there are none.
   */
  readonly prepare?: ((id: ExchangeId, attempt: number) => Promise<HeaderList>) | undefined
  /** Several connections of its user share its affinity. Default: false. */
  readonly isAffinityShared?: boolean | undefined
}

/** Whom the origin tells. */
export interface Submitter extends ExchangeHandler {
  /**
   * A connector took it; body bytes may flow within `exchange.writable`. Once more when it was
   * offered again: then the exchange before takes no bytes any more, and this one has sent again
   * what that one had taken.
   */
  claimed(exchange: Exchange): void
  /**
   * The exchange that was claimed is over and the request is not: bytes wait until it is claimed
   * again. Whoever sends a body must hear of it.
   */
  returned?(): void
  /** No connector took it. */
  failed(error: ExchangeFailed): void
}

/** Where a request is queued. */
export interface Destination {
  readonly tenantId: string
  readonly groupId: string
  /** Both, as the queue knows them; and the application. */
  readonly group: TenantKey
  readonly application: TenantKey
  /** Milliseconds to the response head. Default: the origin's. */
  readonly responseHeadMs?: number
  /** Idle limits of the application's own. Default: the origin's. */
  readonly patience?: OwnPatience | undefined
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
  readonly maxWindowBytes?: number | undefined
  readonly budget?: CreditBudget | undefined
}

/** What the edge holds of a submitted request. */
export interface Ticket {
  readonly id: ExchangeId
  /** How far it had come. */
  readonly delivery: DeliveryFacts
  /** The user went away. */
  cancel(): void
}
