/** What the other browser tests rest on: which names are one site to Chromium, and that it blocks what it is told to. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingBrowser } from './chromium-program.ts'
import { startSites, type Sites, type ThirdPartyCookies } from './sites.ts'

describe.skipIf(missingBrowser !== undefined)('sites by name and https', () => {
  let sites: Sites
  let port: number
  beforeAll(async () => {
    sites = await startSites()
    const site = await sites.serve((request, response) => {
      response.setHeader('Content-Type', 'text/html')
      response.setHeader('Set-Cookie', 'kept=yes; Secure; SameSite=None')
      const frames = ['wiki.corp.test', 'login.idp.test']
        .map((host) => `<iframe src="https://${host}:${port}/cookie"></iframe>`)
        .join('')
      const sent = `<p id="sent">${request.headers.cookie ?? 'nothing'}</p>`
      response.end(request.url === '/cookie' ? sent : frames)
    })
    port = site.port
  })
  afterAll(() => sites?.close())

  test.each([
    ['allowed', ['kept=yes', 'kept=yes']],
    ['blocked', ['kept=yes', 'nothing']],
  ] satisfies [ThirdPartyCookies, string[]][])(
    'where third-party cookies are %s, frames of one site and of another send %j',
    async (cookies, sent) => {
      const context = await sites.browse(cookies)
      const page = await context.newPage()
      for (const host of ['wiki.corp.test', 'login.idp.test'])
        await page.goto(`https://${host}:${port}/cookie`)
      await page.goto(`https://app.corp.test:${port}/`)
      const texts = page.frames().slice(1)
      expect(await Promise.all(texts.map((frame) => frame.textContent('#sent')))).toEqual(sent)
    },
  )

  test('a client of this process finds them too, and nothing else', async () => {
    const answer = await sites.fetch(`https://login.idp.test:${port}/cookie`)
    expect(await answer.text()).toContain('nothing')
    await expect(sites.fetch('https://elsewhere.example/')).rejects.toThrow('fetch failed')
  })
})
