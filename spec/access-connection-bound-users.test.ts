/**
 * An application that knows its users by their connections, as NTLM and Negotiate make it: each user can sign on, and
 * nobody is ever taken for another.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConnectionUser, type Told, type Wish } from '../test/connection-user.ts'
import { HandshakeApplication } from '../test/handshake-application.ts'
import { startTunnel, until, type Transport, type Tunnel } from '../test/integration/tunnel.ts'

const SIGN_ON = { kind: 'connection-bound' }
const HOSTS = ['open.localhost', 'secure.localhost'] as const

/** A cookie of a session of its own. */
async function signedIn(tunnel: Tunnel, subject: string): Promise<string> {
  const { setCookie } = await tunnel.sessions.start(
    tunnel.directory.application('secure')!,
    'secure.localhost',
    {
      subject,
      issuer: tunnel.issuer.url,
      groups: [],
      authenticatedAt: Date.now(),
      expiresAt: Date.now() + 600_000,
    } as never,
  )
  return setCookie.split(';')[0]!
}

function start(application: HandshakeApplication, more: object = {}): Promise<Tunnel> {
  const { serve: backend, upgrade } = application
  return startTunnel({ backend, upgrade, signOn: SIGN_ON, ...more })
}

const ROUNDS = 500
describe.each(['link over TLS', 'plain over TLS'] as const)('%s', (transport: Transport) => {
  let tunnel: Tunnel
  let application: HandshakeApplication
  let cookies: readonly string[]
  beforeAll(async () => {
    application = new HandshakeApplication()
    tunnel = await start(application, { transport })
    cookies = [await signedIn(tunnel, 'alice'), await signedIn(tunnel, 'bob')]
  })
  afterAll(() => tunnel.close())

  const KINDS = transport === 'plain over TLS' ? ['GET', 'POST'] : ['GET', 'POST', 'WebSocket']
  const wish = (user: 0 | 1, host: string, kind: string, turn: number): Wish => ({
    host,
    method: kind === 'POST' ? 'POST' : 'GET',
    path: `/${turn}`,
    ...(kind === 'POST' && { body: `a=${turn}` }),
    isWebSocket: kind === 'WebSocket',
    headers: host.startsWith('secure') ? { cookie: cookies[user]!, origin: `http://${host}` } : {},
  })

  test.each([
    ['HTTP/1.1', {}],
    ['HTTP/2', { http2: true }],
  ] as const)(
    'R3.3.8a two users by %s, a thousand requests in turn: each signs on, none is taken for the other',
    async (version, how) => {
      const port = version === 'HTTP/1.1' ? tunnel.port : tunnel.tlsPort
      const users = ['alice', 'bob'].map((name) => new ConnectionUser(name, port, how))
      const before = application.connections
      const counts = new Map<string, number>()
      for (let i = 0; i < ROUNDS; i++) {
        const kind = KINDS[i % KINDS.length]!
        // A WebSocket takes its connection with it: one now and then.
        const isSocket = kind === 'WebSocket' && i % 25 === 2
        const host = HOSTS[Math.floor(i / KINDS.length) % 2]!
        const asked = kind === 'WebSocket' && !isSocket ? 'GET' : kind
        const visits = users.map(async (user, n) => {
          // Whoever begins a WebSocket is known on the connection already.
          if (isSocket) await user.visit(wish(n as 0 | 1, host, 'GET', i))
          return user.visit(wish(n as 0 | 1, host, asked, i))
        })
        const told = i % 2 === 0 ? await Promise.all(visits) : [await visits[0]!, await visits[1]!]
        for (const [n, { status, seen }] of told.entries()) {
          const key = `${users[n]!.name} by ${asked} at ${host}: ${status} ${seen}`
          counts.set(key, (counts.get(key) ?? 0) + 1)
        }
      }
      for (const user of users) user.close()
      const expected = KINDS.flatMap((kind) =>
        HOSTS.flatMap((host) =>
          users.map(
            ({ name }) =>
              `${name} by ${kind} at ${host}: ${kind === 'WebSocket' ? 101 : 200} ${name}`,
          ),
        ),
      )
      expect([...counts.keys()].sort()).toEqual(expected.sort())
      expect([...counts.values()].reduce((sum, n) => sum + n)).toBe(2 * ROUNDS)
      expect(application.misplaced).toBe(0)
      // Who is known stays known: no handshake for each request.
      const handshakes = users.reduce((sum, user) => sum + user.handshakes, 0)
      expect(handshakes).toBeLessThan(100)
      expect(application.connections - before).toBeLessThan(200)
      expect(users.every(({ refusals }) => (version === 'HTTP/2') === refusals > 0)).toBe(true)
    },
    120_000,
  )
})

describe.each([
  ['HTTP/1.1', 'port'],
  ['HTTP/1.1 over TLS', 'tlsPort'],
] as const)('a WebSocket that is the first of its connection, %s', (_, port) => {
  let tunnel: Tunnel
  let application: HandshakeApplication
  beforeAll(async () => {
    application = new HandshakeApplication()
    tunnel = await start(application)
  })
  afterAll(() => tunnel.close())

  test('R3.3.8e signs on there, in all three steps', async () => {
    const isSecure = port === 'tlsPort'
    const cookies = await Promise.all([signedIn(tunnel, 'alice'), signedIn(tunnel, 'bob')])
    const socketOf = (cookie: string, host: string): Wish => ({
      ...{ host, isWebSocket: true },
      headers: host.startsWith('secure') ? { cookie, origin: `http://${host}` } : {},
    })
    for (const host of HOSTS)
      for (let i = 0; i < 10; i++) {
        const users = ['alice', 'bob'].map(
          (name) => new ConnectionUser(name, tunnel[port], { isSecure }),
        )
        const told = await Promise.all(
          users.map((user, n) => user.visit(socketOf(cookies[n]!, host))),
        )
        expect(told).toMatchObject([
          { status: 101, seen: 'alice' },
          { status: 101, seen: 'bob' },
        ])
        expect(users.map(({ handshakes }) => handshakes)).toEqual([1, 1])
        for (const user of users) user.close()
      }
    expect(application.misplaced).toBe(0)
  })

  test('R3.3.8e what follows a refused handshake is an ordinary request of that connection', async () => {
    const user = new ConnectionUser('alice', tunnel[port], { isSecure: port === 'tlsPort' })
    const host = 'open.localhost'
    expect(await user.ask({ host, isWebSocket: true })).toMatchObject({ status: 401 })
    const form = { host, method: 'POST', body: 'a=b' }
    expect(await user.visit(form)).toMatchObject({ status: 200, seen: 'alice' })
    expect(await user.visit({ host, isWebSocket: true })).toMatchObject({
      status: 101,
      seen: 'alice',
    })
    expect(user.handshakes).toBe(1)
    user.close()
  })
})

describe('a connection that is gone', () => {
  let tunnel: Tunnel
  let application: HandshakeApplication
  beforeAll(async () => {
    application = new HandshakeApplication()
    tunnel = await start(application)
  })
  afterAll(() => tunnel.close())
  const HOME = { host: 'open.localhost' }

  test('R3.3.8b with its connector in mid-handshake: the user begins anew at another one', async () => {
    const user = new ConnectionUser('alice', tunnel.port)
    const { opening, answerTo } = await import('../test/handshake-application.ts')
    const first = tunnel.connector
    const { challenge } = await user.ask(HOME, `NTLM ${opening}`)
    await first.stop()
    await tunnel.startConnector({ stateDirectory: `${tunnel.stateDirectory}-second` })
    await until(() => tunnel.attached.length === 1)
    const answer = await user.ask(HOME, `NTLM ${answerTo(challenge.slice(5), 'alice')}`)
    // As the application would have it.
    expect(answer).toMatchObject({
      status: 401,
      challenge: 'NTLM',
      code: 'pin-lost',
      connection: '',
    })
    expect(await user.visit(HOME)).toMatchObject({ status: 200, seen: 'alice' })
    expect(application.misplaced).toBe(0)
    user.close()
  })

  test('R3.3.8b after it: a form is not sent as nobody’s', async () => {
    const user = new ConnectionUser('alice', tunnel.port)
    expect(await user.visit({ ...HOME, path: '/public' })).toMatchObject({ seen: 'nobody' })
    expect(await user.visit(HOME)).toMatchObject({ seen: 'alice' })
    const bodies = application.bodies.length
    await application.closeAll()
    const form = { ...HOME, method: 'POST', path: '/public', body: 'a=b' }
    const told = await user.ask(form)
    expect(told).toMatchObject({ status: 401, challenge: 'NTLM', code: 'pin-lost' })
    expect(application.bodies).toHaveLength(bodies)
    expect(await user.visit(HOME)).toMatchObject({ status: 200, seen: 'alice' })
    expect(await user.visit(form)).toMatchObject({ status: 200, seen: 'alice' })
    user.close()
  })
})

test('R3.3.8c another session on the same connection is somebody else to the application', async () => {
  const application = new HandshakeApplication()
  const tunnel = await start(application)
  const user = new ConnectionUser('alice', tunnel.port)
  const as = (cookie: string): Wish => ({
    host: 'secure.localhost',
    path: '/public',
    headers: { cookie },
  })
  const [alice, bob] = [await signedIn(tunnel, 'alice'), await signedIn(tunnel, 'bob')]
  const home = (cookie: string): Wish => ({ ...as(cookie), path: '/' })
  expect(await user.visit(home(alice))).toMatchObject({ seen: 'alice' })
  expect(await user.visit(as(alice))).toMatchObject({ seen: 'alice' })
  // The very next request on that connection is of another session.
  const other = await user.ask(as(bob))
  expect(other).toMatchObject({ status: 200, seen: 'nobody' })
  expect(await user.ask(home(bob))).toMatchObject({ status: 401, challenge: 'NTLM' })
  // And back: nothing of the first one is left.
  expect(await user.ask(as(alice))).toMatchObject({ status: 200, seen: 'nobody' })
  const affinities = new Set(tunnel.offers.map(({ affinity }) => affinity))
  expect(affinities.size).toBe(3)
  expect([...affinities].every((affinity) => /^[0-9a-f]{32}$/.test(affinity!))).toBe(true)
  user.close()
  await tunnel.close()
})

describe('a proxy before the service', () => {
  let tunnel: Tunnel
  let application: HandshakeApplication
  beforeAll(async () => {
    application = new HandshakeApplication()
    tunnel = await start(application, { trustedProxies: { networks: ['127.0.0.0/8'] } })
  })
  afterAll(() => tunnel.close())

  const through = (headers: Record<string, string>): Record<string, string> => ({
    'x-forwarded-for': '192.0.2.1',
    ...headers,
  })

  test('R3.3.8d users with a session are known by it, whichever of the proxy’s connections they come on', async () => {
    const proxy = new ConnectionUser('alice', tunnel.port)
    const another = new ConnectionUser('alice', tunnel.port)
    const [alice, bob] = [await signedIn(tunnel, 'alice'), await signedIn(tunnel, 'bob')]
    const as = (cookie: string): Wish => ({
      host: 'secure.localhost',
      headers: through({ cookie }),
    })
    expect(await proxy.visit(as(alice))).toMatchObject({ status: 200, seen: 'alice' })
    const seen: string[] = []
    const bobs = new ConnectionUser('bob', tunnel.port)
    expect(await bobs.visit(as(bob))).toMatchObject({ status: 200, seen: 'bob' })
    for (let i = 0; i < 100; i++) {
      // All of them over either connection of the proxy.
      const line = i % 2 === 0 ? proxy : another
      const told: Told[] = await Promise.all([line.ask(as(alice)), line.ask(as(bob))])
      seen.push(told.map((one) => `${one.status} ${one.seen}`).join(', '))
    }
    expect(new Set(seen)).toEqual(new Set(['200 alice, 200 bob']))
    for (const user of [proxy, another, bobs]) user.close()
  })

  test('R3.3.8d so are they by HTTP/2, which tells nobody to come by another connection', async () => {
    const [alice, bob] = [await signedIn(tunnel, 'alice'), await signedIn(tunnel, 'bob')]
    const as = (cookie: string): Wish => ({
      ...{ host: 'secure.localhost', method: 'POST', body: 'a=b' },
      headers: through({ cookie }),
    })
    // One connection of the proxy carries both.
    const proxy = new ConnectionUser('alice', tunnel.tlsPort, { http2: true, every: 0 })
    const bobs = new ConnectionUser('bob', tunnel.tlsPort, { http2: true, every: 0 })
    expect(await proxy.visit(as(alice))).toMatchObject({ status: 200, seen: 'alice' })
    expect(await bobs.visit(as(bob))).toMatchObject({ status: 200, seen: 'bob' })
    for (let i = 0; i < 50; i++) {
      const told = [await proxy.ask(as(alice)), await proxy.ask(as(bob))]
      expect(told).toMatchObject([{ seen: 'alice' }, { seen: 'bob' }])
    }
    expect([proxy.refusals, bobs.refusals, application.misplaced]).toEqual([0, 0, 0])
    for (const user of [proxy, bobs]) user.close()
  })

  test('R3.3.8d those without one are told that it cannot be', async () => {
    const user = new ConnectionUser('alice', tunnel.port)
    const headers = through({})
    const open = await user.ask({ host: 'open.localhost', path: '/public', headers })
    expect(open).toMatchObject({ status: 200, seen: 'nobody' })
    const told = await user.ask({ host: 'open.localhost', headers })
    expect(told).toMatchObject({ status: 501, code: 'connection-shared', challenge: '' })
    user.close()
  })

  test('R3.3.8d so are they behind a proxy that nobody named', async () => {
    const own = await start(new HandshakeApplication())
    for (const name of ['via', 'x-forwarded-for', 'Forwarded']) {
      const user = new ConnectionUser('alice', own.port)
      const told = await user.ask({ host: 'open.localhost', headers: { [name]: '1.1 proxy' } })
      expect(told).toMatchObject({ status: 501, code: 'connection-shared' })
      user.close()
    }
    await own.close()
  })
})

test('R3.3.8d what an application shows to everybody, HTTP/2 carries as ever', async () => {
  const application = new HandshakeApplication()
  const tunnel = await start(application)
  const user = new ConnectionUser('alice', tunnel.tlsPort, { http2: true, every: 0 })
  const told = await user.ask({ host: 'open.localhost', path: '/public' })
  expect(told).toMatchObject({ status: 200, seen: 'nobody' })
  expect(user.refusals).toBe(0)
  expect(await user.visit({ host: 'open.localhost' })).toMatchObject({ status: 200, seen: 'alice' })
  expect(user.refusals).toBeGreaterThan(0)
  // What HTTP/2 carries is of nobody, whoever signed on beside it.
  expect(await user.ask({ host: 'open.localhost', path: '/public' })).toMatchObject({
    seen: 'nobody',
  })
  user.close()
  await tunnel.close()
})
