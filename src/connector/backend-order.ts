/**
 * The order in which a backend tells of one call: interim heads, then a head or a switch of
 * protocols, then content, then its end; or a failure instead of what is missing.
 *
 * @module
 */
import type { Table } from '../protocol/internal.ts'
import type { BackendEvents } from './backend.ts'

/** How far the answer has come; `calling`: the backend has not returned the call yet. */
export type BackendState = 'calling' | 'waiting' | 'answering' | 'tunnel' | 'answered' | 'over'

/** What we do: the call was returned; it was broken off. */
export type CallerEvent = 'begun' | 'broken'

/** Every state × event pair of one call. What a backend says once it is over, nobody hears. */
// prettier-ignore
export const BACKEND_ORDER = {
  calling:   { begun: 'waiting', broken: 'over', informational: 'violation', responded: 'violation', upgraded: 'violation', data: 'violation', ended: 'violation', drained: 'violation', failed: 'violation', notSent: 'violation' },
  waiting:   { begun: 'misuse',  broken: 'over', informational: 'waiting',   responded: 'answering', upgraded: 'tunnel',    data: 'violation', ended: 'violation', drained: 'waiting',   failed: 'over',      notSent: 'over' },
  answering: { begun: 'misuse',  broken: 'over', informational: 'violation', responded: 'violation', upgraded: 'violation', data: 'answering', ended: 'answered',  drained: 'answering', failed: 'over',      notSent: 'violation' },
  tunnel:    { begun: 'misuse',  broken: 'over', informational: 'violation', responded: 'violation', upgraded: 'violation', data: 'tunnel',    ended: 'answered',  drained: 'tunnel',    failed: 'over',      notSent: 'violation' },
  answered:  { begun: 'misuse',  broken: 'over', informational: 'violation', responded: 'violation', upgraded: 'violation', data: 'violation', ended: 'violation', drained: 'answered',  failed: 'over',      notSent: 'violation' },
  over:      { begun: 'ignored', broken: 'ignored', informational: 'ignored', responded: 'ignored', upgraded: 'ignored', data: 'ignored', ended: 'ignored', drained: 'ignored', failed: 'ignored',   notSent: 'ignored' },
} as const satisfies Table<BackendState, CallerEvent, keyof BackendEvents>
