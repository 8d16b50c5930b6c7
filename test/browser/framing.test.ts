/** What docs/framing.md says, in a real browser: sites by name and https, with third-party cookies allowed and blocked. */
import type { BrowserContext, Frame, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../integration/tunnel.ts'
import { missingBrowser } from './chromium-program.ts'
import { framedWorld } from './framed-world.ts'
import { startSites, type Sites } from './sites.ts'

const DEEP = `/deep?${'x'.repeat(1_900)}`
const SAME_SITE = 'wiki.corp.test'
const OTHER_SITE = 'portal.idp.test'

describe.skipIf(missingBrowser !== undefined)('a published application in a browser', () => {
  let sites: Sites
  let world: Awaited<ReturnType<typeof framedWorld>>
  let context: BrowserContext
  beforeAll(async () => {
    sites = await startSites()
    world = await framedWorld(sites, (origin) => {
      const ancestors = [origin(SAME_SITE), origin(OTHER_SITE)]
      const embedding = { ancestors }
      const session = { sameSite: 'none' }
      return {
        query: {},
        form: { responseMode: 'form_post' },
        lax: { embedding },
        posted: { embedding, session, responseMode: 'form_post' },
        embed: { embedding, session },
        part: { embedding: { ancestors, partitioned: true }, session },
      }
    })
  })
  afterAll(async () => {
    await sites?.close()
    await world?.close()
  })

  const app = (id: string, path = '/') => world.origin(`${id}.corp.test`) + path
  const attempts = async (id: string) =>
    (await context.cookies(app(id))).filter(({ name }) => name.includes('-attempt-'))
  const served = (frame: Page | Frame) => frame.waitForSelector('#served', { timeout: 20_000 })

  /** Opens the page with its frames, and waits until each has come to rest. */
  async function hold(host: string, url: string, count = 1): Promise<Page> {
    const page = await context.newPage()
    await page.goto(world.holding(host, url, count), { waitUntil: 'load' })
    await page.waitForLoadState('networkidle')
    return page
  }

  describe.each(['allowed', 'blocked'] as const)('third-party cookies %s', (cookies) => {
    beforeAll(async () => {
      context = await sites.browse(cookies)
    })
    beforeEach(async () => {
      for (const page of context.pages().slice(1)) await page.close()
      await context.clearCookies()
      world.sent()
      world.issuer.misbehaviour = {}
    })

    test.each([
      [SAME_SITE, cookies === 'allowed' ? 40 : 3],
      [OTHER_SITE, cookies === 'blocked' ? 40 : 3],
    ])(
      'frames of deep links on a page of %s (%i) begin nothing, and the host is usable',
      async (host, count) => {
        for (const [id, frames] of [['query', count] as const, ['form', 1] as const]) {
          const held = await hold(host, app(id, DEEP), frames)
          expect(held.frames()).toHaveLength(frames + 1)
          expect([world.sent(), await attempts(id)]).toEqual([0, []])
        }
        const page = await context.newPage()
        await page.goto(app('query', DEEP))
        await served(page)
        expect(world.sent()).toBe(1)
        expect(await attempts('query')).toEqual([])
      },
    )

    test('a frame of the same origin signs in', async () => {
      const page = await context.newPage()
      await page.goto(app('query'))
      await served(page)
      await context.clearCookies()
      world.sent()
      await page.evaluate(
        (src) => {
          document.body.append(Object.assign(document.createElement('iframe'), { src }))
        },
        app('query', '/inner'),
      )
      await until(() => page.frames().length === 2)
      await served(page.frames()[1]!)
      expect(world.sent()).toBe(1)
    })

    test.each(['embed', 'lax', 'posted', 'part'])(
      'where it is embedded (%s), a frame on a page of the same site signs in, once',
      async (id) => {
        const page = await hold(SAME_SITE, app(id, '/inner'))
        await served(page.frames()[1]!)
        expect(world.sent()).toBe(1)
      },
    )

    test.each([
      ['embed', cookies === 'allowed' ? 'served' : 'attempt-missing'],
      ['part', 'served'],
      ['lax', cookies === 'allowed' ? 'session-not-kept' : 'attempt-missing'],
      ['posted', cookies === 'allowed' ? 'served' : 'attempt-missing'],
    ])('of another site (%s): %s, after one round', async (id, outcome) => {
      const page = await hold(OTHER_SITE, app(id, '/inner'))
      const frame = page.frames()[1]!
      await frame.waitForSelector(outcome === 'served' ? '#served' : 'footer code')
      if (outcome !== 'served') {
        expect(await frame.textContent('footer code')).toBe(outcome)
        // It leads to where the user wanted to go.
        const next = frame.locator('.next a').first()
        expect(await next.getAttribute('href')).toBe('/inner')
      }
      expect(world.sent()).toBe(1)
      expect(await attempts(id)).toEqual([])
    })

    test('a frame of ours is shown by nobody else', async () => {
      const page = await hold('portal.corp.test', app('embed', '/inner'))
      world.issuer.misbehaviour = { callback: (answer) => answer.set('error', 'access_denied') }
      await page.reload({ waitUntil: 'networkidle' })
      expect(await page.frames()[1]!.locator('h1').count()).toBe(0)
    })
  })

  describe('in windows', () => {
    beforeAll(async () => {
      context = await sites.browse('blocked')
    })
    beforeEach(async () => {
      for (const page of context.pages().slice(1)) await page.close()
      await context.clearCookies()
      world.issuer.misbehaviour = {}
      world.sent()
    })

    test('20 tabs that open at the same time come to their own pages, or can go there', async () => {
      const paths = Array.from({ length: 20 }, (_, i) => `/tab/${i}${DEEP}`)
      const pages = await Promise.all(paths.map(() => context.newPage()))
      await Promise.all(pages.map((page, i) => page.goto(app('query', paths[i])).catch(() => null)))
      await Promise.all(
        pages.map(async (page, i) => {
          await page.waitForSelector('#served, .next a')
          if ((await page.locator('#served').count()) === 0) await page.click('.next a')
          await served(page)
          expect(new URL(page.url()).pathname).toBe(`/tab/${i}/deep`)
        }),
      )
      expect((await attempts('query')).length).toBeLessThanOrEqual(5)
      await pages[0]!.goto(app('query'))
      await served(pages[0]!)
    })

    test('an address as long as a request may have comes back whole, with its fragment', async () => {
      const page = await context.newPage()
      const long = `/long?${'y'.repeat(7_900)}`
      await page.goto(app('query', `${long}#part`))
      await served(page)
      expect(await page.title()).toBe('/long7901#part')
    })

    test('where the tab can keep nothing, the page says why not, and what to do', async () => {
      const page = await context.newPage()
      await page.addInitScript(() => {
        Object.defineProperty(window, 'sessionStorage', {
          get: () => {
            throw new Error('no')
          },
        })
      })
      await page.goto(app('query', `/long?${'y'.repeat(5_000)}`))
      expect(await page.textContent('h1')).toBe('This address is too long to be kept')
      await page.click('#go-on')
      await page.waitForSelector('text=open it again')
      await page.goto(app('query', `/long?${'y'.repeat(5_000)}`))
      await served(page)
    })

    test('a callback that failed can be loaded again: the same page, the same number, no code', async () => {
      world.issuer.misbehaviour = { callback: (answer) => answer.set('error', 'access_denied') }
      const page = await context.newPage()
      await page.goto(app('form', DEEP))
      const told = () => page.locator('main').textContent()
      await page.waitForSelector('footer code')
      const before = await told()
      const numbers = await page.locator('footer code').allTextContents()
      for (let i = 0; i < 2; i++) {
        await page.reload()
        expect(await told()).toBe(before)
        expect(await page.locator('footer code').allTextContents()).toEqual(numbers)
      }
      expect(numbers[0]).toBe('access-denied')
      expect(page.url()).toMatch(/\/\.app-proxy\/sign-in\/result\?answer=[\w.-]+$/)
      world.issuer.misbehaviour = {}
      await page.click('text=Try again')
      await served(page)
      expect(new URL(page.url()).pathname).toBe('/deep')
    })
  })
})
