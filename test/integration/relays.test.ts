/**
 * The edge's exchange and the connector's relay back to back, whatever the order in which a user,
 * an application and the frames between them come.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RelayWorld, type Kind } from './relay-world.ts'

/** Weighted, so that most runs get far and some are cut short. */
const MOVES = {
  userSends: 6,
  userEnds: 1,
  userTakes: 3,
  userStalls: 2,
  userLeaves: 0.05,
  sessionEnds: 0.03,
  applicationAnswers: 1,
  applicationSends: 6,
  applicationEnds: 1,
  applicationTakes: 3,
  applicationStalls: 2,
  applicationFails: 0.05,
  toConnector: 6,
  toCloud: 6,
} as const satisfies Partial<Record<keyof RelayWorld, number>>
type MoveName = keyof typeof MOVES

const move = fc.oneof(
  ...Object.entries(MOVES).map(([name, weight]) => ({
    arbitrary: fc.constant(name as MoveName),
    weight: Math.round(weight * 100),
  })),
)
const moves = fc.array(move, { maxLength: 150 })
const kind = fc.constantFrom<Kind>('get', 'post', 'tunnel', 'reset-content', 'head')

function run(kind: Kind, names: readonly MoveName[]): RelayWorld {
  const world = new RelayWorld(kind)
  for (const name of names) world[name]()
  return world
}

describe('two relays back to back', () => {
  test('lose, double and reorder no octet, and say nothing to who is gone', () =>
    fc.assert(
      fc.property(kind, moves, (kind, names) => {
        const world = run(kind, names)
        expect(world.faults).toEqual([])
        expect(world.upload.startsWith(world.atApplication)).toBe(true)
        expect(world.download.startsWith(world.atUser)).toBe(true)
      }),
      { numRuns: 3_000 },
    ))

  test('do not stall: what is left undisturbed comes to its end, whole', () =>
    fc.assert(
      fc.property(kind, moves, (kind, names) => {
        const world = run(kind, names)
        world.finish()
        expect(world.faults).toEqual([])
        expect(world.isOver).toBe(true)
        if (world.isDisturbed) return
        expect(world.atUser).toBe(world.hasNoContent ? '' : world.download)
        // An application that has answered may leave the rest of a request unread.
        if (kind === 'tunnel') expect(world.atApplication).toBe(world.upload)
      }),
      { numRuns: 3_000 },
    ))
})
