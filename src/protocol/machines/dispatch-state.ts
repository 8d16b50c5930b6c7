/**
 * The state of the dispatcher: plain records that refer to one another. `structuredClone` saves it,
 * and a dispatcher that is made with the copy goes on from there.
 *
 * @module
 */
import type { ExchangeId } from '../wire/frame-types.ts'
import type { PairHealth } from './dispatch-health.ts'
import type { DispatchDecision, DispatchRequest } from './dispatch-values.ts'
import type { PinState } from './pin.ts'
import { slotMap, type SlotMap } from './slot-map.ts'
import { ignored, misuse, type Table } from './table.ts'

/**
 * One request. `returned`: its attempt failed, and it is not known yet whether another is wanted.
 */
export type DispatchedState =
  'waiting' | 'offered' | 'claimed' | 'answered' | 'long' | 'returned' | 'over'

/** Every state × event pair of a request. */
// prettier-ignore
export const DISPATCHED = {
  //          what we decide                      what became of the attempt                                        what its owner wants
  waiting:  { offer: 'offered', refuse: 'over',   claim: ignored,   answer: ignored,    long: ignored, fail: ignored,    resubmit: ignored,   end: 'over'  },
  offered:  { offer: misuse,    refuse: misuse,   claim: 'claimed', answer: ignored,    long: ignored, fail: 'returned', resubmit: ignored,   end: 'over'  },
  claimed:  { offer: misuse,    refuse: misuse,   claim: ignored,   answer: 'answered', long: ignored, fail: 'returned', resubmit: ignored,   end: 'over'  },
  answered: { offer: misuse,    refuse: misuse,   claim: ignored,   answer: ignored,    long: 'long',  fail: 'returned', resubmit: ignored,   end: 'over'  },
  long:     { offer: misuse,    refuse: misuse,   claim: ignored,   answer: ignored,    long: ignored, fail: 'returned', resubmit: ignored,   end: 'over'  },
  returned: { offer: misuse,    refuse: misuse,   claim: ignored,   answer: ignored,    long: ignored, fail: ignored,    resubmit: 'waiting', end: 'over'  },
  over:     { offer: misuse,    refuse: misuse,   claim: ignored,   answer: ignored,    long: ignored, fail: ignored,    resubmit: ignored,   end: ignored },
} as const satisfies Table<
  DispatchedState,
  'offer' | 'refuse' | 'claim' | 'answer' | 'long' | 'fail' | 'resubmit' | 'end'
>

/** A request that is waiting, under way, or long. */
export interface RequestState {
  state: DispatchedState
  readonly request: DispatchRequest
  readonly group: GroupState
  readonly application: ApplicationState
  readonly user: UserState
  /** Connectors that declined it, or did not send it. */
  excluded: readonly ExcludedConnector[]
  /** The link to other instances that it was in vain on last, and how often in a row. */
  vainLink: number
  vainTries: number
  /** Place in the order of arrival. */
  sequence: number
  /** When it began to wait, and until when. Monotonic milliseconds. */
  waitsSince: number
  waitUntil: number
  /** Where its current attempt is. */
  link: LinkState | undefined
  pair: PairState | undefined
  /** The pair's count of faults when the attempt began: what came before says nothing of now. */
  epoch: number
  offeredAt: number
  claimedAt: number
  isProbe: boolean
  wasGivenUp: boolean
  /** The connections that are its user's alone; undefined: it needs none. */
  pin: PinRecord | undefined
}

/** The connections of one affinity: see dispatch-pins.ts. */
export interface PinRecord {
  state: PinState
  readonly key: string
  readonly group: GroupState
  readonly application: ApplicationState
  readonly user: UserState
  /** Several connections of one user share it. */
  readonly isShared: boolean
  /** Who has them. */
  connector: string | undefined
  /** Requests that wait, that are under way, and that have no answer yet. */
  waiting: number
  inFlight: number
  unanswered: number
  /** Connections that it has, as far as is known. */
  sockets: number
  /** When an answer last came or ended, and when it was last asked for. Monotonic milliseconds. */
  saidAt: number
  usedAt: number
}

export interface ExcludedConnector {
  readonly connector: string
  /** It paused: if nobody else is left, it may be asked again. */
  readonly isPause: boolean
}

/** The links, applications and connectors of one group. */
export interface GroupState {
  readonly key: string
  readonly connectors: Map<string, ConnectorState>
  readonly applications: Map<string, ApplicationState>
  /** Applications with a request that their share allows to be offered, next first. */
  readonly ready: Set<ApplicationState>
  /** Offers that all links take at once, and those that may be made now. */
  capacity: number
  granted: number
  waiting: number
}

export interface ApplicationState {
  readonly key: string
  isAlone: boolean
  /** Slots that its exchanges hold. */
  held: number
  waiting: number
  readonly users: Map<string, UserState>
  /** What waits, by what may take it. */
  readonly queues: Map<string, QueueState>
  /** Attempts that began, and that were given up, second by second. */
  readonly begun: number[]
  readonly givenUp: number[]
  second: number
}

export interface UserState {
  readonly key: string
  held: number
  waiting: number
  /** Affinities of theirs, and connections of these that are idle. */
  pins: number
  pinned: number
}

/** Requests that the same connectors may take: all of them can be offered now, or none. */
export interface QueueState {
  readonly key: string
  /** User by user, next first; of each, first come first served. */
  readonly ready: Map<UserState, Set<RequestState>>
  /** Those whose user holds all it may. */
  readonly blocked: Map<UserState, Set<RequestState>>
}

export interface ConnectorState {
  readonly id: string
  readonly links: LinkState[]
  readonly pairs: Map<string, PairState>
  /** It has declined for want of room, until then; and how often in a row. */
  pausedUntil: number
  pauses: number
  /** Attempts that hold one of its slots. */
  inFlight: number
  /** When it was last chosen: a place in the order of choices. */
  chosen: number
  /** When its last link went. Monotonic milliseconds. */
  goneAt: number
}

/** One connector and one application. */
export interface PairState {
  state: PairHealth
  readonly connector: ConnectorState
  /** Attempts without a response head, and how many there may be. */
  unanswered: number
  ramp: number
  /** Response heads since the ramp grew. */
  heads: number
  /** Attempts that count in the choice: what is in flight, and each for a second at least. */
  load: number
  /** How many of them leave at which turn of the clock. */
  readonly leaving: number[]
  turn: number
  /** Faults so far, and in a row. */
  epoch: number
  faults: number
  /** When it is passed over no more. Monotonic milliseconds. */
  until: number
  /** The fault was one after which anything may be tried: nothing was sent. */
  isSafeToProbe: boolean
  /** What the last fault was, and when; empty: there was none. */
  lastFault: string
  faultAt: number
  answeredAt: number
}

export interface LinkState {
  readonly link: number
  readonly group: GroupState
  readonly connector: ConnectorState
  readonly features: readonly string[]
  readonly offers: number
  readonly streams: number
  readonly isRemote: boolean
  /** Who is behind a link to other instances. */
  readonly connectors: readonly string[] | undefined
  granted: number
  long: number
  isAttached: boolean
}

/** All of it. */
export interface DispatchState {
  readonly groups: Map<string, GroupState>
  /** They come and go quickly: see slot-map.ts. */
  readonly requests: SlotMap<ExchangeId, RequestState>
  readonly links: Map<number, LinkState>
  /** The longest unused first. */
  readonly pins: Map<string, PinRecord>
  /** Which requests stop waiting at which turn of the clock. */
  readonly waits: Map<number, RequestState[]>
  waiting: number
  sequence: number
  seed: number
  tickedAt: number
  decisions: DispatchDecision[]
}

export function newDispatchState(seed: number): DispatchState {
  return {
    groups: new Map(),
    requests: slotMap(),
    links: new Map(),
    pins: new Map(),
    waits: new Map(),
    ...{ waiting: 0, sequence: 0, seed, tickedAt: -Infinity },
    decisions: [],
  }
}
