/** A person with a real browser, whose days hold everything: two tabs at once, a fragment, the back button, signing out here and at the issuer. */
import type { BrowserContext, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import {
  agree,
  giveNameAndPassword,
  missingBrowser,
  newPage,
  newVisitor,
  screenshot,
  signInAt,
  visitDemo,
} from './chromium.ts'

describe.skipIf(missingBrowser !== undefined)('in a real browser', { timeout: 90_000 }, () => {
  const visit = visitDemo()

  const at = (path: string) => visit.demo.url('intranet', path)
  const alice = () => visit.demo.users[0]!
  const atIssuer = (page: Page) => page.waitForURL(`${visit.demo.issuer}/**`)

  /** The application's sessions that it holds. At the issuer its user may still be signed in, who would be let in again at once. */
  const sessionsIn = async (context: BrowserContext) =>
    (await context.cookies(at('/'))).filter(({ name }) => name.includes('-session-'))

  /** Whether this browser still gets in without signing in. */
  async function isLetIn(context: BrowserContext): Promise<boolean> {
    const { page } = await newPage(context)
    await page.goto(at('/headers'))
    await page.waitForLoadState('networkidle')
    const isIn = new URL(page.url()).origin !== visit.demo.issuer
    await page.close()
    return isIn
  }

  test('two tabs that sign in at once both land where they should', async () => {
    const { page: first, complaints } = await newVisitor(visit.browser)
    const { page: second } = await newPage(first.context())
    await Promise.all([first.goto(at('/?tab=1')), second.goto(at('/?tab=2'))])
    await Promise.all([atIssuer(first), atIssuer(second)])
    await giveNameAndPassword(second, alice())
    await agree(second)
    await second.waitForURL(at('/?tab=2'))
    await giveNameAndPassword(first, alice())
    await first.waitForURL((url) => url.origin !== visit.demo.issuer || url.pathname !== '/')
    if (await first.getByRole('button', { name: 'Continue' }).isVisible()) await agree(first)
    await first.waitForURL(at('/?tab=1'))
    expect(await first.locator('#target').innerText()).toBe('/?tab=1')
    expect(await second.locator('#target').innerText()).toBe('/?tab=2')
    expect(complaints).toEqual([])
    await first.context().close()
  })

  test('a deep link arrives whole, with its fragment, and the issuer never learns of that', async () => {
    const { page, complaints } = await newVisitor(visit.browser)
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    const deep = at('/?week=7&path=%2Fa#section-3/é?x=1')
    await signInAt(page, deep, alice())
    expect(await page.evaluate(() => location.hash)).toBe('#section-3/%C3%A9?x=1')
    expect(await page.locator('#target').innerText()).toBe('/?week=7&path=%2Fa')
    expect(asked.filter((url) => url.includes('section-3') && !url.startsWith(at('/')))).toEqual([])
    expect(await page.evaluate(() => Object.keys(sessionStorage))).toEqual([])
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('back after signing in leads to no sign-in page, and the callback to no error', async () => {
    const { page } = await newVisitor(visit.browser)
    await signInAt(page, at('/?week=7'), alice())
    await page.goto(at('/?week=8'))
    await page.goBack()
    expect(page.url()).toBe(at('/?week=7'))
    await page.goto(at('/.app-proxy/sign-in/callback?state=old.x.aW50cmFuZXQ&code=old'))
    await page.waitForURL(at('/'))
    expect(await page.locator('#target').innerText()).toBe('/')
    await page.context().close()
  })

  test('who signs out is signed out here and at the issuer, and back shows nothing private', async () => {
    const { page, complaints } = await newVisitor(visit.browser)
    await signInAt(page, at('/?private=1'), alice())
    const context = page.context()
    // From a page of somebody else: asked first.
    await page.goto(at('/.app-proxy/sign-out'))
    await page.getByRole('heading', { name: 'Sign out?' }).waitFor()
    await screenshot(page, 'sign-out')
    expect(await isLetIn(context)).toBe(true)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await atIssuer(page)
    await screenshot(page, 'sign-out-at-issuer')
    expect(await sessionsIn(context)).toEqual([])
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL((url) => url.pathname === '/.app-proxy/signed-out')
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor()
    await screenshot(page, 'signed-out')

    for (let back = 0; back < 3; back++) {
      await page.goBack().catch(() => undefined)
      await page.waitForLoadState()
      expect(await page.locator('#target').count()).toBe(0)
      expect(await page.content()).not.toContain('private=1</')
    }
    await page.goto(at('/?private=1'))
    await atIssuer(page)
    await giveNameAndPassword(page, alice())
    // What she agreed to before is not asked again.
    await page.waitForURL(at('/?private=1'))
    expect(complaints).toEqual([])
    await context.close()
  })

  test('a link on a page of its own signs out at once', async () => {
    const { page } = await newVisitor(visit.browser)
    await signInAt(page, at('/'), alice())
    await page.evaluate(() => {
      const link = document.createElement('a')
      link.href = '/.app-proxy/sign-out'
      link.id = 'leave'
      link.textContent = 'Leave'
      document.body.append(link)
    })
    await page.locator('#leave').click()
    await atIssuer(page)
    expect(await sessionsIn(page.context())).toEqual([])
    await page.context().close()
  })

  test('signing out at the issuer closes an open WebSocket within a second', async () => {
    const { page } = await newVisitor(visit.browser)
    await signInAt(page, at('/'), alice())
    await page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          const socket = new WebSocket('/echo')
          socket.onopen = () => resolve()
          socket.onclose = () => void (document.title = `closed ${Date.now()}`)
        }),
    )
    const { page: other } = await newPage(page.context())
    await other.goto(`${visit.demo.issuer}/session/end`)
    const told = Date.now()
    await other.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForFunction(() => document.title.startsWith('closed'))
    const closed = Number((await page.title()).split(' ')[1])
    expect(closed - told).toBeLessThan(1_000)
    expect(await isLetIn(page.context())).toBe(false)
    await page.context().close()
  })
})
