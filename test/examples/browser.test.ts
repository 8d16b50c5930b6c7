/** A person with a real browser, through the demo: the pages, the redirects and the cookies as Chromium takes them. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { contrastFaults } from '../browser/contrast.ts'
import {
  agree,
  giveNameAndPassword,
  missingBrowser,
  newVisitor,
  screenshot,
  visitDemo,
} from './chromium.ts'

if (process.env['CI'] === 'true') {
  test('a browser is installed', () => {
    expect(missingBrowser).toBeUndefined()
  })
}

describe.skipIf(missingBrowser !== undefined)('in a real browser', () => {
  const visit = visitDemo()

  async function signIn(page: Page, index: 0 | 1): Promise<void> {
    await giveNameAndPassword(page, visit.demo.users[index]!)
  }

  test('the assigned user signs in, lands on the deep link and uses the page', async () => {
    const { page, complaints } = await newVisitor(visit.browser)
    const deep = visit.demo.url('intranet', '/?week=7')
    await page.goto(deep)
    await page.waitForURL(`${visit.demo.issuer}/**`)
    expect(await contrastFaults(page)).toEqual([])
    await screenshot(page, 'sign-in')
    await signIn(page, 0)
    await page.getByRole('button', { name: 'Continue' }).waitFor()
    expect(await contrastFaults(page)).toEqual([])
    await screenshot(page, 'consent')
    await agree(page)
    await page.waitForURL(deep)
    expect(await page.locator('#target').innerText()).toBe('/?week=7')
    expect(await page.locator('#cookies').innerText()).toBe('none')
    expect(await page.title()).toBe('Intranet')
    expect(await contrastFaults(page)).toEqual([])
    await screenshot(page, 'intranet')
    await page.setViewportSize({ width: 360, height: 700 })
    const narrow = await page.evaluate(() => ({
      page: document.documentElement.scrollWidth,
      values: [...document.querySelectorAll('#headers td')].map((cell) => cell.clientWidth),
    }))
    expect(narrow.page).toBeLessThanOrEqual(360)
    expect(Math.min(...narrow.values)).toBeGreaterThan(240)
    await screenshot(page, 'intranet-narrow')

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
    const { page } = await newVisitor(visit.browser)
    await page.goto(visit.demo.url('intranet'))
    await page.getByLabel('Name').fill('alice')
    await page.getByLabel('Password').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    expect(await page.getByRole('alert').innerText()).toContain('do not match')
    await signIn(page, 0)
    await agree(page)
    await page.waitForURL(visit.demo.url('intranet'))
  })

  test('who is not assigned sees that sign-in refused', async () => {
    const { page, complaints } = await newVisitor(visit.browser)
    await page.goto(visit.demo.url('intranet', '/?week=7'))
    await signIn(page, 1)
    const [response] = await Promise.all([
      // The callback's answer leads to it.
      page.waitForResponse((one) => one.url().includes('/.app-proxy/sign-in/result')),
      agree(page),
    ])
    expect(response.status()).toBe(403)
    await page.getByRole('heading', { name: 'You do not have access' }).waitFor()
    expect(await page.locator('dl').innerText()).toMatch(/Source\s+Sign-in/)
    await screenshot(page, 'refused')
    expect(complaints).toEqual([])
  })

  test('who cancels is told that nobody was signed in', async () => {
    const { page } = await newVisitor(visit.browser)
    await page.goto(visit.demo.url('intranet'))
    const [response] = await Promise.all([
      // The callback's answer leads to it.
      page.waitForResponse((one) => one.url().includes('/.app-proxy/sign-in/result')),
      // Nothing has to be filled in for that.
      page.getByRole('button', { name: 'Cancel' }).click(),
    ])
    expect(response.status()).toBe(403)
  })
})
