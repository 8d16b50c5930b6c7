/**
 * An exchange on offer, as a table.
 *
 * @see spec/PROTOCOL.md, "Offers"
 * @module
 */
import { ignored, misuse, violation, type Table } from './table.ts'

/**
 * `waiting` for a link; `preparing` what only this attempt carries, for a link that is chosen;
 * `offered` on it. `claimed`: a replayable request, which may run again;
 * `confirmed`: any other, which may not, unless nothing of it was sent. `answering`: the answer has
 * begun. The others are final.
 */
export type OfferState =
  | 'waiting'
  | 'preparing'
  | 'offered'
  | 'claimed'
  | 'confirmed'
  | 'answering'
  | 'expired'
  | 'cancelled'
  | 'failed'
  | 'done'

/**
 * Derived events. `offer` and `prepare` are both a link that takes it, chosen by whether the
 * attempt carries what must be made first. That ends with `say`, when it is made; `withhold`, when
 * the link takes no offers any more; or `spoil`, when it cannot be made. `claim` and `confirm` are
 * both a claim of the current attempt, chosen by whether the request is replayable; `late` is a
 * claim or DECLINE of an earlier attempt. `repeat` is an offer to a connector that declined it, or
 * did not send it. `missed` and `expire` are both a deadline that passed, chosen by whether time
 * and an attempt are left; `unlinked` and `spent` a link that died before the claim, `lost` and
 * `exhausted` one that died after it, each chosen by the attempts left. `notSent` and `unkept` are
 * both NOT_SENT, chosen by whether all that was sent is kept and time is left; `giveUp` and `keep`
 * a silent claim, chosen by whether it may be given up. `end` is any other end of the exchange.
 */
// prettier-ignore
export const OFFER = {
  //            what we do, and what became of our exchange                                                                                                                                                                                                                                                                                                              the connector
  waiting:    { offer: 'offered', prepare: 'preparing', say: ignored,   withhold: ignored,   spoil: ignored, repeat: misuse, missed: misuse,    unlinked: ignored,   spent: ignored,  expire: 'expired', refuse: 'failed', cancel: 'cancelled', giveUp: misuse,    keep: misuse,  notSent: misuse,    unkept: misuse,   lost: ignored,   exhausted: ignored,  end: ignored, claim: ignored,   confirm: ignored,     late: ignored, decline: ignored,   begin: violation   },
  preparing:  { offer: misuse,    prepare: misuse,      say: 'offered', withhold: 'waiting', spoil: 'failed', repeat: misuse, missed: misuse,    unlinked: misuse,    spent: misuse,   expire: 'expired', refuse: misuse,   cancel: 'cancelled', giveUp: misuse,    keep: misuse,  notSent: misuse,    unkept: misuse,   lost: misuse,    exhausted: misuse,   end: misuse,  claim: violation, confirm: violation,   late: ignored, decline: violation, begin: violation   },
  offered:    { offer: misuse,    prepare: misuse,      say: misuse,    withhold: misuse,    spoil: misuse,  repeat: misuse, missed: 'waiting', unlinked: 'waiting', spent: 'failed', expire: 'expired', refuse: misuse,   cancel: 'cancelled', giveUp: misuse,    keep: misuse,  notSent: misuse,    unkept: misuse,   lost: misuse,    exhausted: misuse,   end: misuse,  claim: 'claimed', confirm: 'confirmed', late: ignored, decline: 'waiting', begin: violation   },
  claimed:    { offer: misuse,    prepare: misuse,      say: misuse,    withhold: misuse,    spoil: misuse,  repeat: misuse, missed: misuse,    unlinked: ignored,   spent: ignored,  expire: misuse,    refuse: misuse,   cancel: 'cancelled', giveUp: 'waiting', keep: ignored, notSent: 'waiting', unkept: 'failed', lost: 'waiting', exhausted: 'failed', end: 'done',  claim: ignored,   confirm: violation,   late: ignored, decline: ignored,   begin: 'answering' },
  confirmed:  { offer: misuse,    prepare: misuse,      say: misuse,    withhold: misuse,    spoil: misuse,  repeat: misuse, missed: misuse,    unlinked: ignored,   spent: ignored,  expire: misuse,    refuse: misuse,   cancel: 'cancelled', giveUp: misuse,    keep: ignored, notSent: 'waiting', unkept: 'failed', lost: 'done',    exhausted: 'done',   end: 'done',  claim: violation, confirm: ignored,     late: ignored, decline: ignored,   begin: 'answering' },
  answering:  { offer: misuse,    prepare: misuse,      say: misuse,    withhold: misuse,    spoil: misuse,  repeat: misuse, missed: misuse,    unlinked: ignored,   spent: ignored,  expire: misuse,    refuse: misuse,   cancel: 'cancelled', giveUp: misuse,    keep: ignored, notSent: misuse,    unkept: misuse,   lost: 'done',    exhausted: 'done',   end: 'done',  claim: ignored,   confirm: ignored,     late: ignored, decline: ignored,   begin: 'answering' },
  expired:    { offer: misuse,    prepare: misuse,      say: ignored,   withhold: ignored,   spoil: ignored, repeat: misuse, missed: misuse,    unlinked: ignored,   spent: ignored,  expire: ignored,   refuse: ignored,  cancel: ignored,     giveUp: misuse,    keep: ignored, notSent: misuse,    unkept: misuse,   lost: ignored,   exhausted: ignored,  end: ignored, claim: ignored,   confirm: ignored,     late: ignored, decline: ignored,   begin: violation   },
  cancelled:  { offer: misuse,    prepare: misuse,      say: ignored,   withhold: ignored,   spoil: ignored, repeat: misuse, missed: misuse,    unlinked: ignored,   spent: ignored,  expire: ignored,   refuse: ignored,  cancel: ignored,     giveUp: misuse,    keep: ignored, notSent: misuse,    unkept: misuse,   lost: ignored,   exhausted: ignored,  end: ignored, claim: ignored,   confirm: ignored,     late: ignored, decline: ignored,   begin: violation   },
  failed:     { offer: misuse,    prepare: misuse,      say: ignored,   withhold: ignored,   spoil: ignored, repeat: misuse, missed: misuse,    unlinked: ignored,   spent: ignored,  expire: ignored,   refuse: ignored,  cancel: ignored,     giveUp: misuse,    keep: ignored, notSent: misuse,    unkept: misuse,   lost: ignored,   exhausted: ignored,  end: ignored, claim: ignored,   confirm: ignored,     late: ignored, decline: ignored,   begin: violation   },
  done:       { offer: misuse,    prepare: misuse,      say: misuse,    withhold: misuse,    spoil: misuse,  repeat: misuse, missed: misuse,    unlinked: ignored,   spent: ignored,  expire: ignored,   refuse: ignored,  cancel: ignored,     giveUp: misuse,    keep: ignored, notSent: misuse,    unkept: misuse,   lost: ignored,   exhausted: ignored,  end: ignored, claim: ignored,   confirm: ignored,     late: ignored, decline: ignored,   begin: violation   },
} as const satisfies Table<
  OfferState,
  'offer' | 'prepare' | 'say' | 'withhold' | 'spoil' | 'repeat' | 'missed' | 'unlinked' | 'spent' | 'expire' | 'refuse' | 'cancel' | 'giveUp' | 'keep' | 'notSent' | 'unkept' | 'lost' | 'exhausted' | 'end',
  'claim' | 'confirm' | 'late' | 'decline' | 'begin'
>

export type OfferEvent = keyof typeof OFFER.done
