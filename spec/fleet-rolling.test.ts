/** The short form of the campaign `rolling`. */
import { expect, test } from 'vitest'
import { describeWithPackages } from '../test/debian-packages.ts'
import { rolling } from '../test/fleet/rolling.ts'

describeWithPackages(
  'a rolling restart',
  ['nats-server'],
  () => {
    test('R8.2b nobody notices that connectors and instances are restarted, and of the broker only who needs it then', async () => {
      const said: string[] = []
      const figures = await rolling({ clients: 16, rounds: 1, seed: 14 }, (line) => said.push(line))
      const bad = figures.filter(({ isGood }) => !isGood)
      expect(bad, JSON.stringify([said, figures], undefined, 1)).toEqual([])
    })
  },
  240_000,
)
