import { expect, test } from 'vitest'
import { explore, type Exploration, type Move } from './explore.ts'

/** A counter that two parties raise to a limit, by messages in flight. */
interface Toy {
  sent: number
  inFlight: number
  received: number
}

const toy = (change: Partial<Exploration<Toy, Toy>> = {}): Exploration<Toy, Toy> => ({
  initial: () => ({ sent: 0, inFlight: 0, received: 0 }),
  save: (world) => ({ ...world }),
  restore: (world, saved) => Object.assign(world, saved),
  moves: (world) => [
    ...(world.sent < 3 ? [move('send', () => ((world.sent += 1), (world.inFlight += 1)))] : []),
    ...(world.inFlight > 0
      ? [move('deliver', () => ((world.inFlight -= 1), (world.received += 1)))]
      : []),
  ],
  isFinal: ({ received }) => received === 3,
  check: () => undefined,
  ...change,
})

const move = (name: string, act: () => unknown, optional = false): Move => ({
  name,
  optional,
  apply: () => {
    act()
    return undefined
  },
})

test('visits every state once and tries every move of each', () => {
  // sent 0…3 and received 0…sent; each state but the last has its sends and deliveries.
  expect(explore(toy())).toEqual({
    states: 10,
    moves: 12,
    witnesses: new Map(),
    stalls: [],
    refusals: [],
    faults: [],
  })
})

test('finds a stall: a world that is not final and where nothing need happen', () => {
  const isFinal = ({ received }: Toy) => received === 4
  expect(explore(toy({ isFinal })).stalls).toEqual([
    ['send', 'send', 'send', 'deliver', 'deliver', 'deliver'],
  ])
})

test('an optional move does not excuse a stall', () => {
  const leave = (world: Toy) => [...toy().moves(world), move('leave', () => undefined, true)]
  const isFinal = ({ received }: Toy) => received === 4
  expect(explore(toy({ isFinal, moves: leave })).stalls).toHaveLength(1)
})

test('reports the shortest path to a fault', () => {
  const check = ({ inFlight }: Toy) => (inFlight > 1 ? 'two at once' : undefined)
  expect(explore(toy({ check })).faults[0]).toEqual({
    path: ['send', 'send'],
    fault: 'two at once',
  })
})

test('reports what a machine refused, and goes on elsewhere', () => {
  const error = new Error('refused')
  const moves = (world: Toy) => [
    ...toy().moves(world),
    ...(world.received === 2
      ? [
          move('break', () => {
            throw error
          }),
        ]
      : []),
  ]
  const findings = explore(toy({ moves }))
  expect(findings.refusals[0]).toEqual({
    path: ['send', 'send', 'deliver', 'deliver', 'break'],
    error,
  })
  expect(findings.states).toBe(10)
})

test('keeps the shortest path to each witness', () => {
  const moves = (world: Toy): Move[] =>
    toy()
      .moves(world)
      .map(({ name, apply }) => ({
        name,
        apply: () => {
          apply()
          return world.received === 2 ? 'twice received' : undefined
        },
      }))
  expect(explore(toy({ moves })).witnesses).toEqual(
    new Map([['twice received', ['send', 'send', 'deliver', 'deliver']]]),
  )
})

test('stops where the bounds are too wide', () =>
  expect(() => explore(toy({ maxStates: 9 }))).toThrow('more than 9 states'))
