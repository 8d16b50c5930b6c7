/**
 * One connection from a connector to one cloud instance: dialled, kept, dialled again.
 *
 * The multiplexed `link` binding is tried first. A network that does not let it through gets
 * `plain`, which is slower and as safe. An instance that was once reached by `link` is never spoken
 * to in `plain` again: there an upgrade that suddenly fails is trouble to wait out, and nobody in
 * between may talk us down.
 *
 * @see spec/PROTOCOL.md, "Dialling"
 * @module
 */
import { fullJitter } from './backoff.ts'
import type { TimeLimits } from '../wire/limits.ts'
import { next, type Moves } from './moves.ts'
import { ignored, misuse, type Table } from './table.ts'

/** How a connector reaches an instance: one framed connection, or plain HTTP calls. */
export type Binding = 'link' | 'plain'

/** Time limits a dialer lives by. */
export type DialerLimits = Pick<TimeLimits, 'controlCallMs' | 'backoffMinMs' | 'backoffMaxMs'>

/** What a dialer knows in every state. */
export interface DialerMemory {
  /** Names the connection; an event that bears another number is stale. */
  readonly op: number
  readonly limits: DialerLimits
  /** What is tried first. */
  readonly preferred: Binding
  /** A `link` to this instance has worked once. */
  readonly linkProven: boolean
  /** Connections that failed, or ended early, in a row. */
  readonly failures: number
}
/** What it knows while it waits. */
export interface DialerWait extends DialerMemory {
  /** When to send `timeout`, in monotonic milliseconds. */
  readonly deadline: number
}

/** `deadline` is when to send `timeout`, in monotonic milliseconds; `op` numbers the attempt. */
export type DialerState =
  | ({ state: 'idle' } & DialerMemory)
  | ({ state: 'connecting'; binding: Binding } & DialerWait)
  /** `link` does not get through: connecting by `plain`. */
  | ({ state: 'plain-fallback'; binding: 'plain' } & DialerWait)
  | ({ state: 'up'; binding: Binding; since: number } & DialerMemory)
  | ({ state: 'backoff' } & DialerWait)

/** What may happen. `now` is monotonic milliseconds, `random` a number in [0, 1). */
export type DialerEvent =
  /** The instance is listed; also: try now rather than after the backoff. */
  | { type: 'dial'; now: number }
  /** The instance is no longer listed, or the connector stops. */
  | { type: 'close' }
  | { type: 'timeout'; now: number; random: number }
  | { type: 'connected'; now: number }
  /** The other end, or something between, does not speak the binding. */
  | { type: 'unsupported'; now: number; random: number }
  | { type: 'failed'; now: number; random: number }
  /** A connection that was up ended. */
  | { type: 'lost'; now: number; random: number }
  /**
   * Another connection is to take its place: the certificate is new, or the cloud drains this one.
   * An attempt under way is begun anew, for it may be made with what was before.
   */
  | { type: 'redial'; now: number }

/** Every state × event pair of a dialer. */
// prettier-ignore
export const DIALER = {
  'idle':           { dial: 'connecting', close: ignored, timeout: ignored,      connected: misuse, unsupported: misuse,           failed: misuse,    lost: misuse,    redial: ignored      },
  'connecting':     { dial: ignored,      close: 'idle',  timeout: 'backoff',    connected: 'up',   unsupported: 'plain-fallback', failed: 'backoff', lost: misuse,    redial: 'connecting' },
  'plain-fallback': { dial: ignored,      close: 'idle',  timeout: 'backoff',    connected: 'up',   unsupported: 'backoff',        failed: 'backoff', lost: misuse,    redial: 'connecting' },
  'up':             { dial: ignored,      close: 'idle',  timeout: ignored,      connected: misuse, unsupported: misuse,           failed: misuse,    lost: 'backoff', redial: 'connecting' },
  'backoff':        { dial: 'connecting', close: 'idle',  timeout: 'connecting', connected: misuse, unsupported: misuse,           failed: misuse,    lost: misuse,    redial: ignored      },
} as const satisfies Table<DialerState['state'], DialerEvent['type']>

/**
 * Effects. `connect` is answered by exactly one of `connected`, `unsupported`, `failed`; then, once
 * up, by `lost`.
 */
export interface DialerOutput {
  connect(op: number, binding: Binding): void
  /** Give up the connection, or the attempt, of that number. */
  disconnect(op: number): void
}

/** A dialer that was not told to dial yet. `preferred`: the binding that is tried first. */
export function idleDialer(preferred: Binding, limits: DialerLimits): DialerState {
  return { state: 'idle', op: 0, limits, preferred, linkProven: false, failures: 0 }
}

/**
 * The next state; the same object when the event changes nothing. Effects go to `out` at once.
 *
 * @throws ApiMisuse for an event that cannot be, PeerViolation for one that is the peer's fault
 */
export function nextDialer(from: DialerState, event: DialerEvent, out: DialerOutput): DialerState {
  return next(DIALER, MOVES, from, guarded(from, event), out)
}

/** Only a `link` that never worked may be replaced by `plain`. */
function guarded(from: DialerState, event: DialerEvent): DialerEvent {
  if (event.type !== 'unsupported' || from.state !== 'connecting') return event
  const mayFallBack = from.binding === 'link' && !from.linkProven
  return mayFallBack ? event : { ...event, type: 'failed' }
}

interface Moment {
  readonly now: number
  readonly random: number
}

const common = (from: DialerMemory): DialerMemory => ({
  op: from.op + 1,
  limits: from.limits,
  preferred: from.preferred,
  linkProven: from.linkProven,
  failures: from.failures,
})

const connect = (from: DialerMemory, now: number, out: DialerOutput) => {
  const binding = from.preferred
  out.connect(from.op + 1, binding)
  return {
    state: 'connecting',
    ...common(from),
    binding,
    deadline: now + from.limits.controlCallMs,
  } as const
}

const backOff = (from: DialerMemory, { now, random }: Moment, before = from.failures) => {
  const failures = before + 1
  const deadline = now + fullJitter(failures, random, from.limits)
  return { state: 'backoff', ...common(from), failures, deadline } as const
}

const connectAnew = (from: DialerMemory, { now }: { now: number }, out: DialerOutput) => {
  out.disconnect(from.op)
  return connect(from, now, out)
}

/** The attempt took too long: it must not come up behind our back. */
const giveUp = (from: DialerMemory, moment: Moment, out: DialerOutput) => {
  out.disconnect(from.op)
  return backOff(from, moment)
}

/** The connection keeps the number of its attempt. */
const up = (from: DialerMemory & { binding: Binding }, { now }: { now: number }) => {
  const { binding, op } = from
  const linkProven = from.linkProven || binding === 'link'
  return { state: 'up', ...common(from), op, linkProven, binding, since: now } as const
}

const isYoung = (from: { since: number; limits: DialerLimits }, now: number) =>
  now - from.since < from.limits.backoffMaxMs

/**
 * What a cloud that drains a connection means to its dialer: dial another at once; but a cloud that
 * drains whatever it has just accepted is waited for as one that drops it.
 */
export function drained(from: DialerState, moment: Moment): DialerEvent {
  const isNew = from.state === 'up' && moment.now - from.since < from.limits.backoffMinMs
  return { type: isNew ? 'lost' : 'redial', ...moment }
}

const close = (from: DialerMemory, out: DialerOutput) => {
  out.disconnect(from.op)
  return { state: 'idle', ...common(from), failures: 0 } as const
}

const MOVES = {
  idle: { dial: (from, { now }, out) => connect(from, now, out) },
  connecting: {
    close: (from, _, out) => close(from, out),
    timeout: (from, event, out) => giveUp(from, event, out),
    connected: (from, event) => up(from, event),
    unsupported: (from, { now }, out) => {
      out.connect(from.op + 1, 'plain')
      const deadline = now + from.limits.controlCallMs
      return { state: 'plain-fallback', ...common(from), binding: 'plain', deadline }
    },
    failed: (from, event) => backOff(from, event),
    redial: (from, event, out) => connectAnew(from, event, out),
  },
  'plain-fallback': {
    close: (from, _, out) => close(from, out),
    timeout: (from, event, out) => giveUp(from, event, out),
    connected: (from, event) => up(from, event),
    unsupported: (from, event) => backOff(from, event),
    failed: (from, event) => backOff(from, event),
    redial: (from, event, out) => connectAnew(from, event, out),
  },
  up: {
    close: (from, _, out) => close(from, out),
    // A connection that dies young counts as a failure, or a cloud that accepts and drops would be
    // dialled in a tight loop.
    lost: (from, event) => backOff(from, event, isYoung(from, event.now) ? from.failures : 0),
    redial: (from, { now }, out) => connect(from, now, out),
  },
  backoff: {
    dial: (from, { now }, out) => connect(from, now, out),
    close: (from, _, out) => close(from, out),
    timeout: (from, { now }, out) => connect(from, now, out),
  },
} satisfies Moves<typeof DIALER, DialerState, DialerEvent, DialerOutput>
