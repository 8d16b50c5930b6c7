/** Every page of ours that a person can come to in the demo, as Chromium shows it, in light and in dark. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import {
  agree,
  giveNameAndPassword,
  missingBrowser,
  newVisitor,
  screenshot,
  signInAt,
  visitDemo,
} from './chromium.ts'
import type { DemoProcess } from './demo-process.ts'

const CALLBACK = '/.app-proxy/sign-in/callback'
const RESULT = '/.app-proxy/sign-in/result'

interface Shown {
  readonly name: string
  readonly status: number
  readonly heading: string
  readonly source?: string
  /** Resolves with the answer that is the page. */
  open(page: Page, demo: DemoProcess): Promise<number>
}

const at = (id: string, path: string) => async (page: Page, demo: DemoProcess) =>
  (await page.goto(demo.url(id, path)))!.status()

/** Comes back from the issuer; the answer to that leads to the page. */
async function returning(page: Page, leave: Promise<void>): Promise<number> {
  const [response] = await Promise.all([
    page.waitForResponse((one) => one.url().includes(RESULT)),
    leave,
  ])
  return response.status()
}

const PAGES: readonly Shown[] = [
  {
    ...{ name: 'unknown', status: 404, heading: 'No such application', source: 'The request' },
    open: async (page, demo) => {
      const url = new URL(demo.url('open'))
      url.hostname = 'nobody.localhost'
      return (await page.goto(url.href))!.status()
    },
  },
  {
    ...{ name: 'nothing-here', status: 404, heading: 'Nothing here' },
    open: at('open', '/.app-proxy/nothing'),
  },
  {
    ...{ name: 'unreachable', status: 502, heading: 'Application not reachable' },
    open: at('broken', '/'),
  },
  {
    ...{ name: 'not-understood', status: 400, heading: 'Request not understood' },
    open: at('open', '/a%5c..%5cb'),
  },
  {
    ...{ name: 'callback-of-nobody', status: 400, heading: 'Sign-in' },
    // Its answer leads to the page, and this is what the page says.
    open: at('intranet', `${CALLBACK}?code=x&state=y`),
  },
  {
    ...{ name: 'cancelled', status: 403, heading: 'Not signed in' },
    open: async (page, demo) => {
      await page.goto(demo.url('intranet'))
      await giveNameAndPassword(page, demo.users[0]!)
      return returning(page, page.getByRole('button', { name: 'Cancel' }).click())
    },
  },
  {
    ...{ name: 'not-assigned', status: 403, heading: 'You do not have access' },
    open: async (page, demo) => {
      await page.goto(demo.url('intranet'))
      await giveNameAndPassword(page, demo.users[1]!)
      return returning(page, agree(page))
    },
  },
  {
    ...{ name: 'policy', status: 403, heading: 'Access denied', source: 'Access policy' },
    open: async (page, demo) => {
      await page.goto(demo.url('vault'))
      await giveNameAndPassword(page, demo.users[2]!)
      return returning(page, agree(page))
    },
  },
  {
    ...{ name: 'sign-out', status: 200, heading: 'Sign out' },
    open: async (page, demo) => {
      await signInAt(page, demo.url('intranet'), demo.users[0]!)
      return (await page.goto(demo.url('intranet', '/.app-proxy/sign-out')))!.status()
    },
  },
  {
    ...{ name: 'signed-out', status: 200, heading: 'You are signed out' },
    open: at('intranet', '/.app-proxy/signed-out'),
  },
]

describe.skipIf(missingBrowser !== undefined)('pages of ours', { timeout: 90_000 }, () => {
  // Nobody listens on the port for "tcpmux".
  const visit = visitDemo('--publish-open', 'broken=http://127.0.0.1:1')

  test.each(PAGES)('$name', async ({ name, status, heading, source, open }) => {
    const { page, complaints } = await newVisitor(visit.browser)
    const asked: string[] = []
    expect(await open(page, visit.demo)).toBe(status)
    page.on('request', (request) => asked.push(request.url()))
    await page.locator('h1', { hasText: heading }).waitFor()
    expect(await page.locator('h1').count()).toBe(1)
    expect(await page.locator('html').getAttribute('lang')).toBe('en')
    expect(await page.locator('main').count()).toBe(1)
    expect(await page.title()).not.toBe('')
    if (status >= 400) {
      const facts = await page.locator('dl').innerText()
      expect(facts).toContain(source ?? '')
      expect(facts).toMatch(/Request\s+\S{12,}/)
    }
    await screenshot(page, `page-${name}`)
    await page.emulateMedia({ colorScheme: 'dark' })
    await screenshot(page, `page-${name}-dark`)
    // At 320 CSS pixels nothing has to be scrolled sideways (WCAG 2.2, 1.4.10).
    await page.setViewportSize({ width: 320, height: 640 })
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320)
    expect(asked.filter((url) => !url.startsWith('data:'))).toEqual([])
    expect(complaints).toEqual([])
    await page.context().close()
  })
})
