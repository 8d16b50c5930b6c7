/** What a script learns of its session, and how it renews it. */
import { expect, test, vi } from 'vitest'
import type { AskAgain } from '../src/cloud/session/session-renewals.ts'
import { edgeWorld, HOST } from '../test/cloud/edge/edge-world.ts'

const MINUTE = 60_000
const PATH = '/.app-proxy/session'

async function world(options: { readonly hasGrant?: boolean; readonly idleMs?: number } = {}) {
  const { hasGrant = true, idleMs } = options
  const issuer = { asked: 0, clock: { wall: 0 } }
  const askAgain: AskAgain = async (_, __, grant) => {
    issuer.asked += 1
    const { wall } = issuer.clock
    const identity = { ...grant.identity, expiresAt: wall + 10 * MINUTE }
    const refreshToken = `token-${issuer.asked}`
    return { kind: 'renewed', grant: { ...grant, refreshToken, identity, renewedAt: wall } }
  }
  const lifetime = { absoluteMs: 60 * MINUTE, ...(idleMs !== undefined && { idleMs }) }
  const of = await edgeWorld(
    {},
    {
      secure: { session: { lifetime }, cors: { origins: ['https://friend.example'] } },
      user: { expiresAt: Date.now() + 10 * MINUTE },
      ...(hasGrant && { askAgain }),
    },
  )
  issuer.clock = of.clock
  const ask = async (method = 'GET', more: readonly string[] = [], cookie = of.cookie) => {
    const headers = [
      'Cookie',
      cookie,
      ...(more.length > 0 ? more : ['Sec-Fetch-Site', 'same-origin']),
    ]
    const user = of.ask({ authority: HOST, target: PATH, method, headers })
    await vi.waitFor(() => expect(user.status).toBeDefined(), { timeout: 10_000 })
    const text = user.said.find(([verb]) => verb === 'write')?.[1] as string | undefined
    return { user, body: text === undefined ? undefined : (JSON.parse(text) as object) }
  }
  return { ...of, issuer, askSession: ask }
}

test('R4.7p a script of the same origin is told two numbers, and nobody keeps them', async () => {
  const { askSession, clock } = await world()
  clock.wall += 2 * MINUTE
  const { user, body } = await askSession()
  expect(user.status).toBe(200)
  expect(body).toEqual({ endsInMs: 58 * MINUTE, renewInMs: 3 * MINUTE })
  const names = user.headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
  expect(names).not.toContain('set-cookie')
  expect(names.join()).not.toContain('access-control')
  expect(user.headers[user.headers.indexOf('Cache-Control') + 1]).toBe('no-store')
})

test.each([
  ['Sec-Fetch-Site', 'same-site'],
  ['Sec-Fetch-Site', 'cross-site'],
  ['Sec-Fetch-Site', 'none'],
  ['Origin', 'https://friend.example'],
])('R4.7p %s: %s is told nothing, and renews nothing', async (...field) => {
  const { askSession, issuer } = await world()
  for (const method of ['GET', 'POST']) {
    const { user, body } = await askSession(method, field)
    expect(user.status).toBe(403)
    expect(JSON.stringify(body)).not.toContain('InMs')
    expect(user.headers.join().toLowerCase()).not.toContain('access-control')
  }
  expect(issuer.asked).toBe(0)
})

test('R4.7q a script renews the session by its refresh token, once in half a minute', async () => {
  const { askSession, clock, issuer, session } = await world()
  clock.wall += 6 * MINUTE
  const { user, body } = await askSession('POST')
  expect([user.status, body]).toEqual([200, { endsInMs: 54 * MINUTE, renewInMs: 5 * MINUTE }])
  const fresh = String(user.headers[user.headers.indexOf('Set-Cookie') + 1]).split(';')[0]!
  for (const cookie of [fresh, undefined]) {
    const again = await askSession('POST', [], cookie)
    expect(again.user.status).toBe(429)
  }
  expect(issuer.asked).toBe(1)
  clock.wall += 30_001
  expect((await askSession('POST', [], fresh)).user.status).toBe(200)
  expect(issuer.asked).toBe(2)
  expect(session.hasGrant).toBe(true)
})

test('R4.7q without a refresh token it learns that its user is needed', async () => {
  const { askSession } = await world({ hasGrant: false })
  const { user, body } = await askSession('POST')
  expect(user.status).toBe(409)
  expect(body).toMatchObject({ code: 'session-needs-user' })
  expect((await askSession('GET', [], 'other=1')).user.status).toBe(401)
})

test('R4.7o asking, and renewing, is no use of the session', async () => {
  const { askSession, clock, ask, cookie } = await world({ idleMs: 8 * MINUTE })
  clock.wall += 6 * MINUTE
  let shown = cookie
  for (const method of ['GET', 'POST', 'GET']) {
    const { user } = await askSession(method, [], shown)
    const at = user.headers.indexOf('Set-Cookie')
    if (at >= 0) shown = String(user.headers[at + 1]).split(';')[0]!
  }
  expect(shown).not.toBe(cookie)
  clock.wall += 2.1 * MINUTE
  for (const one of [cookie, shown]) {
    const user = ask({ authority: HOST, headers: ['Cookie', one, 'Sec-Fetch-Mode', 'cors'] })
    await vi.waitFor(() => expect(user.status).toBe(401), { timeout: 10_000 })
  }
})
