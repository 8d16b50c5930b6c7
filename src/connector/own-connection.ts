/**
 * A connection to an application that is one user's alone, in the hands of its connector.
 *
 * It serves one request at a time, and what it serves is of one affinity. It may close whenever the
 * application likes, also while it is taken.
 *
 * @see spec/PROTOCOL.md, "Connection-bound authentication"
 * @module
 */
import { ignored, misuse, type Table } from '../protocol/internal.ts'

/** `leaving`: it serves the request that it has, and no other. */
export type OwnConnectionState = 'idle' | 'busy' | 'leaving' | 'gone'

/**
 * `take`: a request is served on it; `free`: that is over, and it can serve another; `retire`: it
 * is too old, or its place is wanted; `close`: it broke, became a tunnel, or ended.
 */
export type OwnConnectionEvent = 'take' | 'free' | 'retire' | 'close'

/** Every state × event pair of such a connection. */
// prettier-ignore
export const OWN_CONNECTION = {
  idle:    { take: 'busy', free: misuse,  retire: 'gone',    close: 'gone'  },
  busy:    { take: misuse, free: 'idle',  retire: 'leaving', close: 'gone'  },
  leaving: { take: misuse, free: 'gone',  retire: ignored,   close: 'gone'  },
  gone:    { take: misuse, free: ignored, retire: ignored,   close: ignored },
} as const satisfies Table<OwnConnectionState, OwnConnectionEvent>
