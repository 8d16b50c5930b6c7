/**
 * What Prometheus is told of a cloud instance, and whether it is ready for users.
 *
 * @module
 */
import { Exposition, type MetricRow } from '../runtime/figures.ts'
import { ExchangeFigures } from '../runtime/exchange-figures.ts'
import type { ExchangeObserver } from '../runtime/exchange-observer.ts'
import type { HealthCheck, HealthOptions } from '../runtime/health.ts'
import type { AuditEvent, AuditOutcome } from './audit/audit-events.ts'
import type { AuditSink } from './audit/audit-sink.ts'
import type { Cloud } from './cloud.ts'
import { tenantKey, type TenantKey } from './directory/tenant-key.ts'
import type { CertificateStats } from './stats.ts'

const GROUP = ['tenant', 'group'] as const
const APPLICATION = ['tenant', 'application'] as const

/** Every metric of a cloud. */
// prettier-ignore
export const CLOUD_METRICS = {
  app_proxy_cloud_info:                      { type: 'gauge',     labels: ['instance', 'version'], help: 'Always 1: which instance this is, and its version.' },
  app_proxy_cloud_exchanges_total:           { type: 'counter',   labels: [...APPLICATION, 'outcome'], help: 'Requests of users that were admitted and are over: done, failed, or cancelled by their user.' },
  app_proxy_cloud_offers_total:              { type: 'counter',   labels: APPLICATION, help: 'Offers of requests to connectors: more than requests where some were offered again.' },
  app_proxy_cloud_failures_total:            { type: 'counter',   labels: ['reason'], help: 'Failed requests by reason, as in the catalogue of errors.' },
  app_proxy_cloud_wait_seconds:              { type: 'histogram', labels: [], help: 'From the admission of a request to the claim of a connector.' },
  app_proxy_cloud_answer_seconds:            { type: 'histogram', labels: [], help: 'From the claim to the head of the answer.' },
  app_proxy_cloud_open_exchanges:            { type: 'gauge',     labels: APPLICATION, help: 'Requests under way: waiting, offered, claimed, streams and WebSockets included.' },
  app_proxy_cloud_waiting_exchanges:         { type: 'gauge',     labels: APPLICATION, help: 'Those of them that no connector has taken.' },
  app_proxy_cloud_maintenance:               { type: 'gauge',     labels: APPLICATION, help: '1 while an application is in maintenance.' },
  app_proxy_cloud_group_connectors:          { type: 'gauge',     labels: GROUP, help: 'Connectors of a group that hold a link to this instance.' },
  app_proxy_cloud_group_links:               { type: 'gauge',     labels: GROUP, help: 'Their links.' },
  app_proxy_cloud_group_capacity:            { type: 'gauge',     labels: GROUP, help: 'Requests that these links take at once.' },
  app_proxy_cloud_group_grants:              { type: 'gauge',     labels: GROUP, help: 'Offers that may be made now.' },
  app_proxy_cloud_group_served:              { type: 'gauge',     labels: GROUP, help: '1 while a connector holds a link, and they answer; as /readyz tells of it.' },
  app_proxy_cloud_group_waiting:             { type: 'gauge',     labels: GROUP, help: 'Requests that wait for one.' },
  app_proxy_cloud_audit_events_total:        { type: 'counter',   labels: ['type', 'outcome'], help: 'Audit events by type and outcome: sign-ins, sessions, registrations, revocations.' },
  app_proxy_cloud_sign_ins_total:            { type: 'counter',   labels: ['outcome'], help: 'Sign-ins of users that are over.' },
  app_proxy_cloud_certificate_expiry_seconds: { type: 'gauge',    labels: ['certificate'], help: 'The end of a certificate, seconds since 1970.' },
  app_proxy_cloud_configuration_age_seconds: { type: 'gauge',     labels: [], help: 'Since the configuration in force was read.' },
  app_proxy_cloud_ready:                     { type: 'gauge',     labels: [], help: '1 while /readyz says so.' },
} as const satisfies Readonly<Record<string, MetricRow>>

/** How many faults of connectors in a row, and how long after the last, make a group unready. */
const FAULTS = 3
const FAULTS_MS = 60_000

/** What a cloud does not know of itself. */
export interface CloudFiguresOptions {
  /** Whether the listeners for users and connectors accept connections. */
  readonly isListening: () => boolean
  /** What runs, for `app_proxy_cloud_info`. */
  readonly version: string
  /**
   * Which published groups must be served for it to be ready: `any`, one at least; `all`; or these,
   * as `tenant/group`, those that are published no more excepted. Default `any`: of one tenant,
   * whose connectors are away, the others know nothing.
   */
  readonly requireGroups?: 'any' | 'all' | readonly string[] | undefined
}

/** What is asked. */
type CountedCloud = Pick<Cloud, 'stats' | 'directory' | 'clocks' | 'sessions'>

/**
 * Figures of one cloud instance: `createCloud` is given `observer` and `audit`.
 *
 *     const figures = new CloudFigures()
 *     const cloud = createCloud({
 *       observer: figures.observer,
 *       audit: teeAudit(sink, figures.audit),
 *       …
 *     })
 *     const health = new Health(figures.of(cloud, { isListening: () => true, version: '1.0.0' }))
 *     createHealthListener(health).listen(9464, '127.0.0.1')
 */
export class CloudFigures {
  readonly #exchanges = new ExchangeFigures()
  /** By type of event: how often with which outcome. */
  readonly #events = new Map<AuditEvent['type'], Record<AuditOutcome, number>>()

  readonly observer: ExchangeObserver = this.#exchanges.observer

  readonly audit: AuditSink = {
    write: ({ type, outcome }) => {
      let counted = this.#events.get(type)
      if (counted === undefined)
        this.#events.set(type, (counted = { success: 0, refused: 0, failed: 0 }))
      counted[outcome] += 1
    },
  }

  /** What `Health` asks. */
  of(
    cloud: Pick<Cloud, 'stats' | 'directory' | 'clocks' | 'sessions'>,
    options: CloudFiguresOptions,
  ): HealthOptions {
    return {
      checks: () => this.#checks(cloud, options),
      figures: (isReady) => this.#figures(cloud, options, isReady),
    }
  }

  #checks(
    cloud: CountedCloud,
    { isListening, requireGroups = 'any' }: CloudFiguresOptions,
  ): HealthCheck[] {
    const listening = isListening()
    const isStale = cloud.sessions.revocations.isStale === true
    const need =
      typeof requireGroups !== 'string'
        ? (name: string) => (requireGroups.includes(name) ? 'required' : 'told')
        : () => (requireGroups === 'all' ? 'required' : 'any')
    return [
      { name: 'listeners', isGood: listening, detail: listening ? undefined : 'not open' },
      // Then nobody is let in who would have to be known.
      ...(isStale
        ? [{ name: 'shared state', isGood: false, detail: 'not heard of for too long' }]
        : []),
      ...this.#groups(cloud).map(({ tenantId, groupId, fault }) => {
        const name = `${tenantId}/${groupId}`
        const isGood = fault === undefined
        return { name: `group ${name}`, isGood, detail: fault, need: need(name) } as const
      }),
    ]
  }

  /**
   * A link that is attached has answered a ping, or pulled, within 45 s: else it would have been
   * ended. A group whose connectors have links and answer nothing is not served either.
   */
  #groups(cloud: CountedCloud, { groups } = cloud.stats()) {
    const silent = this.#silent(cloud)
    return groups.map((group) => {
      const { tenantId, groupId, links } = group
      const isSilent = silent.has(tenantKey(tenantId, groupId))
      const fault =
        links === 0 ? 'no connector' : isSilent ? 'connectors answer nothing' : undefined
      return { ...group, fault }
    })
  }

  /** Groups of which an application got faults of connectors lately, and the group no answer. */
  #silent({ directory, clocks }: CountedCloud): ReadonlySet<TenantKey> {
    const now = clocks.now()
    /** By tenant and group: when it last answered, and when an application last failed. */
    const groups = new Map<TenantKey, { answeredAt: number; faultAt: number }>()
    for (const [id, { answeredAt, faults, faultAt }] of this.#exchanges.applications) {
      const published = directory.application(id)
      if (published === undefined) continue
      const key = tenantKey(published.tenantId, published.groupId)
      const known = groups.get(key) ?? { answeredAt: -Infinity, faultAt: -Infinity }
      const isFault = faults >= FAULTS && now - faultAt < FAULTS_MS
      groups.set(key, {
        answeredAt: Math.max(known.answeredAt, answeredAt),
        faultAt: Math.max(known.faultAt, isFault ? faultAt : -Infinity),
      })
    }
    const isSilent = ({ answeredAt, faultAt }: { answeredAt: number; faultAt: number }) =>
      answeredAt < faultAt
    return new Set([...groups].filter(([, group]) => isSilent(group)).map(([key]) => key))
  }

  #figures(cloud: CountedCloud, { version }: CloudFiguresOptions, isReady: boolean): string {
    const stats = cloud.stats()
    const groups = this.#groups(cloud, stats)
    const { instance, applications, maintenance, certificates, configuration } = stats
    this.#exchanges.keep((id) => cloud.directory.application(id) !== undefined)
    const out = new Exposition(CLOUD_METRICS)
    const { failures, wait, answer, applications: counted } = this.#exchanges
    out.sample('app_proxy_cloud_info', [instance, version], 1)
    for (const [id, { tenantId, done, failed, cancelled }] of counted)
      for (const [outcome, count] of Object.entries({ done, failed, cancelled }))
        out.sample('app_proxy_cloud_exchanges_total', [tenantId, id, outcome], count)
    for (const [id, { tenantId, offers }] of counted)
      out.sample('app_proxy_cloud_offers_total', [tenantId, id], offers)
    for (const [reason, count] of failures)
      out.sample('app_proxy_cloud_failures_total', [reason], count)
    out.histogram('app_proxy_cloud_wait_seconds', wait)
    out.histogram('app_proxy_cloud_answer_seconds', answer)
    for (const { tenantId, applicationId, open } of applications)
      out.sample('app_proxy_cloud_open_exchanges', [tenantId, applicationId], open)
    for (const { tenantId, applicationId, waiting } of applications)
      out.sample('app_proxy_cloud_waiting_exchanges', [tenantId, applicationId], waiting)
    for (const { tenantId, applicationId } of maintenance)
      out.sample('app_proxy_cloud_maintenance', [tenantId, applicationId], 1)
    for (const name of ['connectors', 'links', 'capacity', 'grants', 'waiting'] as const)
      for (const group of groups)
        out.sample(`app_proxy_cloud_group_${name}`, [group.tenantId, group.groupId], group[name])
    for (const { tenantId, groupId, fault } of groups)
      out.sample('app_proxy_cloud_group_served', [tenantId, groupId], fault === undefined ? 1 : 0)
    for (const [type, outcomes] of this.#events)
      for (const [outcome, count] of Object.entries(outcomes))
        if (count > 0) out.sample('app_proxy_cloud_audit_events_total', [type, outcome], count)
    for (const [outcome, type] of Object.entries(SIGN_INS)) {
      const { success = 0, refused = 0, failed = 0 } = this.#events.get(type) ?? {}
      out.sample('app_proxy_cloud_sign_ins_total', [outcome], success + refused + failed)
    }
    for (const [name, expiresAt] of firstEnds(certificates))
      out.sample(
        'app_proxy_cloud_certificate_expiry_seconds',
        [name],
        Math.floor(expiresAt / 1_000),
      )
    if (configuration.ageMs !== undefined)
      out.sample('app_proxy_cloud_configuration_age_seconds', [], configuration.ageMs / 1_000)
    return out.sample('app_proxy_cloud_ready', [], isReady ? 1 : 0).toString()
  }
}

/** Several listeners may show one each; the one that ends first is told. */
function firstEnds(certificates: readonly CertificateStats[]): Map<string, number> {
  const first = new Map<string, number>()
  for (const { name, expiresAt } of certificates)
    first.set(name, Math.min(expiresAt, first.get(name) ?? expiresAt))
  return first
}

const SIGN_INS = {
  'signed-in': 'sign-in.signed-in',
  denied: 'sign-in.denied',
} as const satisfies Record<string, AuditEvent['type']>
