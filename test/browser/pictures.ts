/**
 * The pictures of the guides, made of the real pages: `npm run pictures`. Fonts differ between machines, so nothing compares them.
 */
import { chromium } from 'playwright-core'
import { failureResponse } from '../../src/cloud/pages/pages.ts'
import { failureStatus } from '../../src/protocol/http/failure.ts'
import { BROWSER_ARGUMENTS, CHROMIUM } from './chromium-program.ts'

const WIDTH = 700
const PICTURE = new URL('../../docs/images/where-it-stopped.png', import.meta.url).pathname

const code = 'application-unreachable'
const { body } = failureResponse(
  {
    ...{ ...failureStatus(code), code, source: 'application', delivery: 'none' },
    requestId: '7k2m-x9pt-04rw-bn6e',
  },
  {
    ...{ accept: 'html', application: 'Travel expenses', target: '/reports/7', start: '/' },
  },
)

const browser = await chromium.launch({ executablePath: CHROMIUM, args: BROWSER_ARGUMENTS })
try {
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 400 } })
  await page.setContent(new TextDecoder().decode(body))
  // The page keeps its content off the top of a tall window.
  await page.addStyleTag({
    content: 'body{padding-top:2rem!important;padding-bottom:2rem!important}',
  })
  const height = await page.evaluate(() => Math.ceil(document.body.getBoundingClientRect().height))
  await page.setViewportSize({ width: WIDTH, height })
  await page.screenshot({ path: PICTURE })
} finally {
  await browser.close()
}
