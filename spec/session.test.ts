/**
 * The session after sign-in, at the edge: what it is good for, and how it ends before its time. Its cookie, attribute by attribute, is in test/cloud/session/session.test.ts.
 */
import { expect, test, vi } from 'vitest'
import { KeyRing } from '../src/cloud/session/key-ring.ts'
import { Sessions } from '../src/cloud/session/session.ts'
import type { Revocation } from '../src/cloud/session/session-revocations.ts'
import {
  edgeWorld,
  HOST,
  octets,
  type EdgeWorld,
  type MemoryUser,
} from '../test/cloud/edge/edge-world.ts'

const ISSUER = 'https://sts.example'
const page = (world: EdgeWorld, cookie = world.cookie) =>
  world.ask({ authority: HOST, headers: ['Cookie', cookie, 'Sec-Fetch-Mode', 'cors'] })
const isLetIn = (world: EdgeWorld, user: MemoryUser) => {
  if (user.status !== undefined) return false
  world.claim()
  return true
}

test('R4.1a T13 a session is good for one application of one tenant on one host', async () => {
  const { sessions, application, cookie, clock } = await edgeWorld()
  const read = (app: typeof application, host = HOST, field = cookie) =>
    sessions.read(app, host, [field], clock.wall)
  expect(await read(application)).toBeDefined()
  const value = cookie.slice(cookie.indexOf('=') + 1)
  const other = { ...application, id: 'other' }
  expect(await read(other)).toBeUndefined()
  expect(await read(other, HOST, `__Host-app-proxy-session-other=${value}`)).toBeUndefined()
  expect(await read({ ...application, tenantId: 'fabrikam' })).toBeUndefined()
  expect(await read(application, `${HOST}:8443`)).toBeUndefined()
})

test('R4.1b T14 a session cookie that comes twice is no session', async () => {
  const world = await edgeWorld()
  expect(isLetIn(world, page(world))).toBe(true)
  const planted = page(world, `${world.cookie}; ${world.cookie}x`)
  await vi.waitFor(() => expect(planted.status).toBe(401))
})

test('R4.1c a session tells who the user is, how they authenticated, and the issuer’s own session', async () => {
  const { sessions, application, clock } = await edgeWorld()
  const identity = {
    ...{ subject: 'alice', issuer: ISSUER, upn: 'al' },
    ...{ authenticatedAt: clock.wall - 60_000, expiresAt: clock.wall + 60_000 },
    ...{ strength: 'urn:mfa', methods: ['pwd', 'otp'], issuerSession: 'sid-1' },
  }
  const { setCookie } = await sessions.start(application, HOST, identity)
  expect(setCookie.length).toBeLessThan(3 * 1024)
  const read = await sessions.read(application, HOST, [setCookie.split(';')[0]!], clock.wall)
  expect(read).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    user: { subject: 'alice', issuer: ISSUER },
    upn: 'al',
    startedAt: clock.wall,
    authenticatedAt: identity.authenticatedAt,
    strength: 'urn:mfa',
    methods: ['pwd', 'otp'],
    issuerSession: 'sid-1',
    expiresAt: identity.expiresAt,
  })
})

test('R4.1d old keys open, the newest seals, and a key that leaves takes its sessions along', async () => {
  const { application, clock } = await edgeWorld()
  const keyRing = await KeyRing.open({ keep: 2 })
  const sessions = new Sessions({ keyRing, wallClock: () => clock.wall })
  const identity = {
    ...{ subject: 'alice', issuer: ISSUER },
    ...{ authenticatedAt: clock.wall, expiresAt: clock.wall + 60_000 },
  }
  const begun = await sessions.start(application, HOST, identity)
  const isGood = async () => {
    const cookie = begun.setCookie.split(';')[0]!
    return (await sessions.read(application, HOST, [cookie], clock.wall)) !== undefined
  }
  expect(await isGood()).toBe(true)
  await keyRing.rotate()
  expect(await isGood()).toBe(true)
  const { setCookie } = await sessions.start(application, HOST, identity)
  expect(atob(setCookie.split('=')[1]!.split('.')[0]!)).toContain(keyRing.newest)
  await keyRing.rotate()
  expect(await isGood()).toBe(false)
})

/** Everything that may be revoked of the session of {@link edgeWorld}. */
const revocations = (world: EdgeWorld, id: string, at: number): readonly Revocation[] => [
  { kind: 'session', id, at },
  { kind: 'user', issuer: ISSUER, subject: 'alice', at },
  { kind: 'issuer-session', issuer: ISSUER, issuerSession: 'sid-alice', at },
  { kind: 'application', applicationId: world.application.id, at },
]

test.each(['session', 'user', 'issuer-session', 'application'])(
  'R4.2a a session revoked by %s lets no further request pass',
  async (kind) => {
    const world = await edgeWorld()
    const others: readonly Revocation[] = [
      { kind: 'session', id: 'another', at: world.clock.wall },
      { kind: 'user', issuer: ISSUER, subject: 'bob', at: world.clock.wall },
      { kind: 'user', issuer: 'https://other.example', subject: 'alice', at: world.clock.wall },
      {
        ...{ kind: 'issuer-session', issuer: 'https://other.example' },
        ...{ issuerSession: 'sid-alice', at: world.clock.wall },
      } as Revocation,
      { kind: 'application', applicationId: 'open', at: world.clock.wall },
      // Signed in again since.
      ...revocations(world, 'another', world.clock.wall - 1),
    ]
    for (const other of others) await world.sessions.revoke(other)
    expect(isLetIn(world, page(world))).toBe(true)

    const all = revocations(world, world.session.id, world.clock.wall)
    await world.sessions.revoke(all.find((one) => one.kind === kind)!)
    expect(world.audit.events.at(-1)).toMatchObject({ type: 'session.revoked', detail: { kind } })
    const refused = page(world)
    expect([refused.status, refused.code]).toEqual([401, 'sign-in-required'])
  },
)

test.each(['session', 'user', 'issuer-session', 'application'])(
  'R4.2b revocation by %s ends an open WebSocket, a stream, and a request that waits',
  async (kind) => {
    const world = await edgeWorld()
    const [tunnel, stream, waiting] = [openWebSocket(world), openStream(world), page(world)]
    const unrelated = world.ask({})
    world.claim()
    const all = revocations(world, world.session.id, world.clock.wall)
    await world.sessions.revoke(all.find((one) => one.kind === kind)!)
    await vi.waitFor(() => expect(tunnel.verbs.at(-1)).toBe('abort'), { timeout: 1_000 })
    expect(stream.verbs.at(-1)).toBe('abort')
    expect([waiting.status, waiting.code]).toEqual([401, 'session-ended'])
    expect(unrelated.said).toEqual([])
    expect(world.origin.open).toBe(1)
  },
)

test('R4.2c the end of a session ends what is open in its name', async () => {
  const world = await edgeWorld()
  const [tunnel, stream] = [openWebSocket(world), openStream(world)]
  world.clock.wall = world.session.expiresAt - 1
  await new Promise((resolve) => setTimeout(resolve, 600))
  expect(tunnel.verbs).not.toContain('abort')
  world.clock.wall = world.session.expiresAt
  await vi.waitFor(() => expect(tunnel.verbs.at(-1)).toBe('abort'), { timeout: 1_000 })
  expect(stream.verbs.at(-1)).toBe('abort')
  expect(world.origin.open).toBe(0)
})

function openWebSocket(world: EdgeWorld): MemoryUser {
  const user = world.ask({
    authority: HOST,
    upgrade: 'websocket',
    headers: ['Cookie', world.cookie, 'Origin', `https://${HOST}`],
  })
  const { exchange } = world.claim()
  exchange.receivedResponse({ status: 101, headers: ['Upgrade', 'websocket'] }, false, 0)
  expect(user.verbs).toContain('upgrade')
  return user
}

function openStream(world: EdgeWorld): MemoryUser {
  const user = page(world)
  const { exchange } = world.claim()
  const headers = ['Content-Type', 'text/event-stream']
  exchange.receivedResponse({ status: 200, headers }, false, 0)
  exchange.receivedData(octets('data: 1\n\n'), false, 0)
  expect(user.status).toBe(200)
  return user
}
