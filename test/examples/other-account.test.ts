/** Whoever is refused signs in as somebody else, and comes to where they wanted to go: at a full OpenID provider, with a program and with a browser. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signInWithForms } from '../../examples/registrar-token.ts'
import {
  agree,
  giveNameAndPassword,
  launchBrowser,
  missingBrowser,
  newVisitor,
} from './chromium.ts'
import { startDemo, UserAgent, type DemoProcess } from './demo-process.ts'

let demo: DemoProcess
beforeAll(async () => void (demo = await startDemo()))
afterAll(async () => void (await demo?.stop()))

const DEEP = '/?week=7&sort=a'
const BUTTON = '/.app-proxy/sign-in/other-account'
const intranet = (path: string) => demo.url('intranet', path)

/** The fields of a page's form that posts to the button's path. */
function fieldsOf(page: string): URLSearchParams {
  const form = new RegExp(`<form[^>]* action="${BUTTON}"[^>]*>[\\s\\S]*?</form>`).exec(page)![0]
  const fields = new URLSearchParams()
  for (const [, name, value] of form.matchAll(/name="([^"]+)" value="([^"]*)"/g))
    fields.set(name!, value!.replaceAll('&amp;', '&'))
  return fields
}

/** What the browser of somebody holds who has come to the button: at the issuer, and here. */
interface Arrived {
  readonly agent: UserAgent
  readonly atIssuer: Map<string, string>
  readonly fields: URLSearchParams
}

/** Refused at sign-in: the issuer has a session, and there is none here. */
async function refused(): Promise<Arrived> {
  const agent = new UserAgent()
  const atIssuer = new Map<string, string>()
  const told = await agent.signIn(intranet(DEEP), demo.users[1]!, {}, atIssuer)
  expect(told.status).toBe(303)
  const page = await agent.get(new URL(told.headers.location!, intranet('/')).href)
  expect([page.status, page.text]).toEqual([403, expect.stringContaining('Use another account')])
  expect(agent.cookieNames).toEqual([])
  return { agent, atIssuer, fields: fieldsOf(page.text) }
}

/** Signed in, as is whom a policy refuses later. */
async function signedIn(): Promise<Arrived> {
  const agent = new UserAgent()
  const atIssuer = new Map<string, string>()
  await agent.signIn(intranet('/'), demo.users[2]!, {}, atIssuer)
  expect((await agent.get(intranet('/'))).text).toContain(demo.users[2]!.username)
  return { agent, atIssuer, fields: new URLSearchParams({ to: DEEP }) }
}

test.each([
  ['without a session here', refused],
  ['with a session here', signedIn],
])('a program’s user %s becomes another, and lands on the deep link', async (_, arrive) => {
  const { agent, atIssuer, fields } = await arrive()
  const before = agent.cookie
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  // Another site's page does not sign anybody out.
  const foreign = await agent.post(
    ...([intranet(BUTTON), { ...form, origin: 'https://evil.example' }, `${fields}`] as const),
  )
  expect([foreign.status, agent.cookie]).toEqual([403, before])

  const own = { ...form, origin: new URL(intranet('/')).origin }
  const left = await agent.post(intranet(BUTTON), own, `${fields}`)
  expect([left.status, agent.cookieNames]).toEqual([303, []])
  expect(new URL(left.headers.location!).origin).toBe(demo.issuer)
  const over = intranet('/.app-proxy/signed-out')
  const back = await signInWithForms(left.headers.location!, over, demo.users[1]!, atIssuer)
  const sent = await agent.get(back.href)
  expect(new URL(sent.headers.location!).searchParams.get('prompt')).toMatch(
    /^(login|select_account)$/,
  )
  const callback = intranet('/.app-proxy/sign-in/callback')
  const answer = await signInWithForms(sent.headers.location!, callback, demo.users[0]!, atIssuer)
  const arrived = await agent.get(answer.href)
  expect(arrived.headers.location).toBe(intranet(DEEP))
  const page = await agent.get(intranet(DEEP))
  expect([page.status, page.text]).toEqual([200, expect.stringContaining('Alice Adams')])
})

describe.skipIf(missingBrowser !== undefined)('a real browser', { timeout: 90_000 }, () => {
  test('the button leads to the issuer’s sign-out, its sign-in, and the deep link', async () => {
    const browser = await launchBrowser()
    try {
      const { page, complaints } = await newVisitor(browser)
      await page.goto(intranet(DEEP))
      await giveNameAndPassword(page, demo.users[1]!)
      await agree(page)
      await page.getByRole('heading', { name: 'You do not have access' }).waitFor()
      await page.getByRole('button', { name: 'Use another account' }).click()
      // The issuer is told of no user, and asks.
      await page.getByRole('button', { name: 'Sign out' }).click()
      await giveNameAndPassword(page, demo.users[0]!)
      await agree(page)
      await page.waitForURL(intranet(DEEP))
      await page.getByText('Alice Adams').first().waitFor()
      expect(complaints).toEqual([])
    } finally {
      await browser.close()
    }
  })
})
