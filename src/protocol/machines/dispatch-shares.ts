/**
 * Who waits, in which order, and what each application and user may hold: hard bounds, at every
 * level at most a part of the level above.
 *
 * Applications take turns, in each its users, and each user's requests go first come first served.
 * Requests that only the same connectors may take wait in one queue, so that one look tells whether
 * any of them can be offered.
 *
 * @module
 */
import type {
  ApplicationState,
  GroupState,
  PinRecord,
  QueueState,
  RequestState,
  UserState,
} from './dispatch-state.ts'
import type { Shares } from './dispatch-values.ts'

/** Whose share is spent. */
export type Share = 'application' | 'user'

/** Slots that an application may hold. */
export function applicationBound(
  { capacity }: GroupState,
  { isAlone }: ApplicationState,
  of: Shares,
) {
  return isAlone ? capacity : Math.max(1, Math.floor(capacity * of.application))
}

/** Slots that one user of it may hold. */
export function userBound(group: GroupState, application: ApplicationState, of: Shares): number {
  return Math.max(1, Math.floor(applicationBound(group, application, of) * of.user))
}

function hasRoom(group: GroupState, application: ApplicationState, of: Shares): boolean {
  return application.held < applicationBound(group, application, of)
}

/** The share that keeps a request from being offered. */
export function spentShare(
  { group, application, user }: RequestState,
  shares: Shares,
): Share | undefined {
  if (!hasRoom(group, application, shares)) return 'application'
  return user.held < userBound(group, application, shares) ? undefined : 'user'
}

/** Whether its user's requests and idle connections hold all of their share. */
export function isCrowded({ group, application, user }: RequestState, shares: Shares): boolean {
  return user.held + user.pinned >= userBound(group, application, shares)
}

/** The share that keeps a request from waiting; `group`: nobody has room. */
export function noRoomToWait(
  { group, application, user }: RequestState,
  of: Shares,
): Share | 'group' | undefined {
  // Where the whole queue is full, no share is to blame.
  if (group.waiting >= of.waiting) return 'group'
  const most = application.isAlone ? of.waiting : Math.max(1, of.waiting * of.application)
  if (user.waiting >= Math.max(1, most * of.user)) return 'user'
  return application.waiting >= most ? 'application' : undefined
}

/** It waits. */
export function enqueue(request: RequestState, shares: Shares): void {
  const { group, application, user } = request
  const queue = queueOf(request)
  group.waiting += 1
  application.waiting += 1
  user.waiting += 1
  const isReady = queue.ready.has(user) || user.held < userBound(group, application, shares)
  const users = isReady ? queue.ready : queue.blocked
  const own = users.get(user)
  if (own === undefined) users.set(user, new Set([request]))
  else own.add(request)
  if (hasRoom(group, application, shares)) group.ready.add(application)
}

/** It waits no more. */
export function dequeue(request: RequestState): void {
  const { group, application, user } = request
  const queue = queueOf(request)
  group.waiting -= 1
  application.waiting -= 1
  user.waiting -= 1
  for (const users of [queue.ready, queue.blocked]) {
    const own = users.get(user)
    if (own?.delete(request) === true && own.size === 0) users.delete(user)
  }
  if (queue.ready.size + queue.blocked.size === 0) application.queues.delete(queue.key)
  if (application.waiting === 0) group.ready.delete(application)
}

/** Whether somebody waits whom the same connectors may take. */
export function hasBefore(request: RequestState): boolean {
  const { application } = request
  return application.waiting > 0 && application.queues.has(keyOf(request))
}

/** Its attempt takes a slot. */
export function hold({ group, application, user }: RequestState, shares: Shares): void {
  application.held += 1
  user.held += 1
  if (!hasRoom(group, application, shares)) group.ready.delete(application)
  if (user.waiting === 0 || user.held < userBound(group, application, shares)) return
  for (const { ready, blocked } of application.queues.values()) moveUser(user, ready, blocked)
}

/** Its attempt gives the slot back. */
export function release({ group, application, user }: RequestState, shares: Shares): void {
  application.held -= 1
  user.held -= 1
  if (application.waiting > 0 && hasRoom(group, application, shares)) group.ready.add(application)
  if (user.waiting === 0 || user.held >= userBound(group, application, shares)) return
  for (const { ready, blocked } of application.queues.values()) moveUser(user, blocked, ready)
}

/** The capacity of the group has changed, and with it every bound. */
export function rebound(group: GroupState, shares: Shares): void {
  for (const application of group.applications.values()) {
    if (application.waiting === 0) continue
    if (hasRoom(group, application, shares)) group.ready.add(application)
    else group.ready.delete(application)
    for (const { ready, blocked } of application.queues.values()) {
      const bound = userBound(group, application, shares)
      for (const user of [...ready.keys()]) if (user.held >= bound) moveUser(user, ready, blocked)
      for (const user of [...blocked.keys()]) if (user.held < bound) moveUser(user, blocked, ready)
    }
  }
}

/** The next request of each queue of an application, in the order of their arrival. */
export function heads({ queues }: ApplicationState): readonly RequestState[] {
  const found: RequestState[] = []
  for (const { ready } of queues.values()) {
    for (const requests of ready.values()) {
      for (const request of requests) {
        found.push(request)
        break
      }
      break
    }
  }
  return found.length < 2 ? found : found.sort((one, other) => one.sequence - other.sequence)
}

/** After a request of theirs was offered, others have their turn. */
export function endTurn({ group, application, user }: RequestState): void {
  if (group.ready.delete(application)) group.ready.add(application)
  for (const { ready } of application.queues.values()) moveUser(user, ready, ready)
}

function moveUser(
  user: UserState,
  from: Map<UserState, Set<RequestState>>,
  to: Map<UserState, Set<RequestState>>,
): void {
  const requests = from.get(user)
  if (requests === undefined) return
  from.delete(user)
  to.set(user, requests)
}

function queueOf(request: RequestState): QueueState {
  const { queues } = request.application
  const key = keyOf(request)
  let queue = queues.get(key)
  if (queue === undefined) {
    queue = { key, ready: new Map(), blocked: new Map() }
    queues.set(key, queue)
  }
  return queue
}

/** Two requests with the same key may be taken by the same connectors. */
function keyOf({ request, excluded, vainLink, vainTries, pin }: RequestState): string {
  const { isReplayable, needs } = request
  const kind = pin === undefined ? (isReplayable ? 'r' : 'n') : pinned(request, pin)
  if (needs.length === 0 && excluded.length === 0 && vainTries === 0) return kind
  const refusers = excluded.map(({ connector, isPause }) => `${isPause ? 'p' : 'x'}${connector}`)
  return kind + JSON.stringify([[...needs].sort(), refusers.sort(), vainLink, vainTries])
}

/** Those of one affinity wait by themselves, and what continues a handshake waits for no other. */
function pinned({ affinity }: RequestState['request'], { key }: PinRecord): string {
  return `${affinity!.step === 'continues' ? 'c' : 'p'}${key} `
}
