/**
 * What Prometheus is told of a connector, and whether it is ready for work.
 *
 * @module
 */
import { Exposition, type MetricRow } from '../../runtime/figures.ts'
import { ExchangeFigures } from '../../runtime/exchange-figures.ts'
import type { ExchangeObserver } from '../../runtime/exchange-observer.ts'
import type { HealthCheck, HealthOptions } from '../../runtime/health.ts'
import type { RunningConnector } from './connector-options.ts'

/** Every metric of a connector. */
// prettier-ignore
export const CONNECTOR_METRICS = {
  app_proxy_connector_info:                      { type: 'gauge',     labels: ['connector', 'group', 'version'], help: 'Always 1: which connector this is, its group, and its version.' },
  app_proxy_connector_exchanges_total:           { type: 'counter',   labels: ['application', 'outcome'], help: 'Offers that are over: done, failed, cancelled by the user, or declined.' },
  app_proxy_connector_failures_total:            { type: 'counter',   labels: ['reason'], help: 'Failed exchanges by reason, as in the catalogue of errors.' },
  app_proxy_connector_claim_seconds:             { type: 'histogram', labels: [], help: 'From an offer to its claim.' },
  app_proxy_connector_answer_seconds:            { type: 'histogram', labels: [], help: 'From the claim to the head of the application\'s answer.' },
  app_proxy_connector_open_exchanges:            { type: 'gauge',     labels: ['application'], help: 'Exchanges under way.' },
  app_proxy_connector_link_up:                   { type: 'gauge',     labels: ['instance'], help: '1 while the link to a cloud instance is up.' },
  app_proxy_connector_link_offers:               { type: 'gauge',     labels: ['instance'], help: 'Exchanges that are taken of it at once.' },
  app_proxy_connector_link_grants:               { type: 'gauge',     labels: ['instance'], help: 'Offers that may still come of it now.' },
  app_proxy_connector_certificate_expiry_seconds: { type: 'gauge',    labels: [], help: 'The end of its certificate, seconds since 1970.' },
  app_proxy_connector_configuration_age_seconds: { type: 'gauge',     labels: [], help: 'Since its configuration came.' },
  app_proxy_connector_configuration_confirmed_seconds: { type: 'gauge', labels: [], help: 'Since the cloud last said that it is the newest.' },
  app_proxy_connector_ready:                     { type: 'gauge',     labels: [], help: '1 while /readyz says so.' },
} as const satisfies Readonly<Record<string, MetricRow>>

/**
 * Figures of one connector: `startConnector` is given `observer`.
 *
 *     const figures = new ConnectorFigures()
 *     const connector = await startConnector({ observer: figures.observer, … })
 *     const health = new Health(figures.of(connector, { version: '1.0.0' }))
 *     createHealthListener(health).listen(9465, '127.0.0.1')
 */
export class ConnectorFigures {
  readonly #exchanges = new ExchangeFigures()

  readonly observer: ExchangeObserver = this.#exchanges.observer

  /** What `Health` asks. */
  of(
    connector: Pick<RunningConnector, 'stats'>,
    { version }: { readonly version: string },
  ): HealthOptions {
    return {
      checks: () => checks(connector),
      figures: (isReady) => this.#figures(connector, version, isReady),
    }
  }

  #figures(connector: Pick<RunningConnector, 'stats'>, version: string, isReady: boolean): string {
    const { connectorId, groupId, links, applications, certificate, configuration } =
      connector.stats()
    const { applications: counted, failures, wait, answer } = this.#exchanges
    const out = new Exposition(CONNECTOR_METRICS)
    out.sample('app_proxy_connector_info', [connectorId, groupId, version], 1)
    for (const [id, { done, failed, cancelled, declined }] of counted)
      for (const [outcome, count] of Object.entries({ done, failed, cancelled, declined }))
        out.sample('app_proxy_connector_exchanges_total', [id, outcome], count)
    for (const [reason, count] of failures)
      out.sample('app_proxy_connector_failures_total', [reason], count)
    out.histogram('app_proxy_connector_claim_seconds', wait)
    out.histogram('app_proxy_connector_answer_seconds', answer)
    for (const { applicationId, open } of applications)
      out.sample('app_proxy_connector_open_exchanges', [applicationId], open)
    for (const { instance, state } of links)
      out.sample('app_proxy_connector_link_up', [instance], state === 'up' ? 1 : 0)
    for (const name of ['offers', 'grants'] as const)
      for (const link of links)
        out.sample(`app_proxy_connector_link_${name}`, [link.instance], link[name])
    const { expiresAt } = certificate
    out.sample('app_proxy_connector_certificate_expiry_seconds', [], Math.floor(expiresAt / 1_000))
    const { ageMs, confirmedMs } = configuration
    out.sample('app_proxy_connector_configuration_age_seconds', [], ageMs / 1_000)
    out.sample('app_proxy_connector_configuration_confirmed_seconds', [], confirmedMs / 1_000)
    return out.sample('app_proxy_connector_ready', [], isReady ? 1 : 0).toString()
  }
}

/** A link that is up has answered a ping within 45 s: else it would have been ended. */
function checks(connector: Pick<RunningConnector, 'stats'>): HealthCheck[] {
  const { links, standing = 'active', certificate } = connector.stats()
  const isUp = links.some(({ state }) => state === 'up')
  return [
    { name: 'links', isGood: isUp, detail: isUp ? undefined : 'none is up' },
    { name: 'standing', isGood: standing === 'active', detail: standing },
    {
      name: 'certificate',
      isGood: certificate.daysLeft >= 0,
      detail: certificate.daysLeft < 0 ? 'it has ended' : undefined,
    },
  ]
}
