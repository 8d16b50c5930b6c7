/** Ten lifetimes of an ID token, for a page that only fetches. In short: test/browser/single-page.test.ts. */
import { missingBrowser } from '../browser/chromium-program.ts'
import { runSinglePage } from '../browser/single-page.ts'
import { startSites } from '../browser/sites.ts'
import { atLeast, exactly, type Campaign } from './campaign.ts'

export const campaign: Campaign = {
  title:
    'A page that only fetches, for ten lifetimes of 5 s of its ID token, in Chromium with third-party cookies blocked.',
  missing: () => missingBrowser,
  async run(say) {
    const sites = await startSites()
    try {
      const run = await runSinglePage(sites, { lifetimes: 10, idTokenSeconds: 5 }, say)
      for (const line of [...run.failed, ...run.troubles]) say(String(line))
      return [
        exactly('fetches that failed', run.failed.length, 0),
        exactly('requests that the browser saw fail', run.troubles.length, 0),
        atLeast('fetches that were answered', run.answered, 100),
        atLeast('renewals', run.renewals, 10),
        exactly('sessions', run.sessions, 1),
        exactly('visits at the issuer', run.authorizations, 1),
      ]
    } finally {
      await sites.close()
    }
  },
}
