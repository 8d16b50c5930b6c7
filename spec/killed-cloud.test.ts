/** The short form of the campaign `killed-cloud`. */
import { expect, test } from 'vitest'
import { killedCloud } from '../test/fleet/killed-cloud.ts'

test(
  'R8.6d whatever a cloud had answered before it was killed is there when it is back, and what it had not can be asked for again',
  { timeout: 600_000 },
  async () => {
    const said: string[] = []
    const figures = await killedCloud({ kills: 25, seed: 14 }, (line) => said.push(line))
    const bad = figures.filter(({ isGood }) => !isGood)
    expect(bad, JSON.stringify([said, figures], undefined, 1)).toEqual([])
  },
)
