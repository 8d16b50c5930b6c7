/**
 * Registration, seen from the connector: a durable key, one request, a stored certificate.
 *
 * The key is durable before the token leaves the connector. That makes a lost reply harmless: the
 * same key is sent again, and the cloud answers the same token with the same key by the same
 * certificate.
 *
 * @see spec/PROTOCOL.md, "Registration"
 * @module
 */
import { fullJitter } from './backoff.ts'
import type { RefusalReason } from '../wire/errors.ts'
import type { TimeLimits } from '../wire/limits.ts'
import type { RegistrationReply } from '../wire/messages.ts'
import { next, type Moves } from './moves.ts'
import { ignored, misuse, type Table } from './table.ts'

/** The reply that ends a registration well. */
export type Registered = Extract<RegistrationReply, { type: 'registered' }>

/** Time limits a registration lives by. */
export type RegistrationLimits = Pick<TimeLimits, 'controlCallMs' | 'backoffMinMs' | 'backoffMaxMs'>

interface Common {
  /** Names the effect under way; a result with another number is stale. */
  readonly op: number
  readonly limits: RegistrationLimits
}
/** `deadline` is when to send `timeout`, in monotonic milliseconds. */
interface Waiting extends Common {
  readonly deadline: number
  /** Replies lost in a row. */
  readonly failures: number
}

/** Waiting states are named for what is awaited. */
export type RegistrationState =
  | ({ state: 'idle' } & Common)
  | ({ state: 'preparing-key' } & Waiting)
  | ({ state: 'requesting' } & Waiting)
  | ({ state: 'backoff' } & Waiting)
  | ({ state: 'storing' } & Waiting)
  | ({ state: 'registered' } & Common)
  | ({ state: 'refused'; reason: RefusalReason } & Common)

/** What may happen. `now` is monotonic milliseconds, `random` a number in [0, 1). */
export type RegistrationEvent =
  | { type: 'register'; now: number }
  | { type: 'timeout'; now: number; random: number }
  | { type: 'prepareKeyDone'; now: number }
  | { type: 'prepareKeyRefused' }
  | { type: 'requestDone'; now: number; reply: Registered }
  | { type: 'requestRefused'; reason: RefusalReason }
  /** The reply was lost, or asks to come back after `retryAfterMs`. */
  | { type: 'requestDeferred'; now: number; random: number; retryAfterMs?: number | undefined }
  | { type: 'storeDone' }
  | { type: 'storeRefused'; now: number; random: number }

type Result =
  | 'prepareKeyDone'
  | 'prepareKeyRefused'
  | 'requestDone'
  | 'requestRefused'
  | 'requestDeferred'
  | 'storeDone'
  | 'storeRefused'

/**
 * Every state × event pair of a registration. A cloud that cannot be reached is asked for ever: the
 * token's own end bounds it.
 */
// prettier-ignore
export const REGISTRATION = {
  'idle':          { register: 'preparing-key', timeout: ignored,      prepareKeyDone: misuse,       prepareKeyRefused: misuse, requestDone: misuse,    requestRefused: misuse,    requestDeferred: misuse,    storeDone: misuse,       storeRefused: misuse    },
  'preparing-key': { register: ignored,         timeout: 'idle',       prepareKeyDone: 'requesting', prepareKeyRefused: 'idle', requestDone: misuse,    requestRefused: misuse,    requestDeferred: misuse,    storeDone: misuse,       storeRefused: misuse    },
  'requesting':    { register: ignored,         timeout: 'backoff',    prepareKeyDone: misuse,       prepareKeyRefused: misuse, requestDone: 'storing', requestRefused: 'refused', requestDeferred: 'backoff', storeDone: misuse,       storeRefused: misuse    },
  'backoff':       { register: ignored,         timeout: 'requesting', prepareKeyDone: misuse,       prepareKeyRefused: misuse, requestDone: misuse,    requestRefused: misuse,    requestDeferred: misuse,    storeDone: misuse,       storeRefused: misuse    },
  'storing':       { register: ignored,         timeout: 'backoff',    prepareKeyDone: misuse,       prepareKeyRefused: misuse, requestDone: misuse,    requestRefused: misuse,    requestDeferred: misuse,    storeDone: 'registered', storeRefused: 'backoff' },
  'registered':    { register: ignored,         timeout: ignored,      prepareKeyDone: misuse,       prepareKeyRefused: misuse, requestDone: misuse,    requestRefused: misuse,    requestDeferred: misuse,    storeDone: misuse,       storeRefused: misuse    },
  'refused':       { register: 'preparing-key', timeout: ignored,      prepareKeyDone: misuse,       prepareKeyRefused: misuse, requestDone: misuse,    requestRefused: misuse,    requestDeferred: misuse,    storeDone: misuse,       storeRefused: misuse    },
} as const satisfies Table<RegistrationState['state'], 'register' | 'timeout' | Result>

/**
 * Effects; each is answered by exactly one `…Done`, `…Refused` or `…Deferred` that bears its `op`.
 */
export interface RegistrationOutput {
  /** Load the pending key, or make one and have it durable. */
  prepareKey(op: number): void
  /** Send token and certificate request, signed by the pending key. */
  request(op: number): void
  /** Make certificate and key the connector's identity, durably. */
  store(op: number, reply: Registered): void
}

/** A registration that has not begun. */
export function idleRegistration(limits: RegistrationLimits): RegistrationState {
  return { state: 'idle', op: 0, limits }
}

/**
 * The next state; the same object when the event changes nothing. Effects go to `out` at once.
 *
 * @throws ApiMisuse for an event that cannot be, PeerViolation for one that is the peer's fault
 */
export function nextRegistration(
  from: RegistrationState,
  event: RegistrationEvent,
  out: RegistrationOutput,
): RegistrationState {
  return next(REGISTRATION, MOVES, from, event, out)
}

const prepare = (from: Common, now: number, out: RegistrationOutput) => {
  const waiting = wait(from, now + from.limits.controlCallMs, 0)
  out.prepareKey(waiting.op)
  return { state: 'preparing-key', ...waiting } as const
}

const request = (from: Waiting, now: number, out: RegistrationOutput) => {
  const waiting = wait(from, now + from.limits.controlCallMs, from.failures)
  out.request(waiting.op)
  return { state: 'requesting', ...waiting } as const
}

const backOff = (
  from: Waiting,
  event: { now: number; random: number; retryAfterMs?: number | undefined },
) => {
  const failures = from.failures + 1
  const delay = Math.max(event.retryAfterMs ?? 0, fullJitter(failures, event.random, from.limits))
  return { state: 'backoff', ...wait(from, event.now + delay, failures) } as const
}

/** A new `op`: whatever was under way before is stale from here on. */
const wait = ({ op, limits }: Common, deadline: number, failures: number): Waiting => ({
  op: op + 1,
  limits,
  deadline,
  failures,
})

const settled = ({ op, limits }: Common): Common => ({ op: op + 1, limits })

const MOVES = {
  idle: { register: (from, { now }, out) => prepare(from, now, out) },
  'preparing-key': {
    timeout: (from) => ({ state: 'idle', ...settled(from) }),
    prepareKeyDone: (from, { now }, out) => request(from, now, out),
    prepareKeyRefused: (from) => ({ state: 'idle', ...settled(from) }),
  },
  requesting: {
    timeout: (from, event) => backOff(from, event),
    requestDone: (from, { now, reply }, out) => {
      const waiting = wait(from, now + from.limits.controlCallMs, from.failures)
      out.store(waiting.op, reply)
      return { state: 'storing', ...waiting }
    },
    requestRefused: (from, { reason }) => ({ state: 'refused', reason, ...settled(from) }),
    requestDeferred: (from, event) => backOff(from, event),
  },
  backoff: { timeout: (from, { now }, out) => request(from, now, out) },
  storing: {
    timeout: (from, event) => backOff(from, event),
    storeDone: (from) => ({ state: 'registered', ...settled(from) }),
    storeRefused: (from, event) => backOff(from, event),
  },
  registered: {},
  refused: { register: (from, { now }, out) => prepare(from, now, out) },
} satisfies Moves<typeof REGISTRATION, RegistrationState, RegistrationEvent, RegistrationOutput>
