/**
 * What a dispatcher has before it, group by group, for whoever asks why somebody waits.
 *
 * Users are counted and not named. Of each list the first hundred are told, those that matter most
 * first, and how many there are beside.
 *
 * @module
 */
import {
  applicationBound,
  healthOf,
  slotValues,
  userBound,
  type ApplicationState,
  type DispatchState,
  type GroupState,
  type PairHealth,
  type Shares,
} from '../../protocol/internal.ts'
import { idsOf, type TenantKey } from '../directory/tenant-key.ts'

/** Members of each list that are told. */
export const MOST_TOLD = 100

/** The queue of one group. */
export interface QueueCount {
  /** Exchanges that the links take at once, and offers that may be made now: others' included. */
  readonly capacity: number
  readonly grants: number
  readonly waiting: number
  /** Of the request that waits longest, milliseconds. Absent: none waits. */
  readonly oldestWaitMs?: number
  /** Those with requests that wait or hold a slot; who has most waiting first. */
  readonly applications: readonly QueuedApplication[]
  /** Links of this instance; with most grants first. */
  readonly links: readonly QueuedLink[]
  /** Connectors that are not given what an application could have. */
  readonly passedOver: readonly PassedOver[]
  readonly others: OtherInstances
  /** Members of the three lists that are not told. */
  readonly untold: number
}

/** What waits for an application, and what it may hold. */
export interface QueuedApplication {
  readonly applicationId: string
  readonly waiting: number
  readonly oldestWaitMs?: number
  /** Slots that its exchanges hold, that it may hold, and that one of its users may. */
  readonly held: number
  readonly mayHold: number
  readonly userMayHold: number
  /** Users with requests, and those of them who hold all they may and wait. */
  readonly users: number
  readonly blockedUsers: number
}

/** A link of this instance. */
export interface QueuedLink {
  readonly connectorId: string
  readonly offers: number
  readonly grants: number
  readonly long: number
}

/** A connector and an application that it is not offered, or not more of. */
export interface PassedOver {
  readonly connectorId: string
  readonly applicationId: string
  readonly health: PairHealth
  /** The last fault; `unanswered`: it holds as many requests without an answer as it may. */
  readonly reason: string
  /** Until it may be tried again, milliseconds. Absent: it may be now, or once it answers. */
  readonly untilMs?: number
  readonly unanswered: number
  /** How many it may hold unanswered. */
  readonly ramp: number
}

/** Other instances of the service. */
export interface OtherInstances {
  /** Offers that they take now, as they have announced. */
  readonly grants: number
  /** Requests of this instance's users that they deliver, and of theirs that are here. */
  readonly sent: number
  readonly taken: number
}

/** By group. Costs a walk. `now`: monotonic milliseconds. */
export function countedQueues(
  state: DispatchState,
  shares: Shares,
  now: number,
): Map<TenantKey, QueueCount> {
  const others = countedOthers(state)
  return new Map(
    [...state.groups.values()].map((group) => {
      const its = others.get(group) ?? { sent: 0, taken: 0 }
      return [group.key as TenantKey, queueOf(group, shares, now, its)]
    }),
  )
}

function queueOf(
  group: GroupState,
  shares: Shares,
  now: number,
  moved: Omit<OtherInstances, 'grants'>,
): QueueCount {
  const { capacity, granted: grants, waiting } = group
  const connectors = [...group.connectors.values()]
  const all = connectors.flatMap(({ links }) => links)
  const applications = [...group.applications.values()]
    .map((application) => queuedApplication(group, application, shares, now))
    .sort((one, other) => other.waiting - one.waiting || other.held - one.held)
  const links = all
    .filter(({ isRemote }) => !isRemote)
    .map(({ connector, offers, granted, long }) => ({
      ...{ connectorId: connector.id, offers, grants: granted, long },
    }))
    .sort((one, other) => other.grants - one.grants)
  const passedOver = connectors.flatMap(({ id, pairs, links: own }) =>
    own.some(({ isRemote }) => !isRemote)
      ? [...pairs].flatMap(([key, pair]): PassedOver[] => {
          const { unanswered, ramp, lastFault, until } = pair
          const health = healthOf(pair, now)
          if (health === 'healthy' && unanswered < ramp) return []
          const reason = health === 'healthy' ? 'unanswered' : lastFault
          const untilMs = health === 'passed-over' ? { untilMs: Math.ceil(until - now) } : {}
          const applicationId = idsOf(key as TenantKey)[1]
          return [{ connectorId: id, applicationId, health, reason, ...untilMs, unanswered, ramp }]
        })
      : [],
  )
  const oldest = Math.max(-1, ...applications.map(({ oldestWaitMs = -1 }) => oldestWaitMs))
  const lists = [applications, links, passedOver]
  return {
    ...{ capacity, grants, waiting, ...(oldest >= 0 && { oldestWaitMs: oldest }) },
    applications: applications.slice(0, MOST_TOLD),
    links: links.slice(0, MOST_TOLD),
    passedOver: passedOver.slice(0, MOST_TOLD),
    others: {
      grants: all.reduce((sum, { isRemote, granted }) => sum + (isRemote ? granted : 0), 0),
      ...moved,
    },
    untold: lists.reduce((sum, { length }) => sum + Math.max(0, length - MOST_TOLD), 0),
  }
}

function queuedApplication(
  group: GroupState,
  application: ApplicationState,
  shares: Shares,
  now: number,
): QueuedApplication {
  const { key, waiting, held, users, queues } = application
  const userMayHold = userBound(group, application, shares)
  let since = Infinity
  for (const { ready, blocked } of queues.values())
    for (const requests of [...ready.values(), ...blocked.values()])
      for (const { waitsSince } of requests) {
        since = Math.min(since, waitsSince)
        // The rest of this user's came later.
        break
      }
  let blockedUsers = 0
  for (const user of users.values())
    if (user.waiting > 0 && user.held >= userMayHold) blockedUsers += 1
  return {
    ...{ applicationId: idsOf(key as TenantKey)[1], waiting },
    ...(Number.isFinite(since) && { oldestWaitMs: Math.max(0, Math.round(now - since)) }),
    ...{ held, mayHold: applicationBound(group, application, shares), userMayHold },
    ...{ users: users.size, blockedUsers },
  }
}

function countedOthers({ requests }: DispatchState) {
  const counted = new Map<GroupState, { sent: number; taken: number }>()
  for (const { group, link, request } of slotValues(requests)) {
    // Only what came from elsewhere says beforehand who may not have it.
    const isTaken = request.excluded !== undefined
    if (!isTaken && link?.isRemote !== true) continue
    const its = counted.get(group) ?? { sent: 0, taken: 0 }
    counted.set(group, its)
    if (isTaken) its.taken += 1
    else its.sent += 1
  }
  return counted
}
