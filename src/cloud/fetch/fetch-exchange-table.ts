/**
 * One request of a fetch handler: what was answered, and how much of it was read.
 *
 * @module
 */
import { ignored, Machine, misuse, type Table } from '../../protocol/internal.ts'

/**
 * - `asked`: nothing was answered
 * - `answering`: the head was given, octets follow
 * - `answered`: all of it was said, not all of it was read
 * - `switched`: it is a tunnel, both directions are open
 * - `answer-only`: the user's direction of the tunnel has ended, the other is open
 * - `closing`: nothing more is said into the tunnel, not all of it was read
 * - `half-closed`: all of it was read; the user's direction is open
 * - `over`: it was told that nothing follows
 */
export type FetchExchangeState =
  | 'asked'
  | 'answering'
  | 'answered'
  | 'switched'
  | 'answer-only'
  | 'closing'
  | 'half-closed'
  | 'over'

/**
 * `readWhole`: whoever reads the answer has all that was said. `close`: the user's octets have
 * ended. `leave`: the user, or we, broke it off.
 */
// prettier-ignore
export const FETCH_EXCHANGE = {
  //               what is answered                                                                 its reader                the user
  asked:         { respond: 'answering', switch: 'switched', write: misuse,        end: misuse,     readWhole: misuse,        close: 'asked',       leave: 'over'  },
  answering:     { respond: ignored,     switch: ignored,    write: 'answering',   end: 'answered', readWhole: misuse,        close: 'answering',   leave: 'over'  },
  answered:      { respond: ignored,     switch: ignored,    write: ignored,       end: ignored,    readWhole: 'over',        close: 'answered',    leave: 'over'  },
  switched:      { respond: ignored,     switch: ignored,    write: 'switched',    end: 'closing',  readWhole: misuse,        close: 'answer-only', leave: 'over'  },
  'answer-only': { respond: ignored,     switch: ignored,    write: 'answer-only', end: 'answered', readWhole: misuse,        close: ignored,       leave: 'over'  },
  closing:       { respond: ignored,     switch: ignored,    write: ignored,       end: ignored,    readWhole: 'half-closed', close: 'answered',    leave: 'over'  },
  'half-closed': { respond: ignored,     switch: ignored,    write: ignored,       end: ignored,    readWhole: ignored,       close: 'over',        leave: 'over'  },
  over:          { respond: ignored,     switch: ignored,    write: ignored,       end: ignored,    readWhole: ignored,       close: ignored,       leave: ignored },
} as const satisfies Table<
  FetchExchangeState,
  'respond' | 'switch' | 'write' | 'end' | 'readWhole' | 'close' | 'leave'
>

/** The order of one request; whoever owns its streams asks before each step. */
export class FetchExchangeOrder {
  readonly #machine = new Machine<FetchExchangeState, keyof (typeof FETCH_EXCHANGE)['asked']>(
    FETCH_EXCHANGE,
    'asked',
  )
  get state(): FetchExchangeState {
    return this.#machine.state
  }

  get isOver(): boolean {
    return this.#machine.state === 'over'
  }

  respond(): boolean {
    return this.#machine.step('respond')
  }

  /** It becomes a tunnel: what the user says is asked for anew. */
  switch(): boolean {
    return this.#machine.step('switch')
  }

  write(): boolean {
    return this.#machine.step('write')
  }

  end(): boolean {
    return this.#machine.step('end')
  }

  /** Whether nothing more will be said, and only its reader is waited for. */
  get isEnding(): boolean {
    const { state } = this.#machine
    return state === 'answered' || state === 'closing'
  }

  /** All that was said was read. `true`: it is over, whole. */
  readWhole(): boolean {
    return this.#machine.step('readWhole') && this.isOver
  }

  /** The user's octets have ended. `true`: it is over, whole. */
  close(): boolean {
    return this.#machine.step('close') && this.isOver
  }

  /** It broke off. `false`: it was over. */
  leave(): boolean {
    return this.#machine.step('leave')
  }
}
