/**
 * How well this instance knows what all instances share, as long as it depends on a broker.
 *
 * What was read stays good for a while when the broker is gone. Then it is stale: what must be
 * decided in one place is refused, everything else goes on. After each reconnection all of it is
 * read again before it counts as fresh: a watch may stay silent after a network has healed.
 *
 * @module
 */
import { ignored, type Table } from '../../protocol/internal.ts'

/**
 * - `never-fresh`: nothing was read yet, and nothing is served
 * - `fresh`: what is known is what is so
 * - `stale`: the broker was not heard for too long
 * - `healing`: connected again, and everything is being read
 * - `closed`: over
 */
export type FreshnessState = 'never-fresh' | 'fresh' | 'stale' | 'healing' | 'closed'

/**
 * - `connected`: there is a connection again
 * - `lost`: there is none any more
 * - `read`: everything is read, and watched
 * - `late`: it was not confirmed for too long that what is known is what is so
 * - `close`: by the owner
 */
export type FreshnessEvent = 'connected' | 'lost' | 'read' | 'late' | 'close'

/** Every state × event pair. A lost connection leaves what is known fresh, until it is late. */
// prettier-ignore
export const FRESHNESS = {
  'never-fresh': { connected: ignored,   lost: ignored, read: 'fresh', late: ignored, close: 'closed' },
  fresh:         { connected: 'healing', lost: ignored, read: ignored, late: 'stale', close: 'closed' },
  stale:         { connected: 'healing', lost: ignored, read: 'fresh', late: ignored, close: 'closed' },
  healing:       { connected: ignored,   lost: 'stale', read: 'fresh', late: 'stale', close: 'closed' },
  closed:        { connected: ignored,   lost: ignored, read: ignored, late: ignored, close: ignored  },
} as const satisfies Table<FreshnessState, FreshnessEvent>
