/** The short form of the campaign `faulty-connectors`. */
import { expect, test } from 'vitest'
import { describeWithPackages } from '../test/debian-packages.ts'
import { FAULTS, faultyConnector } from '../test/fleet/faulty-connectors.ts'

describeWithPackages(
  'a bad connector beside a good one',
  ['nats-server'],
  () => {
    test.each(FAULTS)(
      'R8.2d one that is %s costs hardly anybody their answer, and the operator is shown which it is',
      async (fault) => {
        const said: string[] = []
        const options = { fault, seconds: 4, clients: 16, seed: 14 } as const
        const figures = await faultyConnector(options, (line) => said.push(line))
        const bad = figures.filter(({ isGood }) => !isGood)
        expect(bad, JSON.stringify([said, figures], undefined, 1)).toEqual([])
      },
    )
  },
  120_000,
)
