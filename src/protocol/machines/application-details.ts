/**
 * What a connector knows of one application: fetched once, cached, refetched when an offer names
 * another version.
 *
 * This is the "confirms it knows the application" of the access flow. An application that the cloud
 * does not know is remembered as unknown for a while, so that offers for it cost no call each.
 *
 * @see spec/PROTOCOL.md, "Application details"
 * @module
 */
import type { TimeLimits } from '../wire/limits.ts'
import type { ApplicationDetails } from '../wire/messages.ts'
import { next, type Moves } from './moves.ts'
import { ignored, misuse, type Table } from './table.ts'

/** Time limits that details live by, in milliseconds. */
export interface ApplicationDetailsLimits extends Pick<TimeLimits, 'controlCallMs'> {
  /** How long an unknown application stays unknown. Default 60 000. */
  readonly unknownForMs: number
}

interface Common {
  /** Names the fetch under way; a result with another number is stale. */
  readonly op: number
  readonly limits: ApplicationDetailsLimits
}
/** The version an offer named when the details were asked for. */
interface Wanted {
  readonly wanted: string
}

/**
 * `deadline` is when to send `timeout`, in monotonic milliseconds; `op` numbers the effect awaited.
 */
export type ApplicationDetailsState =
  | ({ state: 'absent' } & Common)
  | ({ state: 'fetching'; deadline: number } & Common & Wanted)
  | ({ state: 'known'; details: ApplicationDetails } & Common & Wanted)
  /** `deadline` is when it may be asked for again, in monotonic milliseconds. */
  | ({ state: 'unknown-until'; deadline: number } & Common & Wanted)

/** What may happen. `now` is monotonic milliseconds. */
export type ApplicationDetailsEvent =
  /** An offer names this version. */
  | { type: 'wanted'; version: string; now: number }
  /** Derived: it is another version than the one we know, or know to be unknown. */
  | { type: 'outdated'; version: string; now: number }
  | { type: 'fetchDone'; details: ApplicationDetails }
  /** The cloud does not know the application. */
  | { type: 'fetchUnknown'; now: number }
  /** The cloud could not be asked. */
  | { type: 'fetchRefused' }
  | { type: 'timeout' }

/** Every state × event pair of an application's details. */
// prettier-ignore
export const APPLICATION_DETAILS = {
  'absent':        { wanted: 'fetching', outdated: 'fetching', fetchDone: misuse,  fetchUnknown: misuse,          fetchRefused: misuse,   timeout: ignored  },
  'fetching':      { wanted: ignored,    outdated: ignored,    fetchDone: 'known', fetchUnknown: 'unknown-until', fetchRefused: 'absent', timeout: 'absent' },
  'known':         { wanted: ignored,    outdated: 'fetching', fetchDone: misuse,  fetchUnknown: misuse,          fetchRefused: misuse,   timeout: ignored  },
  'unknown-until': { wanted: ignored,    outdated: 'fetching', fetchDone: misuse,  fetchUnknown: misuse,          fetchRefused: misuse,   timeout: 'absent' },
} as const satisfies Table<ApplicationDetailsState['state'], ApplicationDetailsEvent['type']>

/** Effects. `fetch` is answered by exactly one of `fetchDone`, `fetchUnknown`, `fetchRefused`. */
export interface ApplicationDetailsOutput {
  fetch(op: number): void
}

/** Nothing is known of an application, and nothing was asked for. */
export function absentDetails(limits: ApplicationDetailsLimits): ApplicationDetailsState {
  return { state: 'absent', op: 0, limits }
}

/**
 * The next state; the same object when the event changes nothing. Effects go to `out` at once.
 *
 * @throws ApiMisuse for an event that cannot be, PeerViolation for one that is the peer's fault
 */
export function nextApplicationDetails(
  from: ApplicationDetailsState,
  event: ApplicationDetailsEvent,
  out: ApplicationDetailsOutput,
): ApplicationDetailsState {
  return next(APPLICATION_DETAILS, MOVES, from, guarded(from, event), out)
}

/** Whether the answer we have is an answer for this version. */
export function answers(state: ApplicationDetailsState, version: string): boolean {
  if (state.state === 'unknown-until') return state.wanted === version
  // An offer may name a version older than the one we were given for it; asking once is enough.
  return state.state === 'known' && [state.details.version, state.wanted].includes(version)
}

function guarded(
  from: ApplicationDetailsState,
  event: ApplicationDetailsEvent,
): ApplicationDetailsEvent {
  if (event.type !== 'wanted' || answers(from, event.version)) return event
  return { ...event, type: 'outdated' }
}

const fetch = (
  { op, limits }: Common,
  { version, now }: { version: string; now: number },
  out: ApplicationDetailsOutput,
) => {
  out.fetch(op + 1)
  return {
    state: 'fetching',
    op: op + 1,
    limits,
    wanted: version,
    deadline: now + limits.controlCallMs,
  } as const
}
const absent = ({ op, limits }: Common) => ({ state: 'absent', op: op + 1, limits }) as const

const MOVES = {
  absent: {
    wanted: (from, event, out) => fetch(from, event, out),
    outdated: (from, event, out) => fetch(from, event, out),
  },
  fetching: {
    fetchDone: ({ op, limits, wanted }, { details }) => ({
      state: 'known',
      op: op + 1,
      limits,
      wanted,
      details,
    }),
    fetchUnknown: ({ op, limits, wanted }, { now }) => ({
      state: 'unknown-until',
      op: op + 1,
      limits,
      wanted,
      deadline: now + limits.unknownForMs,
    }),
    fetchRefused: (from) => absent(from),
    timeout: (from) => absent(from),
  },
  known: { outdated: (from, event, out) => fetch(from, event, out) },
  'unknown-until': {
    outdated: (from, event, out) => fetch(from, event, out),
    timeout: (from) => absent(from),
  },
} satisfies Moves<
  typeof APPLICATION_DETAILS,
  ApplicationDetailsState,
  ApplicationDetailsEvent,
  ApplicationDetailsOutput
>
