/**
 * Columns, medians, worst rounds and ratios.
 *
 * @module
 */
import type { Figures, Row } from './results.ts'

export interface Column {
  readonly key: keyof Figures
  readonly title: string
  readonly unit: string
  /** Which of two figures is the better one. */
  readonly better: 'more' | 'less'
  readonly digits: number
}

export const COLUMNS: readonly Column[] = [
  { key: 'requestsPerSecond', title: 'requests', unit: '/s', better: 'more', digits: 0 },
  { key: 'p50Ms', title: 'p50', unit: 'ms', better: 'less', digits: 2 },
  { key: 'p99Ms', title: 'p99', unit: 'ms', better: 'less', digits: 2 },
  { key: 'cpuMicroseconds', title: 'CPU/request', unit: 'µs', better: 'less', digits: 1 },
  { key: 'downMBps', title: 'down', unit: 'MB/s', better: 'more', digits: 0 },
  { key: 'upMBps', title: 'up', unit: 'MB/s', better: 'more', digits: 0 },
  { key: 'peakMiB', title: 'peak memory', unit: 'MiB', better: 'less', digits: 0 },
]

/** A cell of the table. */
export interface Summary {
  readonly median: number
  readonly worst: number
  /** Median over the reference's median. */
  readonly ratio: number | undefined
}

export const REFERENCE = 'http-proxy-3'

/** `undefined`: not measured. */
export function summarise(row: Row, column: Column, rows: readonly Row[]): Summary | undefined {
  const values = valuesOf(row, column)
  if (values.length === 0) return undefined
  const reference = rows.find(({ name }) => name === REFERENCE)
  const against = reference === undefined ? [] : valuesOf(reference, column)
  const middle = median(values)
  return {
    median: middle,
    worst: column.better === 'more' ? Math.min(...values) : Math.max(...values),
    ratio: against.length === 0 ? undefined : middle / median(against),
  }
}

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new TypeError('there is no median of nothing')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value that so large a share of the others does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new TypeError('there is no percentile of nothing')
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!
}

function valuesOf(row: Row, { key }: Column): number[] {
  return row.rounds.flatMap((round) => round[key] ?? [])
}
