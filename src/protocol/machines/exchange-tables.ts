/**
 * The two ends of an exchange, as tables: the requester asks, the responder answers.
 *
 * @see spec/PROTOCOL.md, "Exchanges"
 * @module
 */
import { ignored, misuse, violation, type Table } from './table.ts'

/** The last three are final. `answered`: the response is complete and the request is still open. */
export type ExchangeState =
  'awaiting-response' | 'responding' | 'answered' | 'tunnel' | 'done' | 'failed' | 'cancelled'

/**
 * The end that asks. Derived events: `answer` and `complete` are both the end of the response,
 * chosen by whether our request body is closed; `sent` is the closing of our request body.
 */
// prettier-ignore
export const REQUESTER = {
  //                     what we do                                                                             what the responder says
  'awaiting-response': { sent: 'awaiting-response', cancel: 'cancelled', expire: 'failed', lost: 'failed', violated: 'failed', informational: 'awaiting-response', respond: 'responding', upgrade: 'tunnel',  answer: violation,  complete: violation, reset: 'failed' },
  responding:          { sent: 'responding',        cancel: 'cancelled', expire: 'failed', lost: 'failed', violated: 'failed', informational: violation,           respond: violation,    upgrade: violation, answer: 'answered', complete: 'done',    reset: 'failed' },
  answered:            { sent: 'done',              cancel: 'cancelled', expire: 'done',   lost: 'done',   violated: 'failed', informational: violation,           respond: violation,    upgrade: violation, answer: violation,  complete: violation, reset: 'done'   },
  tunnel:              { sent: 'tunnel',            cancel: 'cancelled', expire: 'failed', lost: 'failed', violated: 'failed', informational: violation,           respond: violation,    upgrade: violation, answer: 'answered', complete: 'done',    reset: 'failed' },
  done:                { sent: ignored,             cancel: ignored,     expire: ignored,  lost: ignored,  violated: ignored,  informational: violation,           respond: violation,    upgrade: violation, answer: violation,  complete: violation, reset: ignored  },
  failed:              { sent: ignored,             cancel: ignored,     expire: ignored,  lost: ignored,  violated: ignored,  informational: ignored,             respond: ignored,      upgrade: ignored,   answer: ignored,    complete: ignored,   reset: ignored  },
  cancelled:           { sent: ignored,             cancel: ignored,     expire: ignored,  lost: ignored,  violated: ignored,  informational: ignored,             respond: ignored,      upgrade: ignored,   answer: ignored,    complete: ignored,   reset: ignored  },
} as const satisfies Table<
  ExchangeState,
  'sent' | 'cancel' | 'expire' | 'lost' | 'violated',
  'informational' | 'respond' | 'upgrade' | 'answer' | 'complete' | 'reset'
>

/** The end that answers. Derived: `received` is the closing of the request body. */
// prettier-ignore
export const RESPONDER = {
  //                     what we do                                                                                                                                                                                  what the requester says
  'awaiting-response': { informational: 'awaiting-response', respond: 'responding', upgrade: 'tunnel', answer: misuse,     complete: misuse,  abort: 'failed', expire: 'failed', lost: 'cancelled', violated: 'failed', received: 'awaiting-response', reset: 'cancelled' },
  responding:          { informational: misuse,              respond: misuse,       upgrade: misuse,   answer: 'answered', complete: 'done',  abort: 'failed', expire: 'failed', lost: 'cancelled', violated: 'failed', received: 'responding',        reset: 'cancelled' },
  answered:            { informational: misuse,              respond: misuse,       upgrade: misuse,   answer: misuse,     complete: misuse,  abort: 'failed', expire: 'failed', lost: 'cancelled', violated: 'failed', received: 'done',              reset: 'cancelled' },
  tunnel:              { informational: misuse,              respond: misuse,       upgrade: misuse,   answer: 'answered', complete: 'done',  abort: 'failed', expire: 'failed', lost: 'cancelled', violated: 'failed', received: 'tunnel',            reset: 'cancelled' },
  done:                { informational: misuse,              respond: misuse,       upgrade: misuse,   answer: misuse,     complete: misuse,  abort: ignored,  expire: ignored,  lost: ignored,     violated: ignored,  received: ignored,             reset: ignored     },
  failed:              { informational: ignored,             respond: ignored,      upgrade: ignored,  answer: ignored,    complete: ignored, abort: ignored,  expire: ignored,  lost: ignored,     violated: ignored,  received: ignored,             reset: ignored     },
  cancelled:           { informational: ignored,             respond: ignored,      upgrade: ignored,  answer: ignored,    complete: ignored, abort: ignored,  expire: ignored,  lost: ignored,     violated: ignored,  received: violation,           reset: violation   },
} as const satisfies Table<
  ExchangeState,
  'informational' | 'respond' | 'upgrade' | 'answer' | 'complete' | 'abort' | 'expire' | 'lost' | 'violated',
  'received' | 'reset'
>

/** What may happen to either end. */
export type ExchangeEvent = keyof (typeof REQUESTER)['done'] | keyof (typeof RESPONDER)['done']
