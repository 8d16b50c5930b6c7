/** Scripts in a real browser: Chromium itself makes the preflights, says what a request is for, and decides what a page may read. */
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { REGISTRAR, SCOPE } from '../../examples/demo/configurations.ts'
import { registrarToken } from '../../examples/registrar-token.ts'
import { missingBrowser, newVisitor, signInAt, visitDemo } from './chromium.ts'

/** What a script gets, as far as it may see it. */
interface Seen {
  readonly status?: number
  readonly code?: string
  readonly challenge?: string | null
  readonly text?: string
  readonly error?: string
}

describe.skipIf(missingBrowser !== undefined)('a script in a real browser', () => {
  const visit = visitDemo()
  let token: string
  beforeAll(async () => {
    const { issuer, users, url } = visit.demo
    token = await registrarToken({
      ...{ issuer, ...REGISTRAR, ...users[0]!, scope: `openid ${SCOPE}` },
      audience: url('intranet'),
    })
  })

  async function pageAt(url: string): Promise<Page> {
    const { page } = await newVisitor(visit.browser)
    await page.goto(url)
    return page
  }
  const ask = (page: Page, url: string, init: RequestInit = {}): Promise<Seen> =>
    page.evaluate(
      async ([address, options]) => {
        try {
          const response = await fetch(address, { credentials: 'include', ...options })
          const text = await response.text()
          const { code } = (text.startsWith('{') ? JSON.parse(text) : {}) as { code?: string }
          const challenge = response.headers.get('www-authenticate')
          return { status: response.status, challenge, text, ...(code !== undefined && { code }) }
        } catch (error) {
          return { error: (error as Error).name }
        }
      },
      [url, init] as const,
    )
  const headers = () => ({ authorization: `Bearer ${token}`, 'content-type': 'application/json' })

  test('T46 of a site that the rule names shows a token, and reads the answer', async () => {
    const page = await pageAt(visit.demo.url('open'))
    const url = visit.demo.url('intranet', '/headers')
    const seen = await ask(page, url, { method: 'PUT', headers: headers(), body: '{}' })
    expect(seen).toMatchObject({ status: 200 })
    expect(seen.text).toMatch(/x-user-name\W+Alice Adams/i)
    expect(seen.text).not.toContain(token)
  })

  test('T46 of that site reads why it must sign in, and what to ask for', async () => {
    const page = await pageAt(visit.demo.url('open'))
    expect(await ask(page, visit.demo.url('intranet', '/headers'))).toMatchObject({
      status: 401,
      code: 'sign-in-required',
      challenge: expect.stringContaining('resource_metadata="'),
    })
    const bad = { headers: { authorization: 'Bearer made.up.one' } }
    expect(await ask(page, visit.demo.url('intranet', '/headers'), bad)).toMatchObject({
      status: 401,
      challenge: expect.stringContaining('error="invalid_token"'),
    })
    const metadata = '/.well-known/oauth-protected-resource'
    const options = { credentials: 'omit' } as const
    const { text } = await ask(page, visit.demo.url('intranet', metadata), options)
    expect(JSON.parse(text!)).toMatchObject({ authorization_servers: [visit.demo.issuer] })
  })

  test('T46 of any other site reads nothing, and its preflight reaches nobody', async () => {
    const page = await pageAt(`${visit.demo.issuer}/.well-known/openid-configuration`)
    const url = visit.demo.url('intranet', '/headers')
    expect(await ask(page, url)).toEqual({ error: 'TypeError' })
    const put = { method: 'PUT', headers: headers(), body: '{}' }
    expect(await ask(page, url, put)).toEqual({ error: 'TypeError' })
    // Nobody has said that it takes tokens or requests of other sites.
    const vault = await pageAt(visit.demo.url('open'))
    expect(await ask(vault, visit.demo.url('vault', '/headers'), put)).toEqual({
      error: 'TypeError',
    })
  })

  test('T47 whose session has ended is told 401, and goes nowhere', async () => {
    const { page } = await newVisitor(visit.browser)
    await signInAt(page, visit.demo.url('intranet'), visit.demo.users[0]!)
    expect(await ask(page, '/headers')).toMatchObject({ status: 200 })
    await page.context().clearCookies()
    for (const init of [{}, { method: 'POST', body: 'x' }, { mode: 'no-cors' as const }])
      expect(await ask(page, '/headers', init)).toMatchObject({ status: 401 })
    expect(page.url()).toBe(visit.demo.url('intranet'))
  })
})
