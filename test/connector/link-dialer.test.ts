import { expect, test } from 'vitest'
import { LinkDialer, type DialEvents } from '../../src/connector/link-dialer.ts'
import { TIME_LIMITS } from '../../src/protocol/wire/limits.ts'
import { VirtualTime } from './virtual-time.ts'

test('a certificate that is read while another link takes over is that of the link in the end', async () => {
  const time = new VirtualTime()
  let certificate = 'first'
  const made: { by: string; events: DialEvents; said: string[] }[] = []
  const dialer = new LinkDialer({
    environment: time.environment,
    limits: TIME_LIMITS,
    preferred: 'link',
    connect: (_binding, _epoch, events) => {
      const said: string[] = []
      made.push({ by: certificate, events, said })
      const [drain, close] = ['drain', 'close'].map((word) => () => void said.push(word))
      return { drain: drain!, close: close!, gone: Promise.resolve() }
    },
  })
  dialer.dial()
  made[0]!.events.connected()
  await time.pass(TIME_LIMITS.backoffMinMs)
  // The cloud has seen the next certificate, and drains what has the one before.
  made[0]!.events.draining()
  expect(made.map(({ by }) => by)).toEqual(['first', 'first'])
  certificate = 'next'
  dialer.redial()
  expect(made.map(({ by, said }) => [by, said[0]])).toEqual([
    ['first', 'drain'],
    ['first', 'close'],
    ['next', undefined],
  ])
  // What is given up is heard no more.
  made[1]!.events.ended(new Error('late'))
  expect(dialer.state).toMatchObject({ state: 'connecting', failures: 0 })
  made[2]!.events.connected()
  expect(dialer.isUp).toBe(true)
  dialer.close()
})
