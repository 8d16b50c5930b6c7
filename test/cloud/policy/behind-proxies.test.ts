/** The user's address over real sockets: the listener, its head parser, the edge, the policy. */
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { createUserListener } from '../../../src/cloud/node/index.ts'
import { edgeWorld, HOST, type EdgeWorld, type WorldOptions } from '../edge/edge-world.ts'

const closing: (() => void)[] = []
afterEach(() => closing.splice(0).forEach((close) => close()))

const policies = [
  {
    ...{ id: 'office', effect: 'allow' },
    when: { from: { networks: ['192.0.2.0/24', '2001:db8::/32'] } },
  },
]

async function listening(trustedProxies?: NonNullable<WorldOptions['edge']>['trustedProxies']) {
  const world = await edgeWorld(
    {},
    { secure: { policies }, edge: { ...(trustedProxies && { trustedProxies }) } },
  )
  const server = createUserListener(world.edge)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return { world, port: (server.address() as AddressInfo).port }
}

/** The code of our answer, or the address that the application would be told. */
async function outcome(
  { world, port }: { world: EdgeWorld; port: number },
  headers: Record<string, string | string[]>,
): Promise<string> {
  const before = world.offers.length
  const call = request({
    ...{ host: '127.0.0.1', port, agent: false },
    headers: { host: HOST, accept: 'application/json', cookie: world.cookie, ...headers },
  })
  let answer: IncomingMessage | undefined
  call.on('response', (response) => (answer = response)).on('error', () => undefined)
  call.end()
  await vi.waitFor(() => expect(answer !== undefined || world.offers.length > before).toBe(true))
  if (answer === undefined) {
    call.destroy()
    const told = world.offers.at(-1)!.headers
    return told[told.indexOf('X-Forwarded-For') + 1]!
  }
  const text = (await answer.setEncoding('utf8').toArray()).join('')
  return (JSON.parse(text) as { code: string }).code
}

test('a peer that is no proxy is the user, whatever it says', async () => {
  const it = await listening()
  expect(await outcome(it, { 'x-forwarded-for': '192.0.2.7' })).toBe('no-policy-allows')
})

test('a proxy says who the user is, and the application is told the same', async () => {
  const it = await listening({ networks: ['127.0.0.0/8'] })
  expect(await outcome(it, { 'x-forwarded-for': '203.0.113.9, 192.0.2.7' })).toBe('192.0.2.7')
  expect(await outcome(it, { 'x-forwarded-for': ['203.0.113.9', '192.0.2.8'] })).toBe('192.0.2.8')
  expect(await outcome(it, { 'x-forwarded-for': '192.0.2.7, 203.0.113.9' })).toBe(
    'no-policy-allows',
  )
  expect(await outcome(it, { forwarded: 'for=192.0.2.7' })).toBe('no-policy-allows')
})

test('a proxy may say it in Forwarded', async () => {
  const it = await listening({ networks: ['127.0.0.0/8'], header: 'forwarded' })
  expect(await outcome(it, { forwarded: 'for="[2001:db8::7]:4711";proto=https' })).toBe(
    '2001:db8::7',
  )
  expect(await outcome(it, { 'x-forwarded-for': '192.0.2.7' })).toBe('no-policy-allows')
})
