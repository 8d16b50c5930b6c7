/**
 * What an origin holds, counted for whoever asks.
 *
 * @module
 */
import { healthOf, type DispatchState, type PairHealth } from '../../protocol/internal.ts'
import { idsOf, type TenantKey } from '../directory/tenant-key.ts'
import type { OfferedExchange } from './offered-exchange.ts'

/** What this instance's links of a group take, and who waits for it. */
export interface GroupCount {
  readonly connectors: number
  readonly links: number
  readonly capacity: number
  readonly grants: number
  readonly waiting: number
}

/** Exchanges of an application without an outcome, and those of them that no connector has. */
export interface ApplicationCount {
  readonly open: number
  readonly waiting: number
}

export function countedGroups({ groups, links }: DispatchState): Map<TenantKey, GroupCount> {
  const held = new Map<string, { links: number; readonly connectors: Set<string> }>()
  for (const { isRemote, group, connector } of links.values()) {
    if (isRemote) continue
    const its = held.get(group.key) ?? { links: 0, connectors: new Set<string>() }
    held.set(group.key, its)
    its.links += 1
    its.connectors.add(connector.id)
  }
  return new Map(
    [...groups].map(([key, { capacity, granted: grants, waiting }]) => {
      const its = held.get(key)
      const [connectors, own] = [its?.connectors.size ?? 0, its?.links ?? 0]
      return [key as TenantKey, { connectors, links: own, capacity, grants, waiting }]
    }),
  )
}

/** What this instance's links of one connector take, and how it does. */
export interface ConnectorCount {
  readonly links: number
  readonly capacity: number
  /** Exchanges that hold one of its slots, and long ones. */
  readonly inFlight: number
  readonly long: number
  /** It has declined for want of room a moment ago. */
  readonly isPaused: boolean
  readonly applications: readonly ApplicationHealth[]
}

/** How one connector does for one application. */
export interface ApplicationHealth {
  readonly applicationId: string
  readonly health: PairHealth
  /** Attempts that no answer has come to. */
  readonly unanswered: number
  /** Faults in a row. */
  readonly faults: number
  /** The last one, and how long ago. Milliseconds. Absent: there was none. */
  readonly lastFault?: { readonly reason: string; readonly agoMs: number }
  /** How long ago an answer last began. Milliseconds. Absent: none has. */
  readonly answeredAgoMs?: number
}

/** By connector id: those that hold a link, or did a moment ago. `now`: monotonic milliseconds. */
export function countedConnectors(
  { groups }: DispatchState,
  now: number,
): Map<string, ConnectorCount> {
  const counted = new Map<string, ConnectorCount>()
  for (const { connectors } of groups.values())
    for (const { id, links: all, inFlight, pausedUntil, pairs } of connectors.values()) {
      const links = all.filter(({ isRemote }) => !isRemote)
      const applications = [...pairs].map(([key, pair]): ApplicationHealth => {
        const { unanswered, faults, lastFault, faultAt, answeredAt } = pair
        return {
          applicationId: idsOf(key as TenantKey)[1],
          health: healthOf(pair, now),
          ...{ unanswered, faults },
          ...(lastFault !== '' && { lastFault: { reason: lastFault, agoMs: now - faultAt } }),
          ...(Number.isFinite(answeredAt) && { answeredAgoMs: now - answeredAt }),
        }
      })
      counted.set(id, {
        links: links.length,
        capacity: links.reduce((sum, { offers }) => sum + offers, 0),
        long: links.reduce((sum, { long }) => sum + long, 0),
        ...{ inFlight, isPaused: pausedUntil > now, applications },
      })
    }
  return counted
}

export function countedApplications(
  exchanges: Iterable<OfferedExchange>,
): Map<TenantKey, ApplicationCount> {
  const counted = new Map<TenantKey, ApplicationCount>()
  for (const { application, isClaimed } of exchanges) {
    const { open, waiting } = counted.get(application) ?? { open: 0, waiting: 0 }
    counted.set(application, { open: open + 1, waiting: waiting + (isClaimed ? 0 : 1) })
  }
  return counted
}
