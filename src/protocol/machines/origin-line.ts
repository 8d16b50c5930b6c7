/**
 * A link that a connector dials for claims alone: to the origin of an offer that another instance
 * brought, where no link to that origin is up.
 *
 * One dial at a time, and a short one: the user waits. The link is kept while it is used, and a
 * little longer.
 *
 * @see spec/PROTOCOL.md, "Claims"
 * @module
 */
import { next, type Moves } from './moves.ts'
import { ignored, misuse, type Table } from './table.ts'

/** Time limits of a line for claims, in milliseconds. */
export interface OriginLineLimits {
  /** Until a link must be up. Default 2 000. */
  readonly originDialMs: number
  /** How long a link that carries nothing is kept. Default 60 000. */
  readonly originIdleMs: number
}

/** The default of each, in milliseconds. */
export const ORIGIN_LINE_LIMITS: OriginLineLimits = { originDialMs: 2_000, originIdleMs: 60_000 }

interface Common {
  /** Names the link; an event that bears another number is stale. */
  readonly op: number
  readonly limits: OriginLineLimits
}
/** `deadline` is when to send `timeout`, in monotonic milliseconds. */
interface Waiting extends Common {
  readonly deadline: number
}

export type OriginLineState =
  ({ state: 'idle' } & Common) | ({ state: 'dialling' } & Waiting) | ({ state: 'up' } & Waiting)

export type OriginLineEvent =
  /** An offer is to be claimed there. */
  | { type: 'wanted'; now: number }
  | { type: 'connected'; now: number }
  /** It could not be made, or it ended. */
  | { type: 'failed' }
  /** `isBusy`: it carries exchanges. */
  | { type: 'timeout'; now: number; isBusy: boolean }
  /** Derived: the time is over, and it carries exchanges. */
  | { type: 'busy'; now: number }
  /** The instance is no longer listed, or the connector stops. */
  | { type: 'close' }

/** Every state × event pair of such a link. */
// prettier-ignore
export const ORIGIN_LINE = {
  idle:     { wanted: 'dialling', connected: misuse, failed: misuse, timeout: ignored, busy: ignored, close: ignored },
  dialling: { wanted: ignored,    connected: 'up',   failed: 'idle', timeout: 'idle',  busy: ignored, close: 'idle'  },
  up:       { wanted: 'up',       connected: misuse, failed: 'idle', timeout: 'idle',  busy: 'up',    close: 'idle'  },
} as const satisfies Table<OriginLineState['state'], OriginLineEvent['type']>

/**
 * Effects. `connect` is answered by exactly one of `connected`, `failed`; then, once up, by
 * `failed`.
 */
export interface OriginLineOutput {
  connect(op: number): void
  /** Give up the link, or the attempt. */
  disconnect(op: number): void
}

export function idleOriginLine(limits: OriginLineLimits): OriginLineState {
  return { state: 'idle', op: 0, limits }
}

export function nextOriginLine(
  from: OriginLineState,
  event: OriginLineEvent,
  out: OriginLineOutput,
): OriginLineState {
  return next(ORIGIN_LINE, MOVES, from, guarded(from, event), out)
}

function guarded(from: OriginLineState, event: OriginLineEvent): OriginLineEvent {
  if (event.type !== 'timeout' || !event.isBusy || from.state !== 'up') return event
  return { type: 'busy', now: event.now }
}

const idle = ({ op, limits }: Common) => ({ state: 'idle', op: op + 1, limits }) as const

const giveUp = (from: Common, out: OriginLineOutput) => {
  out.disconnect(from.op)
  return idle(from)
}

const kept = ({ op, limits }: Common, { now }: { now: number }) =>
  ({ state: 'up', op, limits, deadline: now + limits.originIdleMs }) as const

const MOVES = {
  idle: {
    wanted: ({ op, limits }, { now }, out) => {
      out.connect(op + 1)
      return { state: 'dialling', op: op + 1, limits, deadline: now + limits.originDialMs }
    },
  },
  dialling: {
    connected: (from, event) => kept(from, event),
    failed: (from) => idle(from),
    timeout: (from, _, out) => giveUp(from, out),
    close: (from, _, out) => giveUp(from, out),
  },
  up: {
    wanted: (from, event) => kept(from, event),
    failed: (from) => idle(from),
    timeout: (from, _, out) => giveUp(from, out),
    busy: (from, event) => kept(from, event),
    close: (from, _, out) => giveUp(from, out),
  },
} satisfies Moves<typeof ORIGIN_LINE, OriginLineState, OriginLineEvent, OriginLineOutput>
