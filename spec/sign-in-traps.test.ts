/** What happens to people who sign in every day: the back button, old answers, several tabs, an issuer that is down. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Edge } from '../src/cloud/edge/edge.ts'
import { createDirectory } from '../src/cloud/directory/directory.ts'
import { Origin } from '../src/cloud/offers/origin.ts'
import type { SignedIn } from '../src/cloud/sign-in/sign-in-outcome.ts'
import { TIME_LIMITS } from '../src/protocol/internal.ts'
import { MemoryUser, octets } from '../test/cloud/edge/edge-world.ts'
import {
  ALICE,
  closedPort,
  cookieOf,
  HOST,
  preAuthenticationAt,
  startSts,
  throughTheForms,
  VAULT_HOST,
  type Bench,
  type StsProcess,
} from '../test/cloud/sts-process.ts'

let sts: StsProcess
beforeAll(async () => {
  sts = await startSts()
})
afterAll(() => sts.stop())

async function signedIn(target = '/wanted') {
  const bench = await preAuthenticationAt(sts.issuer)
  const { query, cookie } = await throughTheForms(bench, ALICE, target)
  const callback = (cookies: string[], q = query) =>
    bench.preAuthentication.callback(bench.intranet, HOST, q, cookies)
  const { setCookies } = (await callback([cookie])) as SignedIn
  return { ...bench, query, attempt: cookie, session: cookieOf(setCookies), callback }
}

test('R4.8a the callback reached again by somebody who is signed in leads to the page they wanted', async () => {
  const { callback, attempt, session, audit, turnClock } = await signedIn()
  const wanted = { kind: 'returned', location: `http://${HOST}/wanted` }
  expect(await callback([`${attempt}; ${session}`])).toMatchObject(wanted)
  // Its cookie was cleared long ago: where to, the state says.
  expect(await callback([session])).toMatchObject(wanted)
  turnClock(11 * 60_000)
  expect(await callback([`${attempt}; ${session}`])).toMatchObject(wanted)
  expect(audit.map(({ type }) => type)).not.toContain('sign-in.denied')
})

test('R4.8b T17 a stale or replayed answer lets nobody in who is not signed in', async () => {
  const { callback, attempt, query } = await signedIn()
  expect(await callback([attempt])).toMatchObject({ kind: 'denied', reason: 'attempt-used' })
  expect(await callback([])).toMatchObject({ kind: 'denied', reason: 'attempt-missing' })
  const late = await preAuthenticationAt(sts.issuer)
  const fresh = await throughTheForms(late, ALICE)
  late.turnClock(11 * 60_000)
  const result = late.preAuthentication.callback(late.intranet, HOST, fresh.query, [fresh.cookie])
  expect(await result).toMatchObject({ kind: 'denied', reason: 'attempt-expired' })
  expect(query).not.toBe(fresh.query)
})

test('R4.8c two tabs that sign in at once both land where they should, whichever is first', async () => {
  const bench = await preAuthenticationAt(sts.issuer)
  const one = await throughTheForms(bench, ALICE, '/one')
  const two = await throughTheForms(bench, ALICE, '/two')
  const jar = `${one.cookie}; ${two.cookie}`
  const land = async (query: string, cookies: string) =>
    (await bench.preAuthentication.callback(bench.intranet, HOST, query, [cookies])) as SignedIn
  const second = await land(two.query, jar)
  expect(second.location).toBe(`http://${HOST}/two`)
  const first = await land(one.query, `${one.cookie}; ${cookieOf(second.setCookies)}`)
  expect([first.kind, first.location]).toEqual(['signed-in', `http://${HOST}/one`])
})

test('R4.8d T17 state, code and iss that come twice are refused, in a query and in a form', async () => {
  const bench = await preAuthenticationAt(sts.issuer)
  const { query, cookie } = await throughTheForms(bench, ALICE)
  for (const name of ['state', 'code', 'iss'])
    for (const value of ['x', new URLSearchParams(query).get(name)!])
      expect(
        await bench.preAuthentication.callback(bench.intranet, HOST, `${query}&${name}=${value}`, [
          cookie,
        ]),
      ).toMatchObject({ kind: 'denied', reason: 'callback-malformed' })
})

test('R4.8e an issuer that is down leaves the signed-in working; others get a page that says so, and when to retry', async () => {
  const bench = await preAuthenticationAt(await closedPort())
  const world = edge(bench)
  const now = bench.clocks.wallClock()
  const { setCookie } = await bench.sessions.start(bench.intranet, HOST, {
    ...{ subject: 'user-alice', issuer: 'x', groups: ['staff'] },
    ...{ authenticatedAt: now, expiresAt: now + 3_600_000 },
  })
  const signedInUser = world.ask({ headers: ['Cookie', setCookie.split(';')[0]!] })
  const newUser = world.ask({ headers: ['Accept', 'text/html'] })
  await vi.waitFor(() => expect(newUser.status).toBe(503))
  const field = (name: string) => newUser.headers[newUser.headers.indexOf(name) + 1]
  expect(field('Retry-After')).toBe('5')
  expect(newUser.one('write')![0]).toMatch(
    /Sign-in service unavailable[\s\S]*<a href="\/">Try again/,
  )
  await vi.waitFor(() => expect(world.origin.open).toBe(1))
  expect(signedInUser.status).toBeUndefined()
})

test('R4.8f an old answer does not send round and round who must sign in more strongly', async () => {
  const { preAuthentication, intranet, query, session } = await signedIn()
  const policy = { id: 'strong', effect: 'step-up', mode: 'enforced', applications: 'all' } as const
  const stepUp = { acrValues: ['urn:never'] }
  const access = { locations: [], policies: [{ ...policy, stepUp }] }
  const strict = { ...intranet, access }
  const result = await preAuthentication.callback(strict, HOST, query, [session])
  expect(result).toMatchObject({ kind: 'denied', reason: 'attempt-missing' })
})

test('R4.8g a sign-out at the issuer that comes in while its answer is looked at ends that sign-in as well', async () => {
  const bench: Bench = await preAuthenticationAt(sts.issuer, {
    fetch: async (url, init) => {
      const answer = await fetch(url, init)
      if (!url.endsWith('/token')) return answer
      // The code was good; now its user signs out.
      bench.turnClock(5)
      await bench.sessions.revoke({
        ...{ kind: 'user', issuer: sts.issuer, subject: 'user-alice' },
        at: bench.clocks.wallClock(),
      })
      bench.turnClock(5)
      return answer
    },
  })
  const { query, cookie } = await throughTheForms(bench, ALICE)
  const result = await bench.preAuthentication.callback(bench.intranet, HOST, query, [cookie])
  const { session } = result as SignedIn
  expect(session.user.subject).toBe('user-alice')
  expect(bench.sessions.revocations.isRevoked(session, bench.intranet)).toBe(true)
})

test('R4.9a where it is asked for, the issuer posts its answer as a form', async () => {
  const bench = await preAuthenticationAt(sts.issuer)
  const { vault } = bench
  const forms = await throughTheForms(bench, ALICE, '/deep?x=1', vault)
  expect(forms.location.searchParams.get('response_mode')).toBe('form_post')
  expect(forms.setCookie).toMatch(/^__Host-app-proxy-attempt-.*; Secure; HttpOnly; SameSite=None$/)
  const world = edge(bench)
  const user = world.ask({
    ...{ method: 'POST', authority: VAULT_HOST, target: '/.app-proxy/sign-in/callback' },
    headers: [
      ...['Cookie', forms.cookie, 'Content-Type', 'application/x-www-form-urlencoded'],
      ...['Content-Length', String(forms.query.length)],
    ],
  })
  await vi.waitFor(() => expect(user.verbs).toContain('startBody'))
  user.events.data(octets(forms.query.slice(0, 20)))
  user.events.data(octets(forms.query.slice(20)))
  user.events.ended(undefined)
  await vi.waitFor(() => expect(user.status).toBe(302))
  expect(user.headers[user.headers.indexOf('Location') + 1]).toBe(`https://${VAULT_HOST}/deep?x=1`)
  expect(user.headers.join('\n')).toMatch(/__Host-app-proxy-session-vault=.*SameSite=Lax/)
})

test('R4.9b a posted answer that is no form, or without end, is refused; elsewhere there is no such path', async () => {
  const bench = await preAuthenticationAt(sts.issuer)
  const world = edge(bench)
  const post = (authority: string, type: string) =>
    world.ask({
      ...{ method: 'POST', authority, target: '/.app-proxy/sign-in/callback' },
      headers: ['Content-Type', type, 'Transfer-Encoding', 'chunked'],
    })
  const json = post(VAULT_HOST, 'application/json')
  await vi.waitFor(() => expect([json.status, json.code]).toEqual([400, 'callback-malformed']))
  const endless = post(VAULT_HOST, 'application/x-www-form-urlencoded')
  await vi.waitFor(() => expect(endless.verbs).toContain('startBody'))
  endless.events.data(octets('state=x&'.repeat(5_000)))
  await vi.waitFor(() => expect([endless.status, endless.close]).toEqual([400, true]))
  const elsewhere = post(HOST, 'application/x-www-form-urlencoded')
  await vi.waitFor(() => expect(elsewhere.status).toBe(404))
})

test('R4.9c posted answers need https', () => {
  const configuration = (externalUrl: string) => ({
    tenants: [{ id: 't', issuer: sts.issuer, registrars: { audience: 'x' } }],
    groups: [{ id: 'g', tenantId: 't' }],
    applications: [
      {
        ...{ id: 'a', groupId: 'g', externalUrl, internalUrl: 'http://10.0.0.1/' },
        ...{ preAuthentication: 'oidc' as const, client: { id: 'a' } },
        responseMode: 'form_post' as const,
      },
    ],
  })
  expect(() => createDirectory(configuration('https://a.example/'))).not.toThrow()
  expect(() => createDirectory(configuration('http://a.localhost/'))).toThrow(/responseMode/)
})

/** An edge before the applications of a bench; no connector is there. */
function edge(bench: Awaited<ReturnType<typeof preAuthenticationAt>>) {
  const { intranet, vault, options, preAuthentication } = bench
  const origin = new Origin({
    ...{ instance: 'cloud-1', limits: TIME_LIMITS, crypto },
    clocks: options.clocks,
  })
  const [tenant] = options.directory.tenants()
  const directory = {
    ...{ tenant: () => tenant, tenants: () => [tenant!], tenantOfIssuer: () => tenant },
    ...{ group: () => undefined, application: () => intranet, applications: () => [] },
    applicationsOn: (host: string) => (host === VAULT_HOST ? [vault] : [intranet]),
  }
  const served = new Edge({ ...options, directory, origin, preAuthentication, crypto })
  const ask = (head: ConstructorParameters<typeof MemoryUser>[0]) => {
    const user = new MemoryUser({ authority: HOST, secure: false, ...head })
    served.handle(user)
    return user
  }
  return { origin, ask }
}
