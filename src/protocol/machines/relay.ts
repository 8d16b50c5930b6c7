/**
 * One direction of bytes, from a source that can be paused to a sink that takes what it has room
 * for.
 *
 * Four of these carry an exchange: two at the edge, between a user and an exchange, and two at the
 * connector, between an exchange and an application. There are two kinds of sinks. One with credit
 * takes a part of what it is given, and the relay holds the rest. One that queues takes all of it,
 * and says later that it got rid of it. A source is held back by a pause, or by credit that it does
 * not get back; each ignores what is not its way.
 *
 * Whether the sink has room is a number and never a state: `open` says nothing of credit.
 *
 * @module
 */
import { joined } from '../wire/octets.ts'
import type { HeaderList } from '../wire/frame-types.ts'
import { ignored, Machine, misuse, type Saved, type Table } from './table.ts'

/**
 * - `waiting`: the source was not asked for anything yet
 * - `open`: bytes pass
 * - `held`: bytes wait for the sink, and the source is paused
 * - `complete`: the source has ended, and its end waits behind what is held
 * - `ended`: the source has ended, and nothing of it is left here
 * - `unwanted`: the sink wants no more; what comes is thrown away, and its end is told to nobody
 * - `emptied`: what comes is thrown away, and its end is passed on
 * - `over`: the exchange is over
 */
export type PacedRelayState =
  'waiting' | 'open' | 'held' | 'complete' | 'ended' | 'unwanted' | 'emptied' | 'over'

/**
 * Derived events: `hold` is a sink that has not taken all of what it was given, `ready` one that
 * has taken all of what was held. `end` and `finish` are both the end of the source: behind what is
 * held, and with nothing before it. `detach`: the sink is gone, and another will come.
 */
// prettier-ignore
export const PACED_RELAY = {
  //         the source                                                       the sink                                                                        both
  waiting:  { start: 'open',  data: misuse,     end: 'complete', finish: misuse,  hold: misuse,     ready: ignored, stop: 'unwanted', empty: 'emptied', detach: 'waiting',  close: 'over'  },
  open:     { start: ignored, data: 'open',     end: misuse,     finish: 'ended', hold: 'held',     ready: 'open',  stop: 'unwanted', empty: misuse,    detach: 'held',     close: 'over'  },
  held:     { start: ignored, data: 'held',     end: 'complete', finish: 'ended', hold: 'held',     ready: 'open',  stop: 'unwanted', empty: misuse,    detach: 'held',     close: 'over'  },
  complete: { start: ignored, data: misuse,     end: misuse,     finish: 'ended', hold: 'complete', ready: misuse,  stop: 'ended',    empty: misuse,    detach: 'complete', close: 'over'  },
  ended:    { start: ignored, data: misuse,     end: misuse,     finish: misuse,  hold: misuse,     ready: ignored, stop: ignored,    empty: misuse,    detach: ignored,    close: 'over'  },
  unwanted: { start: ignored, data: 'unwanted', end: misuse,     finish: 'ended', hold: misuse,     ready: ignored, stop: ignored,    empty: misuse,    detach: ignored,    close: 'over'  },
  emptied:  { start: ignored, data: 'emptied',  end: misuse,     finish: 'ended', hold: misuse,     ready: ignored, stop: 'unwanted', empty: misuse,    detach: misuse,     close: 'over'  },
  over:     { start: ignored, data: ignored,    end: ignored,    finish: ignored, hold: ignored,    ready: ignored, stop: ignored,    empty: ignored,   detach: ignored,    close: ignored },
} as const satisfies Table<
  PacedRelayState,
  'start' | 'data' | 'end' | 'finish' | 'hold' | 'ready' | 'stop' | 'empty' | 'detach' | 'close'
>

/** Source and sink of a relay. None of these may call back in. */
export interface PacedRelayOutput {
  /**
   * Gives octets to the sink.
   *
   * @returns How many of them are off our hands. A sink that queues says all of them or none, and
   *   keeps them either way.
   */
  send(bytes: Uint8Array): number
  /** The last that the sink gets. */
  end(trailers: HeaderList | undefined): void
  /** The source is to wait; one more may come. */
  pause(): void
  /** The source may go on. */
  resume(): void
  /** So many octets of the source are through, or were thrown away: its credit goes back. */
  taken(bytes: number): void
}

/** What a relay remembers. */
export interface PacedRelayMemory {
  /** What there was no credit for; at most one read of the source more than the sink took. */
  held: Uint8Array | null
  /** Octets that a sink that queues has not got rid of. */
  untaken: number
  /** What the source ended with. */
  trailers: HeaderList | null
}

/** All that a relay knows. */
export type SavedPacedRelay = Saved<PacedRelayState, PacedRelayMemory>

/** One direction of an exchange at one of its ends. */
export class PacedRelay {
  readonly #memory: PacedRelayMemory = { held: null, untaken: 0, trailers: null }
  readonly #machine = new Machine(PACED_RELAY, 'waiting' as PacedRelayState, this.#memory)
  readonly #output: PacedRelayOutput
  readonly #sink: 'credit' | 'queue'

  /** @param sink takes as much as it has credit for, or queues whatever it is given */
  constructor(output: PacedRelayOutput, sink: 'credit' | 'queue') {
    this.#output = output
    this.#sink = sink
  }

  get state(): PacedRelayState {
    return this.#machine.state
  }

  /** The source has ended, whether or not the sink knows. */
  get isComplete(): boolean {
    const { state } = this.#machine
    return state === 'complete' || state === 'ended'
  }

  // ── the source ─────────────────────────────────────────────────────────────────────────────

  /** Bytes may come from now on. `false`: that was said before, or nobody wants them. */
  start(): boolean {
    return this.#machine.step('start')
  }

  data(bytes: Uint8Array): void {
    if (!this.#machine.step('data')) return
    const { state } = this.#machine
    if (state === 'open') this.#pass(bytes)
    else if (state === 'held') this.#hold(bytes)
    else this.#output.taken(bytes.length)
  }

  end(trailers: HeaderList | undefined): void {
    const { state } = this.#machine
    this.#memory.trailers = trailers ?? null
    if (state === 'waiting' || (state === 'held' && this.#sink === 'credit'))
      this.#machine.step('end')
    else this.#finish()
  }

  // ── the sink ───────────────────────────────────────────────────────────────────────────────

  /** It has room again. */
  ready(): void {
    const memory = this.#memory
    if (memory.untaken > 0) {
      const { untaken } = memory
      memory.untaken = 0
      this.#output.taken(untaken)
    }
    if (memory.held !== null && !this.#isThrough(memory.held)) return
    if (this.#machine.state === 'complete') this.#finish()
    else if (this.#machine.step('ready')) this.#output.resume()
  }

  /** It wants no more. `false`: it has everything, or said so before. */
  stop(): boolean {
    this.#memory.held = null
    return this.#machine.step('stop')
  }

  /** It has no place for bytes, only for their end. Said before the first of them. */
  empty(): void {
    this.#machine.step('empty')
  }

  /** It is gone, and another will come: whatever is not sent yet waits for that one's `ready`. */
  detach(): void {
    if (this.#machine.step('detach') && this.#machine.state === 'held') this.#output.pause()
  }

  // ── both ───────────────────────────────────────────────────────────────────────────────────

  /** The exchange is over: nothing passes any more. */
  close(): void {
    this.#machine.step('close')
    this.#memory.held = null
    this.#memory.untaken = 0
  }

  /** All that it knows. */
  save(): SavedPacedRelay {
    return this.#machine.save()
  }

  /** Becomes the relay that was saved. */
  restore(saved: SavedPacedRelay): void {
    this.#machine.restore(saved)
  }

  // ── inside ─────────────────────────────────────────────────────────────────────────────────

  #pass(bytes: Uint8Array): void {
    const sent = this.#output.send(bytes)
    if (sent === bytes.length) return this.#output.taken(sent)
    if (!this.#machine.step('hold')) return
    if (this.#sink === 'queue') this.#memory.untaken += bytes.length
    else this.#memory.held = sent === 0 ? bytes : bytes.subarray(sent)
    this.#output.pause()
  }

  /** One more may follow a pause. */
  #hold(bytes: Uint8Array): void {
    const memory = this.#memory
    if (this.#sink === 'queue') {
      memory.untaken += bytes.length
      this.#output.send(bytes)
    } else memory.held = memory.held === null ? bytes : joined(memory.held, bytes)
  }

  /** Whether the sink has taken all that was held. */
  #isThrough(held: Uint8Array): boolean {
    const sent = this.#output.send(held)
    if (sent === held.length) {
      this.#memory.held = null
      this.#output.taken(sent)
      return true
    }
    if (this.#machine.step('hold')) this.#memory.held = sent === 0 ? held : held.subarray(sent)
    return false
  }

  #finish(): void {
    const isHeard = this.#machine.state !== 'unwanted'
    if (this.#machine.step('finish') && isHeard)
      this.#output.end(this.#memory.trailers ?? undefined)
  }
}
