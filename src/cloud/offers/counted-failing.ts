/**
 * Connectors that fail at what others serve.
 *
 * @module
 */
import type { DispatchState } from '../../protocol/internal.ts'
import { idsOf, type TenantKey } from '../directory/tenant-key.ts'

/** A connector that fails at an application while another connector answers for it. */
export interface FailingConnector {
  readonly tenantId: string
  readonly connectorId: string
  readonly applicationId: string
  /** In a row, and the last of them. */
  readonly faults: number
  readonly lastFault: string
  /** Connectors of its group that have answered lately, without a fault since. */
  readonly healthy: number
}

/** Whoever answered so long ago says nothing of now. Milliseconds. */
const LATELY_MS = 60_000

/** `faults`: how many in a row; `now`: monotonic milliseconds. Costs a walk. */
export function failingAlone(
  { groups }: DispatchState,
  faults: number,
  now: number,
): FailingConnector[] {
  return [...groups.values()].flatMap(({ connectors }) => {
    const all = [...connectors.values()]
    return all.flatMap(({ id: connectorId, pairs }) =>
      [...pairs].flatMap(([key, pair]) => {
        if (pair.faults < faults || pair.state === 'healthy') return []
        const healthy = all.filter(({ pairs: others }) => {
          const other = others.get(key)
          return other?.faults === 0 && now - other.answeredAt <= LATELY_MS
        }).length
        if (healthy === 0) return []
        const [tenantId, applicationId] = idsOf(key as TenantKey)
        const { faults: inARow, lastFault } = pair
        return [{ tenantId, connectorId, applicationId, faults: inARow, lastFault, healthy }]
      }),
    )
  })
}
