/**
 * A connection of HTTP/2 to an application, in the hands of its connector.
 *
 * It carries many requests at once, and may close whenever the application likes.
 *
 * @see RFC 9113, sections 5.1, 6.8 and 9.1
 * @module
 */
import { ignored, misuse, type Table } from '../protocol/internal.ts'

/**
 * - `opening`: it is being made; the application has not yet said by SETTINGS that it is there
 * - `open`: it takes requests, as many as the application allows
 * - `leaving`: it serves those that it has, and no other
 */
export type Http2SessionState = 'opening' | 'open' | 'leaving' | 'gone'

/**
 * `take`: a request goes on it; `freed`: one of several is over; `emptied`: the last one is;
 * `retire`: it is too old, unused, or must not be shared any more; `end`: it is cut.
 */
export type Http2SessionUse = 'take' | 'freed' | 'emptied' | 'retire' | 'end'

/** `settings`: it is there; `goaway`: it takes no more; `closed`: it broke, or ended. */
export type Http2SessionNews = 'settings' | 'goaway' | 'closed'

/** Every state × event pair of such a connection. */
// prettier-ignore
export const HTTP2_SESSION = {
  opening: { take: misuse, freed: misuse,  emptied: misuse,  retire: 'gone',    end: 'gone',  settings: 'open',  goaway: 'gone',    closed: 'gone'  },
  open:    { take: 'open', freed: 'open',  emptied: 'open',  retire: 'leaving', end: 'gone',  settings: ignored, goaway: 'leaving', closed: 'gone'  },
  leaving: { take: misuse, freed: ignored, emptied: 'gone',  retire: ignored,   end: 'gone',  settings: ignored, goaway: ignored,   closed: 'gone'  },
  gone:    { take: misuse, freed: ignored, emptied: ignored, retire: ignored,   end: ignored, settings: ignored, goaway: ignored,   closed: ignored },
} as const satisfies Table<Http2SessionState, Http2SessionUse, Http2SessionNews>
