/**
 * Sign-on by secrets that only the connector has, and certificates towards applications: each goes to the places that the connector's own file names.
 */
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SignOnFailed } from '../src/protocol/index.ts'
import { until, type Transport } from '../test/integration/tunnel.ts'
import { startInjectWorld, type Asked, type InjectWorld } from './inject-world.ts'

const PASSWORD = 'Canary-password-7c1e'
const TOKEN = 'Canary-token-90ab'
const KEY = 'Canary-key-33f8'
const BOBS = 'Canary-bobs-1d5e'
const ENCODED = [
  ...['svc', 'alice'].map((user) => Buffer.from(`${user}:${PASSWORD}`).toString('base64')),
  Buffer.from(`bob:${BOBS}`).toString('base64'),
]
const SECRETS = [PASSWORD, TOKEN, KEY, BOBS, ...ENCODED]
const basic = { form: 'basic', username: 'svc', password: PASSWORD }
const bearer = { form: 'bearer', token: TOKEN }
const key = { form: 'header', header: 'X-Api-Key', value: KEY }
const FORMS = {
  basic: [basic, 'authorization', `Basic ${ENCODED[0]}`],
  bearer: [bearer, 'authorization', `Bearer ${TOKEN}`],
  header: [key, 'x-api-key', KEY],
} as const
const inject = (secret?: string) => ({ kind: 'inject', ...(secret !== undefined && { secret }) })

const named = (origin: string) => origin.replace('127.0.0.1', 'localhost')
/** Where the cloud may move an application that was at `wiki`. */
const PLACES: Readonly<Record<string, (world: InjectWorld) => object>> = {
  'to another port': ({ canary }) => ({ internalUrl: `${canary.origin}/` }),
  'to another name': ({ canary }) => ({ internalUrl: `${named(canary.origin)}/` }),
  'to another scheme': ({ clearOrigin }) => ({ internalUrl: `${clearOrigin}/` }),
  'and has the old place in its path': ({ canary, wiki }) => ({
    internalUrl: `${canary.origin}/${new URL(wiki.origin).host}/`,
  }),
  'and has nothing verified': ({ canary }) => ({
    ...{ internalUrl: `${canary.origin}/`, verifyCertificate: false },
  }),
  'and shows another host': ({ canary }) => ({
    ...{ internalUrl: `${canary.origin}/`, hostHeader: 'external' },
  }),
}

describe.each(['link over TLS', 'plain over TLS'] as const)('%s', (transport: Transport) => {
  let world: InjectWorld
  beforeAll(async () => void (world = await startInjectWorld(transport)))
  afterAll(() => world.close())
  beforeEach(() => {
    world.told.length = 0
    world.wiki.seen.length = 0
    world.answering.answer = (_, response) => void response.end('ok')
  })

  const wikis = () => ({ origins: [world.wiki.origin] })
  /** Every way in which a request may come. */
  const requests: readonly Asked[] = [
    ...[
      {},
      { method: 'HEAD' },
      { method: 'OPTIONS' },
      { method: 'POST', body: 'a=b' },
      { method: 'DELETE' },
    ],
    { method: 'POST', body: 'a=b', trailers: [['X-Sum', '1']] },
    ...(transport === 'plain over TLS' ? [] : [{ isUpgrade: true }]),
  ]
  /** What the application was told in one request, by names that fold to these. */
  const toldOf = (asked: Asked, ...names: string[]) => {
    const seen = asked.isUpgrade === true ? world.wiki.seen.at(-1)!.headers : undefined
    const fields = seen
      ? seen.flatMap((name, i) =>
          i % 2 === 0 ? [[name.toLowerCase(), seen[i + 1]!] as const] : [],
        )
      : world.told.at(-1)!.fields
    return fields.filter(([name]) => names.includes(name.replace(/[_.]/g, '-')))
  }
  const failuresSince = (before: number) =>
    world.tunnel.events
      .slice(before)
      .flatMap((event) =>
        event.type === 'exchange-failed' && event.cause instanceof SignOnFailed
          ? [event.cause.reason]
          : [],
      )
  /** What becomes of a request that cannot be signed on. */
  const refused = async (asked: Asked = {}) => {
    const before = world.tunnel.events.length
    const { status, body, headers } = await world.ask(asked)
    expect([status, headers['proxy-status']]).toEqual([
      502,
      expect.stringContaining('proxy_configuration_error'),
    ])
    expect(body).not.toContain('ok')
    await until(() => failuresSince(before).length > 0)
    return failuresSince(before)[0]
  }

  describe.each(Object.entries(FORMS))('%s', (_, [secret, name, value]) => {
    beforeEach(async () => {
      await world.allow([{ ...secret, ...wikis() }])
      world.publish({ open: { signOn: inject() } })
    })

    test('R6.5a the application is told the secret, whatever the request', async () => {
      for (const asked of requests) {
        expect((await world.ask(asked)).status).toBe(asked.isUpgrade ? 101 : 200)
        expect(toldOf(asked, name)).toEqual([[name, value]])
      }
    })

    test('R6.5d what users say under its name, in any spelling, is taken out', async () => {
      const spellings = [name, name.toUpperCase(), name.replace(/-/g, '_'), name.replace(/-/g, '.')]
      const headers = spellings.flatMap((spelling, i) => [spelling, `Basic mallory-${i}`])
      for (const asked of requests) {
        await world.ask({
          ...asked,
          headers,
          ...(asked.trailers && { trailers: spellings.map((one) => [one, 'mallory']) }),
        })
        expect(toldOf(asked, name)).toEqual([[name, value]])
        expect(JSON.stringify(world.told.at(-1) ?? world.wiki.seen.at(-1))).not.toContain('mallory')
      }
    })

    test('R6.5e where the application does not take it, its prompt is not the user’s', async () => {
      // Not the one that is right elsewhere: one that was refused is not tried again.
      const other = 'password' in secret ? { ...secret, password: 'Canary-other-0c4d' } : secret
      await world.allow([{ ...other, ...wikis() }])
      world.answering.answer = (_, response) => {
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="wiki"' }).end('who are you?')
      }
      const before = world.tunnel.events.length
      const { status, headers, body } = await world.ask()
      expect([status, headers['www-authenticate']]).toEqual([502, undefined])
      expect(body).not.toContain('who are you')
      await until(() => failuresSince(before).length > 0)
      expect(failuresSince(before)).toEqual(['rejected'])
    })
  })

  test('R6.5e a 401 is the user’s where the operator of the connector says so', async () => {
    await world.allow([{ ...key, unauthorized: 'pass', ...wikis() }])
    world.publish({ open: { signOn: inject() } })
    world.answering.answer = (_, response) => {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="wiki"' }).end()
    }
    expect(await world.ask()).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="wiki"' },
    })
    await world.ask({ headers: ['Authorization', 'Basic bWU6bWU='] })
    expect(toldOf({}, 'authorization', 'x-api-key')).toEqual([
      ['authorization', 'Basic bWU6bWU='],
      ['x-api-key', KEY],
    ])
  })

  test('R6.5a each user has their own secret; whoever has none gets none', async () => {
    const users = {
      'sub:alice': { username: 'alice', password: PASSWORD },
      'email:bob@corp.example': { username: 'bob', password: BOBS },
    }
    const { url: issuer } = world.tunnel.issuer
    await world.allow([{ form: 'basic', name: 'own', issuer, users, ...wikis() }])
    world.publish({ secure: { signOn: inject('own') }, open: { signOn: inject('own') } })
    const cookies = {
      alice: await world.signIn('alice'),
      bob: await world.signIn('b-17', { email: 'bob@corp.example' }),
      mallory: await world.signIn('mallory'),
    }
    const ask = async (user: keyof typeof cookies) => {
      const { status } = await world.ask({
        application: 'secure',
        path: `/${user}`,
        cookie: cookies[user],
      })
      return status
    }
    const turns = Array.from(
      { length: 30 },
      (_, i) => (['alice', 'bob', 'mallory'] as const)[i % 3]!,
    )
    expect(await Promise.all(turns.map(ask))).toEqual(
      turns.map((user) => (user === 'mallory' ? 502 : 200)),
    )
    const expected = { '/alice': `Basic ${ENCODED[1]}`, '/bob': `Basic ${ENCODED[2]}` }
    for (const { request, fields } of world.told) {
      const [, value] = fields.find(([name]) => name === 'authorization')!
      expect(value).toBe(expected[request.slice('GET '.length) as keyof typeof expected])
    }
    expect(world.told).toHaveLength(20)
    expect(await refused({ application: 'secure', cookie: cookies.mallory })).toBe('secret-missing')
    expect(await refused()).toBe('user-unknown')
  })

  const user = { from: 'claim', claim: 'subject', letterCase: 'lower' }
  const byAccount = (users: object) => [
    ...[{ form: 'basic', issuer: world.tunnel.issuer.url, users, ...wikis() }],
    { ...bearer, name: 'everybody’s', ...wikis() },
  ]

  test('R6.5i each account has its own secret; whoever has none gets none', async () => {
    await world.allow(
      byAccount({
        'account:alice': { username: 'alice', password: PASSWORD },
        'account:bob': { username: 'bob', password: BOBS },
        // Not by another name of theirs.
        'sub:mallory': { username: 'mallory', password: PASSWORD },
        'email:mallory@corp.example': { username: 'mallory', password: PASSWORD },
      }),
    )
    const names = ['Alice', 'bob', 'mallory', 'administrator', 'alice@corp']
    const signedIn = names.map(async (name) => {
      const email = `${name}@corp.example`
      return [name, await world.signIn(name, { email })] as const
    })
    const cookies = Object.fromEntries(await Promise.all(signedIn))
    world.publish({ secure: { signOn: { ...inject(), user } }, open: { signOn: inject() } })
    const turns = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 'Alice' : 'bob'))
    const statuses = turns.map(async (name) => {
      const cookie = cookies[name]!
      return (await world.ask({ application: 'secure', path: `/${name}`, cookie })).status
    })
    expect(await Promise.all(statuses)).toEqual(turns.map(() => 200))
    const expected = { '/Alice': `Basic ${ENCODED[1]}`, '/bob': `Basic ${ENCODED[2]}` }
    for (const { request, fields } of world.told) {
      const [, value] = fields.find(([name]) => name === 'authorization')!
      expect(value).toBe(expected[request.slice('GET '.length) as keyof typeof expected])
    }
    expect(world.told).toHaveLength(100)
    for (const [name, reason] of [
      ['mallory', 'secret-missing'],
      ['administrator', 'user-refused'],
      ['alice@corp', 'user-refused'],
    ] as const)
      expect(await refused({ application: 'secure', cookie: cookies[name]! })).toBe(reason)
    // What is everybody's is no account's own.
    world.publish({ secure: { signOn: { ...inject('everybody’s'), user } } })
    const cookie = cookies['bob']!
    expect(await refused({ application: 'secure', cookie })).toBe('secret-missing')
    expect(world.told).toHaveLength(100)
  })

  test('R6.5j a refused password is not tried again, nor are those of others kept from it', async () => {
    const users = (bobs: string) => ({
      'account:alice': { username: 'alice', password: PASSWORD },
      'account:bob': { username: 'bob', password: bobs },
    })
    await world.allow(byAccount(users('Canary-wrong-5e11')))
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => world.signIn(name)))
    world.publish({ secure: { signOn: { ...inject(), user } } })
    world.answering.answer = ({ headers }, response) => {
      const isRight = ENCODED.includes(headers.authorization!.replace('Basic ', ''))
      if (isRight) return void response.end('ok')
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="wiki"' }).end()
    }
    const asBob = { application: 'secure', cookie: bob! }
    expect(await refused({ ...asBob, path: '/first' })).toBe('rejected')
    for (const path of ['/first', '/', '/below/it?x', '/other'])
      for (const asked of [{ path }, { path, method: 'POST', body: 'a=b' }])
        expect(await refused({ ...asBob, ...asked })).toBe('rejected')
    expect(world.told).toHaveLength(1)
    const { cause } = world.tunnel.events.findLast(({ type }) => type === 'exchange-failed') as {
      cause: Error
    }
    expect(cause.message).toMatch(/is not tried again until it is another/)
    expect((await world.ask({ application: 'secure', cookie: alice! })).status).toBe(200)
    // A file that says the same again changes nothing.
    await world.allow(byAccount(users('Canary-wrong-5e11')))
    expect(await refused(asBob)).toBe('rejected')
    expect(world.told).toHaveLength(2)
    await world.allow(byAccount(users(BOBS)))
    expect((await world.ask(asBob)).status).toBe(200)
  })

  test('R6.5j who finds a path that refuses it turns off no other', async () => {
    const password = 'Canary-shared-77ab'
    await world.allow([{ ...basic, password, ...wikis() }])
    world.publish({ open: { signOn: inject() } })
    world.answering.answer = ({ url }, response) => {
      if (!url!.startsWith('/admin/')) return void response.end('ok')
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="admin"' }).end()
    }
    for (const path of ['/admin/', '/admin/', '/admin/more/'])
      expect(await refused({ path })).toBe('rejected')
    expect(world.told).toHaveLength(1)
    expect((await world.ask({ path: '/page' })).status).toBe(200)
    // An answer that asks for no password says nothing about one.
    world.answering.answer = (_, response) => void response.writeHead(401).end()
    for (const path of ['/a/', '/a/', '/b/', '/c/'])
      expect(await refused({ path })).toBe('rejected')
    expect(world.told).toHaveLength(6)
    expect(await refused({ path: '/admin/' })).toBe('rejected')
    expect(world.told).toHaveLength(6)
  })

  const withCertificate = () => [
    {
      ...{ origin: world.wiki.origin, ca: 'ca.pem' },
      ...{ clientCertificate: 'connector.pem', clientKey: 'connector.key' },
    },
    ...[world.canary.origin, named(world.canary.origin)].map((origin) => ({
      origin,
      ca: 'ca.pem',
    })),
  ]

  describe('the cloud moves the application', () => {
    beforeEach(() =>
      world.allow(
        [
          { ...basic, ...wikis() },
          { ...key, name: 'key', ...wikis() },
        ],
        withCertificate(),
      ),
    )

    test.each(Object.entries(PLACES))('R6.5b %s: no secret follows it', async (_, place) => {
      world.publish({ open: { signOn: inject() } })
      expect((await world.ask()).status).toBe(200)
      const before = [world.canary.connections, world.clear()]
      for (const secret of [undefined, 'key']) {
        world.publish({ open: { signOn: inject(secret), ...place(world) } })
        for (const asked of requests) expect(await refused(asked)).toBe('not-allowed-here')
      }
      expect([world.canary.connections, world.clear()]).toEqual(before)
    })

    test.each(Object.entries(PLACES))('R6.5f %s: no certificate follows it', async (_, place) => {
      world.publish({ open: {} })
      world.answering.answer = (_, response) => void response.end(world.wiki.seen.at(-1)!.client)
      expect((await world.ask()).body).toBe('the connector')
      world.canary.seen.length = 0
      const clear = world.clear().length
      world.publish({ open: place(world) })
      for (const asked of requests) expect([101, 200]).toContain((await world.ask(asked)).status)
      const { seen } = world.canary
      expect(seen.map(({ client }) => client)).toEqual(seen.map(() => undefined))
      expect(seen.length > 0 || world.clear().length > clear).toBe(true)
      expect(JSON.stringify(seen) + world.clear()).not.toContain('Canary-')
    })

    test('R6.5b and back: it is signed on again', async () => {
      world.publish({ open: { signOn: inject(), internalUrl: `${world.canary.origin}/` } })
      expect(await refused()).toBe('not-allowed-here')
      world.publish({ open: { signOn: inject() } })
      expect((await world.ask()).status).toBe(200)
    })

    test('R6.5b while requests are under way: none of them reaches the new place', async () => {
      const before = [world.canary.connections, world.clear()]
      let isOver = false
      const asking = Array.from({ length: 4 }, async () => {
        while (!isOver) expect([200, 502]).toContain((await world.ask()).status)
      })
      for (let i = 0; i < 12; i++) {
        const internalUrl = i % 2 === 0 ? world.canary.origin : world.wiki.origin
        world.publish({ open: { signOn: inject(), internalUrl: `${internalUrl}/${i}/` } })
        await world.ask()
      }
      isOver = true
      await Promise.all(asking)
      expect([world.canary.connections, world.clear()]).toEqual(before)
    })

    test('R6.5b an application that sends its users elsewhere sends no secret there', async () => {
      world.publish({ open: { signOn: inject() } })
      const before = [world.canary.connections, world.clear()]
      for (const to of [world.canary.origin, world.clearOrigin]) {
        for (const status of [301, 302, 303, 307, 308]) {
          world.answering.answer = (_, response) =>
            void response.writeHead(status, { Location: to }).end()
          for (const asked of requests.filter(({ isUpgrade }) => !isUpgrade))
            expect((await world.ask(asked)).status).toBe(status)
        }
      }
      expect([world.canary.connections, world.clear()]).toEqual(before)
    })
  })

  test('R6.5b neither its id nor the name of a secret lets an application have one', async () => {
    await world.allow([{ ...basic, name: 'wiki', origins: ['https://wiki.corp.example'] }])
    const named = { wiki: { signOn: inject('wiki') }, open: { signOn: inject('wiki') } }
    world.publish({ ...named, other: { signOn: inject() } })
    expect(await refused({ application: 'wiki' })).toBe('not-allowed-here')
    expect(await refused()).toBe('not-allowed-here')
    await world.allow([{ ...basic, name: 'wiki', ...wikis() }])
    expect((await world.ask({ application: 'wiki' })).status).toBe(200)
    expect(await refused({ application: 'other' })).toBe('secret-missing')
  })

  test('R6.5c it goes to http where that is allowed, and to https only where that is verified', async () => {
    const clear = { origins: [world.clearOrigin], allowHttp: true }
    await world.allow([
      { ...bearer, ...clear },
      { ...bearer, name: 'tls', ...wikis() },
    ])
    world.publish({
      open: { signOn: inject(), internalUrl: `${world.clearOrigin}/` },
      wiki: { signOn: inject('tls'), verifyCertificate: false },
    })
    expect((await world.ask()).status).toBe(200)
    expect(world.clear()).toContain(`Authorization: Bearer ${TOKEN}`)
    const before = world.wiki.connections
    expect(await refused({ application: 'wiki' })).toBe('not-allowed-here')
    expect(world.wiki.connections).toBe(before)
  })

  test('R6.5c an application whose certificate does not hold is told nothing', async () => {
    await world.allow([{ ...bearer, ...wikis() }], [])
    world.publish({ open: { signOn: inject() } })
    for (const asked of requests) expect((await world.ask(asked)).status).toBe(502)
    expect([world.told, world.wiki.seen]).toEqual([[], []])
  })

  test('R6.5c it is not told to a method that would tell it back', async () => {
    await world.allow([{ ...bearer, ...wikis() }])
    world.publish({ open: { signOn: inject() } })
    for (const method of ['TRACE', 'TRACK']) {
      const { status, body } = await world.ask({ method })
      expect(status).toBeGreaterThanOrEqual(400)
      expect(body).not.toContain(TOKEN)
    }
    expect(world.told).toEqual([])
  })

  test('R6.5f the application sees the connector’s certificate; with another place’s it has no connection in common', async () => {
    await world.allow([], withCertificate())
    world.publish({ open: {}, other: { internalUrl: `${world.canary.origin}/` } })
    world.canary.seen.length = 0
    for (const asked of requests) {
      await world.ask(asked)
      await world.ask({ ...asked, application: 'other' })
    }
    expect(world.wiki.seen.map(({ client }) => client)).toEqual(requests.map(() => 'the connector'))
    expect(world.canary.seen.map(({ client }) => client)).toEqual(requests.map(() => undefined))
  })

  test('R6.5f a certificate that is given up is no longer shown', async () => {
    await world.allow([], withCertificate())
    world.publish({ open: {} })
    await world.ask()
    await world.allow([])
    for (const asked of requests) await world.ask(asked)
    expect(world.wiki.seen.map(({ client }) => client)).toEqual([
      'the connector',
      ...requests.map(() => undefined),
    ])
  })

  test('R6.5f an application that must not be called without it is offered to nobody who has none', async () => {
    world.publish({ open: { needs: ['backend-tls'] } })
    expect((await world.ask()).status).toBe(200)
    world.publish({ open: { needs: ['backend-tls', 'sign-on/inject', 'sign-on/teleport'] } })
    expect((await world.ask()).status).toBe(501)
  })

  test('R6.5g another file holds from the next request on, and a wrong one changes nothing', async () => {
    await world.allow([{ ...bearer, ...wikis() }])
    world.publish({ open: { signOn: inject() } })
    const secretIs = async (expected: string) => {
      expect((await world.ask()).status).toBe(200)
      expect(toldOf({}, 'authorization')).toEqual([['authorization', `Bearer ${expected}`]])
    }
    await secretIs(TOKEN)
    await world.allow([{ form: 'bearer', token: 'Canary-new', ...wikis() }])
    await secretIs('Canary-new')
    await world.allow([
      { ...bearer, ...wikis() },
      { ...bearer, name: 'x', origins: ['*'] },
    ])
    expect(world.fileEvents.at(-1)!.state).toBe('refused')
    await secretIs('Canary-new')
    await world.allow([])
    expect(await refused()).toBe('not-allowed-here')
  })

  test('R6.5h no secret is in an event, an error, the audit or a figure', () => {
    const { tunnel, fileEvents, failures } = world
    const all = [tunnel.events, tunnel.audit.events, fileEvents, failures]
    const stats = [tunnel.connector.stats(), tunnel.cloud.stats()]
    const text = inspect([...all, ...stats], {
      depth: 20,
      maxArrayLength: Infinity,
      maxStringLength: Infinity,
    })
    expect(text.length).toBeGreaterThan(10_000)
    expect(
      [...SECRETS, 'Canary-', 'PRIVATE KEY'].filter((secret) => text.includes(secret)),
    ).toEqual([])
    expect(tunnel.offers.length).toBeGreaterThan(50)
    expect(inspect(tunnel.offers, { depth: 20, maxArrayLength: Infinity })).not.toContain('Canary-')
  })
})
