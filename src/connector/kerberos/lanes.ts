/**
 * How many calls of the library are under way at once.
 *
 * A call that waits for a KDC occupies one of the few worker threads that Node has for files and
 * names as well, and nothing ends it but the library, which can take half a minute. So there are
 * few lanes; whoever waits for a lane or a call is answered at a limit of its own; a lane whose
 * call goes on after that is occupied until it returns; and while all of them are, nobody waits.
 *
 * @module
 */
import { ignored, Machine, misuse, type Table } from '../../protocol/internal.ts'
import { SignOnFailed } from '../../protocol/wire/errors.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Scheduler } from '../../runtime/scheduler.ts'

/**
 * - `waiting`: for a lane
 * - `running`: on a lane, and somebody waits for it
 * - `overdue`: on a lane, and nobody waits for it any more
 * - `over`: it is on no lane
 */
export type LaneCallState = 'waiting' | 'running' | 'overdue' | 'over'

/** `begin`: a lane is free; `giveUp`: nobody waits longer; `returned`: the library has answered. */
export type LaneCallEvent = 'begin' | 'giveUp' | 'returned'

/** Every state × event pair of one call. */
// prettier-ignore
export const LANE_CALL = {
  waiting: { begin: 'running', giveUp: 'over',    returned: misuse },
  running: { begin: misuse,    giveUp: 'overdue', returned: 'over' },
  overdue: { begin: misuse,    giveUp: ignored,   returned: 'over' },
  over:    { begin: ignored,   giveUp: ignored,   returned: misuse },
} as const satisfies Table<LaneCallState, LaneCallEvent>

/** Options of {@link Lanes}. */
export interface LanesOptions {
  readonly lanes: number
  readonly clocks: Pick<Clocks, 'now'>
  readonly scheduler: Scheduler
}

/** What the work is told of its call. */
export interface LaneCall {
  /** From 0; no other call is on it. */
  readonly lane: number
  /** Nobody waits for it any more: ask for nothing more, and give back what there is. */
  readonly isGivenUp: boolean
}

/** What is to be done on a lane. */
export interface LaneWork<T> {
  readonly run: (call: LaneCall) => Promise<T>
  /** Gets what came when nobody waited for it any more. */
  readonly discard: (result: T) => void
  /** Milliseconds until nobody waits for it any more, for a lane included. */
  readonly limitMs: number
}

/** A few lanes, and who waits for them, first come first served. */
export class Lanes {
  readonly #options: LanesOptions
  readonly #free: number[]
  readonly #busy = new Map<number, Call<unknown>>()
  #waiting: Call<unknown>[] = []
  #isClosed = false

  constructor(options: LanesOptions) {
    this.#options = options
    this.#free = Array.from({ length: options.lanes }, (_, lane) => lane)
  }

  /** @throws SignOnFailed `timeout` at its limit; `unavailable` when no lane will be free soon */
  async do<T>(work: LaneWork<T>): Promise<T> {
    if (this.#isClosed) throw closed()
    if (this.#isStuck) throw stuck()
    const call = new Call(work, this.#options, () => this.#advance())
    this.#waiting.push(call as Call<unknown>)
    this.#advance()
    return await call.result
  }

  /** Nobody waits any more, and nothing begins. Resolves when nothing is on a lane. */
  async close(): Promise<void> {
    this.#isClosed = true
    const calls = [...this.#busy.values()]
    for (const call of [...this.#waiting.splice(0), ...calls]) call.giveUp(closed())
    await Promise.all(calls.map((call) => call.returned))
  }

  get #isStuck(): boolean {
    const calls = [...this.#busy.values()]
    return this.#free.length === 0 && calls.every(({ state }) => state === 'overdue')
  }

  #advance(): void {
    for (const [lane, { state }] of this.#busy) {
      if (state !== 'over') continue
      this.#busy.delete(lane)
      this.#free.push(lane)
    }
    while (this.#free.length > 0 && this.#waiting.length > 0) {
      const call = this.#waiting.shift()!
      if (call.state !== 'waiting') continue
      const lane = this.#free.shift()!
      this.#busy.set(lane, call)
      call.begin(lane)
    }
    // They would wait for what does not come.
    if (this.#isStuck) for (const call of this.#waiting.splice(0)) call.giveUp(stuck())
  }
}

const closed = () => new SignOnFailed('unavailable', 'this connector is being stopped')

const stuck = () =>
  new SignOnFailed('unavailable', 'earlier questions to the KDC are not answered yet')

class Call<T> implements LaneCall {
  readonly #machine = new Machine<LaneCallState, LaneCallEvent>(LANE_CALL, 'waiting')
  readonly #work: LaneWork<T>
  readonly #changed: () => void
  readonly #callOff: () => void
  readonly result: Promise<T>
  /** When it is on its lane no more. */
  readonly returned: Promise<void>
  #resolve!: (result: T) => void
  #reject!: (error: unknown) => void
  #returned!: () => void
  lane = -1

  constructor(work: LaneWork<T>, { clocks, scheduler }: LanesOptions, changed: () => void) {
    this.#work = work
    this.#changed = changed
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.returned = new Promise((resolve) => (this.#returned = resolve))
    this.#callOff = scheduler.at(clocks.now() + work.limitMs, () =>
      this.giveUp(new SignOnFailed('timeout', 'the KDC has not answered in time')),
    )
  }

  get state(): LaneCallState {
    return this.#machine.state
  }

  get isGivenUp(): boolean {
    return this.state === 'overdue'
  }

  begin(lane: number): void {
    this.lane = lane
    if (this.#machine.step('begin')) void this.#run()
  }

  giveUp(error: SignOnFailed): void {
    if (!this.#machine.step('giveUp')) return
    this.#callOff()
    this.#reject(error)
    this.#changed()
  }

  async #run(): Promise<void> {
    try {
      const result = await this.#work.run(this)
      if (this.isGivenUp) this.#work.discard(result)
      this.#resolve(result)
    } catch (error) {
      this.#reject(error)
    }
    this.#callOff()
    this.#machine.step('returned')
    this.#returned()
    this.#changed()
  }
}
