/**
 * How far the answer of one exchange has come, at either end of it.
 *
 * What an answer may say next, its exchange knows (see exchange.ts). This is what an end must know
 * besides: whether anything was said that cannot be taken back, whether bytes are a body or another
 * protocol, and whether anybody is there to hear more.
 *
 * @module
 */
import { ignored, Machine, misuse, type Saved, type Table } from './table.ts'

/**
 * - `unanswered`: nothing was said; whatever goes wrong can still be answered
 * - `answering`: the head is out
 * - `tunnel`: both directions carry octets of another protocol, and each ends by itself
 * - `lingering`: the application has closed both, and the user gets time to close as well
 * - `over`: nobody is there to hear more
 */
export type RelayedAnswerState = 'unanswered' | 'answering' | 'tunnel' | 'lingering' | 'over'

/** `leave`: the user is gone, or the answer was broken off, or another one was given instead. */
// prettier-ignore
export const RELAYED_ANSWER = {
  unanswered: { respond: 'answering', switch: 'tunnel', linger: ignored,     leave: 'over'  },
  answering:  { respond: misuse,      switch: misuse,   linger: ignored,     leave: 'over'  },
  tunnel:     { respond: misuse,      switch: misuse,   linger: 'lingering', leave: 'over'  },
  lingering:  { respond: misuse,      switch: misuse,   linger: ignored,     leave: 'over'  },
  over:       { respond: ignored,     switch: ignored,  linger: ignored,     leave: ignored },
} as const satisfies Table<RelayedAnswerState, 'respond' | 'switch' | 'linger' | 'leave'>

/** What an end remembers of an answer. */
export interface RelayedAnswerMemory {
  /** What is left of the length that its head declared; `null`: none was declared. */
  left: number | null
  /** When its user has had time enough to close; monotonic milliseconds. */
  lingersUntil: number
}

/** All that an end knows of an answer. */
export type SavedRelayedAnswer = Saved<RelayedAnswerState, RelayedAnswerMemory>

/** What an end knows of the answer that it relays. */
export class RelayedAnswer {
  readonly #memory: RelayedAnswerMemory = { left: null, lingersUntil: 0 }
  readonly #machine = new Machine(RELAYED_ANSWER, 'unanswered' as RelayedAnswerState, this.#memory)

  get state(): RelayedAnswerState {
    return this.#machine.state
  }

  /** Whether bytes are those of a tunnel. */
  get isTunnel(): boolean {
    const { state } = this.#machine
    return state === 'tunnel' || state === 'lingering'
  }

  /** When to break off a tunnel that lingers; `undefined`: there is none. */
  get deadline(): number | undefined {
    return this.#machine.state === 'lingering' ? this.#memory.lingersUntil : undefined
  }

  /** Whether no byte is missing of the length that was declared. */
  get isWhole(): boolean {
    return (this.#memory.left ?? 0) === 0
  }

  /** Its head is out. `length`: the bytes of the body that it declares, if it does. */
  respond(length: number | undefined): void {
    if (this.#machine.step('respond')) this.#memory.left = length ?? null
  }

  /** Its 101 is out. */
  switch(): void {
    this.#machine.step('switch')
  }

  /** Bytes of its body have come. `false`: they are more than its head declared. */
  data(bytes: number): boolean {
    const memory = this.#memory
    if (memory.left === null) return true
    memory.left -= bytes
    return memory.left >= 0
  }

  /** The application has closed both directions. `false`: there is no tunnel to be closed. */
  linger(until: number): boolean {
    if (!this.#machine.step('linger')) return false
    this.#memory.lingersUntil = until
    return true
  }

  /** Nobody is there to hear more. */
  leave(): void {
    this.#machine.step('leave')
  }

  /** All that it knows. */
  save(): SavedRelayedAnswer {
    return this.#machine.save()
  }

  /** Becomes the answer that was saved. */
  restore(saved: SavedRelayedAnswer): void {
    this.#machine.restore(saved)
  }
}
