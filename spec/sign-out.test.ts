/**
 * Sign-out as a user lives it: the real user listener, the real issuer, every form filled in. Wrong logout tokens, each for itself, are in
 * test/cloud/sign-out/back-channel-logout.test.ts.
 */
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { signInWithForms } from '../examples/registrar-token.ts'
import { startDemo, UserAgent, type DemoProcess } from '../test/examples/demo-process.ts'

let demo: DemoProcess
beforeAll(async () => {
  demo = await startDemo()
})
afterAll(() => demo.stop())

const SIGN_OUT = '/.app-proxy/sign-out'
const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' }
const FOLLOWED_LINK = { ...SAME_ORIGIN, 'sec-fetch-dest': 'document' }
const page = (path = '/headers') => demo.url('intranet', path)

/** Signed in, with what the issuer keeps in its own cookies. */
async function signedIn() {
  const agent = new UserAgent()
  const atIssuer = new Map<string, string>()
  await agent.signIn(page(), demo.users[0]!, {}, atIssuer)
  expect((await agent.get(page())).status).toBe(200)
  return { agent, atIssuer }
}

const isLetIn = async (agent: UserAgent, cookie = agent.cookie) =>
  (await agent.get(page(), { cookie, accept: 'application/json' })).status === 200

/** Ends the user's session at the issuer, as on a visit to it. */
async function signOutAtIssuer(
  atIssuer: Map<string, string>,
  start = `${demo.issuer}/session/end`,
) {
  const until = page('/.app-proxy/signed-out')
  return signInWithForms(start, until, demo.users[0]!, atIssuer)
}

test('R4.3a sign-out ends the session itself, not only its cookie', async () => {
  const { agent } = await signedIn()
  const copied = agent.cookie
  const left = await agent.post(page(SIGN_OUT), SAME_ORIGIN)
  expect(left.status).toBe(303)
  expect(agent.cookieNames).toEqual([])
  expect(left.headers).toMatchObject({
    'clear-site-data': '"cache"',
    'cache-control': 'no-store',
  })
  expect(await isLetIn(agent, copied)).toBe(false)
})

test('R4.3b sign-out goes on to the issuer, and from there to a page that says so', async () => {
  const { agent, atIssuer } = await signedIn()
  const left = await agent.get(page(SIGN_OUT), FOLLOWED_LINK)
  const location = new URL(left.headers.location!)
  expect([left.status, location.origin]).toEqual([303, demo.issuer])
  expect(Object.fromEntries(location.searchParams)).toMatchObject({
    client_id: 'intranet',
    post_logout_redirect_uri: page('/.app-proxy/signed-out'),
    state: expect.stringMatching(/./),
  })
  const back = await signOutAtIssuer(atIssuer, location.href)
  const said = await agent.get(back.href)
  expect(said.status).toBe(200)
  // Of this application; of the sign-in service only its user knows.
  expect(said.text).toMatch(/<h1>You are signed out of [^<]+<\/h1>/)
  expect(said.text).toContain(
    'If you chose to stay signed in at the sign-in service, you still are',
  )
  expect(said.text).toContain('name="at" value="issuer"')
  expect(said.text).toContain(`<a href="${page('/')}">`)
  expect(said.headers).toMatchObject({ 'clear-site-data': '"cache"', 'cache-control': 'no-store' })
})

test('R4.3b the session here and the one at the issuer end apart, and nobody is told that they are signed out who is not', async () => {
  const { agent } = await signedIn()
  // Whoever comes by a link, with a session, is asked.
  const early = await agent.get(page('/.app-proxy/signed-out'))
  expect(early.text).toContain('<h1>Sign out?</h1>')
  const form = { 'content-type': 'application/x-www-form-urlencoded', ...SAME_ORIGIN }
  const here = await agent.post(page(SIGN_OUT), form, 'at=here')
  expect([here.status, here.headers.location]).toEqual([
    303,
    expect.stringMatching(/^\/\.app-proxy\/signed-out\?state=/),
  ])
  expect(await isLetIn(agent)).toBe(false)
  const there = await agent.post(page(SIGN_OUT), form, 'at=issuer')
  expect(new URL(there.headers.location!).origin).toBe(demo.issuer)
})

test('R4.3c another site can sign nobody out', async () => {
  const { agent } = await signedIn()
  const cross = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
  const image = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'no-cors' }
  const old = { origin: 'https://evil.example' }
  for (const headers of [cross, { ...FOLLOWED_LINK, ...cross }, image, {}, old]) {
    const asked = await agent.get(page(SIGN_OUT), headers)
    expect([asked.status, asked.headers['set-cookie']]).toEqual([200, undefined])
    expect(asked.text).toContain('<form method="post" action="/.app-proxy/sign-out">')
  }
  for (const headers of [cross, old, {}, { origin: 'null' }]) {
    const refused = await agent.post(page(SIGN_OUT), headers)
    expect([refused.status, refused.headers['set-cookie']]).toEqual([403, undefined])
  }
  expect(await isLetIn(agent)).toBe(true)
})

test('R4.3d a browser that says less is known by its Origin; a script is answered without a redirect', async () => {
  const { agent } = await signedIn()
  const { origin } = new URL(page())
  const script = { origin, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }
  expect((await agent.post(page(SIGN_OUT), script)).status).toBe(204)
  expect(await isLetIn(agent)).toBe(false)
  const { agent: old } = await signedIn()
  expect((await old.post(page(SIGN_OUT), { origin })).status).toBe(303)
  expect(await isLetIn(old)).toBe(false)
})

test('R4.3e who is not signed in can sign out, and is told so', async () => {
  const left = await new UserAgent().post(page(SIGN_OUT), SAME_ORIGIN)
  expect([left.status, left.headers.location]).toEqual([303, '/.app-proxy/signed-out'])
  const open = await new UserAgent().post(demo.url('open', SIGN_OUT), SAME_ORIGIN)
  expect(open.status).toBe(404)
})

test('R4.4a signing out at the issuer ends the session here, and closes its WebSocket within a second', async () => {
  const { agent, atIssuer } = await signedIn()
  const other = await signedIn()
  const open = (cookie: string) => {
    const { origin, host, port } = new URL(page())
    return new WebSocket(`ws://127.0.0.1:${port}/echo`, { headers: { host, cookie, origin } })
  }
  const [socket, untouched] = [open(agent.cookie), open(other.agent.cookie)]
  await Promise.all([once(socket, 'open'), once(untouched, 'open')])
  const closed = once(socket, 'close')
  await signOutAtIssuer(atIssuer).catch(() => undefined)
  const told = performance.now()
  await closed
  expect(performance.now() - told).toBeLessThan(1_000)
  expect(await isLetIn(agent)).toBe(false)
  expect(untouched.readyState).toBe(WebSocket.OPEN)
  expect(await isLetIn(other.agent)).toBe(true)
  untouched.terminate()
})

test('R4.4b T23 a logout token that is not the issuer’s is refused, and changes nothing', async () => {
  const { agent } = await signedIn()
  const path = page('/.app-proxy/back-channel-logout')
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const forged = `${btoa('{"alg":"none"}')}.${btoa('{"aud":"intranet","sub":"user-alice"}')}.`
  for (const [body, headers] of [
    [`logout_token=${forged}`, form],
    [`logout_token=a&logout_token=b`, form],
    ['', form],
    [`logout_token=${forged}`, { 'content-type': 'text/plain' }],
    [`logout_token=${'x'.repeat(100_000)}`, form],
  ] as const) {
    const refused = await new UserAgent().post(path, headers, body)
    expect([refused.status, refused.headers['cache-control']]).toEqual([400, 'no-store'])
  }
  expect((await new UserAgent().get(path)).status).toBe(404)
  expect(await isLetIn(agent)).toBe(true)
})
