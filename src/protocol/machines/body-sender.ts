/**
 * The sending half of one request or response body, under credit granted by the peer.
 *
 * Credit is a byte count and never a state: a stalled sender is an `open` one whose {@link
 * BodySender.writable} is 0. The machine counts bytes and never holds them. A body is complete only
 * when its end was said: a lost transport or a reset is an abort, never an end.
 *
 * @see spec/PROTOCOL.md, "Bodies"
 * @module
 */
import { PeerViolation } from '../wire/errors.ts'
import type { ResetCode } from '../wire/frame-types.ts'
import { MAX_CREDIT } from '../wire/limits.ts'
import { ignored, Machine, misuse, violation, type Saved, type Table } from './table.ts'

/** `open` → data may flow; the other three are final. */
export type BodySenderState = 'open' | 'ended' | 'aborted' | 'stopped'

/** Every state × event pair of a body sender. */
// prettier-ignore
export const BODY_SENDER = {
  //         our application's events                    the peer's events
  open:    { write: 'open',  end: 'ended', abort: 'aborted', credit: 'open',    stop: 'stopped' },
  ended:   { write: misuse,  end: misuse,  abort: ignored,   credit: ignored,   stop: ignored   },
  aborted: { write: misuse,  end: misuse,  abort: ignored,   credit: ignored,   stop: ignored   },
  stopped: { write: ignored, end: ignored, abort: ignored,   credit: violation, stop: violation },
} as const satisfies Table<BodySenderState, 'write' | 'end' | 'abort', 'credit' | 'stop'>

/** Where a sender's effects go. Implementations only enqueue: they never call back in. */
export interface BodySenderOutput {
  /** A stalled body may flow again. */
  writable(): void
  /** The peer wants no more of this body. */
  stopped(code: ResetCode): void
}

/** What a sender remembers: the bytes it may still send. */
export interface BodySenderMemory {
  credit: number
}

/** All that a sender knows. */
export type SavedBodySender = Saved<BodySenderState, BodySenderMemory>

/** One body on its way out. */
export class BodySender {
  readonly #machine: Machine<BodySenderState, keyof typeof BODY_SENDER.open, BodySenderMemory>
  readonly #memory: BodySenderMemory
  readonly #output: BodySenderOutput

  constructor(output: BodySenderOutput, initialCreditBytes: number) {
    this.#machine = new Machine(BODY_SENDER, 'open', { credit: initialCreditBytes })
    this.#memory = this.#machine.memory
    this.#output = output
  }

  get state(): BodySenderState {
    return this.#machine.state
  }

  /** Whether bytes may still follow. */
  get isOpen(): boolean {
    return this.#machine.state === 'open'
  }

  /** How many bytes {@link write} would take now. */
  get writable(): number {
    return this.isOpen ? this.#memory.credit : 0
  }

  /** Spends credit on at most `length` bytes; the caller transmits exactly what this returns. */
  write(length: number): number {
    if (!this.#machine.step('write')) return 0
    const taken = length < this.#memory.credit ? length : this.#memory.credit
    this.#memory.credit -= taken
    return taken
  }

  /** The body is complete. `false`: the peer stopped it before, nothing need be said. */
  end(): boolean {
    return this.#machine.step('end')
  }

  /** The body is given up, complete or not. */
  abort(): boolean {
    return this.#machine.step('abort')
  }

  /** The peer granted `bytes` more. */
  credit(bytes: number): void {
    if (!this.#machine.step('credit')) return
    if (bytes > MAX_CREDIT - this.#memory.credit) {
      throw new PeerViolation('CREDIT_OVERFLOW', `${this.#memory.credit} + ${bytes} bytes`)
    }
    const wasStalled = this.#memory.credit === 0
    this.#memory.credit += bytes
    if (wasStalled && bytes > 0) this.#output.writable()
  }

  /** The peer wants no more of this body. */
  stop(code: ResetCode): void {
    if (this.#machine.step('stop')) this.#output.stopped(code)
  }

  /** All that it knows. */
  save(): SavedBodySender {
    return this.#machine.save()
  }

  /** Becomes the sender that was saved. */
  restore(saved: SavedBodySender): void {
    this.#machine.restore(saved)
  }
}
