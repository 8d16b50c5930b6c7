/**
 * The tables of metrics, as the docs show them.
 *
 * @module
 */
import { CLOUD_METRICS } from '../../src/cloud/cloud-figures.ts'
import { CONNECTOR_METRICS } from '../../src/connector/node/connector-figures.ts'
import type { MetricRow } from '../../src/runtime/figures.ts'
import { markdownTable } from './tables.ts'

export const cloudMetrics = (): string => metricTable(CLOUD_METRICS)
export const connectorMetrics = (): string => metricTable(CONNECTOR_METRICS)

function metricTable(rows: Readonly<Record<string, MetricRow>>): string {
  return markdownTable(
    ['metric', 'type', 'labels', 'what'],
    Object.entries(rows).map(([name, { type, labels, help }]) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(', '),
      help,
    ]),
  )
}
