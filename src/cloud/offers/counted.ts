/**
 * What an origin holds, counted for whoever asks.
 *
 * @module
 */
import type { DispatchState } from '../../protocol/internal.ts'
import type { TenantKey } from '../directory/tenant-key.ts'
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
