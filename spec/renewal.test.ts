/** A session near its end is renewed past the real issuer, without asking its user. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { signInWithForms } from '../examples/registrar-token.ts'
import { LiveExchanges } from '../src/cloud/request/live-exchanges.ts'
import { isDue, Renewals } from '../src/cloud/session/renewals.ts'
import { Sessions, type Session } from '../src/cloud/session/session.ts'
import { CALLBACK_PATH } from '../src/cloud/sign-in/parties.ts'
import { PreAuthentication } from '../src/cloud/sign-in/sign-in.ts'
import type { UserRequestHead } from '../src/cloud/request/user-exchange.ts'
import type {
  SignedIn,
  SignInRedirect,
  SignInWishes,
} from '../src/cloud/sign-in/sign-in-outcome.ts'
import { startIssuer } from '../test/issuer.ts'
import { edgeWorld, HOST as EDGE_HOST } from '../test/cloud/edge/edge-world.ts'
import {
  ALICE,
  cookieOf,
  HOST,
  preAuthenticationAt,
  startSts,
  type StsProcess,
} from '../test/cloud/sts-process.ts'

let sts: StsProcess
beforeAll(async () => {
  sts = await startSts()
})
afterAll(() => sts.stop())

/** A user who signed in a while ago: sessions last two minutes. */
async function signedIn() {
  const bench = await preAuthenticationAt(sts.issuer)
  const { keyRing, intranet, clocks } = bench
  const sessions = new Sessions({
    ...{ keyRing, longestMs: 120_000 },
    wallClock: () => clocks.wallClock(),
  })
  const preAuthentication = new PreAuthentication({ ...bench.options, sessions })
  const atIssuer = new Map<string, string>()
  const go = async (cookie: string, wishes: SignInWishes, jar = atIssuer) => {
    const begun = (await preAuthentication.begin(
      ...([intranet, HOST, '/page', [cookie], 'r', wishes] as const),
    )) as SignInRedirect
    const callback = `http://${HOST}${CALLBACK_PATH}`
    const answer = await signInWithForms(begun.location, callback, ALICE, jar)
    const cookies = [[cookie, cookieOf(begun.setCookies)].filter(Boolean).join('; ')]
    const query = answer.search.slice(1)
    const result = await preAuthentication.callback(intranet, HOST, query, cookies)
    return { begun: new URL(begun.location), query, result }
  }
  const { result } = await go('', {})
  const { session, setCookies } = result as SignedIn
  return { ...bench, sessions, go, session, cookie: cookieOf(setCookies) }
}

const near = (session: Session) => session.expiresAt - 1_000

test('R4.7a near its end a session is renewed past the issuer, and keeps its id', async () => {
  const { go, session, cookie, turnClock, sessions, intranet, clocks } = await signedIn()
  turnClock(near(session) - clocks.wallClock())
  const { begun, result } = await go(cookie, { renews: session })
  expect(begun.searchParams.get('prompt')).toBe('none')
  expect(result).toMatchObject({
    kind: 'signed-in',
    location: `http://${HOST}/page`,
    session: { id: session.id, authenticatedAt: session.authenticatedAt },
  })
  const renewed = result as SignedIn
  expect(renewed.session.expiresAt).toBeGreaterThan(session.expiresAt + 60_000)
  const fresh = cookieOf(renewed.setCookies)
  expect(await sessions.read(intranet, HOST, [fresh], session.expiresAt + 1)).toBeDefined()

  await sessions.revoke({ kind: 'session', id: session.id, at: clocks.wallClock() })
  for (const either of [cookie, fresh])
    expect(await sessions.read(intranet, HOST, [either], clocks.wallClock())).toBeUndefined()
})

test('R4.7b who is no longer signed in at the issuer works on to the session’s end', async () => {
  const { go, session, cookie, turnClock, sessions, clocks, audit } = await signedIn()
  turnClock(near(session) - clocks.wallClock())
  expect(sessions.renewals.takes(session, clocks.wallClock())).toBe(true)
  const { query, result } = await go(cookie, { renews: session }, new Map())
  expect(new URLSearchParams(query).get('error')).toBe('login_required')
  expect(result).toMatchObject({ kind: 'returned', location: `http://${HOST}/page` })
  expect(audit.map(({ type }) => type)).not.toContain('sign-in.denied')
  expect(sessions.renewals.takes(session, session.expiresAt - 1)).toBe(false)
})

test('R4.7c however many tabs ask, one goes past the issuer, and all else is served', async () => {
  const world = await edgeWorld()
  const browser = [
    ...['Cookie', world.cookie, 'Accept', 'text/html'],
    ...['Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document'],
  ]
  const ask = (headers = browser, method = 'GET') => {
    const user = world.ask({ authority: EDGE_HOST, headers, method })
    return user
  }
  const isServed = async (user: ReturnType<typeof ask>) => {
    await Promise.resolve()
    return user.status === undefined
  }
  expect(await isServed(ask())).toBe(true)

  world.clock.wall = near(world.session)
  const script = ['Cookie', world.cookie, 'Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Dest', 'empty']
  expect(await isServed(ask(script))).toBe(true)
  expect(await isServed(ask(browser, 'POST'))).toBe(true)
  expect(world.redirects).toEqual([])
  const [first, second, third] = [ask(), ask(), ask()]
  await vi.waitFor(() => expect(first.status).toBe(200))
  expect(first.one('write')![0]).toContain('https://sts.example/')
  expect([await isServed(second), await isServed(third)]).toEqual([true, true])
  expect(world.redirects).toEqual(['/'])
})

test('R4.7d a renewal that cannot begin, because the issuer is down, disturbs nobody', async () => {
  const world = await edgeWorld({}, { begun: { kind: 'denied', reason: 'issuer-unavailable' } })
  world.clock.wall = near(world.session)
  const headers = [
    ...['Cookie', world.cookie, 'Accept', 'text/html'],
    ...['Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document'],
  ]
  const user = world.ask({ authority: EDGE_HOST, headers })
  await vi.waitFor(() => expect(world.offers).toHaveLength(1))
  expect(user.status).toBeUndefined()
})

test('R4.7d nobody who is signed in is sent to an issuer that has gone down since it was asked last', async () => {
  const issuer = await startIssuer()
  const path = '/.well-known/openid-configuration'
  const [authorize, token] = [`${issuer.url}/authorize`, `${issuer.url}/token`]
  const endpoints = { authorization_endpoint: authorize, token_endpoint: token }
  const metadata = { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks`, ...endpoints }
  issuer.override(path, { body: JSON.stringify(metadata) })
  const { preAuthentication, intranet, session, turnClock } = {
    ...(await signedIn()),
    ...(await preAuthenticationAt(issuer.url)),
  }
  const begin = async (renews?: Session) =>
    preAuthentication.begin(intranet, HOST, '/', [], 'r', renews && { renews })
  expect((await begin()).kind).toBe('redirect')
  expect((await begin(session)).kind).toBe('redirect')
  issuer.override(path, { status: 503 })
  turnClock(6_000)
  expect(await begin(session)).toMatchObject({ kind: 'denied', reason: 'issuer-unavailable' })
  // Who has no session is sent there all the same: it may be all that is wrong.
  expect((await begin()).kind).toBe('redirect')
  await issuer.close()
  turnClock(6_000)
  expect(await begin(session)).toMatchObject({ kind: 'denied', reason: 'issuer-unavailable' })
})

test('R4.7d a session that ends while its renewal cannot begin is over', async () => {
  const world = await edgeWorld({}, { begun: { kind: 'denied', reason: 'issuer-unavailable' } })
  world.clock.wall = near(world.session)
  const headers = [
    ...['Cookie', world.cookie, 'Accept', 'text/html'],
    ...['Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document'],
  ]
  const user = world.ask({ authority: EDGE_HOST, headers })
  // In this very turn: the issuer is being asked.
  await world.sessions.revoke({ kind: 'session', id: world.session.id, at: world.clock.wall })
  await vi.waitFor(() => expect(user.status).toBe(401))
  expect(user.one('write')![0]).toContain('session-ended')
  expect(world.offers).toHaveLength(0)
})

test('R4.7g a renewal does not bring back who signed out meanwhile', async () => {
  const { go, session, cookie, turnClock, sessions, clocks } = await signedIn()
  turnClock(near(session) - clocks.wallClock())
  const wallNow = clocks.wallClock()
  await sessions.revoke({ kind: 'session', id: session.id, at: wallNow })
  const { result } = await go(cookie, { renews: session })
  expect(result).toMatchObject({ kind: 'returned', location: `http://${HOST}/page` })
  expect(result.setCookies.filter((one) => /session/.test(one) && !/Max-Age=0/.test(one))).toEqual(
    [],
  )
})

test('R4.7e what is open in a session’s name goes on when it is renewed', async () => {
  const { session, sessions, intranet, clocks, turnClock } = await signedIn()
  const live = new LiveExchanges({
    revocations: sessions.revocations,
    wallClock: () => clocks.wallClock(),
  })
  const open = (caller: Session) => {
    const from = { id: 'request', address: '192.0.2.7', head: {} as UserRequestHead }
    const ends = { sessionEnded: vi.fn(), applicationChanged: vi.fn() }
    const exchange = { ...from, ...ends, application: intranet, caller }
    live.add(exchange)
    return exchange.sessionEnded
  }
  const [ours, others] = [open(session), open({ ...session, id: 'other' })]
  live.renewed({ ...session, expiresAt: session.expiresAt + 60_000 })
  turnClock(session.expiresAt - clocks.wallClock())
  await vi.waitFor(() => expect(others).toHaveBeenCalled(), { timeout: 1_000 })
  expect(ours).not.toHaveBeenCalled()
})

test('R4.7f renewal is due in the last five minutes, or the second half of a shorter session', () => {
  const lasting = (minutes: number) => ({ id: 'x', startedAt: 0, expiresAt: minutes * 60_000 })
  expect([54.9, 55].map((minute) => isDue(lasting(60), minute * 60_000))).toEqual([false, true])
  expect([0.9, 1].map((minute) => isDue(lasting(2), minute * 60_000))).toEqual([false, true])
  const renewals = new Renewals()
  const takes = (minute: number) => renewals.takes(lasting(60), minute * 60_000)
  expect([takes(54), takes(56), takes(56.5), takes(57), takes(57.5)]).toEqual([
    ...[false, true, false, true, false],
  ])
})
