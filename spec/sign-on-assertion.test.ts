/** Assertions as an application gets them: real HTTP on both sides, the real connector. What is refused row by row is in test/assertion. */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { assertionGuard, verifyAssertion, type AssertionKeySet } from '../src/assertion/index.ts'
import { AssertionKeys } from '../src/cloud/index.ts'
import { foldName } from '../src/protocol/internal.ts'
import { HostileIssuer } from '../test/hostile-issuer/issuer.ts'
import {
  assertedWorld,
  type AssertedWorld,
  type Reached,
} from '../test/assertion/asserted-world.ts'

let world: AssertedWorld
let issuer: HostileIssuer
let cookie: string
beforeAll(async () => {
  issuer = await HostileIssuer.start()
  world = await assertedWorld({ issuer: issuer.url })
  cookie = await world.signIn('wiki', 'alice')
})
afterAll(async () => {
  await world.close()
  await issuer.close()
})
beforeEach(() => void world.reached.splice(0))

const last = (): Reached => world.reached.at(-1)!
const keys = async () =>
  JSON.parse((await world.ask(world.host, '/.app-proxy/assertion-keys')).body) as AssertionKeySet
const audience = () => `http://${world.host}/`

async function asserted(path = '/page?week=7', method = 'GET', body?: string) {
  await world.ask(world.host, path, { cookie }, method, body)
  return last().headers['x-app-proxy-assertion'] as string
}

describe('R6.2a', () => {
  test('R6.2a an application gets, with each request, a signed assertion of who its user is', async () => {
    const token = await asserted()
    const options = { audience: audience(), issuer: `http://${world.host}`, keys: await keys() }
    const request = { method: 'GET', url: `http://${world.host}/page` }
    const claims = await verifyAssertion(token, { ...options, request })
    expect(claims).toEqual({
      ...{ iss: `http://${world.host}`, aud: audience(), tid: 'contoso' },
      ...{ sub: 'alice', sub_iss: issuer.url, name: 'Ann Ä', groups: ['a,b', 'c'] },
      ...{ htm: 'GET', htu: `http://${world.host}/page`, iat: claims.iat, exp: claims.iat + 60 },
      jti: claims.jti,
    })
    expect(claims.jti).toMatch(/^[0-9a-f]{32}\.1$/)
    expect(decodeProtectedHeader(token)).toMatchObject({
      ...{ alg: 'ES256', typ: 'app-proxy-assertion+jwt' },
    })
  })

  test('R6.2a a guard in the application lets it in, and nobody else', async () => {
    const guard = assertionGuard({
      ...{ audience: audience(), issuer: `http://${world.host}` },
      keys: new URL(`http://${world.host}/.app-proxy/assertion-keys`.replace('wiki.', '')),
    })
    const known = assertionGuard({
      ...{ audience: audience(), issuer: `http://${world.host}`, keys: await keys() },
    })
    await asserted('/a%2Fb?x')
    const { method, url, headers } = last()
    const header = (name: string) => headers[name]
    expect(await known({ method, url, header })).toMatchObject({ sub: 'alice' })
    await expect(guard({ method, url, header: () => undefined })).rejects.toMatchObject({
      reason: 'missing',
    })
    await expect(known({ method, url: '/other', header })).rejects.toMatchObject({ reason: 'url' })
  })

  test('R6.2a a program that shows a token is told of as anybody is', async () => {
    const token = await issuer.sign(
      { sub: 'robot', aud: 'wiki', client_id: 'cli', jti: 'j' },
      { typ: 'at+jwt' },
    )
    const { status } = await world.ask(world.host, '/', { authorization: `Bearer ${token}` })
    expect(status).toBe(200)
    expect(decodeJwt(last().headers['x-app-proxy-assertion'] as string).sub).toBe('robot')
    expect(last().headers.authorization).toBeUndefined()
  })

  test('R6.2a an upgrade carries one as well', async () => {
    const socket = createConnection(world.port, '127.0.0.1')
    socket.write(
      `GET /live HTTP/1.1\r\nHost: ${world.host}\r\nOrigin: http://${world.host}\r\nCookie: ${cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    )
    await once(socket, 'data')
    socket.destroy()
    expect(decodeJwt(last().headers['x-app-proxy-assertion'] as string)['htu']).toBe(
      `http://${world.host}/live`,
    )
  })

  test('R6.2a a request with a body has one', async () => {
    const token = await asserted('/form', 'POST', 'a=1')
    expect(decodeJwt(token)).toMatchObject({ htm: 'POST' })
  })

  test('R6.2a an application that is told in no such way gets none', async () => {
    const own = await world.signIn('plain', 'alice')
    await world.ask(`plain.localhost:${world.port}`, '/', { cookie: own })
    expect(Object.keys(last().headers).join()).not.toMatch(/assertion/)
  })
})

test('R6.2b each request has one of its own, and none comes twice', async () => {
  const tokens = await Promise.all(Array.from({ length: 50 }, () => asserted()))
  void tokens
  const ids = world.reached.map(
    ({ headers }) => decodeJwt(headers['x-app-proxy-assertion'] as string).jti,
  )
  expect(new Set(ids).size).toBe(50)
})

describe('R6.2c what a user says under the name of its field never reaches an application', () => {
  const NAMES = [
    ...['X-App-Proxy-Assertion', 'x-app-proxy-assertion', 'X_App_Proxy_Assertion'],
    ...['X-App_Proxy.Assertion', 'x.app.proxy.assertion', 'X-APP-PROXY-ASSERTION'],
  ]
  const CUSTOM = ['X-Wiki-User', 'x_wiki_user', 'X.Wiki-USER', 'X_WIKI-User']
  const PLACES = ['wiki', 'custom', 'open', 'elsewhere', 'plain'] as const

  const place = async (name: (typeof PLACES)[number]) => {
    const host = name === 'open' ? world.host : `${name}.localhost:${world.port}`
    const own = {
      cookie: name === 'open' || name === 'elsewhere' ? '' : await world.signIn(name, 'bob'),
    }
    return { host, path: name === 'open' ? '/open/a' : '/a', own }
  }
  const forged = ({ raw, trailers }: Reached) =>
    [...raw, ...trailers].filter((text) => text.includes('forged'))

  test.each(PLACES)('R6.2c %s: in a header', async (name) => {
    const { host, path, own } = await place(name)
    for (const field of [...NAMES, ...CUSTOM]) {
      const { status } = await world.ask(host, path, { ...own, [field]: 'forged' })
      expect([status, field, ...forged(last())]).toEqual([200, field])
    }
  })

  test.each(PLACES)('R6.2c %s: in a trailer', async (name) => {
    const { host, path, own } = await place(name)
    for (const field of [...NAMES, ...CUSTOM]) {
      const socket = createConnection(world.port, '127.0.0.1')
      const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${own.cookie}\r\nTransfer-Encoding: chunked\r\nTrailer: ${field}, X-Sum\r\nTE: trailers\r\n\r\n`
      socket.write(`${head}1\r\na\r\n0\r\n${field}: forged\r\nX-Sum: 1\r\n\r\n`)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      expect(String(answer)).toMatch(/^HTTP\/1.1 200/)
      expect([field, ...forged(last())]).toEqual([field])
    }
  })

  test('R6.2c for a program that shows a token', async () => {
    const claims = { sub: 'robot', aud: 'wiki', client_id: 'cli', jti: 'j' }
    const authorization = `Bearer ${await issuer.sign(claims, { typ: 'at+jwt' })}`
    for (const field of NAMES) {
      await world.ask(world.host, '/', { authorization, [field]: 'forged' })
      expect(forged(last())).toEqual([])
      const names = last()
        .raw.filter((_, i) => i % 2 === 0)
        .map(foldName)
      expect(names.filter((one) => one === 'x-app-proxy-assertion')).toHaveLength(1)
    }
  })

  test('R6.2c nominated by Connection, ours stays', async () => {
    await world.ask(world.host, '/', { cookie, connection: 'x-app-proxy-assertion' })
    expect(last().headers['x-app-proxy-assertion']).toMatch(/^eyJ/)
  })
})

describe('R6.2d', () => {
  test('R6.2d the keys are published on hosts with such an application, for half a day', async () => {
    const { status, headers, body } = await world.ask(world.host, '/.app-proxy/assertion-keys')
    expect([status, headers['cache-control']]).toEqual([200, 'public, max-age=43200'])
    expect(JSON.parse(body)).toEqual(await world.cloud.assertionKeys())
    expect(body).not.toMatch(/"d"/)
    const other = `plain.localhost:${world.port}`
    expect((await world.ask(other, '/.app-proxy/assertion-keys')).status).toBe(404)
    expect((await world.ask('no.localhost', '/.app-proxy/assertion-keys')).status).toBe(404)
    expect((await world.ask(world.host, '/.app-proxy/assertion-keys', {}, 'POST')).status).toBe(404)
    const head = await world.ask(world.host, '/.app-proxy/assertion-keys', {}, 'HEAD')
    expect([head.status, head.body]).toEqual([200, ''])
  })
})

describe('R6.2d with a URL of the service itself', () => {
  let service: AssertedWorld
  afterEach(() => service.close())

  test('R6.2d it is what assertions name, and where the keys are as well', async () => {
    service = await assertedWorld({ serviceUrl: (port) => `http://service.localhost:${port}/` })
    const host = `service.localhost:${service.port}`
    const own = { cookie: await service.signIn('wiki', 'alice') }
    await service.ask(service.host, '/', own)
    const token = service.reached[0]!.headers['x-app-proxy-assertion'] as string
    expect(decodeJwt(token).iss).toBe(`http://${host}/`)
    const { status, body } = await service.ask(host, '/.app-proxy/assertion-keys')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toEqual(await service.cloud.assertionKeys())
    expect((await service.ask(host, '/other')).status).toBe(404)
    expect(service.cloud.edge.publishes(host)).toBe(false)
    expect(service.cloud.edge.publishes(host, '/.app-proxy/assertion-keys')).toBe(true)
  })
})

describe('R6.2e', () => {
  let failing: AssertedWorld
  afterEach(() => failing.close())

  test.each([
    ['rejects', () => Promise.reject(new Error('no key'))],
    ['gives no token', () => Promise.resolve('alice\r\nX-Admin: 1')],
  ])('R6.2e where the signer %s the application is not called', async (_, sign) => {
    failing = await assertedWorld({ signer: { sign, publicKeys: () => ({ keys: [] }) } })
    const own = { cookie: await failing.signIn('wiki', 'alice'), accept: 'application/json' }
    const { status, body } = await failing.ask(failing.host, '/', own)
    expect([status, (JSON.parse(body) as { code: string }).code]).toEqual([502, 'sign-on-failed'])
    expect(failing.reached).toEqual([])
    // Whoever is told in other ways is not touched by it.
    expect((await failing.ask(failing.host, '/open/', own)).status).toBe(200)
  })
})

describe('R6.2f', () => {
  test('R6.2f a rotation under load is noticed by nobody', async () => {
    let ahead = 0
    const signer = await AssertionKeys.open({ wallClock: () => Date.now() + ahead })
    const rotating = await assertedWorld({ signer })
    try {
      const own = { cookie: await rotating.signIn('wiki', 'alice') }
      const first = signer.signing
      const seen = new Set<string>()
      // What verifies remembers a set for half a day, and looks again after that.
      let [set, at] = [signer.publicKeys(), ahead]
      for (let hour = 0; hour < 40; hour++) {
        if (hour === 2) await signer.rotate()
        ahead += 3_600_000
        if (ahead - at >= 12 * 3_600_000) [set, at] = [signer.publicKeys(), ahead]
        await Promise.all(Array.from({ length: 10 }, () => rotating.ask(rotating.host, '/', own)))
        for (const { headers } of rotating.reached.splice(0)) {
          const token = headers['x-app-proxy-assertion'] as string
          seen.add(decodeProtectedHeader(token).kid!)
          const iss = `http://${rotating.host}`
          await verifyAssertion(token, { audience: `${iss}/`, issuer: iss, keys: set })
        }
      }
      expect(seen.size).toBe(2)
      expect(signer.signing).not.toBe(first)
    } finally {
      await rotating.close()
    }
  })
})
