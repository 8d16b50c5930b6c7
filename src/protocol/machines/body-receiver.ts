/**
 * The receiving half of one request or response body: grants credit, and refuses a peer that
 * exceeds it.
 *
 * What was received and not yet consumed is never more than the window, so whoever holds the bytes
 * holds a bounded number of them. The window doubles while the consumer keeps up, as far as the
 * link's budget allows.
 *
 * @see spec/PROTOCOL.md, "Bodies"
 * @module
 */
import { PeerViolation } from '../wire/errors.ts'
import type { ResetCode } from '../wire/frame-types.ts'
import { MAX_CREDIT_STEP_BYTES } from '../wire/limits.ts'
import { ignored, Machine, violation, type Saved, type Table } from './table.ts'

/**
 * `open` → data may arrive; `finished` came to its end, `failed` was broken off, `stopped` is
 * unwanted.
 */
export type BodyReceiverState = 'open' | 'finished' | 'failed' | 'stopped'

/** Every state × event pair of a body receiver. */
// prettier-ignore
export const BODY_RECEIVER = {
  //          our application's events            the peer's events
  open:     { consume: 'open',  stop: 'stopped', data: 'open',    end: 'finished', abort: 'failed' },
  finished: { consume: ignored, stop: ignored,   data: violation, end: violation,  abort: ignored  },
  failed:   { consume: ignored, stop: ignored,   data: violation, end: violation,  abort: ignored  },
  stopped:  { consume: ignored, stop: ignored,   data: ignored,   end: ignored,    abort: ignored  },
} as const satisfies Table<BodyReceiverState, 'consume' | 'stop', 'data' | 'end' | 'abort'>

/** Where a receiver's effects go. Implementations only enqueue: they never call back in. */
export interface BodyReceiverOutput {
  /** Grant the peer `bytes` more. */
  credit(bytes: number): void
  /** Tell the peer that no more is wanted. */
  stop(code: ResetCode): void
}

/** What all receivers of a link may grant together. */
export interface CreditBudget {
  /** Sets `bytes` aside for a body's first window; `false` when that would exceed the budget. */
  reserve(bytes: number): boolean
  /** Sets `bytes` aside to widen a window; never at the cost of first windows. */
  widen(bytes: number): boolean
  /** A body is over: what its first window, and what its widening held. */
  release(first: number, widened: number): void
}

/** What a receiver remembers, in bytes. */
export interface BodyReceiverMemory {
  window: number
  /** How much of the window came by widening. */
  widened: number
  /** What the peer may still send. */
  granted: number
  /** Received and not yet consumed. */
  buffered: number
  /** Consumed and not yet granted again. */
  returnable: number
}

/** All that a receiver knows. */
export type SavedBodyReceiver = Saved<BodyReceiverState, BodyReceiverMemory>

/** One body on its way in. */
export class BodyReceiver {
  readonly #machine: Machine<BodyReceiverState, keyof typeof BODY_RECEIVER.open, BodyReceiverMemory>
  readonly #memory: BodyReceiverMemory
  readonly #output: BodyReceiverOutput
  readonly #budget: CreditBudget | undefined
  readonly #maxWindow: number

  /**
   * @param windowBytes the first credit, which the peer knows already
   * @param maxWindowBytes how far it may grow; without a budget it never grows
   */
  constructor(
    output: BodyReceiverOutput,
    windowBytes: number,
    maxWindowBytes = windowBytes,
    budget?: CreditBudget,
  ) {
    this.#machine = new Machine(BODY_RECEIVER, 'open', {
      window: windowBytes,
      widened: 0,
      granted: windowBytes,
      buffered: 0,
      returnable: 0,
    })
    this.#memory = this.#machine.memory
    this.#output = output
    this.#maxWindow = maxWindowBytes
    this.#budget = budget
  }

  get state(): BodyReceiverState {
    return this.#machine.state
  }

  /** Whether bytes may still follow. */
  get isOpen(): boolean {
    return this.#machine.state === 'open'
  }

  /** Bytes received and not yet consumed. */
  get buffered(): number {
    return this.#memory.buffered
  }

  /** Bytes the peer may send now. */
  get granted(): number {
    return this.#memory.granted
  }

  /** The window as it has grown: what this body holds of the link's budget. */
  get window(): number {
    return this.#memory.window
  }

  /** How much of {@link window} came by widening. */
  get widened(): number {
    return this.#memory.widened
  }

  /** Opens an upgraded body, which had no window before. */
  open(windowBytes: number): void {
    this.#memory.window += windowBytes
    this.#memory.granted += windowBytes
  }

  /** `length` bytes arrived. `false`: discard them; their credit is returned. */
  data(length: number): boolean {
    if (length > this.#memory.granted) {
      throw new PeerViolation('CREDIT_EXCEEDED', `${length} bytes, ${this.#memory.granted} granted`)
    }
    if (!this.#machine.step('data')) return false
    this.#memory.granted -= length
    this.#memory.buffered += length
    return true
  }

  /** The peer said the body is complete. */
  end(): boolean {
    return this.#machine.step('end')
  }

  /** The body was broken off: a reset, or a lost transport. */
  abort(): boolean {
    return this.#machine.step('abort')
  }

  /** Whoever takes the bytes has taken `length` of them. */
  consume(length: number): void {
    this.#memory.buffered -= length
    if (!this.#machine.step('consume')) return
    this.#memory.returnable += length
    // Half a window at a time: few CREDIT frames, and the peer never runs dry while we keep up. A
    // wide window is returned in smaller parts of itself, or a peer at the end of a long line would
    // wait for each.
    if (this.#memory.returnable < Math.min(this.#memory.window / 2, MAX_CREDIT_STEP_BYTES)) return
    const bytes = this.#memory.returnable + this.#growth()
    this.#memory.returnable = 0
    this.#memory.granted += bytes
    this.#output.credit(bytes)
  }

  /** We want no more of it. */
  stop(code: ResetCode): void {
    if (this.#machine.step('stop')) this.#output.stop(code)
  }

  /** All that it knows. */
  save(): SavedBodyReceiver {
    return this.#machine.save()
  }

  /** Becomes the receiver that was saved; what it holds of a budget is the budget's to restore. */
  restore(saved: SavedBodyReceiver): void {
    this.#machine.restore(saved)
  }

  /**
   * The consumer has kept up with a peer that used its credit: the round trip is what limits, so
   * widen.
   */
  #growth(): number {
    if (
      this.#budget === undefined ||
      this.#memory.buffered > 0 ||
      this.#memory.window >= this.#maxWindow
    )
      return 0
    const more = Math.min(this.#memory.window, this.#maxWindow - this.#memory.window)
    if (!this.#budget.widen(more)) return 0
    this.#memory.window += more
    this.#memory.widened += more
    return more
  }
}
