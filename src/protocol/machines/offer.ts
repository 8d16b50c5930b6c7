/**
 * A queue entry, held by the origin: the cloud instance that holds the user.
 *
 * The origin alone owns its deadline, its attempts and its outcome; it ends at the claim. Only a
 * replayable request may be offered again after it was claimed, and only while no response byte
 * came.
 *
 * @see spec/PROTOCOL.md, "Offers"
 * @module
 */
import { MAX_ATTEMPTS } from '../wire/limits.ts'
import { ignored, Machine, misuse, type Table } from './table.ts'

/** `waiting` for a free link, `offered` to one, `claimed`; the others are final. */
export type OfferState = 'waiting' | 'offered' | 'claimed' | 'expired' | 'cancelled' | 'failed'

/**
 * `returned` and `exhausted` are one happening (the link died or declined); the number of attempts
 * chooses.
 */
// prettier-ignore
export const OFFER = {
  //           what we do                                                                                 the connector
  waiting:   { offer: 'offered', returned: ignored,   exhausted: ignored,  expire: 'expired', cancel: 'cancelled', claim: ignored   },
  offered:   { offer: misuse,    returned: 'waiting', exhausted: 'failed', expire: 'expired', cancel: 'cancelled', claim: 'claimed' },
  claimed:   { offer: misuse,    returned: 'waiting', exhausted: 'failed', expire: ignored,   cancel: 'cancelled', claim: ignored   },
  expired:   { offer: misuse,    returned: ignored,   exhausted: ignored,  expire: ignored,   cancel: ignored,     claim: ignored   },
  cancelled: { offer: misuse,    returned: ignored,   exhausted: ignored,  expire: ignored,   cancel: ignored,     claim: ignored   },
  failed:    { offer: misuse,    returned: ignored,   exhausted: ignored,  expire: ignored,   cancel: ignored,     claim: ignored   },
} as const satisfies Table<OfferState, 'offer' | 'returned' | 'exhausted' | 'expire' | 'cancel', 'claim'>

/** One exchange on the queue of a connector group. */
export class OfferEntry {
  readonly #machine = new Machine(OFFER, 'waiting')
  readonly #maxAttempts: number
  #attempt = 0
  #deadline: number

  /** @param deadline monotonic milliseconds until which any connector may be found */
  constructor(deadline: number, maxAttempts = MAX_ATTEMPTS) {
    this.#deadline = deadline
    this.#maxAttempts = maxAttempts
  }

  get state(): OfferState {
    return this.#machine.state
  }

  /** How often it was offered so far. */
  get attempt(): number {
    return this.#attempt
  }

  /** When to {@link expire}. */
  get deadline(): number {
    const { state } = this.#machine
    return state === 'waiting' || state === 'offered' ? this.#deadline : Infinity
  }

  /** A link takes it; it must be claimed until `deadline`. Returns the number of this attempt. */
  offer(deadline: number): number {
    this.#machine.step('offer')
    this.#deadline = deadline
    this.#attempt += 1
    return this.#attempt
  }

  /** The link that carried attempt `attempt` died or declined. `false`: nothing changes. */
  returned(attempt: number, deadline: number): boolean {
    if (attempt !== this.#attempt) return false
    const moved = this.#machine.step(this.#attempt < this.#maxAttempts ? 'returned' : 'exhausted')
    if (moved) this.#deadline = deadline
    return moved
  }

  /** A connector claims attempt `attempt`. `false`: it is gone, to another or for good. */
  claim(attempt: number): boolean {
    return attempt === this.#attempt && this.#machine.step('claim')
  }

  /** The deadline passed. */
  expire(): boolean {
    return this.#machine.step('expire')
  }

  /** The user went away. */
  cancel(): boolean {
    return this.#machine.step('cancel')
  }
}
