/** Real Chromium, for what only a browser does: pages, redirects, cookies, WebSockets and event streams as it takes them. */
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { BROWSER_ARGUMENTS, CHROMIUM, missingBrowser } from '../browser/chromium-program.ts'
import { startDemo, type DemoProcess } from './demo-process.ts'

const ARTIFACTS = fileURLToPath(new URL('../.artifacts', import.meta.url))

export { missingBrowser }

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: BROWSER_ARGUMENTS })
}

/** A demo, and a browser to visit it with. */
export interface Visit {
  readonly demo: DemoProcess
  readonly browser: Browser
}

/** For the tests of one `describe`: both are there when the tests run, and gone after them. */
export function visitDemo(...args: string[]): Visit {
  const visit = {} as { demo: DemoProcess; browser: Browser }
  beforeAll(async () => {
    visit.demo = await startDemo(...args)
    visit.browser = await launchBrowser()
  })
  afterAll(async () => {
    await visit.browser?.close()
    await visit.demo?.stop()
  })
  return visit
}

export interface OpenPage {
  readonly page: Page
  /** What the page, or a rule that it broke, complained of. */
  readonly complaints: string[]
}

/** A page in a browser that knows no cookies. */
export async function newVisitor(browser: Browser): Promise<OpenPage> {
  return newPage(await browser.newContext({ viewport: { width: 900, height: 700 } }))
}

/** Another tab. */
export async function newPage(context: BrowserContext): Promise<OpenPage> {
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    // A refusal's status, or no icon, is no fault of the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  return { page, complaints }
}

/** To `test/.artifacts/NAME.png`, which is for people to look at. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(ARTIFACTS, { recursive: true })
  await page.screenshot({ path: `${ARTIFACTS}/${name}.png`, fullPage: true })
}

interface User {
  readonly username: string
  readonly password: string
}

/** Fills in the issuer's form. */
export async function giveNameAndPassword(page: Page, { username, password }: User): Promise<void> {
  await page.getByLabel('Name').fill(username)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** Agrees that the application learns who signs in, unless that was agreed before. */
export async function agree(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Continue' })
  // Applications have names, and the issuer has a number.
  const left = page.waitForURL(({ hostname }) => hostname !== '127.0.0.1', { waitUntil: 'commit' })
  await Promise.race([button.or(page.getByLabel('PIN')).first().waitFor(), left])
  left.catch(() => undefined)
  if (await button.isVisible()) await button.click()
}

/** Opens `url`, signs in at the issuer, and is back at `url`. */
export async function signInAt(page: Page, url: string, user: User): Promise<void> {
  await page.goto(url)
  await giveNameAndPassword(page, user)
  await agree(page)
  await page.waitForURL(url)
}
