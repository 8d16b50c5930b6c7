import { expect, test } from 'vitest'
import { MultiplexedLink } from '../../../src/connector/node/multiplexed-link.ts'
import { cloudAgent, TlsOverDial } from '../../../src/connector/node/own-dial.ts'

test('a link whose connection never comes is gone when it is closed', async () => {
  const over = new TlsOverDial(() => new Promise(() => undefined))
  const agent = cloudAgent({ minVersion: 'TLSv1.2', rejectUnauthorized: true }, over)
  const unused = undefined as never
  const told: string[] = []
  const tell = (what: string) => () => void told.push(what)
  const link = new MultiplexedLink({
    ...{ instance: 'cloud-1', url: 'https://localhost:1', agent, run: 'run', epoch: 1 },
    ...{ worker: unused, clocks: unused, limits: unused, slots: unused },
    events: {
      ...{ up: tell('up'), unsupported: tell('unsupported'), ended: tell('ended') },
      ...{ hint: tell('hint'), draining: tell('draining') },
    },
  })
  await new Promise((later) => setImmediate(later))
  link.close()
  await link.gone
  expect(told).toEqual([])
  over.end()
})
