/** The address a user asked for survives the sign-in, whole, and leads nowhere else. How a browser takes it is in test/examples/browser-sign-in.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signInWithForms } from '../examples/registrar-token.ts'
import { startDemo, UserAgent, type DemoProcess } from '../test/examples/demo-process.ts'

let demo: DemoProcess
beforeAll(async () => {
  demo = await startDemo()
})
afterAll(() => demo.stop())

const BROWSER = {
  accept: 'text/html,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
}
const DEEP = '/reports/2026?quarter=3&view=a%2Fb'

/** The one link that a page of ours goes on by. */
const linkOf = (page: string) =>
  /<a href="([^"]+)" id="go-on">/.exec(page)![1]!.replaceAll('&amp;', '&')

test('R4.6a a browser goes to the issuer and back by pages that keep the fragment', async () => {
  const agent = new UserAgent()
  const sent = await agent.get(demo.url('intranet', DEEP), BROWSER)
  expect(sent.status).toBe(200)
  expect(sent.headers['cache-control']).toBe('no-store')
  expect(sent.headers['content-security-policy']).toMatch(
    /^default-src 'none'; style-src 'sha256-[\w+/=]+'; script-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  )
  expect(sent.text).toContain('sessionStorage.setItem')
  const start = linkOf(sent.text)
  expect(new URL(start).origin).toBe(demo.issuer)

  const callback = demo.url('intranet', '/.app-proxy/sign-in/callback')
  const back = await signInWithForms(start, callback, demo.users[0]!)
  const landed = await agent.get(back.href, BROWSER)
  expect([landed.status, landed.headers['cache-control']]).toEqual([200, 'no-store'])
  expect(landed.text).toContain('sessionStorage.getItem')
  expect(linkOf(landed.text)).toBe(demo.url('intranet', DEEP))
  expect((await agent.get(demo.url('intranet', DEEP), BROWSER)).status).not.toBe(401)
})

test('R4.6b whoever says less than a browser is redirected, there and back', async () => {
  const agent = new UserAgent()
  const landed = await agent.signIn(demo.url('intranet', DEEP), demo.users[0]!)
  expect([landed.status, landed.headers.location]).toEqual([302, demo.url('intranet', DEEP)])
})

test.each(['//evil.example/', '/\\evil.example/', '/.app-proxy/sign-out', '/a b'])(
  'R4.6c T16 after signing in nobody lands elsewhere: %s',
  async (target) => {
    const agent = new UserAgent()
    const { origin } = new URL(demo.url('intranet'))
    const sent = await agent.get(demo.url('intranet', `/?next=${encodeURIComponent(target)}`))
    const callback = demo.url('intranet', '/.app-proxy/sign-in/callback')
    const back = await signInWithForms(sent.headers.location!, callback, demo.users[0]!)
    for (const name of ['returnTo', 'return_to', 'next', 'redirect_uri'])
      back.searchParams.append(name, target)
    const landed = await agent.get(back.href)
    expect(landed.status).toBe(302)
    expect(new URL(landed.headers.location!).origin).toBe(origin)
  },
)
