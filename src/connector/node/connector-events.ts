/**
 * What a connector on Node tells of itself.
 *
 * @module
 */
import type { Binding, DialerState, ExchangeOutcome } from '../../protocol/internal.ts'
import type { KeeperEvent } from '../configuration-keeper.ts'
import type { MistakeEvent } from './told-mistakes.ts'

/**
 * What a connector tells of itself. A `renewed` identity holds its keys: log its id, not the event.
 */
export type ConnectorEvent =
  | TriedEvent
  | MistakeEvent
  | { readonly type: 'registered'; readonly connectorId: string; readonly tenantId: string }
  /**
   * A link's dialer moved: `up`, `backoff`, …; `plain-fallback` when the link binding was refused,
   * for the `cause`.
   */
  | (Explained & {
      readonly type: 'link'
      readonly instance: string
      readonly state: DialerState['state']
      /** What is being dialled, or up. */
      readonly binding?: Binding
      readonly cause: unknown
    })
  | {
      readonly type: 'exchange-failed'
      /** The number that the user was shown. */
      readonly request: string
      readonly id: string
      readonly outcome: ExchangeOutcome
      readonly cause: unknown
    }

/**
 * How events that come at every try say that a {@link MistakeEvent} has told it already, once: a
 * log can leave them out.
 */
export interface Explained {
  readonly isExplained?: true
}

/** What may come at every try. */
export type TriedEvent = Explained &
  (KeeperEvent | { readonly type: 'registration-delayed'; readonly error: unknown })
