/**
 * Audit events of connectors that come and go.
 *
 * @module
 */
import type { Binding, LinkEnd } from '../../protocol/internal.ts'
import type { Origin } from './origin.ts'
import type { Claimer } from './submission.ts'
import type { AuditSink } from '../audit/audit-sink.ts'

/** Told of each link. */
export interface LinkAudit {
  connected(claimer: Claimer): void
  /** `reason`: why, in the words of {@link LinkEnd}. */
  disconnected(claimer: Claimer, reason: LinkEnd['reason']): void
}

export function auditLinks(
  audit: AuditSink,
  { clocks, instance }: Pick<Origin, 'clocks' | 'instance'>,
  binding: Binding,
): LinkAudit {
  const common = ({ tenantId, connectorId }: Claimer) => ({
    ...{ time: clocks.wallClock(), tenantId, connectorId },
    detail: { binding, instance },
  })
  return {
    connected: (claimer) =>
      audit.write({ type: 'connector.connected', outcome: 'success', ...common(claimer) }),
    disconnected: (claimer, reason) =>
      audit.write({
        type: 'connector.disconnected',
        ...(ON_PURPOSE.has(reason)
          ? ({ outcome: 'success' } as const)
          : ({ outcome: 'failed', reason } as const)),
        ...common(claimer),
      }),
  }
}

const ON_PURPOSE: ReadonlySet<LinkEnd['reason']> = new Set(['drained', 'closed'])
