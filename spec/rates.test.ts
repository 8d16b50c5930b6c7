/** Rates of requests: of a tenant, of an application, of one user. */
import { once } from 'node:events'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { headerValue } from '../src/protocol/internal.ts'
import { edgeWorld, HOST, type EdgeWorld } from '../test/cloud/edge/edge-world.ts'
import { BINDINGS, codeOf, publishedWorld, type PublishedWorld } from './published-world.ts'

const from = (remoteAddress: string) => ({ remoteAddress })

/** How many of `count` requests of somebody pass. */
function passing(world: EdgeWorld, count: number, head: object): number {
  const before = world.offers.length
  for (let i = 0; i < count; i++) world.ask(head)
  return world.offers.length - before
}

describe('R8.8a rates in virtual time', () => {
  test('R8.8a a user may send a burst, then so many a second, and is told when to come again', async () => {
    const world = await edgeWorld({}, { open: { rates: { user: { perSecond: 2, burst: 5 } } } })
    expect(passing(world, 20, from('192.0.2.7'))).toBe(5)
    const refused = world.ask(from('192.0.2.7'))
    expect([refused.status, refused.code]).toEqual([429, 'user-rate'])
    expect(headerValue(refused.headers, 'retry-after')).toBe('1')
    world.clock.now += 500
    expect(passing(world, 20, from('192.0.2.7'))).toBe(1)
    world.clock.now += 10_000
    expect(passing(world, 20, from('192.0.2.7'))).toBe(5)
  })

  test('R8.8a whoever is refused takes nothing from others, nor of their own time', async () => {
    const world = await edgeWorld(
      {},
      { open: { rates: { user: { perSecond: 1, burst: 2 }, all: { perSecond: 1, burst: 4 } } } },
    )
    expect(passing(world, 1_000, from('192.0.2.7'))).toBe(2)
    expect(passing(world, 2, from('192.0.2.8'))).toBe(2)
    world.clock.now += 1_000
    expect(passing(world, 5, from('192.0.2.7'))).toBe(1)
  })

  test('R8.8a where nobody signs in a user is an address, of IPv6 its first 64 bits', async () => {
    const world = await edgeWorld({}, { open: { rates: { user: { perSecond: 1, burst: 1 } } } })
    expect(passing(world, 2, from('2001:db8::1'))).toBe(1)
    expect(passing(world, 2, from('2001:db8::ff:1'))).toBe(0)
    expect(passing(world, 2, from('2001:db8:0:1::1'))).toBe(1)
    expect(passing(world, 2, from('::ffff:192.0.2.9'))).toBe(1)
    expect(passing(world, 2, from('192.0.2.9'))).toBe(0)
  })

  test('R8.8a whoever is signed in is one user wherever they are, and whoever is not takes nothing', async () => {
    const rates = { user: { perSecond: 1, burst: 3 }, all: { perSecond: 1, burst: 3 } }
    const world = await edgeWorld({}, { secure: { rates } })
    const headers = ['Cookie', world.cookie]
    expect(passing(world, 1_000, { authority: HOST, ...from('192.0.2.1') })).toBe(0)
    expect(passing(world, 2, { authority: HOST, headers, ...from('192.0.2.1') })).toBe(2)
    expect(passing(world, 2, { authority: HOST, headers, ...from('198.51.100.2') })).toBe(1)
  })

  test('R8.8a an application has a rate of its own, and a tenant one for all that it publishes', async () => {
    const world = await edgeWorld(
      {},
      {
        tenant: { rates: { all: { perSecond: 1, burst: 5 }, user: { perSecond: 1, burst: 4 } } },
        open: { rates: { all: { perSecond: 1, burst: 2 } } },
      },
    )
    expect(passing(world, 3, from('192.0.2.1'))).toBe(2)
    expect(world.ask(from('192.0.2.2')).code).toBe('application-rate')
    const signedIn = { authority: HOST, headers: ['Cookie', world.cookie] }
    expect(passing(world, 9, signedIn)).toBe(3)
    expect(world.ask(signedIn).code).toBe('tenant-rate')
    world.clock.now += 1_000
    expect(passing(world, 9, signedIn)).toBe(1)
  })

  test('R8.8a one user of a tenant has a rate for all its applications together', async () => {
    const world = await edgeWorld(
      {},
      { tenant: { rates: { user: { perSecond: 1, burst: 3 } } }, user: { subject: 'bob' } },
    )
    expect(passing(world, 9, from('192.0.2.1'))).toBe(3)
    expect(world.ask(from('192.0.2.1')).code).toBe('user-rate')
    expect(passing(world, 9, { authority: HOST, headers: ['Cookie', world.cookie] })).toBe(3)
  })

  test('R8.8a a new configuration counts at once, and gives nobody a burst anew', async () => {
    const secure = { rates: { user: { perSecond: 0.1, burst: 2 } } }
    const world = await edgeWorld({}, { secure })
    const signedIn = { authority: HOST, headers: ['Cookie', world.cookie] }
    expect(passing(world, 9, signedIn)).toBe(2)
    world.reconfigure({ ...secure, name: 'Another' })
    expect(passing(world, 9, signedIn)).toBe(0)
    world.reconfigure({ rates: { user: { perSecond: 10, burst: 4 } } })
    expect(passing(world, 9, signedIn)).toBe(1)
    world.clock.now += 200
    expect(passing(world, 9, signedIn)).toBe(2)
    world.reconfigure({})
    expect(passing(world, 9, signedIn)).toBe(9)
  })
})

describe('R8.8b what is written down of it', () => {
  const exceeded = ({ audit }: EdgeWorld) =>
    audit.events.filter(({ type }) => type === 'access.rate-exceeded')

  test('R8.8b the audit names who was too fast, and a flood of requests is no flood of events', async () => {
    const world = await edgeWorld({}, { open: { rates: { user: { perSecond: 1, burst: 1 } } } })
    passing(world, 1_000, from('192.0.2.7'))
    expect(exceeded(world)).toMatchObject([
      {
        ...{ outcome: 'refused', reason: 'user-rate', tenantId: 'contoso', applicationId: 'open' },
        ...{ address: '192.0.2.7', detail: { refused: 1 } },
      },
    ])
    world.clock.now += 60_000
    passing(world, 2, from('192.0.2.7'))
    expect(exceeded(world).at(-1)).toMatchObject({ detail: { refused: 999 } })
    expect(world.audit.events.filter(({ type }) => type === 'access.failure')).toEqual([])
  })

  test('R8.8b many users who are too fast are ten events a minute', async () => {
    const world = await edgeWorld({}, { open: { rates: { user: { perSecond: 1, burst: 1 } } } })
    for (let i = 0; i < 500; i++) passing(world, 3, from(`192.0.${i >> 8}.${i & 255}`))
    expect(exceeded(world)).toHaveLength(10)
  })
})

describe('R8.8a on every binding', () => {
  let world: PublishedWorld
  const rates = { all: { perSecond: 0.001, burst: 1 } }
  const published = (id: string) => ({
    ...{ id, externalUrl: `https://${id}.example/`, preAuthentication: 'passthrough', rates },
  })
  beforeAll(async () => {
    const ids = [...BINDINGS, 'upgrade', 'grpc', 'page']
    world = await publishedWorld({
      applications: ids.map((id) => published(id.toLowerCase().replaceAll(/[^a-z0-9]/g, '-'))),
    })
  })
  afterAll(() => world.close())

  test.each(BINDINGS)('R8.8a %s', async (binding) => {
    const host = `${binding.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')}.example`
    expect((await world.ask(binding, host)).body).toBe('GET /')
    const answer = await world.ask(binding, host, '/', { method: 'POST', body: 'x' })
    expect([answer.status, codeOf(answer)]).toEqual([429, 'application-rate'])
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(900)
    expect(JSON.parse(answer.body)).toMatchObject({ source: 'cloud', delivery: 'none' })
    expect(world.reached.filter((one) => one.includes('POST'))).toEqual([])
  })

  test('R8.8a a WebSocket', async () => {
    const open = async () => {
      const call = request({
        ...{ host: '127.0.0.1', port: world.port, agent: false },
        headers: {
          ...{ host: 'upgrade.example', connection: 'Upgrade', upgrade: 'websocket' },
          ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
        },
      }).end()
      const [response] = (await once(call, 'response')) as [{ statusCode: number; resume(): void }]
      response.resume()
      return response.statusCode
    }
    // The private server of this test switches to nothing; that counts as a request all the same.
    expect(await open()).not.toBe(429)
    expect(await open()).toBe(429)
  })

  test('R8.8a a call of gRPC', async () => {
    const headers = { 'content-type': 'application/grpc', te: 'trailers' }
    await world.ask('HTTP/2', 'grpc.example', '/s/m', { method: 'POST', headers, body: '' })
    const call = { method: 'POST', headers, body: '' }
    const answer = await world.ask('HTTP/2', 'grpc.example', '/s/m', call)
    // RESOURCE_EXHAUSTED
    expect([answer.status, answer.headers['grpc-status']]).toEqual([200, '8'])
    expect(answer.headers['grpc-message']).toContain('application-rate')
  })

  test('R8.8a whoever reads pages gets a page', async () => {
    const headers = { accept: 'text/html' }
    await world.ask('HTTP/1.1', 'page.example', '/', { headers })
    const { status, body } = await world.ask('HTTP/1.1', 'page.example', '/', { headers })
    expect(status).toBe(429)
    expect(body).toContain('<h1>Too many requests</h1>')
  })
})
