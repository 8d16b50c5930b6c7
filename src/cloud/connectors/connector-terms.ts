/**
 * Ends what time ends in the registry: approvals, waits for one, and the memory of forgotten
 * connectors.
 *
 * @module
 */
import type { Clocks } from '../../runtime/clocks.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { ConnectorRegistry } from './connector-registry.ts'

export interface ConnectorTermsOptions {
  readonly registry: Pick<ConnectorRegistry, 'expireConnectors'>
  readonly audit: AuditSink
  readonly clocks: Pick<Clocks, 'wallClock'>
}

/** Asked every now and then, by each process that serves connectors: one of them does it. */
export class ConnectorTerms {
  readonly #options: ConnectorTermsOptions

  constructor(options: ConnectorTermsOptions) {
    this.#options = options
  }

  /** Ends what is over, and writes it down. */
  async expire(): Promise<void> {
    const { registry, audit, clocks } = this.#options
    const time = clocks.wallClock()
    const { lapsed } = await registry.expireConnectors(time)
    for (const { id: connectorId, tenantId, standing } of lapsed)
      audit.write({
        ...{ time, type: 'connector.lapsed', outcome: 'success' },
        ...{ tenantId, connectorId, detail: { standing } },
      })
  }
}
