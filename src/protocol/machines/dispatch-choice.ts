/**
 * Which connector is offered a request: among those that answer for the application, have a grant
 * and are trusted with one more, the one with the least of it in flight.
 *
 * @see spec/PROTOCOL.md, "Dispatch"
 * @module
 */
import type { FailureReason } from '../wire/errors.ts'
import { lacking } from '../wire/features.ts'
import { healthOf, loadOf, mayProbe, newPair } from './dispatch-health.ts'
import type {
  ConnectorState,
  ExcludedConnector,
  GroupState,
  LinkState,
  PairState,
  RequestState,
} from './dispatch-state.ts'

/** What decides who may take a request. */
export interface Wanted {
  readonly application: string
  readonly needs: readonly string[]
  readonly excluded: readonly ExcludedConnector[]
  /** The link to other instances that it was in vain on last, and how often in a row. */
  readonly vainLink: number
  readonly vainTries: number
  readonly isReplayable: boolean
  /** Since when it waits. Monotonic milliseconds. */
  readonly waitsSince: number
  /** The one connector that may be offered it; undefined: any. */
  readonly only: string | undefined
}

/**
 * A request that no other instance could put on a link is offered to them so often; then it waits
 * until they announce themselves anew.
 */
export const VAIN_TRIES = 3
/** A request that nobody could be trusted with for so long is offered beyond the ramp. */
export const RAMP_PATIENCE_MS = 1_000

/**
 * `busy`: it waits; `absent`: nobody is connected; `unsupported`: nobody has what it needs;
 * `excluded`: everybody has refused it; `lost`: the connection that it belongs to is gone;
 * `held`: others of its user go first on that.
 */
export type NoChoice = 'busy' | 'held' | 'absent' | 'unsupported' | 'excluded' | 'lost'

export interface Choice {
  readonly link: LinkState
  /** Undefined: a connector of another instance. */
  readonly pair: PairState | undefined
  /** Another healthy connector could take it now. */
  readonly hasOther: boolean
}

interface Candidate {
  readonly link: LinkState
  readonly pair: PairState
}

/** Whoever only paused is asked again when nobody else is left. */
export function choiceFor(
  group: GroupState,
  record: RequestState,
  only: string | undefined,
  now: number,
): Choice | NoChoice {
  const { request } = record
  const wanted = {
    application: request.application,
    needs: request.needs,
    excluded: record.excluded,
    vainLink: record.vainLink,
    vainTries: record.vainTries,
    isReplayable: request.isReplayable,
    waitsSince: record.waitsSince,
    only,
  }
  let choice = choose(group, wanted, now)
  if (choice === 'excluded' && record.excluded.some(({ isPause }) => isPause)) {
    const excluded = record.excluded.filter(({ isPause }) => !isPause)
    choice = choose(group, { ...wanted, excluded }, now)
  }
  if (only !== undefined) return choice
  // Other instances may have a connector that they have not announced yet.
  return choice === 'excluded' && hasRemote(group, record) ? 'busy' : choice
}

/** Whether waiting changes nothing. */
export function isHopeless(obstacle: NoChoice | 'share'): boolean {
  return obstacle === 'unsupported' || obstacle === 'excluded' || obstacle === 'lost'
}

export function choose(group: GroupState, wanted: Wanted, now: number): Choice | NoChoice {
  if (wanted.only !== undefined) return chooseOnly(group, wanted.only, wanted, now)
  let remote: LinkState | undefined
  let isServed = false
  let canCarry = false
  let first: ConnectorState | undefined
  let serving: ConnectorState[] | undefined
  for (const connector of group.connectors.values()) {
    if (connector.links.length === 0) continue
    isServed = true
    if (!connector.links.some((link) => carries(link, wanted.needs))) continue
    canCarry = true
    if (isRemote(connector)) {
      if (isFor(connector, wanted)) remote = freest(connector, wanted.needs)
    } else if (!isExcluded(wanted.excluded, connector.id)) {
      if (first === undefined) first = connector
      else (serving ??= [first]).push(connector)
    }
  }
  const choice =
    serving === undefined ? first && only(first, wanted, now) : among(serving, wanted, now)
  if (choice !== undefined) return choice
  if (remote !== undefined && !wasInVain(remote, wanted))
    return { link: remote, pair: undefined, hasOther: false }
  if (!isServed) return 'absent'
  if (!canCarry) return 'unsupported'
  return first === undefined && !hasOthers(group, wanted) ? 'excluded' : 'busy'
}

/** Nobody else will do. */
function chooseOnly(group: GroupState, id: string, wanted: Wanted, now: number): Choice | NoChoice {
  const connector = group.connectors.get(id)
  if (isExcluded(wanted.excluded, id)) return 'excluded'
  if (connector !== undefined && connector.links.length > 0) {
    if (!connector.links.some((link) => carries(link, wanted.needs))) return 'unsupported'
    return only(connector, wanted, now) ?? 'busy'
  }
  const remote = remoteTo(group, id)
  if (remote === undefined || isExcluded(wanted.excluded, remote.id)) return 'absent'
  const link = freest(remote, wanted.needs)
  if (link === undefined) return 'busy'
  return wasInVain(link, wanted) ? 'excluded' : { link, pair: undefined, hasOther: false }
}

/** Whether a connector can be reached, be it by another instance. */
export function hasLinkTo(group: GroupState, id: string): boolean {
  const connector = group.connectors.get(id)
  return (connector?.links.length ?? 0) > 0 || remoteTo(group, id) !== undefined
}

/** Other instances, if one of them has that connector, as far as is known. */
function remoteTo({ connectors }: GroupState, id: string): ConnectorState | undefined {
  for (const connector of connectors.values()) {
    if (connector.links.length === 0 || !isRemote(connector)) continue
    if (connector.links.some(({ connectors: all }) => all?.includes(id) !== false)) return connector
  }
  return undefined
}

/** Why nobody has what a request needs: what is missing may be the other protocol alone. */
export function whyUnsupported({ group, request }: RequestState): FailureReason {
  const others = request.needs.filter((name) => name !== 'upgrade')
  for (const { links } of group.connectors.values())
    if (links.some((link) => carries(link, others))) return 'upgrade-unsupported'
  return 'connector-too-old'
}

/** Where there is nobody else, health and ramp say nothing: they would keep it from everybody. */
function only(connector: ConnectorState, wanted: Wanted, now: number): Choice | undefined {
  if (now < connector.pausedUntil) return undefined
  const link = freest(connector, wanted.needs)
  if (link === undefined) return undefined
  const pair = pairOf(connector, wanted.application, now)
  // A pair that was passed over long enough is due now.
  healthOf(pair, now)
  return { link, pair, hasOther: false }
}

function among(
  serving: readonly ConnectorState[],
  wanted: Wanted,
  now: number,
): Choice | undefined {
  const healthy: Candidate[] = []
  const passedOver: Candidate[] = []
  let hasHealthy = false
  let probe: Candidate | undefined
  for (const connector of serving) {
    const pair = pairOf(connector, wanted.application, now)
    const health = healthOf(pair, now)
    hasHealthy ||= health === 'healthy'
    if (now < connector.pausedUntil) continue
    const link = freest(connector, wanted.needs)
    if (link === undefined) continue
    // One request finds out whether it is well again; the others need not wait for that.
    if (health === 'due' && mayProbe(pair, wanted.isReplayable, now)) probe ??= { link, pair }
    else if (health === 'healthy') healthy.push({ link, pair })
    else passedOver.push({ link, pair })
  }
  if (probe !== undefined) return { ...probe, hasOther: healthy.length > 0 }
  // Where nobody is healthy, health says nothing.
  const candidates = hasHealthy ? healthy : passedOver
  const trusted = candidates.filter(({ pair }) => pair.unanswered < pair.ramp)
  const best =
    least(trusted, now) ??
    (now - wanted.waitsSince >= RAMP_PATIENCE_MS ? least(beyondRamp(candidates), now) : undefined)
  return best && { ...best, hasOther: healthy.length > 1 }
}

/** Slow applications are no fault: whoever has answered before may hold more. */
function beyondRamp(candidates: readonly Candidate[]): readonly Candidate[] {
  const known = candidates.filter(({ pair }) => pair.answeredAt > -Infinity)
  return known.length > 0 ? known : candidates
}

/**
 * What each is trusted with keeps it from more, and makes nobody more attractive: ramps grow with
 * answers, and the fastest would have the most.
 */
function least(candidates: readonly Candidate[], now: number): Candidate | undefined {
  let best: Candidate | undefined
  let lowest = Infinity
  for (const candidate of candidates) {
    const { pair } = candidate
    const load = loadOf(pair, now)
    if (load > lowest || (load === lowest && pair.connector.chosen >= best!.pair.connector.chosen))
      continue
    lowest = load
    best = candidate
  }
  return best
}

/** The link of a connector that has the most grants left. */
function freest({ links }: ConnectorState, needs: readonly string[]): LinkState | undefined {
  let best: LinkState | undefined
  for (const link of links) {
    if (link.granted > (best?.granted ?? 0) && carries(link, needs)) best = link
  }
  return best
}

export function pairOf(connector: ConnectorState, application: string, now: number): PairState {
  let pair = connector.pairs.get(application)
  if (pair === undefined) {
    pair = newPair(connector, now)
    connector.pairs.set(application, pair)
  }
  return pair
}

function carries({ features }: LinkState, needs: readonly string[]): boolean {
  // As nearly always: nothing is made for it.
  return needs.length === 0 || lacking(needs, features).length === 0
}

function isExcluded(excluded: readonly ExcludedConnector[], id: string): boolean {
  for (const { connector } of excluded) if (connector === id) return true
  return false
}

function isRemote({ links }: ConnectorState): boolean {
  return links[0]!.isRemote
}

/** Whether other instances may be asked, as far as is known. */
function hasRemote(group: GroupState, { excluded }: Pick<RequestState, 'excluded'>): boolean {
  for (const connector of group.connectors.values()) {
    const { id, links } = connector
    if (links.length > 0 && isRemote(connector) && !isExcluded(excluded, id)) return true
  }
  return false
}

/** Whether other instances have a connector that has not refused it. */
function hasOthers(group: GroupState, wanted: Wanted): boolean {
  for (const connector of group.connectors.values())
    if (connector.links.length > 0 && isRemote(connector) && isFor(connector, wanted)) return true
  return false
}

function isFor({ id, links }: ConnectorState, { excluded }: Wanted): boolean {
  if (isExcluded(excluded, id)) return false
  return links.some(
    ({ connectors }) =>
      connectors === undefined || connectors.some((one) => !isExcluded(excluded, one)),
  )
}

function wasInVain({ link }: LinkState, { vainLink, vainTries }: Wanted): boolean {
  return link === vainLink && vainTries >= VAIN_TRIES
}
