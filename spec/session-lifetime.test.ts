/** Sessions that outlive their ID token, at the edge: when a request waits, what its answer brings, and when it is all over. */
import { describe, expect, test, vi } from 'vitest'
import type { AskAgain } from '../src/cloud/session/session-renewals.ts'
import { edgeWorld, HOST, type EdgeWorld, type MemoryUser } from '../test/cloud/edge/edge-world.ts'

const MINUTE = 60_000
const lifetime = { absoluteMs: 8 * 60 * MINUTE }
const TOKEN = 10 * MINUTE

/** A session whose ID token lasts ten minutes, and an issuer that is asked again under `say`. */
async function world(say: Partial<{ idleMs: number; groups: string[] }> = {}, more: object = {}) {
  const issuer = {
    asked: 0,
    isDown: false,
    gate: undefined as Promise<void> | undefined,
    answer: undefined as Awaited<ReturnType<AskAgain>> | undefined,
  }
  const { idleMs, groups = ['staff'] } = say
  const made: { clock?: EdgeWorld['clock'] } = {}
  const askAgain: AskAgain = async (_, __, grant) => {
    issuer.asked += 1
    await issuer.gate
    if (issuer.isDown) return { kind: 'failed', reason: 'issuer-unavailable', grant }
    const { wall } = made.clock!
    const identity = { ...grant.identity, groups, expiresAt: wall + TOKEN }
    const refreshToken = `token-${issuer.asked}`
    return (
      issuer.answer ?? {
        kind: 'renewed',
        grant: { ...grant, refreshToken, identity, renewedAt: wall },
      }
    )
  }
  const session = { lifetime: idleMs === undefined ? lifetime : { ...lifetime, idleMs } }
  const made0 = await edgeWorld(
    {},
    {
      secure: { session, ...more },
      user: { groups: ['staff'], expiresAt: Date.now() + TOKEN },
      askAgain,
    },
  )
  made.clock = made0.clock
  return { ...made0, issuer }
}
type World = Awaited<ReturnType<typeof world>>

const script = (cookie: string) => [
  ...['Cookie', cookie, 'Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Dest', 'empty'],
]
const ask = (of: World, cookie = of.cookie, head: object = {}) =>
  of.ask({ authority: HOST, headers: script(cookie), ...head })

/** The application answers the last offer. */
function answer(of: World, headers: readonly string[] = []): void {
  const { exchange } = of.claim()
  exchange.receivedResponse({ status: 200, headers }, true, 0)
}

const cookieOf = (user: MemoryUser) => {
  const at = user.headers.indexOf('Set-Cookie')
  return at < 0 ? undefined : String(user.headers[at + 1]).split(';')[0]
}
const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 10_000 })
const turn = () => new Promise((later) => setTimeout(later, 5))
/** What is under way for the session is done. */
const settled = async ({ renewals, application, session }: World) => {
  await renewals.renew(application, HOST, session, { id: 'r', address: '192.0.2.7' })
  await turn()
}

describe('R4.7n the next cookie', () => {
  test('R4.7n before its token ends nobody waits for a renewal, and a script’s answer brings the cookie', async () => {
    const of = await world()
    const { clock, issuer, offers } = of
    ask(of)
    expect([offers.length, issuer.asked]).toEqual([1, 0])
    clock.wall += 6 * MINUTE
    let open = () => undefined as void
    issuer.gate = new Promise((resolve) => (open = resolve))
    const early = ask(of)
    // In the very same turn: the issuer has not answered.
    expect(offers).toHaveLength(2)
    answer(of)
    expect(cookieOf(early)).toBeUndefined()
    const late = ask(of)
    open()
    await settled(of)
    answer(of)
    const fresh = cookieOf(late)!
    expect(fresh).toBeDefined()
    expect(issuer.asked).toBe(1)
    // The old cookie goes on, and is told the new one again.
    const old = ask(of)
    answer(of)
    expect(cookieOf(old)).toBe(fresh)
    clock.wall += 4.5 * MINUTE
    for (const cookie of [of.cookie, fresh]) {
      const user = ask(of, cookie)
      await turn()
      expect(user.status).toBeUndefined()
    }
    expect(issuer.asked).toBe(1)
  })

  test('R4.7n after its token’s end a request waits, and goes on by the new claims', async () => {
    const of = await world({ groups: ['board'] })
    const { clock, issuer, offers } = of
    clock.wall += 2 * 60 * MINUTE
    let open = () => undefined as void
    issuer.gate = new Promise((resolve) => (open = resolve))
    const users = [ask(of), ask(of, of.cookie, { method: 'POST' })]
    await turn()
    expect(offers).toHaveLength(0)
    open()
    await eventually(() => expect(offers).toHaveLength(2))
    expect(issuer.asked).toBe(1)
    expect(offers.map(({ user }) => user?.groups)).toEqual([['board'], ['board']])
    answer(of)
    expect(cookieOf(users[1]!)).toBeDefined()
  })

  test.each([
    [
      ['Cache-Control', 'public, max-age=60'],
      ['public, max-age=60', 'private'],
    ],
    [['Cache-Control', 'no-store'], ['no-store']],
    [
      ['Cache-Control', 'private="set-cookie"'],
      ['private="set-cookie"', 'private'],
    ],
    [[], ['private']],
  ])('R4.7n beside %j no shared cache keeps it', async (headers, caching) => {
    const of = await world()
    of.clock.wall += 6 * MINUTE
    const user = ask(of)
    await settled(of)
    answer(of, headers)
    expect(cookieOf(user)).toBeDefined()
    const { headers: sent } = user
    const values = sent.filter(
      (_, i) => i % 2 === 1 && sent[i - 1]!.toLowerCase() === 'cache-control',
    )
    expect(values).toEqual(caching)
  })

  test('R4.7n our own answers bring it too, and an open stream goes on under it', async () => {
    const of = await world()
    const stream = ask(of)
    of.claim()
    of.clock.wall += 6 * MINUTE
    ask(of)
    await settled(of)
    const refused = of.ask({
      authority: HOST,
      headers: ['Cookie', of.cookie, 'Upgrade', 'websocket', 'Connection', 'Upgrade'],
    })
    expect(refused.status).toBeGreaterThanOrEqual(400)
    of.clock.wall += 5 * MINUTE
    await new Promise((later) => setTimeout(later, 700))
    expect(stream.said.map(([verb]) => verb)).not.toContain('abort')
    expect(stream.status).toBeUndefined()
  })
})

describe('R4.7k what the issuer no longer vouches for', () => {
  test('R4.7k is over, with what is open', async () => {
    const of = await world()
    const stream = ask(of)
    of.claim()
    of.issuer.answer = { kind: 'ended', reason: 'code-refused' }
    of.clock.wall += 11 * MINUTE
    const user = ask(of)
    await eventually(() => expect([user.status, stream.status]).toEqual([401, 401]))
    const before = of.offers.length
    const next = ask(of)
    await eventually(() => expect(next.status).toBe(401))
    expect(of.offers).toHaveLength(before)
  })

  test('R4.7k a session whose refresh token is gone ends with its token, and not before', async () => {
    const of = await world()
    await of.sessions.grants.remove(of.session.id)
    of.clock.wall += 6 * MINUTE
    const [first, second] = [ask(of), (await turn(), ask(of))]
    expect([first.status, second.status, of.offers.length]).toEqual([undefined, undefined, 2])
    of.clock.wall += 5 * MINUTE
    const user = ask(of)
    await eventually(() => expect(user.status).toBe(401))
  })

  test('R4.7l an issuer that is down is waited for ten minutes', async () => {
    const of = await world()
    const { clock, issuer, offers } = of
    clock.wall += 11 * MINUTE
    issuer.isDown = true
    ask(of)
    await eventually(() => expect(offers).toHaveLength(1))
    clock.wall += 8 * MINUTE
    ask(of)
    await eventually(() => expect(offers).toHaveLength(2))
    clock.wall += 2 * MINUTE
    const user = ask(of)
    await eventually(() => expect(user.status).toBe(401))
    expect(offers).toHaveLength(2)
  })
})

describe('R4.7i how long it may last', () => {
  test('R4.7i from the first authentication, whatever is renewed', async () => {
    const of = await world()
    const { clock } = of
    let { cookie } = of
    for (let i = 0; i < 9; i++) {
      clock.wall += 50 * MINUTE
      const user = ask(of, cookie)
      await eventually(() => expect(of.offers).toHaveLength(i + 1))
      answer(of)
      cookie = cookieOf(user) ?? cookie
    }
    clock.wall += 30 * MINUTE
    const user = ask(of, cookie)
    await eventually(() => expect(user.status).toBe(401))
    expect(of.issuer.asked).toBe(9)
  })

  test('R4.7i a policy that is shortened, or taken away, holds for those who are signed in', async () => {
    const of = await world()
    of.clock.wall += 9 * MINUTE
    of.reconfigure({ session: { lifetime: { absoluteMs: 5 * MINUTE } } })
    const shortened = ask(of)
    expect(shortened.status).toBe(401)
    of.reconfigure({})
    const without = ask(of)
    expect(without.status).toBeUndefined()
    of.clock.wall += 2 * MINUTE
    expect(ask(of).status).toBe(401)
  })

  test('R4.7o without use it ends, and each use counts, also those that no cookie told of', async () => {
    const of = await world({ idleMs: 8 * MINUTE })
    const { clock } = of
    clock.wall += 30_000
    const quiet = ask(of)
    await turn()
    answer(of)
    expect(cookieOf(quiet)).toBeUndefined()
    clock.wall += 7.9 * MINUTE
    // The answer takes the new cookie along if it is there in time; else the next one does.
    let slid: string | undefined
    await eventually(async () => {
      const used = ask(of)
      await turn()
      answer(of)
      slid = cookieOf(used)
      expect(slid).toBeDefined()
    })
    clock.wall += 7.9 * MINUTE
    const before = of.offers.length
    const user = ask(of, slid)
    await eventually(() => expect(of.offers).toHaveLength(before + 1))
    expect(user.status).toBeUndefined()
    clock.wall += 8.1 * MINUTE
    for (const cookie of [of.cookie, slid!]) expect(ask(of, cookie).status).toBe(401)
  })
})
