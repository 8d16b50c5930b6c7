/**
 * What a connector may do with an offer, and when.
 *
 * It confirms that it knows the application before it claims, and sees to the line to the offer's
 * origin, which holds the user. A replayable request may go to the application at once; everything
 * else waits for the cloud's CONFIRM, and so does whatever another instance brought.
 *
 * @see spec/PROTOCOL.md, "Claims"
 * @module
 */
import type { Offer } from '../wire/frame-types.ts'
import { ignored, Machine, misuse, violation, type Saved, type Table } from './table.ts'

/**
 * `offered` → `resolving` the application → `reaching` the origin → `claimed` → `confirmed`; `gone`
 * to another, `declined` by us.
 */
export type ClaimState =
  'offered' | 'resolving' | 'reaching' | 'claimed' | 'confirmed' | 'gone' | 'declined'

/**
 * Every state × event pair of a claim. What was asked for may come after we have declined: nobody
 * waits for it then.
 */
// prettier-ignore
export const CLAIM = {
  //           what we do                                                                                          the cloud
  offered:   { resolve: 'resolving', resolved: misuse,     claim: misuse,    decline: 'declined', lost: 'gone',  confirm: violation,   gone: violation },
  resolving: { resolve: misuse,      resolved: 'reaching', claim: misuse,    decline: 'declined', lost: 'gone',  confirm: violation,   gone: violation },
  reaching:  { resolve: misuse,      resolved: misuse,     claim: 'claimed', decline: 'declined', lost: 'gone',  confirm: violation,   gone: violation },
  claimed:   { resolve: misuse,      resolved: misuse,     claim: misuse,    decline: misuse,     lost: 'gone',  confirm: 'confirmed', gone: 'gone'    },
  confirmed: { resolve: misuse,      resolved: misuse,     claim: misuse,    decline: misuse,     lost: ignored, confirm: violation,   gone: violation },
  gone:      { resolve: ignored,     resolved: ignored,    claim: ignored,   decline: ignored,    lost: ignored, confirm: ignored,     gone: violation },
  declined:  { resolve: misuse,      resolved: ignored,    claim: ignored,   decline: ignored,    lost: ignored, confirm: violation,   gone: violation },
} as const satisfies Table<ClaimState, 'resolve' | 'resolved' | 'claim' | 'decline' | 'lost', 'confirm' | 'gone'>

/** All that a claim knows. */
export type SavedClaim = Saved<ClaimState>

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** What decides whether a request is replayable. */
type Repeatable = Pick<Offer, 'method' | 'body' | 'upgrade' | 'affinity'>

/**
 * Whether a request may start before it is confirmed, and be offered again: a safe method (RFC 9110
 * §9.2.1), no body, no upgrade, and no connection that its user is bound to: a handshake has an
 * order.
 */
export function isReplayable(request: Repeatable): boolean {
  return (
    SAFE_METHODS.has(request.method) &&
    request.body.kind === 'none' &&
    request.upgrade === undefined &&
    request.affinity === undefined
  )
}

/** One offer in the hands of a connector. */
export class ClaimEntry {
  readonly #machine = new Machine<ClaimState, keyof typeof CLAIM.offered>(CLAIM, 'offered')
  readonly replayable: boolean
  readonly #isForeign: boolean

  /** @param isForeign its origin is another instance than the one that brought it */
  constructor(offer: Repeatable, isForeign = false) {
    this.replayable = isReplayable(offer)
    this.#isForeign = isForeign
  }

  get state(): ClaimState {
    return this.#machine.state
  }

  /** Whether the application may be called now. */
  get mayStart(): boolean {
    const { state } = this.#machine
    return state === 'confirmed' || (state === 'claimed' && this.replayable && !this.#isForeign)
  }

  /** We ask for the application's details first. */
  resolve(): boolean {
    return this.#machine.step('resolve')
  }

  /** They are there. `false`: too late. */
  resolved(): boolean {
    return this.#machine.step('resolved')
  }

  /** We know the application, and take the offer over a line to its origin. */
  claim(): boolean {
    return this.#machine.step('claim')
  }

  /** We do not take it. `false`: too late. */
  decline(): boolean {
    return this.#machine.step('decline')
  }

  /** The link it came on, or the one that claims it, died. */
  lost(): boolean {
    return this.#machine.step('lost')
  }

  /** The cloud confirms: it is ours. */
  confirm(): void {
    this.#machine.step('confirm')
  }

  /** The cloud says: another has it. */
  gone(): void {
    this.#machine.step('gone')
  }
  /** All that it knows. */
  save(): SavedClaim {
    return this.#machine.save()
  }

  /** Becomes the claim that was saved. */
  restore(saved: SavedClaim): void {
    this.#machine.restore(saved)
  }
}
