/** A person with a real browser, through the demo: the pages, the redirects and the cookies as Chromium takes them. */
import { existsSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDemo, type DemoProcess } from './demo-process.ts'

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
const ARTIFACTS = fileURLToPath(new URL('../.artifacts', import.meta.url))
const isMissing = !existsSync(CHROMIUM)

if (process.env['CI'] === 'true') {
  test('a browser is installed', () => {
    expect(isMissing, `${CHROMIUM} is missing; CHROMIUM_PATH names another`).toBe(false)
  })
}

describe.skipIf(isMissing)('in a real browser', () => {
  let demo: DemoProcess
  let browser: Browser
  beforeAll(async () => {
    mkdirSync(ARTIFACTS, { recursive: true })
    demo = await startDemo()
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
        ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
        '--no-proxy-server',
      ],
    })
  })
  afterAll(async () => {
    await browser?.close()
    await demo?.stop()
  })

  /** A new browser with no cookies; fails the test when a page breaks its own rules. */
  async function open(): Promise<{ page: Page; complaints: string[] }> {
    const page = await (
      await browser.newContext({ viewport: { width: 900, height: 700 } })
    ).newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      // A refusal's status, or no icon, is no fault of the page.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    return { page, complaints }
  }

  const screenshot = (page: Page, name: string) =>
    page.screenshot({ path: `${ARTIFACTS}/${name}.png`, fullPage: true })

  async function signIn(page: Page, index: 0 | 1): Promise<void> {
    const { username, password } = demo.users[index]!
    await page.getByLabel('Name').fill(username)
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Continue' }).waitFor()
  }
  const agree = (page: Page) => page.getByRole('button', { name: 'Continue' }).click()

  test('the assigned user signs in, lands on the deep link and uses the page', async () => {
    const { page, complaints } = await open()
    const deep = demo.url('intranet', '/?week=7')
    await page.goto(deep)
    expect(new URL(page.url()).origin).toBe(demo.issuer)
    await screenshot(page, 'sign-in')
    await signIn(page, 0)
    await screenshot(page, 'consent')
    await agree(page)
    await page.waitForURL(deep)
    expect(await page.locator('#target').innerText()).toBe('/?week=7')
    expect(await page.locator('#cookies').innerText()).toBe('none')
    await screenshot(page, 'intranet')

    await page.getByLabel('File').setInputFiles({
      name: 'hello.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from('hello'),
    })
    await page.getByRole('button', { name: 'Upload' }).click()
    await page.waitForURL('**/upload')
    expect(JSON.parse(await page.locator('body').innerText())).toMatchObject({
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })

    const cookies = await page.context().cookies(deep)
    expect(cookies).toMatchObject([{ httpOnly: true, sameSite: 'Lax', expires: -1 }])
    expect(complaints).toEqual([])
  })

  test('a wrong password is told, and can be put right', async () => {
    const { page } = await open()
    await page.goto(demo.url('intranet'))
    await page.getByLabel('Name').fill('alice')
    await page.getByLabel('Password').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    expect(await page.getByRole('alert').innerText()).toContain('do not match')
    await signIn(page, 0)
    await agree(page)
    await page.waitForURL(demo.url('intranet'))
  })

  test('who is not assigned sees that sign-in refused', async () => {
    const { page, complaints } = await open()
    await page.goto(demo.url('intranet', '/?week=7'))
    await signIn(page, 1)
    const [response] = await Promise.all([
      page.waitForResponse((one) => one.url().includes('/.app-proxy/sign-in/callback')),
      agree(page),
    ])
    expect(response.status()).toBe(403)
    await page.getByRole('heading', { name: 'You do not have access' }).waitFor()
    expect(await page.locator('dl').innerText()).toMatch(/Source\s+Sign-in/)
    await screenshot(page, 'refused')
    expect(complaints).toEqual([])
  })

  test('who cancels is told that nobody was signed in', async () => {
    const { page } = await open()
    await page.goto(demo.url('intranet'))
    await signIn(page, 0)
    const [response] = await Promise.all([
      page.waitForResponse((one) => one.url().includes('/.app-proxy/sign-in/callback')),
      page.getByRole('button', { name: 'Cancel' }).click(),
    ])
    expect(response.status()).toBe(403)
  })
})
