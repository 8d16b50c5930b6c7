/** A person with a real browser: tabs side by side, deep links, signing out, stronger sign-ins, and what happens to what is open. */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  agree,
  giveNameAndPassword,
  launchBrowser,
  missingBrowser,
  newPage,
  newVisitor,
  screenshot,
  signInAt,
} from './chromium.ts'
import { robotToken, startDemo, type DemoProcess } from './demo-process.ts'

// A browser, a demo and a test share the processor with whatever else runs.
describe.skipIf(missingBrowser !== undefined)('a real browser', { timeout: 90_000 }, () => {
  let demo: DemoProcess
  let browser: Browser
  beforeAll(async () => {
    demo = await startDemo()
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await demo?.stop()
  })

  const alice = () => demo.users[0]!
  const target = (page: Page) => page.locator('#target').innerText()
  const namesOfCookies = async (context: BrowserContext, url: string) =>
    (await context.cookies(url)).map(({ name }) => name)

  test('two tabs that sign in at once both land where they should', async () => {
    const { page: first, complaints } = await newVisitor(browser)
    const { page: second } = await newPage(first.context())
    await first.goto(demo.url('intranet', '/?tab=1'))
    await second.goto(demo.url('intranet', '/?tab=2'))
    await giveNameAndPassword(first, alice())
    await giveNameAndPassword(second, alice())
    await agree(second)
    await second.waitForURL(demo.url('intranet', '/?tab=2'))
    await agree(first)
    await first.waitForURL(demo.url('intranet', '/?tab=1'))
    expect([await target(first), await target(second)]).toEqual(['/?tab=1', '/?tab=2'])
    // One session, and nothing left of two attempts.
    expect(await namesOfCookies(first.context(), demo.url('intranet'))).toHaveLength(1)
    expect(complaints).toEqual([])
    await first.context().close()
  })

  test('a deep link keeps its fragment through sign-in', async () => {
    const { page, complaints } = await newVisitor(browser)
    const deep = demo.url('intranet', '/?week=7#headers')
    await signInAt(page, deep, alice())
    expect(await page.evaluate(() => location.hash)).toBe('#headers')
    expect(await target(page)).toBe('/?week=7')
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('after signing out, going back shows nothing private', async () => {
    const { page, complaints } = await newVisitor(browser)
    await signInAt(page, demo.url('intranet', '/?week=7'), alice())
    await page.getByRole('link', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign out?' }).waitFor()
    expect(new URL(page.url()).origin).toBe(demo.issuer)
    await screenshot(page, 'sign-out-at-issuer')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Signed out' }).waitFor()
    expect(new URL(page.url()).origin).toBe(new URL(demo.url('intranet')).origin)
    await screenshot(page, 'signed-out')
    expect(await namesOfCookies(page.context(), demo.url('intranet'))).toEqual([])
    for (let back = 0; back < 3; back++) {
      await page.goBack()
      expect(await page.content()).not.toContain('This page lives on a private address')
      expect(await page.content()).not.toContain('Alice Adams')
    }
    await page.goto(demo.url('intranet', '/?week=7'))
    await page.getByLabel('Password').waitFor()
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('an application that wants more sends back to the issuer, and then lets in', async () => {
    const { page, complaints } = await newVisitor(browser)
    await signInAt(page, demo.url('intranet'), alice())
    const deep = demo.url('vault', '/?drawer=3')
    await page.goto(deep)
    expect(new URL(page.url()).origin).toBe(demo.issuer)
    // Who she is, the issuer knows; that this is not enough, it is told then.
    await agree(page)
    await page.getByLabel('PIN').fill(alice().pin!)
    expect(new URL(page.url()).origin).toBe(demo.issuer)
    await screenshot(page, 'step-up')
    await giveNameAndPassword(page, alice())
    await page.waitForURL(deep)
    expect(await target(page)).toBe('/?drawer=3')
    await page.goto(demo.url('intranet'))
    await page.getByText('Alice Adams').first().waitFor()
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('a page of an origin that is allowed calls with a token; another page does not', async () => {
    const { page, complaints } = await newVisitor(browser)
    await page.goto(demo.url('open'))
    const call = { url: demo.url('intranet', '/headers'), token: await robotToken(demo) }
    const ask = ({ url, token }: typeof call) =>
      fetch(url, { headers: { authorization: `Bearer ${token}` } }).then(
        async (answer) => [answer.status, await answer.text()] as const,
        (error: Error) => error.name,
      )
    const [status, told] = await page.evaluate(ask, call)
    expect(status).toBe(200)
    expect(told).toContain('"target":"/headers"')
    // The reason of a refusal can be read as well.
    expect((await page.evaluate(ask, { ...call, token: 'bad' }))[0]).toBe(401)
    expect(complaints).toEqual([])
    await page.goto(demo.url('vault'))
    await giveNameAndPassword(page, alice())
    await agree(page)
    await page.getByLabel('PIN').fill(alice().pin!)
    await giveNameAndPassword(page, alice())
    await page.waitForURL(demo.url('vault'))
    expect(await page.evaluate(ask, call)).toBe('TypeError')
    await page.context().close()
  })

  test('who is denied reads why, and what to do', async () => {
    const { page, complaints } = await newVisitor(browser)
    const carol = demo.users[2]!
    await signInAt(page, demo.url('intranet'), carol)
    await page.goto(demo.url('vault'))
    await agree(page)
    await page.getByText('The vault is closed to contractors.').waitFor()
    await screenshot(page, 'denied')
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('who signs out at the issuer loses what is open here, within a second', async () => {
    const { page } = await newVisitor(browser)
    await signInAt(page, demo.url('intranet', '/live'), alice())
    await page.locator('#echo-state', { hasText: 'open' }).waitFor()
    const closed = page.evaluate(
      () =>
        new Promise<number>((resolve, reject) => {
          const socket = new WebSocket('/echo')
          socket.onopen = () => (socket.onclose = () => resolve(Date.now()))
          socket.onclose = reject
        }),
    )
    const { page: other } = await newPage(page.context())
    await other.goto(new URL('/session/end', demo.issuer).href)
    // The issuer answers once it has told the applications.
    const [answered] = await Promise.all([
      other.waitForResponse(/session\/end\/confirm/).then(() => Date.now()),
      other.getByRole('button', { name: 'Sign out' }).click(),
    ])
    expect((await closed) - answered).toBeLessThan(1000)
    await page.locator('#echo-state', { hasText: 'closed' }).waitFor()
    await page.locator('#ticks-state', { hasText: 'closed' }).waitFor()
    await screenshot(page, 'live-ended')
    await page.context().close()
  })
})
