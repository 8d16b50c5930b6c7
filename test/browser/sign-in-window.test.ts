/** Signing in in a window of its own, in a real browser with third-party cookies blocked: for a form that was not delivered, and for a script. */
import type { RequestListener } from 'node:http'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../until.ts'
import { missingBrowser } from './chromium-program.ts'
import { signedInWorld } from './signed-in-world.ts'
import { RECIPE } from './single-page.ts'
import { startSites, type Sites } from './sites.ts'

const STORY = 'A long story about a journey'
const FILE = { name: 'receipt.txt', mimeType: 'text/plain', buffer: Buffer.from('one receipt') }

/** Sent, with the text that was in it. */
const received: string[] = []
const answer: RequestListener = (request, response) => {
  response.setHeader('Content-Type', 'text/html')
  if (request.method === 'POST') {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      received.push(body.replaceAll('+', ' '))
      response.end('<!doctype html><h1>Received</h1>')
    })
    return
  }
  if (request.url === '/page')
    return void response.end(
      `<!doctype html><title>page</title><button id="sign-in" hidden>Sign in</button><script>${RECIPE.replace('2_000', '100')}</script>`,
    )
  const hasFile = request.url === '/file'
  if (request.url === '/no-store') response.setHeader('Cache-Control', 'no-store')
  const file = hasFile ? '<input type="file" name="file">' : ''
  const type = hasFile ? ' enctype="multipart/form-data"' : ''
  response.end(
    `<!doctype html><form method="post" action="/send"${type}><textarea name="text"></textarea>${file}<button>Send</button></form>`,
  )
}

describe.skipIf(missingBrowser !== undefined)('a window to sign in', () => {
  let sites: Sites
  let world: Awaited<ReturnType<typeof signedInWorld>>
  let context: BrowserContext
  let page: Page
  beforeAll(async () => {
    sites = await startSites()
    world = await signedInWorld(sites, { idTokenSeconds: 3600, refreshTokens: false, answer })
    context = await sites.browse('blocked')
    page = await context.newPage()
  }, 60_000)
  afterAll(async () => {
    await sites?.close()
    await world?.close()
  })
  beforeEach(async () => {
    received.length = 0
    await context.clearCookies()
    world.turnClock(0)
  })

  const forget = (domain: string) => context.clearCookies({ domain })
  async function signedInAt(path: string): Promise<void> {
    await page.goto(world.app + path)
    await page.click('#sign-in')
    await page.waitForURL(world.app + path)
  }
  const statusOf = (path: string, method = 'GET') =>
    page.evaluate(async ([at, by]) => (await fetch(at!, { method: by! })).status, [
      path,
      method,
    ] as const)

  test.each(['/plain', '/no-store', '/file'])(
    'a form at %s that is sent without a session is not delivered, its user is told so, and sends it again',
    async (path) => {
      await signedInAt(path)
      await page.fill('textarea', STORY)
      if (path === '/file') await page.setInputFiles('input', FILE)
      await forget('app.corp.test')
      const [refused] = await Promise.all([
        page.waitForResponse((response) => response.url().endsWith('/send')),
        page.click('button'),
      ])
      await page.waitForSelector('h1')
      expect(refused.status()).toBe(401)
      expect(refused.headers()).toMatchObject({ 'cache-control': 'no-store' })
      const told = await page.innerText('main')
      expect(told).toContain('Your form was not delivered')
      expect(told).toMatch(/Some forms lose their text/)
      expect(told).toMatch(/files must be chosen again/)
      const html = await page.content()
      expect(html).not.toMatch(/journey|receipt|<script|<form/)
      expect(html).toMatch(/target="_blank" rel="noopener"/)

      const [opened] = await Promise.all([context.waitForEvent('page'), page.click('.next a')])
      await opened.waitForSelector('h1')
      expect(await opened.innerText('main')).toMatch(/You are signed in.*Back button/s)
      expect(opened.url()).toBe(`${world.app}/.app-proxy/sign-in/form/done`)
      await opened.close()
      expect(await page.innerText('h1')).toBe('Your form was not delivered')
      expect(received).toEqual([])

      await page.goBack()
      await page.waitForSelector('textarea')
      if (path === '/plain') expect(await page.inputValue('textarea')).toBe(STORY)
      else await page.fill('textarea', STORY)
      if (path === '/file') await page.setInputFiles('input', FILE)
      await page.click('button')
      await page.waitForSelector('text=Received')
      expect(received).toHaveLength(1)
      expect(received[0]).toContain(STORY)
      if (path === '/file') expect(received[0]).toContain('one receipt')
    },
    60_000,
  )

  test.each([
    ['who is signed in at the issuer is asked nothing', 0, false, [1, 1]],
    ['who is not, near the end of the session, is asked by the issuer', 57, true, [1, 2]],
  ] as const)(
    'a session that only its user can renew: %s',
    async (_, minutes, isAsked, [silent, all]) => {
      await signedInAt('/page')
      world.turnClock(minutes * 60_000)
      expect(await statusOf('/.app-proxy/session', 'POST')).toBe(409)
      if (isAsked) await forget('login.idp.test')
      const before = { ...world.issuer.asked }
      await throughTheWindow(isAsked)
      expect(world.issuer.asked).toMatchObject({
        ...{ silent: before.silent + silent, authorizations: before.authorizations + all },
      })
      expect(await statusOf('/.app-proxy/session')).toBe(200)
    },
    60_000,
  )

  test('a session that has ended: the page that opens the window stays, and can fetch again', async () => {
    await signedInAt('/page')
    await forget('app.corp.test')
    expect(await statusOf('/.app-proxy/session')).toBe(401)
    await forget('login.idp.test')
    await throughTheWindow(true)
    expect(await statusOf('/.app-proxy/session')).toBe(200)
    expect(await statusOf('/plain')).toBe(200)
  }, 60_000)

  /** By the recipe's button, until the window has closed itself. */
  async function throughTheWindow(isAsked: boolean): Promise<void> {
    await page.evaluate('showSignIn()')
    let left = false
    page.once('framenavigated', () => (left = true))
    const [opened] = await Promise.all([context.waitForEvent('page'), page.click('#sign-in')])
    if (isAsked) await opened.click('#sign-in')
    await until(() => opened.isClosed(), 30_000)
    expect(left).toBe(false)
  }
})
