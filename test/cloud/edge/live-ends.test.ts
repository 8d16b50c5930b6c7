import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readDirectory } from '../../../src/cloud/index.ts'
import { edgeWorld, HOST, type EdgeWorld } from './edge-world.ts'

const SOON = { timeout: 2_000 }

function openStream(world: EdgeWorld) {
  const user = world.ask({ authority: HOST, headers: ['Cookie', world.cookie] })
  world.claim().exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
  expect(user.status).toBe(200)
  return user
}

test('what is open ends when its application is published no more', async () => {
  const world = await edgeWorld()
  const user = openStream(world)
  world.reconfigure({ id: 'another' })
  await vi.waitFor(() => expect(user.verbs.at(-1)).toBe('abort'), SOON)
})

test('a decision that fails lets nobody stay, and disturbs nobody else', async () => {
  let isBroken = false
  const decideAccess = () => {
    if (isBroken) throw new TypeError('of its author')
    return { kind: 'allow' } as const
  }
  const world = await edgeWorld({}, { edge: { decideAccess } })
  const [one, two] = [openStream(world), openStream(world)]
  isBroken = true
  await vi.waitFor(() => expect(two.verbs.at(-1)).toBe('abort'), SOON)
  expect(one.verbs.at(-1)).toBe('abort')
  expect(world.audit.events.slice(-2)).toMatchObject([
    { type: 'edge.internal-error', reason: 'TypeError' },
    { type: 'edge.internal-error', reason: 'TypeError' },
  ])
})

describe('the directory is replaced while an exchange is open', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  const OIDC = { preAuthentication: 'oidc', client: { id: 'open' } }
  const ANYONE = {
    ...{ preAuthentication: 'passthrough', client: undefined },
    ...{ allowedOrigins: undefined, identityHeaders: undefined },
  }
  const FRIEND = 'https://friend.example:8443'
  const SOCKET = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Origin', FRIEND]
  /** What is open: the application, its head. */
  const OPEN = {
    open: { authority: 'open.example', headers: [] as string[] },
    secure: { authority: HOST, headers: [] as string[] },
    socket: { authority: HOST, headers: SOCKET, upgrade: 'websocket' },
  }
  /** What is open, what changes of its application, and what becomes of it. */
  const rows: readonly (readonly [keyof typeof OPEN, string, object, 'ends' | 'goes on'])[] = [
    ['open', 'it is published no more', { id: 'another' }, 'ends'],
    ['open', 'its internal URL', { internalUrl: 'http://10.0.0.2:8080/' }, 'ends'],
    ['open', 'its internal path', { internalUrl: 'http://10.0.0.1:8080/other/' }, 'ends'],
    ['open', 'its external URL', { externalUrl: 'https://elsewhere.example/' }, 'ends'],
    ['open', 'its external path', { externalUrl: 'https://open.example/below/' }, 'ends'],
    ['open', 'users must sign in', OIDC, 'ends'],
    ['open', 'its group', { groupId: 'other' }, 'ends'],
    ['open', 'its tenant', { groupId: 'fabrikam' }, 'ends'],
    ['open', 'nothing', {}, 'goes on'],
    ['open', 'its name', { name: 'Another name' }, 'goes on'],
    ['open', 'its patience', { responseHeadMs: 1_000 }, 'goes on'],
    ['secure', 'its group', { groupId: 'other' }, 'ends'],
    ['secure', 'its internal URL', { internalUrl: 'http://10.0.0.2:8080/' }, 'ends'],
    ['secure', 'who is assigned', { assigned: { groups: ['nobody'] } }, 'ends'],
    ['secure', 'anyone may', ANYONE, 'goes on'],
    ['secure', 'nothing', {}, 'goes on'],
    ['socket', 'whose pages may open it', { allowedOrigins: [] }, 'ends'],
    ['socket', 'nothing', {}, 'goes on'],
  ]

  async function opened(what: keyof typeof OPEN) {
    const world = await edgeWorld()
    const head = OPEN[what]
    const cookie = head.authority === HOST ? ['Cookie', world.cookie] : []
    const user = world.ask({ ...head, headers: [...head.headers, ...cookie] })
    const claimed = world.claim()
    return { world, user, ...claimed }
  }

  function change(world: EdgeWorld, id: string, changes: object, more: readonly object[] = []) {
    const before = world.configuration()
    const after: unknown = {
      tenants: [
        ...before.tenants,
        { id: 'fabrikam', issuer: 'https://other.example', registrars: { audience: 'x' } },
      ],
      groups: [
        ...before.groups,
        { id: 'other', tenantId: 'contoso' },
        { id: 'fabrikam', tenantId: 'fabrikam' },
      ],
      applications: [
        ...before.applications.map((one) => (one.id === id ? { ...one, ...changes } : one)),
        ...more,
      ],
    }
    world.directory.replace(readDirectory(after))
    vi.advanceTimersByTime(1_000)
  }

  test.each(rows)('%s: %s: %o', async (what, _, changes, becomes) => {
    const { world, user, exchange } = await opened(what)
    if (what === 'socket') {
      const headers = ['Upgrade', 'websocket', 'Connection', 'Upgrade']
      exchange.receivedResponse({ status: 101, headers }, false, 0)
    } else exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
    expect(user.verbs.join()).toMatch(/respond|upgrade/)
    change(world, what === 'open' ? 'open' : 'secure', changes)
    expect(user.verbs.at(-1) === 'abort').toBe(becomes === 'ends')
    expect(exchange.isClosed).toBe(becomes === 'ends')
    // It was judged by the new one: another change is found as well.
    change(world, what === 'open' ? 'open' : 'secure', { id: 'another' })
    expect(user.verbs.at(-1)).toBe('abort')
  })

  test('another application takes over the path', async () => {
    const { world, user, exchange } = await opened('open')
    exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
    const open = world.configuration().applications[0]!
    change(world, 'none', {}, [{ ...open, id: 'below', externalUrl: 'https://open.example/x/' }])
    expect(user.verbs.at(-1)).not.toBe('abort')
    change(world, 'open', { externalUrl: 'https://open.example/y/' }, [{ ...open, id: 'instead' }])
    expect(user.verbs.at(-1)).toBe('abort')
  })

  test('who has no answer yet is told, and the application is not let go on', async () => {
    const { world, user, sent } = await opened('open')
    change(world, 'open', { internalUrl: 'http://10.0.0.2:8080/' })
    expect([user.status, user.code]).toEqual([503, 'application-changed'])
    expect(sent.map(([verb]) => verb)).toContain('reset')
  })

  test('an end of all sessions of an application is nothing to whoever has none', async () => {
    const { world, user, exchange } = await opened('open')
    exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
    await world.sessions.revoke({ kind: 'application', applicationId: 'open', at: Date.now() })
    await vi.advanceTimersByTimeAsync(50)
    expect(user.verbs.at(-1)).not.toBe('abort')
  })
})
