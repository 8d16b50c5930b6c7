/** Keys that are fetched: bounded in everything, and never missed. In time that passes only when told to. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  remoteKeys,
  verifyAssertion,
  type AssertionRefused,
  type FindAssertionKey,
  type RemoteKeysOptions,
} from 'app-proxy/assertion'
import { ApiMisuse } from 'app-proxy/protocol'
import { VirtualTime } from '../connector/virtual-time.ts'
import { AUDIENCE, createMaker, ISSUER, type Maker } from './assertions.ts'

const ADDRESS = new URL('https://wiki.example/.app-proxy/assertion-keys')
let maker: Maker
let newer: Maker
beforeAll(async () => {
  maker = await createMaker()
  newer = await createMaker(Date.now, 'key-2')
})

/** What the service publishes, and how often it was asked. */
class Published {
  readonly time = new VirtualTime()
  asked = 0
  answer: () => Promise<Response> | Response = () => Response.json(maker.keys)
  readonly find: FindAssertionKey

  constructor(options: RemoteKeysOptions = {}) {
    const { clocks, scheduler } = this.time.environment
    const fetch = (_url: string, { signal }: RequestInit): Promise<Response> => {
      this.asked += 1
      return new Promise((resolve, reject) => {
        signal!.addEventListener('abort', () => reject(new Error('aborted')))
        Promise.resolve(this.answer()).then(resolve, reject)
      })
    }
    this.find = remoteKeys(ADDRESS, { ...{ fetch, clocks, scheduler }, ...options })
  }

  reason(kid: string): Promise<string> {
    return this.find(kid).then(
      (key) => (key === undefined ? 'none' : 'found'),
      (error: AssertionRefused) => error.reason,
    )
  }
}

test('are fetched once for all who ask at the same time', async () => {
  const published = new Published()
  const all = await Promise.all(Array.from({ length: 50 }, () => published.reason('key-1')))
  expect(new Set(all)).toEqual(new Set(['found']))
  expect(published.asked).toBe(1)
})

test('names that somebody makes up cause one look-up each ten seconds', async () => {
  const published = new Published()
  expect(await published.reason('key-1')).toBe('found')
  for (let i = 0; i < 100; i++) expect(await published.reason(`made-up-${i}`)).toBe('none')
  expect(published.asked).toBe(1)
  await published.time.pass(10_000)
  for (let i = 0; i < 100; i++) expect(await published.reason(`made-up-${i}`)).toBe('none')
  expect(published.asked).toBe(2)
})

test('a key that signs before anybody knew of it is found all the same', async () => {
  const published = new Published()
  expect(await published.reason('key-1')).toBe('found')
  published.answer = () => Response.json({ keys: [...maker.keys.keys, ...newer.keys.keys] })
  await published.time.pass(10_000)
  expect(await published.reason('key-2')).toBe('found')
})

test('old keys are used while new ones are fetched', async () => {
  const published = new Published()
  expect(await published.reason('key-1')).toBe('found')
  await published.time.pass(600_000)
  published.answer = () => new Promise(() => undefined)
  expect(await published.reason('key-1')).toBe('found')
  expect(published.asked).toBe(2)
})

test('a key that was taken away is no key any more', async () => {
  const published = new Published()
  expect(await published.reason('key-1')).toBe('found')
  published.answer = () => Response.json(newer.keys)
  await published.time.pass(600_000)
  await published.reason('key-1')
  await published.time.settled()
  expect(await published.reason('key-1')).toBe('none')
})

describe('a service that cannot be reached', () => {
  test('is not missed for half a day, and then it is', async () => {
    const published = new Published()
    expect(await published.reason('key-1')).toBe('found')
    published.answer = () => Promise.reject(new Error('ECONNREFUSED'))
    await published.time.pass(43_200_000 - 1)
    expect(await published.reason('key-1')).toBe('found')
    await published.time.pass(1)
    expect(await published.reason('key-1')).toBe('keys-unavailable')
    published.answer = () => Response.json(maker.keys)
    await published.time.pass(1_000)
    expect(await published.reason('key-1')).toBe('found')
  })

  test('is not asked again at once', async () => {
    const published = new Published()
    published.answer = () => Promise.reject(new Error('ECONNREFUSED'))
    for (let i = 0; i < 20; i++) expect(await published.reason('key-1')).toBe('keys-unavailable')
    expect(published.asked).toBe(1)
  })

  test('is given up after five seconds', async () => {
    const published = new Published()
    published.answer = () => new Promise(() => undefined)
    const told = published.reason('key-1')
    await published.time.pass(5_000)
    expect(await told).toBe('keys-unavailable')
  })
})

test.each<[string, () => Response]>([
  ['too long', () => Response.json({ ...maker.keys, padding: 'x'.repeat(70_000) })],
  ['no JSON', () => new Response('<html>')],
  ['no set', () => Response.json({ keys: 'none' })],
  ['null', () => Response.json(null)],
  ['a set of none', () => Response.json({ keys: [] })],
  ['a set of keys that cannot be used', () => Response.json({ keys: [{ kty: 'RSA', kid: 'a' }] })],
  ['a failure', () => Response.json(maker.keys, { status: 500 })],
  ['somewhere else', () => Response.redirect('https://evil.example/keys')],
])('an answer that is %s is none', async (_, answer) => {
  const published = new Published()
  published.answer = answer
  expect(await published.reason('key-1')).toBe('keys-unavailable')
})

test('an answer that is none does not replace keys that were good', async () => {
  const published = new Published()
  expect(await published.reason('key-1')).toBe('found')
  published.answer = () => Response.json({ keys: [] })
  await published.time.pass(600_000)
  for (let i = 0; i < 3; i++) {
    expect(await published.reason('key-1')).toBe('found')
    await published.time.settled()
  }
})

test.each(['http://wiki.example/k', 'file:///k', 'http://127.0.0.1.example/k'])(
  'are not fetched from %s',
  (address) => expect(() => remoteKeys(new URL(address))).toThrow(ApiMisuse),
)

describe('over the network', () => {
  let server: Server | undefined
  afterEach(() => server?.close())
  const serve = async (handler: RequestListener): Promise<URL> => {
    server = createServer(handler).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`)
  }

  test('an address is enough, and what was fetched is remembered by it', async () => {
    let asked = 0
    const keys = await serve((_, response) => {
      asked += 1
      response.end(JSON.stringify(maker.keys))
    })
    const options = { audience: AUDIENCE, issuer: ISSUER, keys }
    for (let i = 0; i < 3; i++)
      expect(await verifyAssertion(await maker.make(), options)).toMatchObject({ sub: 'alice' })
    expect(asked).toBe(1)
  })

  test('a redirect is not followed', async () => {
    const keys = await serve((request, response) => {
      if (request.url === '/real') return response.end(JSON.stringify(maker.keys))
      return response.writeHead(302, { location: '/real' }).end()
    })
    const options = { audience: AUDIENCE, issuer: ISSUER, keys }
    await expect(verifyAssertion(await maker.make(), options)).rejects.toMatchObject({
      reason: 'keys-unavailable',
    })
  })
})
