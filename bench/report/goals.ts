/**
 * What the link binding with sign-in is meant to reach, against what it did: ratios of medians.
 *
 * @module
 */
import type { Row } from './results.ts'
import { COLUMNS, summarise, type Column } from './statistics.ts'

interface Goal {
  readonly key: Column['key']
  readonly against: string
  readonly ratio: number
}

const CONTENDER = 'link+sign-in'
const GOALS: readonly Goal[] = [
  { key: 'cpuMicroseconds', against: 'http-proxy-3', ratio: 0.8 },
  { key: 'requestsPerSecond', against: 'http-proxy-3', ratio: 1.3 },
  { key: 'requestsPerSecond', against: 'ssh', ratio: 2.5 },
  { key: 'downMBps', against: 'http-proxy-3', ratio: 0.8 },
  { key: 'downMBps', against: 'ssh', ratio: 1 },
]

/** Cells of a table: the goal, what was reached, and whether that is enough; only what both sides were measured for. */
export function goalCells(rows: readonly Row[]): string[][] {
  const find = (name: string) => rows.find((row) => row.name === name)
  const own = find(CONTENDER)
  const cells = GOALS.flatMap(({ key, against, ratio }) => {
    const column = COLUMNS.find((one) => one.key === key)!
    const other = find(against)
    const ours = own && summarise(own, column, rows)
    const theirs = other && summarise(other, column, rows)
    if (ours === undefined || theirs === undefined) return []
    const reached = ours.median / theirs.median
    const sign = column.better === 'more' ? '≥' : '≤'
    const isMet = column.better === 'more' ? reached >= ratio : reached <= ratio
    const goal = `${column.title} ${sign} ${ratio} × ${other!.title}`
    return [[goal, reached.toFixed(2), isMet ? 'met' : 'short']]
  })
  return cells.length === 0 ? [] : [['app-proxy, link, signed in', 'reached', ''], ...cells]
}
