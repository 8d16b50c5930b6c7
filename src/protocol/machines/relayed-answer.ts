/**
 * How far the answer of one exchange has come, at either end of it.
 *
 * What an answer may say next, its exchange knows (see exchange.ts). This is what an end must know
 * besides: whether anything was said that cannot be taken back, whether bytes are a body or another
 * protocol, and whether anybody is there to hear more.
 *
 * @module
 */
import { ignored, Machine, misuse, type Table } from './table.ts'

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

/** What an end knows of the answer that it relays. */
export class RelayedAnswer {
  readonly #machine = new Machine(RELAYED_ANSWER, 'unanswered')

  get state(): RelayedAnswerState {
    return this.#machine.state
  }

  /** Whether bytes are those of a tunnel. */
  get isTunnel(): boolean {
    const { state } = this.#machine
    return state === 'tunnel' || state === 'lingering'
  }

  /** Its head is out. */
  respond(): void {
    this.#machine.step('respond')
  }

  /** Its 101 is out. */
  switch(): void {
    this.#machine.step('switch')
  }

  /** The application has closed both directions. `false`: there is no tunnel to be closed. */
  linger(): boolean {
    return this.#machine.step('linger')
  }

  /** Nobody is there to hear more. */
  leave(): void {
    this.#machine.step('leave')
  }
}
