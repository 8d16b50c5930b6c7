/** A person with a real browser: an application that wants more than a password, a policy that denies, and what happens to what is open. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { contrastFaults } from '../browser/contrast.ts'
import {
  agree,
  missingBrowser,
  newPage,
  newVisitor,
  screenshot,
  signInAt,
  visitDemo,
} from './chromium.ts'

// A browser, a demo and a test share the processor with whatever else runs.
describe.skipIf(missingBrowser !== undefined)('a real browser', { timeout: 90_000 }, () => {
  const visit = visitDemo()

  const alice = () => visit.demo.users[0]!
  const target = (page: Page) => page.locator('#target').innerText()

  test('an application that wants more sends back to the issuer, and then lets in', async () => {
    const { page, complaints } = await newVisitor(visit.browser)
    await signInAt(page, visit.demo.url('intranet'), alice())
    const deep = visit.demo.url('vault', '/?drawer=3#headers')
    await page.goto(deep)
    // Who she is, the issuer knows; that this is not enough, it is told then.
    await agree(page)
    await page.getByText('You are signed in as alice, and vault needs your PIN as well.').waitFor()
    expect(new URL(page.url()).origin).toBe(visit.demo.issuer)
    expect(await page.getByLabel('Password').count()).toBe(0)
    expect(await contrastFaults(page)).toEqual([])
    await screenshot(page, 'step-up')
    await page.getByLabel('PIN').fill(alice().pin!)
    await page.getByRole('button', { name: 'Confirm' }).click()
    await page.waitForURL(deep)
    expect(await target(page)).toBe('/?drawer=3')
    expect(await page.title()).toBe('Vault')
    await page.goto(visit.demo.url('intranet'))
    await page.getByText('Alice Adams').first().waitFor()
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('who is denied reads why, and what to do', async () => {
    const { page, complaints } = await newVisitor(visit.browser)
    const carol = visit.demo.users[2]!
    await signInAt(page, visit.demo.url('intranet'), carol)
    await page.goto(visit.demo.url('vault'))
    await agree(page)
    await page.getByText('The vault is closed to contractors.').waitFor()
    await screenshot(page, 'denied')
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('who signs out at the issuer loses what is open here, within a second', async () => {
    const { page } = await newVisitor(visit.browser)
    await signInAt(page, visit.demo.url('intranet', '/live'), alice())
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
    await other.goto(new URL('/session/end', visit.demo.issuer).href)
    // The issuer answers once it has told the applications.
    const [answered] = await Promise.all([
      other.waitForResponse(/session\/end\/confirm/).then(() => Date.now()),
      other.getByRole('button', { name: 'Sign out' }).click(),
    ])
    expect((await closed) - answered).toBeLessThan(1000)
    await page.locator('#echo-state', { hasText: 'closed' }).waitFor()
    await page.locator('#ticks-state', { hasText: 'closed' }).waitFor()
    await page.locator('#echo-ended', { hasText: 'You were signed out' }).waitFor()
    await page.locator('#ticks-ended', { hasText: 'You were signed out' }).waitFor()
    expect(await page.locator('#visitor').innerText()).toBe('Signed out · Sign in again')
    await screenshot(page, 'live-ended')
    await page.context().close()
  })
})
