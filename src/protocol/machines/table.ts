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

/**
 * What can be copied, compared and written as JSON; or octets, which nobody changes once they are
 * read, and which are shared.
 */
export type Plain =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly Plain[]
  | { readonly [key: string]: Plain }

/** A record of plain values only. No `undefined` and no infinite number: JSON has neither. */
export type PlainRecord<T> = { readonly [K in keyof T]: Plain }

/** All that a machine knows, as one plain value: its state, and what it remembers beside it. */
export type Saved<State extends string, Memory = Nothing> = { readonly state: State } & Memory

/** Of a machine that remembers nothing but its state. */
export type Nothing = Readonly<Record<never, never>>

const NOTHING: Nothing = Object.freeze({})

/**
 * Holds one state and moves it only along its table.
 *
 * Whatever else a machine changes, its counters and marks, stands in {@link Machine.memory} beside
 * the state: one plain value of fixed shape, which lives as long as the machine does. So all that a
 * machine knows can be saved and restored, and nothing can be forgotten.
 */
export class Machine<
  State extends string,
  Event extends string,
  Memory extends PlainRecord<Memory> = Nothing,
> {
  /** Where it stands; {@link stepIn} moves it. */
  readonly state: State
  /** What it remembers now; always the same object. */
  readonly memory: Memory
  readonly #table: Readonly<Record<State, Readonly<Record<Event, State | Refusal>>>>

  /**
   * @param memory what it remembers at first; the machine owns it from here. Where every exchange
   *   has such a machine, it is an instance of a class: V8 may take what one literal makes for
   *   long-lived, and then it keeps what it refers to until the next full collection
   */
  constructor(
    table: Readonly<Record<State, Readonly<Record<Event, State | Refusal>>>>,
    initial: State,
    memory: Memory = NOTHING as Memory,
  ) {
    this.#table = table
    this.memory = memory
    this.state = initial
  }

  /** Commits the move that `event` asks for. `false` means: a legal race, do nothing more. */
  step(event: Event): boolean {
    return stepIn(this.#table, this, event)
  }

  /** A copy of all that it knows, which later moves do not change. */
  save(): Saved<State, Memory> {
    return { ...copyOf(this.memory), state: this.state }
  }

  /** Becomes the machine that was saved, wherever it stands now. */
  restore(saved: Saved<State, Memory>): void {
    Object.assign(this, { state: saved.state })
    restorePlain(this.memory, saved)
  }
}

/** Gives every entry of `memory` the value that it had when it was saved. */
export function restorePlain<Memory>(memory: Memory, saved: Readonly<Memory>): void {
  const into = memory as Record<string, Plain>
  const from = saved as Readonly<Record<string, Plain>>
  for (const key in into) into[key] = copyOf(from[key]!)
}

/** A copy that shares nothing with `value` but octets. */
export function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(copyOf) as unknown as T
  const copy = { ...value } as Record<string, Plain>
  for (const key in copy) {
    const entry = copy[key]!
    if (typeof entry === 'object' && entry !== null) copy[key] = copyOf(entry)
  }
  return copy as T
}

/**
 * Moves one of many plain records along its table; `false` means: a legal race, do nothing more.
 * For machines that hold so many that each is a value in the state of the whole.
 */
export function stepIn<State extends string>(
  table: AnyTable,
  record: { state: State },
  event: string,
): boolean {
  const next = cellOf(table, record.state, event) as State | undefined
  if (next === undefined) return false
  record.state = next
  return true
}
