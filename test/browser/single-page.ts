/**
 * A page that is opened once, and from then on only fetches: what it needs, and its session by the
 * recipe of docs/sessions.md. This file can be imported outside of tests too.
 */
import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { until } from '../until.ts'
import type { Sites } from './sites.ts'
import { signedInWorld } from './signed-in-world.ts'

const DOCUMENT = readFileSync(new URL('../../docs/sessions.md', import.meta.url), 'utf8')
/** What the document tells pages to do. */
export const RECIPE = /^```js\n([^]*?)^```$/m.exec(DOCUMENT)![1]!

const PAGE = `<!doctype html><title>A single page</title><button id="sign-in" hidden>Sign in</button>
<script>
const seen = (window.seen = { answered: 0, failed: [], lasts: [] })
setInterval(async () => {
  try {
    const answer = await fetch('/api')
    if (answer.ok && (await answer.json()).user === 'alice') seen.answered++
    else seen.failed.push(answer.status)
    const asked = await fetch('/.app-proxy/session')
    if (asked.ok) seen.lasts.push((await asked.json()).endsInMs)
    else seen.failed.push(asked.status)
  } catch (error) {
    seen.failed.push(String(error))
  }
}, 300)
${RECIPE}
keepSession()
</script>`

const answer: RequestListener = (request, response) => {
  const isPage = request.url === '/'
  response.setHeader('Content-Type', isPage ? 'text/html' : 'application/json')
  response.end(isPage ? PAGE : JSON.stringify({ user: request.headers['x-user'] }))
}

interface Seen {
  readonly answered: number
  readonly failed: readonly (number | string)[]
  readonly lasts: readonly number[]
}

export interface SinglePageRun {
  /** Fetches that were answered, and those that failed in whatever way. */
  readonly answered: number
  readonly failed: readonly (number | string)[]
  /** The least that the session was told to last. Milliseconds. */
  readonly leastMs: number
  /** Requests that Chromium saw fail, or answered by 400 or more, and its errors. */
  readonly troubles: readonly string[]
  /** How often the session was renewed, and of how many sessions the audit tells. */
  readonly renewals: number
  readonly sessions: number
  /** How often somebody was sent to the issuer. */
  readonly authorizations: number
  /** Refresh tokens that the issuer took. */
  readonly refreshes: number
  /** The status of the renewal that was asked for at the beginning; `undefined`: none was. */
  readonly askedFor: number | undefined
  readonly isStillThere: boolean
}

export interface SinglePageOptions {
  readonly lifetimes: number
  readonly idTokenSeconds: number
  /** A renewal is asked for at once, which the recipe does after half a minute only. Default false. */
  readonly isAsked?: boolean
}

const renew = async () => {
  const { status } = await fetch('/.app-proxy/session', { method: 'POST' })
  return status
}

/** Signs in once, and leaves the page alone for so many lifetimes of an ID token. */
export async function runSinglePage(
  sites: Sites,
  options: SinglePageOptions,
  say: (line: string) => void = () => undefined,
): Promise<SinglePageRun> {
  const { lifetimes, idTokenSeconds, isAsked = false } = options
  const world = await signedInWorld(sites, {
    ...{ idTokenSeconds, refreshTokens: true, answer },
    session: { lifetime: { absoluteMs: 3_600_000, idleMs: 600_000 } },
  })
  try {
    const page = await (await sites.browse('blocked')).newPage()
    const troubles: string[] = []
    await page.goto(`${world.app}/`)
    await page.click('#sign-in')
    await page.waitForFunction(() => (globalThis as unknown as { seen?: Seen }).seen?.answered)
    page.on('requestfailed', (request) => troubles.push(`failed ${request.url()}`))
    page.on('response', (response) => {
      if (response.status() >= 400) troubles.push(`${response.status()} ${response.url()}`)
    })
    page.on('pageerror', (error) => troubles.push(error.message))
    page.on('framenavigated', (frame) => troubles.push(`left for ${frame.url()}`))
    const askedFor = isAsked ? await page.evaluate(renew) : undefined
    const startedAt = performance.now()
    const forMs = lifetimes * idTokenSeconds * 1000
    let told = 0
    await until(
      () => {
        const over = (performance.now() - startedAt) / idTokenSeconds / 1000
        if (Math.floor(over) > told) say(`lifetime ${(told = Math.floor(over))} is over`)
        return performance.now() - startedAt >= forMs
      },
      2 * forMs + 10_000,
    )
    const seen = await page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen)
    const renewed = world.audit.filter(({ type }) => type === 'session.renewed')
    const sessionIds = world.audit.flatMap(({ sessionId }) => sessionId ?? [])
    return {
      ...{ answered: seen.answered, failed: seen.failed, troubles, askedFor },
      leastMs: Math.min(...seen.lasts),
      renewals: renewed.length,
      sessions: new Set(sessionIds).size,
      authorizations: world.issuer.asked.authorizations,
      refreshes: world.issuer.asked.refreshes,
      isStillThere: await page.isHidden('#sign-in'),
    }
  } finally {
    await world.close()
  }
}
