/**
 * Total transition tables, and the one place that moves a state.
 *
 * A table writes down every state × event pair. A forgotten pair does not compile; neither does a
 * cell that blames the wrong side: only local events and results may be `misuse`, only peer events
 * may be `violation`.
 *
 * @module
 */
import { ApiMisuse, PeerViolation } from '../wire/errors.ts'

/** A legal race (frames crossing on the wire): nothing happens. */
export const ignored = 'ignored'
/** Our own caller broke the contract: {@link ApiMisuse} is thrown. */
export const misuse = 'misuse'
/** The peer broke the protocol: {@link PeerViolation} is thrown. */
export const violation = 'violation'

/** The three cells that are not a state. */
export type Refusal = typeof ignored | typeof misuse | typeof violation

/**
 * Every state × event pair; `Local` are our application's events and the results of our own
 * effects, `Peer` come off the wire.
 */
export type Table<State extends string, Local extends string, Peer extends string = never> = {
  readonly [_ in State]: { readonly [_ in Local]: State | typeof ignored | typeof misuse } & {
    readonly [_ in Peer]: State | typeof ignored | typeof violation
  }
}

/** Any table, seen without its types: what generators and tests read. */
export type AnyTable = Readonly<Record<string, Readonly<Record<string, string>>>>

/** The events that lead somewhere from `State`: the typestate view, computed from the table. */
export type LegalIn<T, State extends keyof T> = {
  [E in keyof T[State]]: T[State][E] extends Refusal ? never : E
}[keyof T[State]]

/**
 * The cell of a pair: a state, or `undefined` for a legal race. Throws for the two kinds of blame.
 */
export function cellOf<State extends string>(
  table: AnyTable,
  state: State,
  event: string,
): State | undefined {
  const row = table[state]!
  const cell = row[event]
  if (cell === ignored) return undefined
  if (cell === misuse) throw new ApiMisuse(refusal(row, state, event))
  if (cell === violation) throw new PeerViolation('UNEXPECTED_EVENT', refusal(row, state, event))
  if (cell === undefined) throw new ApiMisuse(`there is no event "${event}"`)
  return cell as State
}

/** What came, and what the row would have allowed instead. */
function refusal(row: Readonly<Record<string, string>>, state: string, event: string): string {
  const legal = Object.keys(row).filter((e) => ![misuse, violation].includes(row[e]!))
  return `"${event}" is not allowed in state "${state}" (allowed: ${legal.join(', ') || 'nothing'})`
}

/** Holds one state and moves it only along its table. */
export class Machine<State extends string, Event extends string> {
  readonly #table: Readonly<Record<State, Readonly<Record<Event, State | Refusal>>>>
  #state: State

  constructor(
    table: Readonly<Record<State, Readonly<Record<Event, State | Refusal>>>>,
    initial: State,
  ) {
    this.#table = table
    this.#state = initial
  }

  get state(): State {
    return this.#state
  }

  /** Commits the move that `event` asks for. `false` means: a legal race, do nothing more. */
  step(event: Event): boolean {
    const next = cellOf(this.#table, this.#state, event)
    if (next === undefined) return false
    this.#state = next
    return true
  }
}
