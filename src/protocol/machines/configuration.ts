/**
 * The connector's copy of its configuration: pulled at once, then periodically and whenever the
 * cloud hints.
 *
 * Whatever goes wrong with a pull, the last good configuration stays in force.
 *
 * @see spec/PROTOCOL.md, "Configuration"
 * @module
 */
import { fullJitter, jittered } from './backoff.ts'
import type { TimeLimits } from '../wire/limits.ts'
import type { ConfigurationRequest, ConnectorConfiguration } from '../wire/messages.ts'
import { next, type Moves } from './moves.ts'
import { ignored, misuse, violation, type Table } from './table.ts'

/** Time limits pulls live by. */
export type ConfigurationLimits = Pick<
  TimeLimits,
  'configurationPullMs' | 'controlCallMs' | 'backoffMinMs' | 'backoffMaxMs'
>

/** What became of the last version received. */
export type Applied = NonNullable<ConfigurationRequest['applied']>

interface Common {
  /** Names the pull under way; a result with another number is stale. */
  readonly op: number
  readonly limits: ConfigurationLimits
  /**
   * When to send `timeout`: the next pull is due, or the one under way is lost. Monotonic
   * milliseconds.
   */
  readonly deadline: number
  /** Pulls that failed in a row. */
  readonly failures: number
  /** To be told with the next pull. */
  readonly applied: Applied | undefined
}
interface Pulling {
  /**
   * A hint came while the pull was under way, and may be about what its answer does not know yet.
   */
  readonly again: boolean
}
interface Configured {
  readonly configuration: ConnectorConfiguration
}

/**
 * `deadline` is when to send `timeout`, in monotonic milliseconds; `op` numbers the effect awaited.
 */
export type ConfigurationState =
  | ({ state: 'unconfigured' } & Common)
  | ({ state: 'pulling' } & Common & Pulling)
  | ({ state: 'current' } & Common & Configured)
  | ({ state: 'refreshing' } & Common & Configured & Pulling)

/** What may happen. `now` is monotonic milliseconds, `random` a number in [0, 1). */
export type ConfigurationEvent =
  /** Pull now: the start, a CONFIGURATION frame, a certificate that is due. */
  | { type: 'hint'; now: number }
  | { type: 'timeout'; now: number; random: number }
  /** The reply has a configuration this connector cannot use. */
  | { type: 'unfit'; now: number; random: number; applied: Applied }
  /** No reply, or a refusal. */
  | { type: 'failed'; now: number; random: number; retryAfterMs?: number | undefined }
  /** The reply has a new configuration. */
  | { type: 'changed'; now: number; random: number; configuration: ConnectorConfiguration }
  /** The reply says that ours is the newest. */
  | { type: 'unchanged'; now: number; random: number }

/**
 * Every state × event pair of a configuration. "Unchanged", to a connector that has none, makes no
 * sense.
 */
// prettier-ignore
export const CONFIGURATION = {
  unconfigured: { hint: 'pulling',    timeout: 'pulling',      unfit: misuse,         failed: misuse,         changed: ignored,   unchanged: ignored   },
  pulling:      { hint: 'pulling',    timeout: 'unconfigured', unfit: 'unconfigured', failed: 'unconfigured', changed: 'current', unchanged: violation },
  current:      { hint: 'refreshing', timeout: 'refreshing',   unfit: misuse,         failed: misuse,         changed: ignored,   unchanged: ignored   },
  refreshing:   { hint: 'refreshing', timeout: 'current',      unfit: 'current',      failed: 'current',      changed: 'current', unchanged: 'current' },
} as const satisfies Table<ConfigurationState['state'], 'hint' | 'timeout' | 'unfit' | 'failed', 'changed' | 'unchanged'>

/** Effects. `pull` is answered by exactly one of `changed`, `unchanged`, `unfit`, `failed`. */
export interface ConfigurationOutput {
  pull(op: number, have: string | undefined, applied: Applied | undefined): void
  /** This is the configuration from now on. */
  apply(configuration: ConnectorConfiguration): void
}

/** No configuration, and no pull before the first `hint`. */
export function unconfigured(limits: ConfigurationLimits): ConfigurationState {
  return {
    state: 'unconfigured',
    op: 0,
    limits,
    deadline: Infinity,
    failures: 0,
    applied: undefined,
  }
}

/**
 * The next state; the same object when the event changes nothing. Effects go to `out` at once.
 *
 * @throws ApiMisuse for an event that cannot be, PeerViolation for one that is the peer's fault
 */
export function nextConfiguration(
  from: ConfigurationState,
  event: ConfigurationEvent,
  out: ConfigurationOutput,
): ConfigurationState {
  return next(CONFIGURATION, MOVES, from, event, out)
}

const pull = (from: Common, have: string | undefined, now: number, out: ConfigurationOutput) => {
  const op = from.op + 1
  out.pull(op, have, from.applied)
  return { ...common(from, now + from.limits.controlCallMs), op, again: false }
}

/** The shared fields under a new deadline, and a new `op`: an answer that comes later is stale. */
const common = (from: Common, deadline: number): Common => ({
  op: from.op + 1,
  limits: from.limits,
  deadline,
  failures: from.failures,
  applied: from.applied,
})

interface Ending {
  readonly now: number
  readonly random: number
  readonly retryAfterMs?: number | undefined
}

/** After an answer: the next pull in one period, or at once if a hint came meanwhile. */
const answered = (from: Common & Pulling, { now, random }: Ending, everyMs: number) => ({
  ...common(from, from.again ? now : now + jittered(everyMs, random)),
  failures: 0,
  applied: undefined,
})

/** After a failure: sooner than in one period, but more slowly each time. */
const failed = (from: Common, { now, random, retryAfterMs }: Ending, everyMs: number) => {
  const failures = from.failures + 1
  const delay = Math.min(fullJitter(failures, random, from.limits), jittered(everyMs, random))
  return { ...common(from, now + Math.max(delay, retryAfterMs ?? 0)), failures }
}

const adopt = (from: Common & Pulling, event: Ending & Configured, out: ConfigurationOutput) => {
  const { configuration } = event
  out.apply(configuration)
  return {
    state: 'current',
    ...answered(from, event, configuration.pullEveryMs),
    applied: { version: configuration.version },
    configuration,
  } as const
}

const MOVES = {
  unconfigured: {
    hint: (from, { now }, out) => ({ state: 'pulling', ...pull(from, undefined, now, out) }),
    timeout: (from, { now }, out) => ({ state: 'pulling', ...pull(from, undefined, now, out) }),
  },
  pulling: {
    hint: (from) => ({ ...from, again: true }),
    timeout: (from, event) => withoutOne(from, event),
    unfit: (from, event) => ({ ...withoutOne(from, event), applied: event.applied }),
    failed: (from, event) => withoutOne(from, event),
    changed: (from, event, out) => adopt(from, event, out),
  },
  current: {
    hint: (from, { now }, out) => refresh(from, now, out),
    timeout: (from, { now }, out) => refresh(from, now, out),
  },
  refreshing: {
    hint: (from) => ({ ...from, again: true }),
    timeout: (from, event) => keepLastGood(from, event),
    unfit: (from, event) => ({
      ...withLastGood(from),
      ...answered(from, event, from.configuration.pullEveryMs),
      applied: event.applied,
    }),
    failed: (from, event) => keepLastGood(from, event),
    changed: (from, event, out) => adopt(from, event, out),
    unchanged: (from, event) => ({
      ...withLastGood(from),
      ...answered(from, event, from.configuration.pullEveryMs),
    }),
  },
} satisfies Moves<typeof CONFIGURATION, ConfigurationState, ConfigurationEvent, ConfigurationOutput>

function withoutOne(from: Common, event: Ending) {
  return {
    state: 'unconfigured',
    ...failed(from, event, from.limits.configurationPullMs),
  } as const
}

function refresh(from: Common & Configured, now: number, out: ConfigurationOutput) {
  const { configuration } = from
  return {
    state: 'refreshing',
    ...pull(from, configuration.version, now, out),
    configuration,
  } as const
}

function keepLastGood(from: Common & Configured, event: Ending) {
  return { ...withLastGood(from), ...failed(from, event, from.configuration.pullEveryMs) }
}

function withLastGood({ configuration }: Configured) {
  return { state: 'current', configuration } as const
}
