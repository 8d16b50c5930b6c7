/**
 * The two ends of an exchange, as tables: the requester asks, the responder answers.
 *
 * @see spec/PROTOCOL.md, "Exchanges"
 * @module
 */
import { ignored, misuse, violation, type Table } from './table.ts'

/**
 * `claimed`: the responder has said nothing yet, and may still say that nothing of the request was
 * sent on. `answered`: the response is complete and the request is still open. The last three are
 * final.
 */
export type ExchangeState =
  | 'claimed'
  | 'awaiting-response'
  | 'responding'
  | 'answered'
  | 'tunnel'
  | 'done'
  | 'failed'
  | 'cancelled'

/**
 * The end that asks. Derived events: `answer` and `complete` are both the end of the response,
 * chosen by whether our request body is closed; `sent` is the closing of our request body; `asked`
 * is CREDIT or STOP of it.
 */
// prettier-ignore
export const REQUESTER = {
  //                     what we do                                                                                            what the responder says
  claimed:             { sent: 'claimed',           cancel: 'cancelled', expire: 'failed', lost: 'failed', violated: 'failed', asked: 'awaiting-response', informational: 'awaiting-response', respond: 'responding', upgrade: 'tunnel',  answer: violation,  complete: violation, notSent: 'failed',  reset: 'failed' },
  'awaiting-response': { sent: 'awaiting-response', cancel: 'cancelled', expire: 'failed', lost: 'failed', violated: 'failed', asked: 'awaiting-response', informational: 'awaiting-response', respond: 'responding', upgrade: 'tunnel',  answer: violation,  complete: violation, notSent: violation, reset: 'failed' },
  responding:          { sent: 'responding',        cancel: 'cancelled', expire: 'failed', lost: 'failed', violated: 'failed', asked: 'responding',        informational: violation,           respond: violation,    upgrade: violation, answer: 'answered', complete: 'done',    notSent: violation, reset: 'failed' },
  answered:            { sent: 'done',              cancel: 'cancelled', expire: 'done',   lost: 'done',   violated: 'failed', asked: 'answered',          informational: violation,           respond: violation,    upgrade: violation, answer: violation,  complete: violation, notSent: violation, reset: 'done'   },
  tunnel:              { sent: 'tunnel',            cancel: 'cancelled', expire: 'failed', lost: 'failed', violated: 'failed', asked: 'tunnel',            informational: violation,           respond: violation,    upgrade: violation, answer: 'answered', complete: 'done',    notSent: violation, reset: 'failed' },
  done:                { sent: ignored,             cancel: ignored,     expire: ignored,  lost: ignored,  violated: ignored,  asked: ignored,             informational: violation,           respond: violation,    upgrade: violation, answer: violation,  complete: violation, notSent: violation, reset: ignored  },
  failed:              { sent: ignored,             cancel: ignored,     expire: ignored,  lost: ignored,  violated: ignored,  asked: ignored,             informational: ignored,             respond: ignored,      upgrade: ignored,   answer: ignored,    complete: ignored,   notSent: ignored,   reset: ignored  },
  cancelled:           { sent: ignored,             cancel: ignored,     expire: ignored,  lost: ignored,  violated: ignored,  asked: ignored,             informational: ignored,             respond: ignored,      upgrade: ignored,   answer: ignored,    complete: ignored,   notSent: ignored,   reset: ignored  },
} as const satisfies Table<
  ExchangeState,
  'sent' | 'cancel' | 'expire' | 'lost' | 'violated',
  'asked' | 'informational' | 'respond' | 'upgrade' | 'answer' | 'complete' | 'notSent' | 'reset'
>

/**
 * The end that answers. Derived: `received` is the closing of the request body, `asked` that we
 * grant more of it or stop it.
 */
// prettier-ignore
export const RESPONDER = {
  //                     what we do                                                                                                                                                                                                                                    what the requester says
  claimed:             { asked: 'awaiting-response', informational: 'awaiting-response', respond: 'responding', upgrade: 'tunnel', answer: misuse,     complete: misuse,  notSent: 'failed', abort: 'failed', expire: 'failed', lost: 'cancelled', violated: 'failed', received: 'claimed',           reset: 'cancelled' },
  'awaiting-response': { asked: 'awaiting-response', informational: 'awaiting-response', respond: 'responding', upgrade: 'tunnel', answer: misuse,     complete: misuse,  notSent: misuse,   abort: 'failed', expire: 'failed', lost: 'cancelled', violated: 'failed', received: 'awaiting-response', reset: 'cancelled' },
  responding:          { asked: 'responding',        informational: misuse,              respond: misuse,       upgrade: misuse,   answer: 'answered', complete: 'done',  notSent: misuse,   abort: 'failed', expire: 'failed', lost: 'cancelled', violated: 'failed', received: 'responding',        reset: 'cancelled' },
  answered:            { asked: 'answered',          informational: misuse,              respond: misuse,       upgrade: misuse,   answer: misuse,     complete: misuse,  notSent: misuse,   abort: 'failed', expire: 'failed', lost: 'cancelled', violated: 'failed', received: 'done',              reset: 'cancelled' },
  tunnel:              { asked: 'tunnel',            informational: misuse,              respond: misuse,       upgrade: misuse,   answer: 'answered', complete: 'done',  notSent: misuse,   abort: 'failed', expire: 'failed', lost: 'cancelled', violated: 'failed', received: 'tunnel',            reset: 'cancelled' },
  done:                { asked: ignored,             informational: misuse,              respond: misuse,       upgrade: misuse,   answer: misuse,     complete: misuse,  notSent: misuse,   abort: ignored,  expire: ignored,  lost: ignored,     violated: ignored,  received: ignored,             reset: ignored     },
  failed:              { asked: ignored,             informational: ignored,             respond: ignored,      upgrade: ignored,  answer: ignored,    complete: ignored, notSent: ignored,  abort: ignored,  expire: ignored,  lost: ignored,     violated: ignored,  received: ignored,             reset: ignored     },
  cancelled:           { asked: ignored,             informational: ignored,             respond: ignored,      upgrade: ignored,  answer: ignored,    complete: ignored, notSent: ignored,  abort: ignored,  expire: ignored,  lost: ignored,     violated: ignored,  received: violation,           reset: violation   },
} as const satisfies Table<
  ExchangeState,
  'asked' | 'informational' | 'respond' | 'upgrade' | 'answer' | 'complete' | 'notSent' | 'abort' | 'expire' | 'lost' | 'violated',
  'received' | 'reset'
>

/** What may happen to either end. */
export type ExchangeEvent = keyof (typeof REQUESTER)['done'] | keyof (typeof RESPONDER)['done']
