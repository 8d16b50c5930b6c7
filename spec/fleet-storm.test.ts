/** The short form of the campaign `storm`, with a fixed seed. */
import { expect, test } from 'vitest'
import { describeWithPackages } from '../test/debian-packages.ts'
import { storm } from '../test/fleet/storm.ts'

describeWithPackages(
  'a storm',
  ['nats-server'],
  () => {
    test('R8.2a nothing fails but what a killed connector had, nothing is executed twice, and everybody gets their own', async () => {
      const said: string[] = []
      const figures = await storm({ seconds: 30, seed: 14, clients: 64 }, (line) => said.push(line))
      const bad = figures.filter(({ isGood }) => !isGood)
      expect(bad, JSON.stringify([said, figures], undefined, 1)).toEqual([])
    })
  },
  240_000,
)
