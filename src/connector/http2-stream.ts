/**
 * One request to an application that speaks HTTP/2, from the wait for a connection to its end.
 *
 * @see RFC 9113, sections 8.1 and 8.7
 * @module
 */
import { ignored, misuse, violation, type Table } from '../protocol/internal.ts'

/**
 * - `waiting`: there is no connection for it yet, and nothing of it was sent
 * - `asked`: it is on a stream, and nothing of an answer came
 * - `informed`: interim answers came
 * - `answering`: the head came
 * - `elsewhere`: it goes over HTTP/1.1
 * - `over`: nothing of it is told any more
 */
export type Http2StreamState = 'waiting' | 'asked' | 'informed' | 'answering' | 'elsewhere' | 'over'

/**
 * `begin`: it is put on a stream; `again`: the application has not looked at it, and it waits once
 * more; `move`: it goes over HTTP/1.1; `unserved`: no connection came; `breakOff`: nobody wants its
 * answer, or its body is not what it was to be.
 */
export type Http2StreamUse = 'begin' | 'again' | 'move' | 'unserved' | 'breakOff'

/**
 * `refused`: the application has not looked at it (`REFUSED_STREAM`, or a GOAWAY below it);
 * `broken`: reset in any other way, or its connection is lost.
 */
export type Http2StreamNews = 'interim' | 'head' | 'data' | 'end' | 'refused' | 'broken'

/** Every state × event pair of one request. What an earlier stream of it says, nobody hears. */
// prettier-ignore
export const HTTP2_STREAM = {
  waiting:   { begin: 'asked', again: misuse,    move: 'elsewhere', unserved: 'over',  breakOff: 'over',  interim: violation,  head: violation,   data: violation,   end: violation, refused: violation, broken: violation },
  asked:     { begin: misuse,  again: 'waiting', move: 'elsewhere', unserved: misuse,  breakOff: 'over',  interim: 'informed', head: 'answering', data: violation,   end: violation, refused: 'over',    broken: 'over'    },
  informed:  { begin: misuse,  again: misuse,    move: misuse,      unserved: misuse,  breakOff: 'over',  interim: 'informed', head: 'answering', data: violation,   end: violation, refused: 'over',    broken: 'over'    },
  answering: { begin: misuse,  again: misuse,    move: misuse,      unserved: misuse,  breakOff: 'over',  interim: violation,  head: violation,   data: 'answering', end: 'over',    refused: 'over',    broken: 'over'    },
  elsewhere: { begin: misuse,  again: misuse,    move: misuse,      unserved: misuse,  breakOff: 'over',  interim: ignored,    head: ignored,     data: ignored,     end: ignored,   refused: ignored,   broken: ignored   },
  over:      { begin: ignored, again: ignored,   move: ignored,     unserved: ignored, breakOff: ignored, interim: ignored,    head: ignored,     data: ignored,     end: ignored,   refused: ignored,   broken: ignored   },
} as const satisfies Table<Http2StreamState, Http2StreamUse, Http2StreamNews>
