/** Every page of ours in Chromium, light and dark, wide and narrow: that it holds to its own rules, and how it looks (test/.artifacts/pages). */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Failure } from '../../../src/cloud/index.ts'
import { failureResponse } from '../../../src/cloud/pages/pages.ts'
import { OWN_ANSWERS } from '../../../src/cloud/pages/own-answers.ts'
import type { FailureResponse } from '../../../src/cloud/pages/answer.ts'
import { advised } from '../../../src/cloud/pages/delivery-words.ts'
import { fileOf } from '../../debian-packages.ts'
import { ALL_ANSWERS, LOGO } from './all-answers.ts'

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? fileOf('chromium')
const ARTIFACTS = fileURLToPath(new URL('../../.artifacts/pages', import.meta.url))
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--no-proxy-server']
/** Those with the same words look the same. */
const DISTINCT = [
  ...new Map(
    ALL_ANSWERS.map((one) => [`${one.title} ${one.detail} ${one.source}`, one] as const),
  ).values(),
]
/** What a form of an application's is told of a request that nobody knows the fate of, and of one that is known to have arrived. */
const POSTED = ALL_ANSWERS.filter(({ code }) =>
  ['connector-lost', 'application-malformed'].includes(code),
).map((answer) => ({ ...answer, detail: advised(answer.detail, answer.delivery!, 'POST') }))
const SHOWN = [
  ...DISTINCT.map((answer) => ({ answer, name: answer.code, isPosted: false })),
  ...POSTED.map((answer) => ({ answer, name: `${answer.code}-posted`, isPosted: true })),
]
/** Colours know nothing of the width, nor does the layout of colours: each of both comes once. */
const LOOKS = [
  { name: 'light-1280', colorScheme: 'light', width: 1280 },
  { name: 'dark-360', colorScheme: 'dark', width: 360 },
] as const

// Two processors may serve a dozen of browsers.
describe.skipIf(!existsSync(CHROMIUM))('in Chromium', { timeout: 120_000 }, () => {
  let browser: Browser
  let server: Server
  let origin: string
  let shown: FailureResponse
  beforeAll(async () => {
    mkdirSync(ARTIFACTS, { recursive: true })
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS })
    server = createServer((request, response) => {
      if (request.url !== '/') return response.writeHead(404).end()
      return response.writeHead(shown.status, [...shown.headers]).end(shown.body)
    })
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    await browser?.close()
    server?.close()
  })

  const page = (failure: Failure, brand = false, isPosted = false) =>
    failureResponse(failure, {
      accept: 'html',
      ...(!isPosted && { target: '/reports/7?view=all' }),
      start: '/',
      application: 'Travel expenses',
      ...(brand && { branding: { name: 'Contoso Travel', logo: LOGO } }),
    })

  async function open(look: (typeof LOOKS)[number]): Promise<[Page, string[]]> {
    const { colorScheme, width } = look
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 720 } })
    const tab = await context.newPage()
    const complaints: string[] = []
    tab.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        complaints.push(message.text())
    })
    return [tab, complaints]
  }

  test.each(LOOKS)('every page keeps its own rules, fits and has contrast: $name', async (look) => {
    const [tab, complaints] = await open(look)
    for (const { answer, name, isPosted } of SHOWN) {
      const failure = { ...answer, requestId: '5f0c3a9be17d4c02' }
      shown = page(failure, answer.status % 2 === 1, isPosted)
      await tab.goto(`${origin}/`)
      await tab.screenshot({ path: `${ARTIFACTS}/${name}-${look.name}.png`, fullPage: true })
      const { overflow, headings, small } = await tab.evaluate(() => ({
        overflow: document.documentElement.scrollWidth - innerWidth,
        headings: [...document.querySelectorAll('h1,h2,h3')].map(({ tagName }) => tagName),
        small: [...document.querySelectorAll('.next a, .next button')].filter(
          (one) => one.getBoundingClientRect().height < 44,
        ).length,
      }))
      expect(overflow, answer.code).toBeLessThanOrEqual(0)
      expect(headings[0], answer.code).toBe('H1')
      expect(headings.slice(1), answer.code).not.toContain('H1')
      expect(small, answer.code).toBe(0)
      const { texts, edges, outlines } = await tab.evaluate(contrasts)
      expect(texts.length, answer.code).toBeGreaterThan(2)
      expect(outlines.length, answer.code).toBe(await tab.locator('.next a, .next button').count())
      // WCAG 2.2, 1.4.3 and 1.4.11.
      expect(below(texts, 4.5), answer.code).toEqual([])
      expect(below([...edges, ...outlines], 3), answer.code).toEqual([])
    }
    expect(complaints).toEqual([])
    await tab.context().close()
  })

  test('a script with a hash that is right runs, one with another does not', async () => {
    const [tab] = await open(LOOKS[0])
    const text = "document.querySelector('h1').textContent='ran'"
    const hash = `sha256-${createHash('sha256').update(text).digest('base64')}`
    const script = { text, hash }
    const answer = { ...OWN_ANSWERS['continue-to-sign-in'], requestId: 'r' }
    shown = page({ ...answer, script })
    await tab.goto(origin)
    expect(await tab.locator('h1').innerText()).toBe('ran')
    shown = page({ ...answer, script: { hash, text: `${text};` } })
    await tab.goto(origin)
    expect(await tab.locator('h1').innerText()).toBe(answer.title)
    await tab.context().close()
  })

  test('an SVG logo shows and runs nothing', async () => {
    const [tab, complaints] = await open(LOOKS[0])
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="parent.document.title=1"><script>document.title="svg"</script><circle r="9"/></svg>'
    const logo = `data:image/svg+xml;base64,${btoa(svg)}`
    shown = failureResponse(
      { ...OWN_ANSWERS['not-found'], requestId: 'r' },
      { accept: 'html', branding: { logo } },
    )
    await tab.goto(origin)
    expect(await tab.title()).toBe('Nothing here')
    expect(
      await tab.locator('header img').evaluate((one: HTMLImageElement) => one.naturalWidth),
    ).toBe(40)
    expect(complaints).toEqual([])
    await tab.context().close()
  })

  test('T48 any text in any field is shown as that text, and makes no element', async () => {
    const [tab] = await open(LOOKS[0])
    const shape = (html: string) =>
      tab.evaluate((text) => {
        const dom = new DOMParser().parseFromString(text, 'text/html')
        const texts = (selector: string) =>
          [...dom.querySelectorAll(selector)].map((one) => one.textContent)
        return {
          elements: [...dom.querySelectorAll('*')].map((one) =>
            [one.tagName, ...one.getAttributeNames()].join(' '),
          ),
          title: dom.title,
          heading: texts('h1'),
          detail: texts('main > p'),
          codes: texts('code'),
          brand: texts('header span'),
          labels: texts('.next a, .next button'),
          value: dom.querySelector('input')?.value,
        }
      }, html)
    const failure = (text: string): Failure => ({
      ...{ status: 502, source: 'connector', requestId: text, code: text, title: text },
      detail: text,
      actions: [
        { label: text, href: '/' },
        { label: text, post: '/', fields: { token: text } },
      ],
    })
    const html = (text: string) =>
      new TextDecoder().decode(
        failureResponse(failure(text), { accept: 'html', branding: { name: text } }).body,
      )
    const plain = await shape(html('x'))
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        const seen = await shape(html(text))
        const same = asParsed(text)
        expect(seen.elements).toEqual(plain.elements)
        expect(seen.heading).toEqual([same])
        expect(seen.detail).toEqual([same])
        expect(seen.codes).toEqual([same, same])
        expect(seen.brand).toEqual([same])
        expect(seen.labels).toEqual([same, same])
        // A hidden field's value keeps its line ends.
        expect(seen.value).toBe(same)
      }),
      { numRuns: 150 },
    )
    await tab.context().close()
  })
})

interface Contrast {
  readonly what: string
  readonly ratio: number
}

const below = (list: readonly Contrast[], least: number) =>
  list.filter(({ ratio }) => !(ratio >= least))

/** Runs in the page: how its texts, the edges of what one can press or must see, and the outline of what has the focus stand out from what is behind them. */
function contrasts(): Record<'texts' | 'edges' | 'outlines', Contrast[]> {
  const parts = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number)
  const light = (colour: string) => {
    const [r = 0, g = 0, b = 0] = parts(colour).map((value) =>
      value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
    )
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const isOpaque = (colour: string) => parts(colour).length === 3 || parts(colour)[3] === 1
  const behind = (one: Element | null): string => {
    if (one === null) return 'rgb(255, 255, 255)'
    const { backgroundColor } = getComputedStyle(one)
    return isOpaque(backgroundColor) ? backgroundColor : behind(one.parentElement)
  }
  const against = (what: string, colour: string, ground: string) => {
    const [a = 0, b = 0] = [light(colour), light(ground)].sort((x, y) => y - x)
    return {
      what: `${what}: ${colour} on ${ground}`,
      ratio: isOpaque(colour) ? (a + 0.05) / (b + 0.05) : 0,
    }
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const texts: Contrast[] = []
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const holder = node.parentElement!
    const text = node.textContent!.trim()
    if (text === '' || holder.getClientRects().length === 0) continue
    texts.push(against(text, getComputedStyle(holder).color, behind(holder)))
  }
  const edges: Contrast[] = []
  for (const one of document.querySelectorAll('.next a, .next button, .way i'))
    edges.push(
      against(one.textContent!, getComputedStyle(one).borderTopColor, behind(one.parentElement)),
    )
  const outlines: Contrast[] = []
  for (const one of document.querySelectorAll<HTMLElement>('.next a, .next button')) {
    one.focus({ focusVisible: true } as FocusOptions)
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(one)
    if (outlineStyle === 'none' || parseFloat(outlineWidth) < 2) continue
    outlines.push(against(one.textContent!, outlineColor, behind(one.parentElement)))
  }
  return { texts, edges, outlines }
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        ...['<', '>', '"', "'", '&', '&lt', '&#0;', '</title>', '</style>', '<script>', '-->'],
        ...[
          '<!--',
          '<![CDATA[',
          '\r\n',
          '\r',
          '\0',
          '\u2028',
          '</h1>',
          '<svg/onload=',
          '`',
          '{{',
          '=',
        ],
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
)
/** A page has no NUL and no half of a surrogate pair: they become U+FFFD, as in any decoder. */
const asParsed = (text: string) =>
  new TextDecoder().decode(new TextEncoder().encode(text.replaceAll('\0', '\ufffd')))
