/**
 * Control-plane machines: pure reducers whose handlers are typed by their table.
 *
 * The state that a reducer returns is all that it knows: keep it, and nothing is to be saved. Their
 * driver keeps the law of link-endpoint.ts; effects are what they put out.
 *
 * @module
 */
import { cellOf, type AnyTable, type LegalIn } from './table.ts'

/** One handler per legal pair of `Table`, each typed to return the very state its cell names. */
export type Moves<Table, State extends { state: string }, Event extends { type: string }, Out> = {
  readonly [S in keyof Table]: {
    readonly [E in LegalIn<Table, S>]: (
      from: Extract<State, { state: S }>,
      event: Extract<Event, { type: E }>,
      out: Out,
    ) => Extract<State, { state: Table[S][E] }>
  }
}

/**
 * The next state of a control-plane machine; the same object when the event is a legal race.
 *
 * @throws ApiMisuse or PeerViolation as the cell says; then nothing was emitted.
 */
export function next<State extends { state: string }, Event extends { type: string }, Out>(
  table: AnyTable,
  moves: object,
  from: State,
  event: Event,
  out: Out,
): State {
  if (cellOf(table, from.state, event.type) === undefined) return from
  const row = (moves as Record<string, Record<string, (s: State, e: Event, o: Out) => State>>)[
    from.state
  ]!
  return row[event.type]!(from, event, out)
}
