/**
 * Access 1 and 2 as a user lives them: the real user listener, the real issuer, every form filled in. The sign-in's own rules, each
 * wrong thing for itself, are in sign-in.test.ts.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDemo, UserAgent, type DemoProcess } from '../test/examples/demo-process.ts'

const DEEP = '/headers?week=7&path=%2Fa'
let demo: DemoProcess
beforeAll(async () => {
  demo = await startDemo()
})
afterAll(() => demo.stop())

test('R3.1b a user of an application with pre-authentication is redirected to the issuer', async () => {
  const answer = await new UserAgent().get(demo.url('intranet', DEEP))
  const location = new URL(answer.headers.location!)
  expect([answer.status, location.origin]).toEqual([302, demo.issuer])
  expect(Object.fromEntries(location.searchParams)).toMatchObject({
    response_type: 'code',
    client_id: 'intranet',
    redirect_uri: demo.url('intranet', '/.app-proxy/sign-in/callback'),
    code_challenge_method: 'S256',
    state: expect.stringMatching(/./),
    nonce: expect.stringMatching(/./),
  })
})

test('R3.1c a passthrough application is served at once', async () => {
  expect((await new UserAgent().get(demo.url('open', DEEP))).status).toBe(200)
})

test('R3.1.2 the issuer issues a token and sends the user back to the cloud, which lets it in', async () => {
  const agent = new UserAgent()
  await agent.signIn(demo.url('intranet', DEEP), demo.users[0]!)
  expect((await agent.get(demo.url('intranet', DEEP))).status).toBe(200)
})

test('R3.1.5 after signing in the user is back at the URL first asked for', async () => {
  const agent = new UserAgent()
  const landed = await agent.signIn(demo.url('intranet', DEEP), demo.users[0]!)
  expect([landed.status, landed.headers.location]).toEqual([302, demo.url('intranet', DEEP)])
  expect((await agent.get(demo.url('intranet', DEEP))).status).toBe(200)
})

test('R3.1.4a the cookie is encrypted and not persisted', async () => {
  const agent = new UserAgent()
  const landed = await agent.signIn(demo.url('intranet'), demo.users[0]!)
  const cookie = landed.headers['set-cookie']!.find((value) => value.includes('-session-'))!
  expect(cookie).toMatch(/; HttpOnly/)
  expect(cookie).not.toMatch(/; (Expires|Max-Age)/i)
  // A compact JWE: five parts, and nothing of the user to be read in them.
  const value = cookie.slice(cookie.indexOf('=') + 1, cookie.indexOf(';'))
  expect(value.split('.')).toHaveLength(5)
  expect(Buffer.from(value.split('.')[3]!, 'base64url').toString('latin1')).not.toContain('alice')
})

/** What a browser shows at the end of a sign-in that was refused: a page with an address of its own. */
async function deniedPage() {
  const agent = new UserAgent()
  const { headers } = await agent.signIn(demo.url('intranet'), demo.users[1]!)
  return agent.get(demo.url('intranet', headers.location))
}

test('R3.1.1b a user who is not assigned is denied', async () => {
  expect((await deniedPage()).status).toBe(403)
})

test('R3.1.Na the denied user has no session', async () => {
  const agent = new UserAgent()
  await agent.signIn(demo.url('intranet'), demo.users[1]!)
  expect(agent.cookieNames).not.toContainEqual(expect.stringMatching(/session/))
})

test('R3.1.Nb the denied user is told the source of the problem, by page or problem', async () => {
  const page = await deniedPage()
  expect(page.text).toContain('<dt>Source</dt><dd>Sign-in</dd>')
  const json = { accept: 'application/problem+json' }
  const problem = await new UserAgent().signIn(demo.url('intranet'), demo.users[1]!, json)
  expect(JSON.parse(problem.text)).toMatchObject({ source: 'sign-in', code: 'not-assigned' })
})

test('R3.2a without a session every request is stopped, whatever it carries', async () => {
  for (const headers of [{ cookie: 'app-proxy-session-intranet=made-up' }, { 'x-user': 'alice' }]) {
    const answer = await new UserAgent().get(demo.url('intranet'), {
      ...headers,
      accept: 'application/json',
    })
    expect(answer.status).toBe(401)
  }
})
