/**
 * The dispatcher's records: made when first named, dropped when nothing is left of them.
 *
 * @module
 */
import type {
  ApplicationState,
  DispatchState,
  ExcludedConnector,
  GroupState,
  LinkState,
  RequestState,
  UserState,
} from './dispatch-state.ts'
import type { DispatchLink, DispatchRequest } from './dispatch-values.ts'
import { slotDelete, slotSet } from './slot-map.ts'

/** What is known of a connector is kept so long after its last link. Milliseconds. */
export const REMEMBERED_MS = 60_000
const SECONDS = 10

export function groupOf({ groups }: DispatchState, key: string): GroupState {
  let group = groups.get(key)
  if (group === undefined) {
    group = {
      ...{ key, connectors: new Map(), applications: new Map(), ready: new Set() },
      ...{ capacity: 0, granted: 0, waiting: 0 },
    }
    groups.set(key, group)
  }
  return group
}

/** A new link, and its connector; returns its group. */
export function linkAttached(state: DispatchState, link: DispatchLink, now: number): GroupState {
  const group = groupOf(state, link.group)
  const { connector: id, granted } = link
  let connector = group.connectors.get(id)
  if (connector === undefined) {
    connector = {
      ...{ id, links: [], pairs: new Map(), pausedUntil: 0, pauses: 0, inFlight: 0 },
      chosen: 0,
      goneAt: now,
    }
    group.connectors.set(id, connector)
  }
  const record: LinkState = {
    ...{ link: link.link, group, connector, granted, long: 0, isAttached: true },
    features: link.features,
    offers: link.offers,
    streams: link.streams ?? 0,
    isRemote: link.isRemote ?? false,
    connectors: link.connectors,
  }
  connector.links.push(record)
  state.links.set(link.link, record)
  group.capacity += link.offers
  group.granted += granted
  return group
}

/** A new request's record, in the order of arrival. */
export function recordOf(
  state: DispatchState,
  request: DispatchRequest,
  now: number,
): RequestState {
  const group = groupOf(state, request.group)
  const application = applicationOf(group, request, now)
  const user = userOf(application, request.user)
  const sequence = ++state.sequence
  const record = new RequestRecord(request, group, application, user, sequence, now)
  slotSet(state.requests, request.id, record)
  return record
}

/** The request is over. */
export function forgetRequest(state: DispatchState, record: RequestState): void {
  slotDelete(state.requests, record.request.id)
  forgetUser(state, record)
}

/** A user of whom nothing is left. */
export function forgetUser(
  state: DispatchState,
  { application, group, user }: Pick<RequestState, 'application' | 'group' | 'user'>,
): void {
  if (user.held + user.waiting + user.pins > 0) return
  application.users.delete(user.key)
  if (group.connectors.size > 0 || application.users.size > 0) return
  group.applications.delete(application.key)
  if (group.applications.size === 0) state.groups.delete(group.key)
}

/** Connectors that are gone for good, and a group of which nothing is left. */
export function forgetIdle(state: DispatchState, group: GroupState, now: number): void {
  for (const [id, { links, inFlight, goneAt }] of group.connectors) {
    if (links.length === 0 && inFlight === 0 && now - goneAt >= REMEMBERED_MS)
      group.connectors.delete(id)
  }
  if (group.connectors.size > 0) return
  for (const [key, { users }] of group.applications)
    if (users.size === 0) group.applications.delete(key)
  if (group.applications.size === 0) state.groups.delete(group.key)
}

/** The next number of a xorshift generator, in [0, 1): its whole state is the seed. */
export function nextRandom(state: DispatchState): number {
  let x = state.seed === 0 ? 0x9e3779b9 : state.seed
  x ^= x << 13
  x ^= x >>> 17
  x ^= x << 5
  state.seed = x >>> 0
  return state.seed / 2 ** 32
}

/** Counts of the last ten seconds begin anew with each second. */
export function beginSecond(application: ApplicationState, now: number): void {
  const second = Math.floor(now / 1_000)
  const passed = Math.min(SECONDS, second - application.second)
  for (const counts of [application.begun, application.givenUp]) {
    if (passed <= 0) break
    counts.copyWithin(passed, 0)
    counts.fill(0, 0, passed)
  }
  application.second = Math.max(second, application.second)
}

export function countIn(seconds: readonly number[]): number {
  let sum = 0
  for (const count of seconds) sum += count
  return sum
}

function applicationOf(group: GroupState, request: DispatchRequest, now: number): ApplicationState {
  const { application: key, isAlone = false } = request
  let application = group.applications.get(key)
  if (application === undefined) {
    application = {
      ...{ key, isAlone, held: 0, waiting: 0, users: new Map(), queues: new Map() },
      begun: new Array<number>(SECONDS).fill(0),
      givenUp: new Array<number>(SECONDS).fill(0),
      second: Math.floor(now / 1_000),
    }
    group.applications.set(key, application)
  }
  application.isAlone = isAlone
  return application
}

function userOf({ users }: ApplicationState, key: string): UserState {
  let user = users.get(key)
  if (user === undefined) {
    user = { key, held: 0, waiting: 0, pins: 0, pinned: 0 }
    users.set(key, user)
  }
  return user
}

const NOBODY: readonly ExcludedConnector[] = []

/** Plain all the same: a clone of it is as good. See table.ts for why it is of a class. */
class RequestRecord implements RequestState {
  state: RequestState['state'] = 'returned'
  vainLink = 0
  vainTries = 0
  link: RequestState['link'] = undefined
  pair: RequestState['pair'] = undefined
  epoch = 0
  offeredAt = 0
  claimedAt = 0
  isProbe = false
  wasGivenUp = false
  pin: RequestState['pin'] = undefined
  readonly request: DispatchRequest
  readonly group: GroupState
  readonly application: ApplicationState
  readonly user: UserState
  excluded: readonly ExcludedConnector[]
  sequence: number
  waitsSince: number
  waitUntil: number

  constructor(
    request: DispatchRequest,
    group: GroupState,
    application: ApplicationState,
    user: UserState,
    sequence: number,
    now: number,
  ) {
    this.request = request
    this.group = group
    this.application = application
    this.user = user
    this.excluded = request.excluded?.map((connector) => ({ connector, isPause: false })) ?? NOBODY
    this.sequence = sequence
    this.waitsSince = this.waitUntil = now
  }
}
