/** A page that only fetches outlives its ID token by far, in a real browser. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingBrowser } from './chromium-program.ts'
import { runSinglePage } from './single-page.ts'
import { startSites, type Sites } from './sites.ts'

describe.skipIf(missingBrowser !== undefined)('a single page, third-party cookies blocked', () => {
  let sites: Sites
  beforeAll(async () => {
    sites = await startSites()
  })
  afterAll(() => sites?.close())

  test('goes on for three lifetimes of its ID token, and sees no request fail', async () => {
    const run = await runSinglePage(sites, { lifetimes: 3, idTokenSeconds: 2, isAsked: true })
    expect(run).toMatchObject({
      ...{ failed: [], troubles: [], isStillThere: true, askedFor: 200 },
      // One sign-in, one session.
      ...{ authorizations: 1, sessions: 1 },
    })
    expect(run.answered).toBeGreaterThan(3)
    expect(run.renewals).toBeGreaterThanOrEqual(2)
    // The last may be under way.
    expect(run.refreshes - run.renewals).toBeLessThanOrEqual(1)
    expect(run.leastMs).toBeGreaterThan(2_000)
  }, 60_000)
})
