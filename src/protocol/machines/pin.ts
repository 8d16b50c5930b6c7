/**
 * The life of a pin: what the cloud knows of the connections to an application that are one user's
 * alone.
 *
 * Nothing is authenticated while it is `free`: any connector may be offered the next request. From
 * the first challenge with a token on, only the connector that has the connection may. When that is
 * gone the user is told to begin anew, and never served on another connection in between.
 *
 * @see spec/PROTOCOL.md, "Connection-bound authentication"
 * @module
 */
import { ignored, misuse, type Table } from './table.ts'

/**
 * `free`: nobody is authenticated; `handshaking`: a challenge waits for its answer; `bound`: the
 * user is known there; `lost`: the connection is gone, and its user does not know yet; `over`: the
 * user's own connection has ended, or its session is another.
 */
export type PinState = 'free' | 'handshaking' | 'bound' | 'lost' | 'over'

/**
 * What an answer showed (see connection-handshake.ts); `lose`: the connection or its connector is
 * gone; `told`: whoever waited for it was told so; `end`: nobody will ask for it again.
 */
export type PinEvent = 'plain' | 'challenged' | 'goesOn' | 'authenticated' | 'lose' | 'told' | 'end'

/** Every state × event pair of a pin. What comes behind a loss is of what was lost. */
// prettier-ignore
export const PIN = {
  //           what the answer of a request shows                                                          what becomes of the connection
  free:        { plain: ignored, challenged: ignored, goesOn: 'handshaking', authenticated: 'bound',       lose: ignored, told: ignored, end: 'over'  },
  handshaking: { plain: ignored, challenged: 'free',  goesOn: 'handshaking', authenticated: 'bound',       lose: 'lost',  told: misuse,  end: 'over'  },
  bound:       { plain: ignored, challenged: ignored, goesOn: 'handshaking', authenticated: 'bound',       lose: 'lost',  told: misuse,  end: 'over'  },
  lost:        { plain: ignored, challenged: ignored, goesOn: ignored,       authenticated: ignored,       lose: ignored, told: 'free',  end: 'over'  },
  over:        { plain: ignored, challenged: ignored, goesOn: ignored,       authenticated: ignored,       lose: ignored, told: ignored, end: ignored },
} as const satisfies Table<PinState, PinEvent>
