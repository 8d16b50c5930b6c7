/**
 * What somebody should look at: a tenant that registers many connectors, a connector that calls
 * from elsewhere, that answers for requests it was never offered, or that fails at what others
 * serve. Each is an audit event, once for each of them in a while. Nothing is refused by it, and
 * what is remembered is this instance's own, since its start.
 *
 * @see docs/operate.md, "Alarms"
 * @module
 */
import { requestNumberOf, type ExchangeId } from '../../protocol/internal.ts'
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { CountedWindow } from '../../runtime/counted-window.ts'
import type { AuditEntry } from '../audit/audit-events.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { FailingConnector } from '../offers/counted-failing.ts'
import type { Claimer } from '../offers/submission.ts'
import { widerNetwork } from '../rules/network.ts'

/** When an alarm is raised. */
export interface AlarmThresholds {
  /** Registrations of a tenant in `windowMs`. Default 10. */
  readonly registrations: number
  /** Faults in a row of a connector at an application that others answer for. Default 3. */
  readonly faults: number
  /**
   * In which registrations are counted, and in which no alarm is raised twice for the same.
   * Milliseconds, default 600 000.
   */
  readonly windowMs: number
}

/** @internal */
export interface ConnectorAlarmsOptions extends Partial<AlarmThresholds> {
  readonly audit: AuditSink
  readonly clocks: Clocks
}

type Alarm = 'registrations' | 'connector-network' | 'strange-claim' | 'connector-failing'

/** Connectors, and alarms, that are remembered. */
const REMEMBERED = 50_000
/** Networks of one connector that are no news. */
const NETWORKS = 8

/** All of one instance. */
export class ConnectorAlarms {
  readonly #audit: AuditSink
  readonly #clocks: Clocks
  readonly #faults: number
  readonly #most: number
  readonly #windowMs: number
  readonly #registered: CountedWindow
  /** By connector id, the latest last. */
  readonly #networks = new BoundedCache<readonly string[]>(REMEMBERED)
  /** By alarm and whom it is about: until when it is not raised again. */
  readonly #raised = new BoundedCache<number>(REMEMBERED)

  /** @internal */
  constructor(options: ConnectorAlarmsOptions) {
    const { audit, clocks, registrations = 10, faults = 3, windowMs = 600_000 } = options
    this.#audit = audit
    this.#clocks = clocks
    this.#faults = faults
    this.#most = registrations
    this.#windowMs = windowMs
    this.#registered = new CountedWindow({
      ...{ now: () => clocks.now(), most: registrations, windowMs },
    })
  }

  /** The same sink: registrations that it is told of are counted. */
  counting(audit: AuditSink): AuditSink {
    return {
      write: (event) => {
        audit.write(event)
        if (event.type !== 'connector.registration' || event.outcome !== 'success') return
        const { tenantId, detail } = event
        if (tenantId !== undefined && detail?.repeated === false) this.registered(tenantId)
      },
    }
  }

  /** A connector of the tenant was registered. */
  registered(tenantId: string): void {
    this.#registered.count(tenantId)
    const count = this.#registered.counted(tenantId)
    if (count < this.#most || !this.#isNews('registrations', tenantId)) return
    const detail = { count, windowMs: this.#windowMs }
    this.#write({ type: 'alarm.registrations', outcome: 'success', tenantId, detail })
  }

  /** A connector has called. Where it called from first is where it is. */
  called(
    { id: connectorId, tenantId }: { readonly id: string; readonly tenantId: string },
    address: string | undefined,
  ): void {
    const network = address === undefined ? undefined : widerNetwork(address)
    if (network === undefined) return
    const known = this.#networks.get(connectorId)
    if (known?.at(-1) === network) return
    const others = (known ?? []).filter((one) => one !== network).slice(1 - NETWORKS)
    this.#networks.set(connectorId, [...others, network])
    if (known === undefined || known.includes(network)) return
    if (!this.#isNews('connector-network', connectorId)) return
    this.#write({
      ...{ type: 'alarm.connector-network', outcome: 'success', tenantId, connectorId, address },
      detail: { network, before: known.at(-1) },
    })
  }

  /** It claims, or declines, what it was never offered. */
  strange({ tenantId, connectorId }: Claimer, id: ExchangeId, isOfGroup: boolean): void {
    if (!this.#isNews('strange-claim', connectorId)) return
    this.#write({
      ...{ type: 'alarm.strange-claim', outcome: isOfGroup ? 'success' : 'refused' },
      ...{ tenantId, connectorId, requestId: requestNumberOf(id) },
    })
  }

  /** Looks at who fails. `failing`: those with so many faults in a row, or more. */
  look(failing: (faults: number) => readonly FailingConnector[]): void {
    for (const { tenantId, connectorId, applicationId, ...detail } of failing(this.#faults))
      if (this.#isNews('connector-failing', JSON.stringify([connectorId, applicationId])))
        this.#write({
          ...{ type: 'alarm.connector-failing', outcome: 'failed', reason: detail.lastFault },
          ...{ tenantId, connectorId, applicationId, detail },
        })
  }

  #isNews(alarm: Alarm, subject: string): boolean {
    const now = this.#clocks.now()
    const name = `${alarm} ${subject}`
    if (now < (this.#raised.get(name) ?? -Infinity)) return false
    this.#raised.set(name, now + this.#windowMs)
    return true
  }

  #write(entry: AuditEntry<`alarm.${Alarm}`>): void {
    this.#audit.write({ time: this.#clocks.wallClock(), ...entry })
  }
}
