/**
 * A link: one long-lived connection that a connector opened, carrying offers and whole exchanges.
 *
 * The connector says HELLO, the cloud WELCOME or no. Then offers go one way within the grants of the other, each exchange
 * has a number, and either side may drain: no new offers or claims, what is open goes on until nothing is.
 *
 * @see spec/PROTOCOL.md, "Links"
 * @module
 */
import { ignored, misuse, violation, type Table } from './table.ts'

/** `closed` and `refused` are final. */
export type LinkState = 'opening' | 'open' | 'draining' | 'closed' | 'refused'

/** What either end's application and transport do; `idle` is derived: draining, and no exchange is open. */
type Local = 'drain' | 'idle' | 'close' | 'lost'

/** The cloud's end. */
// prettier-ignore
export const ACCEPTED_LINK = {
  //          what we do                                                                                                               what the connector says
  opening:  { welcome: 'open', refuse: 'refused', offer: misuse, drain: 'closed',   idle: ignored,  close: 'closed', lost: 'closed', hello: 'opening', claim: violation,  decline: violation,  grant: violation,  exchange: violation,  ping: violation,  goodbye: 'closed'   },
  open:     { welcome: misuse, refuse: misuse,    offer: 'open', drain: 'draining', idle: ignored,  close: 'closed', lost: 'closed', hello: violation, claim: 'open',     decline: 'open',     grant: 'open',     exchange: 'open',     ping: 'open',     goodbye: 'draining' },
  draining: { welcome: misuse, refuse: misuse,    offer: misuse, drain: ignored,    idle: 'closed', close: 'closed', lost: 'closed', hello: violation, claim: 'draining', decline: 'draining', grant: ignored,    exchange: 'draining', ping: 'draining', goodbye: 'draining' },
  closed:   { welcome: misuse, refuse: misuse,    offer: misuse, drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  hello: ignored,   claim: ignored,    decline: ignored,    grant: ignored,    exchange: ignored,    ping: ignored,    goodbye: ignored    },
  refused:  { welcome: misuse, refuse: misuse,    offer: misuse, drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  hello: violation, claim: violation,  decline: violation,  grant: violation,  exchange: violation,  ping: violation,  goodbye: ignored    },
} as const satisfies Table<
  LinkState,
  Local | 'welcome' | 'refuse' | 'offer',
  'hello' | 'claim' | 'decline' | 'grant' | 'exchange' | 'ping' | 'goodbye'
>

/** The connector's end. */
// prettier-ignore
export const DIALLED_LINK = {
  //          what we do                                                                                                      what the cloud says
  opening:  { claim: misuse,     decline: misuse,     grant: misuse,  drain: 'closed',   idle: ignored,  close: 'closed', lost: 'closed', welcome: 'open',    refuse: 'refused',  offer: violation,  exchange: violation,  ping: violation,  hint: violation,  goodbye: 'closed'   },
  open:     { claim: 'open',     decline: 'open',     grant: 'open',  drain: 'draining', idle: ignored,  close: 'closed', lost: 'closed', welcome: violation, refuse: violation,  offer: 'open',     exchange: 'open',     ping: 'open',     hint: 'open',     goodbye: 'draining' },
  draining: { claim: 'draining', decline: 'draining', grant: ignored, drain: ignored,    idle: 'closed', close: 'closed', lost: 'closed', welcome: violation, refuse: violation,  offer: 'draining', exchange: 'draining', ping: 'draining', hint: 'draining', goodbye: 'draining' },
  closed:   { claim: ignored,    decline: ignored,    grant: ignored, drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  welcome: ignored,   refuse: ignored,    offer: ignored,    exchange: ignored,    ping: ignored,    hint: ignored,    goodbye: ignored    },
  refused:  { claim: misuse,     decline: misuse,     grant: misuse,  drain: ignored,    idle: ignored,  close: ignored,  lost: ignored,  welcome: violation, refuse: violation,  offer: violation,  exchange: violation,  ping: violation,  hint: violation,  goodbye: ignored    },
} as const satisfies Table<
  LinkState,
  Local | 'claim' | 'decline' | 'grant',
  'welcome' | 'refuse' | 'offer' | 'exchange' | 'ping' | 'hint' | 'goodbye'
>

/** Why a link ended; `cause` is what was thrown, if anything was. */
export interface LinkEnd {
  readonly reason: 'lost' | 'silent' | 'drained' | 'closed' | 'refused' | 'violation'
  readonly cause?: unknown
}
