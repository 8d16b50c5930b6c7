/**
 * Whether an instance takes part in the queue group of a connector group: it joins when there is
 * room, and leaves when there has been none for a while.
 *
 * Between the two it stays as it was: an instance that is nearly full would otherwise join and
 * leave with each request.
 *
 * @module
 */
import { ignored, Machine, type Table } from '../../protocol/internal.ts'
import type { OfferPresence } from '../offers/offer-queue.ts'

/** An instance joins when so much of what its links take at once is free. */
export const JOIN_PART = 0.25
/** It leaves when nothing has been free for so long. Milliseconds. */
export const EMPTY_MS = 1_000

/** `emptying`: it has no room, and takes part until that has lasted. */
export type MembershipState = 'out' | 'joined' | 'emptying'

/**
 * - `roomy`: at least a quarter is free
 * - `some`: less, and something
 * - `empty`: nothing
 * - `gone`: no link serves the group any more
 * - `elapsed`: it was empty for long enough
 */
export type MembershipEvent = 'roomy' | 'some' | 'empty' | 'gone' | 'elapsed'

/** Every state × event pair. */
// prettier-ignore
export const MEMBERSHIP = {
  out:      { roomy: 'joined', some: ignored,  empty: ignored,    gone: ignored, elapsed: ignored },
  joined:   { roomy: ignored,  some: ignored,  empty: 'emptying', gone: 'out',   elapsed: ignored },
  emptying: { roomy: 'joined', some: 'joined', empty: ignored,    gone: 'out',   elapsed: 'out'   },
} as const satisfies Table<MembershipState, MembershipEvent>

/** What is announced, as the machine sees it. */
export function eventOf({ offers, granted }: OfferPresence): MembershipEvent {
  if (offers === 0) return 'gone'
  if (granted === 0) return 'empty'
  return granted >= offers * JOIN_PART ? 'roomy' : 'some'
}

/** The part of one instance in one group. */
export class GroupMembership {
  readonly #machine = new Machine<MembershipState, MembershipEvent>(MEMBERSHIP, 'out')
  readonly #join: () => () => void
  readonly #after: (ms: number, run: () => void) => () => void
  #leave: (() => void) | undefined
  #stopWaiting: (() => void) | undefined

  /** @param join returns what leaves again, and loses nothing that is on its way */
  constructor(join: () => () => void, after: (ms: number, run: () => void) => () => void) {
    this.#join = join
    this.#after = after
  }

  get state(): MembershipState {
    return this.#machine.state
  }

  /** What the links of this instance take now. */
  handle(event: MembershipEvent): void {
    if (!this.#machine.step(event)) return
    this.#stopWaiting?.()
    this.#stopWaiting = undefined
    const { state } = this.#machine
    if (state === 'emptying')
      this.#stopWaiting = this.#after(EMPTY_MS, () => this.handle('elapsed'))
    if (state === 'joined') this.#leave ??= this.#join()
    if (state !== 'out') return
    this.#leave?.()
    this.#leave = undefined
  }
}
