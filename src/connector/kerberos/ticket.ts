/**
 * One user's tickets for one service: asked for once, however many requests wait for them, and
 * given back to the library when the last of them has done with them. What is given back is gone: a
 * call that still used it would use memory that is something else's by then.
 *
 * @module
 */
import { ignored, Machine, misuse, type Table } from '../../protocol/internal.ts'
import type { Handle } from './foreign-library.ts'

/**
 * - `fetching`: the KDC is being asked
 * - `unwanted`: the same, and whoever comes next asks anew
 * - `held`: there to be used
 * - `leaving`: used by those who have it, and by nobody else
 * - `gone`: given back, or there never was any
 */
export type TicketState = 'fetching' | 'unwanted' | 'held' | 'leaving' | 'gone'

/** `drop`: nobody is to begin with it any more; `unused`: nobody uses it at this moment. */
export type TicketEvent = 'fetched' | 'failed' | 'drop' | 'unused'

/** Every state × event pair of one ticket. */
// prettier-ignore
export const TICKET = {
  fetching: { fetched: 'held',    failed: 'gone', drop: 'unwanted', unused: ignored },
  unwanted: { fetched: 'leaving', failed: 'gone', drop: ignored,    unused: ignored },
  held:     { fetched: misuse,    failed: misuse, drop: 'leaving',  unused: ignored },
  leaving:  { fetched: misuse,    failed: misuse, drop: ignored,    unused: 'gone'  },
  gone:     { fetched: misuse,    failed: misuse, drop: ignored,    unused: ignored },
} as const satisfies Table<TicketState, TicketEvent>

/** What the KDC gave. */
export interface FetchedTicket {
  /** The user's, as far as the library is concerned. */
  readonly credential: Handle
  /** Monotonic milliseconds; a request that begins then needs another one. */
  readonly usableUntil: number
}

/** What its tickets are for, and how they are had. */
export interface TicketSource {
  fetch(): Promise<FetchedTicket>
  release(credential: Handle): void
}

/** The right to use a ticket. */
export interface TicketLease {
  readonly credential: Handle
  /** Once. */
  end(): void
}

export class Ticket {
  readonly #machine = new Machine<TicketState, TicketEvent>(TICKET, 'fetching')
  readonly #source: TicketSource
  readonly #fetched: Promise<FetchedTicket>
  #ticket: FetchedTicket | undefined
  #users = 0

  constructor(source: TicketSource) {
    this.#source = source
    this.#fetched = this.#fetch()
    // Whoever leases hears of it; there may be nobody left.
    this.#fetched.catch(() => undefined)
  }

  /** Whether a request that begins now may use it, once it is there. */
  isUsable(now: number): boolean {
    const { state } = this.#machine
    return state === 'fetching' || (state === 'held' && now < this.#ticket!.usableUntil)
  }

  /** @throws whatever the KDC said */
  async lease(): Promise<TicketLease> {
    this.#users += 1
    let isEnded = false
    const end = (): void => {
      if (isEnded) return
      isEnded = true
      this.#users -= 1
      this.#release()
    }
    try {
      const { credential } = await this.#fetched
      return { credential, end }
    } catch (error) {
      end()
      throw error
    }
  }

  /** Nobody begins with it any more. */
  drop(): void {
    this.#machine.step('drop')
    this.#release()
  }

  async #fetch(): Promise<FetchedTicket> {
    try {
      this.#ticket = await this.#source.fetch()
      this.#machine.step('fetched')
      this.#release()
      return this.#ticket
    } catch (error) {
      this.#machine.step('failed')
      throw error
    }
  }

  #release(): void {
    if (this.#users > 0 || !this.#machine.step('unused')) return
    this.#source.release(this.#ticket!.credential)
  }
}
