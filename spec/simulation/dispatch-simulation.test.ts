/** What the plan for many instances rests on, with chance of another seed than the table's. */
import { describe, expect, test } from 'vitest'
import { simulate, type Outcome } from './dispatch-simulation.ts'
import { expectedHops, quantile, SCENARIOS, type ScenarioName } from './scenarios.ts'

const SEED = 7
const outcomes = new Map<ScenarioName, Outcome>()
function run(name: ScenarioName): Outcome {
  const outcome = outcomes.get(name) ?? simulate(SCENARIOS[name], SEED)
  outcomes.set(name, outcome)
  return outcome
}
const cell = run('a cell: 8 instances, all dialled')

test('equal seeds give equal outcomes, others do not', () => {
  expect(simulate(SCENARIOS['a cell: 8 instances, all dialled'], SEED)).toEqual(cell)
  expect(simulate(SCENARIOS['a cell: 8 instances, all dialled'], 8)).not.toEqual(cell)
})

test('everybody who comes is answered, refused or lost', () => {
  for (const { requests, answered, refused, lost } of [cell, run('a cell, nine tenths busy')])
    expect(answered + refused + lost).toBe(requests)
})

test('where every instance is dialled nothing travels, waits, is refused or lost', () => {
  expect(cell.requests).toBeGreaterThan(1_500)
  expect(cell).toMatchObject({ answered: cell.requests, refused: 0, lost: 0, hops: 0 })
  expect(quantile(cell.waits, 0.99)).toBe(0)
})

describe.each([
  '16 instances, 8 dialled',
  '64 instances, 8 dialled',
  '64 instances, 8 dialled, groups of 8',
] as const)('%s', (name) => {
  const outcome = run(name)

  test('as many travel as come to an instance without a link, and all are answered', () => {
    const { requests, hops, answered } = outcome
    // Ten groups are few: whose links lie where is chance.
    expect(Math.abs(hops / requests - expectedHops(SCENARIOS[name]))).toBeLessThan(0.1)
    expect(answered).toBe(requests)
  })

  test('who travels waits for the broker once', () =>
    expect(quantile(outcome.waits, 0.99)).toBeLessThan(1))
})

test('nine tenths busy: nobody is refused, and what no own link can take travels', () => {
  const { requests, answered, utilisation, hops, waits } = run('a cell, nine tenths busy')
  expect(utilisation).toBeGreaterThan(0.7)
  expect(answered).toBe(requests)
  expect(hops).toBeGreaterThan(0)
  expect(quantile(waits, 0.99)).toBeLessThan(1_000)
})

test('a third more than there are slots: the slots stay busy, the others are refused', () => {
  const { requests, answered, refused, utilisation } = run('a cell, a third more than its slots')
  expect(utilisation).toBeGreaterThan(0.95)
  expect(refused).toBeGreaterThan(0)
  expect(answered + refused).toBe(requests)
})

test('an instance is killed: only its own users lose, and only what was under way', () => {
  const { requests, lost, refused, waits } = run('a cell, one instance is killed')
  // Six hundred come each second, for a tenth of a second, an eighth of them here.
  expect(lost).toBeGreaterThan(0)
  expect(lost).toBeLessThan(40)
  expect(refused).toBe(0)
  expect(requests).toBe(waits.length + lost)
})

test('connectors are killed: what may be repeated is, and nobody else waits', () => {
  const { lost, refused, waits } = run('a cell, half of the connectors are killed')
  // Of some fifty under way a fifth may not be repeated.
  expect(lost).toBeLessThan(30)
  expect(refused).toBe(0)
  expect(quantile(waits, 0.95)).toBe(0)
})

test('connectors fall silent: claims that are missed tell, and they are passed over', () => {
  const { requests, answered, refused, waits } = run('a cell, half of the connectors fall silent')
  expect(refused).toBe(0)
  expect(answered / requests).toBeGreaterThan(0.98)
  // What an instance trusted them with waits for its claim to be missed, a second.
  expect(quantile(waits, 0.6)).toBe(0)
  expect(quantile(waits, 0.9)).toBeLessThanOrEqual(2_100)
})
