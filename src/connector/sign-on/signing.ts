/**
 * The order of a call whose request is signed on first.
 *
 * @module
 */
import { ignored, misuse, type Table } from '../../protocol/internal.ts'

/**
 * - `signing`: what the request carries is being prepared; its body is held
 * - `calling`: the application is called
 * - `answered`: its head is out
 * - `over`: nothing passes any more
 */
export type SigningState = 'signing' | 'calling' | 'answered' | 'over'

/**
 * `signed` and `refused` end the preparation; `late`: there is no more time for it. `again`: the
 * call failed before an answer, and is prepared once more. `rejected`: the application did not take
 * what it was told.
 */
export type SigningEvent =
  'signed' | 'refused' | 'late' | 'again' | 'head' | 'rejected' | 'finished' | 'abort'

/** Every state × event pair of one call. */
// prettier-ignore
export const SIGNING = {
  signing:  { signed: 'calling', refused: 'over',  late: 'over',  again: misuse,    head: misuse,     rejected: misuse, finished: misuse,  abort: 'over'  },
  calling:  { signed: misuse,    refused: misuse,  late: ignored, again: 'signing', head: 'answered', rejected: 'over', finished: 'over',  abort: 'over'  },
  answered: { signed: misuse,    refused: misuse,  late: ignored, again: misuse,    head: misuse,     rejected: misuse, finished: 'over',  abort: 'over'  },
  over:     { signed: ignored,   refused: ignored, late: ignored, again: ignored,   head: ignored,    rejected: ignored, finished: ignored, abort: ignored },
} as const satisfies Table<SigningState, SigningEvent>
