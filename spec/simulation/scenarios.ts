/** What is simulated, scenario by scenario, and the table that is made of it. */
import { markdownTable } from '../generate/tables.ts'
import { simulate, type Outcome, type Scenario } from './dispatch-simulation.ts'

const CELL = {
  ...{ instances: 8, dialled: 8, groups: 10, connectors: 2, slots: 200 },
  ...{ requestsPerSecond: 60, serviceMs: 100, seconds: 3 },
} as const satisfies Scenario
const BUSY = { ...CELL, groups: 1, requestsPerSecond: 1_000, seconds: 2 } as const

/** By name: what is special about each. */
export const SCENARIOS = {
  'one instance': { ...CELL, instances: 1 },
  'a cell: 8 instances, all dialled': CELL,
  '16 instances, 8 dialled': { ...CELL, instances: 16 },
  '64 instances, 8 dialled': { ...CELL, instances: 64 },
  '64 instances, 8 dialled, groups of 8': { ...CELL, instances: 64, groups: 5, connectors: 8 },
  'a cell, half of the slots busy': { ...BUSY, slots: 100 },
  'a cell, nine tenths busy': { ...BUSY, slots: 56 },
  'a cell, a third more than its slots': { ...BUSY, requestsPerSecond: 500, slots: 19, seconds: 7 },
  'a cell, one instance is killed': {
    ...{ ...CELL, fault: { of: 'instances', part: 1 / 8, isSilent: false } },
  },
  'a cell, half of the connectors are killed': {
    ...{ ...CELL, fault: { of: 'connectors', part: 1 / 2, isSilent: false } },
  },
  'a cell, half of the connectors fall silent': {
    ...{ ...CELL, fault: { of: 'connectors', part: 1 / 2, isSilent: true } },
  },
} as const satisfies Record<string, Scenario>

export type ScenarioName = keyof typeof SCENARIOS

/** The part of `waits` that is `part` of the way up; they are sorted. */
export function quantile(waits: readonly number[], part: number): number {
  return waits[Math.min(waits.length - 1, Math.floor(waits.length * part))] ?? 0
}

/** The share of requests that come to an instance without a link of their group. */
export function expectedHops({ instances, dialled, connectors }: Scenario): number {
  return Math.max(0, 1 - dialled / instances) ** connectors
}

export function simulationTable(seed = 1): string {
  const rows = Object.entries(SCENARIOS).map(([name, scenario]) =>
    rowOf(name, simulate(scenario, seed)),
  )
  const head = ['scenario', 'requests', 'slots busy', 'over the broker', 'wait p50, p99, most, ms']
  return markdownTable([...head, 'refused', 'lost'], rows)
}

function rowOf(name: string, outcome: Outcome): string[] {
  const { requests, refused, lost, hops, utilisation, waits } = outcome
  const wait = [0.5, 0.99, 1].map((part) => quantile(waits, part).toFixed(1)).join(', ')
  const counts = [refused, lost].map(
    (count) => `${count}${count > 0 ? ` (${percent(count / requests)})` : ''}`,
  )
  return [name, String(requests), percent(utilisation), percent(hops / requests), wait, ...counts]
}

const percent = (part: number) => `${(part * 100).toFixed(1)} %`
