/** A person with a real browser, signed in through the demo: what stays open. WebSockets and event streams as Chromium takes them. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { contrastFaults } from '../browser/contrast.ts'
import { missingBrowser, newPage, newVisitor, screenshot, signInAt, visitDemo } from './chromium.ts'
import { startDemo, UserAgent } from './demo-process.ts'

interface Greeting {
  readonly protocol: string
  readonly rawHeaders: readonly (readonly [string, string])[]
}
interface Tick {
  readonly number: number
  readonly sent: number
  readonly arrived: number
}

// A browser, a demo and a test share the processor with whatever else runs.
describe.skipIf(missingBrowser !== undefined)(
  'a real browser, signed in',
  { timeout: 90_000 },
  () => {
    const visit = visitDemo()

    /** A visitor on the live page, with everything open. */
    async function openLive() {
      const visitor = await newVisitor(visit.browser)
      const { page } = visitor
      await signInAt(page, visit.demo.url('intranet', '/live'), visit.demo.users[0]!)
      await page.locator('#echo-state', { hasText: 'open' }).waitFor()
      await page.locator('#ticks-state', { hasText: 'open' }).waitFor()
      return visitor
    }

    /** How many are connected to the private site itself. */
    async function connected(): Promise<{ echo: number; ticks: number }> {
      const { text } = await new UserAgent().get(visit.demo.url('open', '/connected'))
      return JSON.parse(text) as { echo: number; ticks: number }
    }

    test('the live page echoes in the sub-protocol chosen, and counts ticks', async () => {
      const { page, complaints } = await openLive()
      const greeting = page.locator('#greeting')
      expect(await greeting.innerText()).toBe(
        'Opened for Alice Adams. Offered whisper, echo; agreed echo. Cookies that came along: none.',
      )
      await say(page, 'hello there')
      await page.getByLabel('Sub-protocol').selectOption('shout')
      await greeting.getByText('agreed shout').waitFor()
      await say(page, 'hello again', 'HELLO AGAIN')
      await page.getByRole('button', { name: 'Send 64 KiB of octets' }).click()
      await page.locator('#messages li', { hasText: '65536 octets, the same' }).waitFor()
      await page.locator('#ticks li', { hasText: 'Tick 3' }).waitFor()
      await screenshot(page, 'live')
      await page.emulateMedia({ colorScheme: 'dark' })
      await screenshot(page, 'live-dark')
      expect(await contrastFaults(page)).toEqual([])
      await say(page, '/close 4001 enough', null)
      await page
        .locator('#echo-ended', { hasText: 'The site closed it, and says: enough.' })
        .waitFor()
      expect(await page.locator('#visitor').innerText()).toContain('Signed in as Alice Adams')
      expect(complaints).toEqual([])
      await page.context().close()
    })

    test('the handshake tells the site who is there, and carries no cookie', async () => {
      const { page } = await openLive()
      const cookies = await page.context().cookies()
      // The session's, and for the sign-out's path alone the token that names it at the issuer.
      const ours = cookies.filter(({ domain }) => domain.startsWith('intranet.'))
      expect(ours.map(({ path }) => path).sort()).toEqual(['/', '/.app-proxy/sign-out'])
      await page.evaluate(() => {
        document.cookie = 'theme=dark'
      })
      const { protocol, rawHeaders } = await page.evaluate(
        () =>
          new Promise<Greeting>((resolve, reject) => {
            const socket = new WebSocket('/echo?greet', ['reverse', 'shout'])
            socket.onmessage = ({ data }) => resolve(JSON.parse(data as string) as Greeting)
            socket.onerror = reject
          }),
      )
      const values = (name: string) =>
        rawHeaders.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value)
      expect(protocol).toBe('reverse')
      expect(values('cookie')).toEqual(['theme=dark'])
      expect(values('x-user-name')).toEqual(['Alice Adams'])
      expect(values('x-user-email')).toEqual(['alice@contoso.example'])
      expect(values('origin')).toEqual([`http://${values('host')[0]!}`])
      for (const { value } of cookies) expect(JSON.stringify(rawHeaders)).not.toContain(value)
      await page.context().close()
    })

    test('many messages, text and binary in turn, come back complete and in order', async () => {
      const { page } = await openLive()
      const result = await page.evaluate(
        () =>
          new Promise<{ count: number; octets: number; wrong: number }>((resolve, reject) => {
            const messages = Array.from({ length: 1000 }, (_, i) =>
              i % 2 === 0 ? `message ${i} ${'é'.repeat(i)}` : new Uint8Array(i * 20).fill(i),
            )
            const socket = new WebSocket('/echo')
            socket.binaryType = 'arraybuffer'
            let [count, octets, wrong] = [0, 0, 0]
            socket.onopen = () => messages.forEach((message) => socket.send(message))
            socket.onerror = reject
            socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
              const before = messages[count++]!
              if (typeof data === 'string') wrong += Number(data !== before)
              else {
                const now = new Uint8Array(data)
                octets += now.length
                const isSame =
                  now.length === before.length && now.every((one, i) => one === before[i])
                wrong += Number(!isSame)
              }
              if (count === messages.length) resolve({ count, octets, wrong })
            }
          }),
      )
      expect(result).toEqual({ count: 1000, octets: 20 * 250_000, wrong: 0 })
      await page.context().close()
    })

    test('ticks arrive one by one, and a stream that ended goes on where it was', async () => {
      const { page } = await openLive()
      const ticks = await page.evaluate(
        () =>
          new Promise<Tick[]>((resolve) => {
            const seen: Tick[] = []
            const stream = new EventSource('/ticks?every=2000&times=3')
            stream.addEventListener('tick', ({ data }: MessageEvent<string>) => {
              seen.push({ ...(JSON.parse(data) as Tick), arrived: Date.now() })
              if (seen.length === 4) resolve(seen)
            })
          }),
      )
      expect(ticks.map(({ number }) => number)).toEqual([1, 2, 3, 4])
      // The fourth comes on a second stream: the browser told what it had seen.
      expect(ticks[1]!.arrived).toBeLessThan(ticks[2]!.sent)
      await page.context().close()
    })

    test('closing the page closes what the site has open for it', async () => {
      const { page } = await openLive()
      await expect.poll(connected).toEqual({ echo: 1, ticks: 1 })
      await page.close()
      await expect.poll(connected).toEqual({ echo: 0, ticks: 0 })
    })

    test('over TLS the page comes by HTTP/2, and its WebSocket by a connection of its own', async () => {
      const secure = await startDemo('--https')
      try {
        const context = await visit.browser.newContext({ ignoreHTTPSErrors: true })
        const { page, complaints } = await newPage(context)
        await signInAt(page, secure.url('intranet', '/live'), secure.users[0]!)
        const hop = await page.evaluate(
          () =>
            (performance.getEntriesByType('navigation') as PerformanceNavigationTiming[])[0]!
              .nextHopProtocol,
        )
        expect(hop).toBe('h2')
        await page.locator('#greeting', { hasText: 'Alice Adams' }).waitFor()
        await say(page, 'hello there')
        await page.locator('#ticks li', { hasText: 'Tick 2' }).waitFor()
        const [cookie] = await context.cookies(secure.url('intranet'))
        expect(cookie).toMatchObject({ secure: true, name: expect.stringMatching(/^__Host-/) })
        expect(complaints).toEqual([])
        // The issuer finds the application, and trusts its certificate.
        const { page: issuer } = await newPage(context)
        await issuer.goto(new URL('/session/end', secure.issuer).href)
        await issuer.getByRole('button', { name: 'Sign out' }).click()
        await page.locator('#echo-state', { hasText: 'closed' }).waitFor()
        await context.close()
      } finally {
        await secure.stop()
      }
    })
  },
)

/** Says it on the live page; `answer` null: nothing is to come back. */
async function say(page: Page, text: string, answer: string | null = text): Promise<void> {
  await page.getByLabel('Message').fill(text)
  await page.locator('#say button').click()
  if (answer !== null) await page.locator('#messages li', { hasText: answer }).waitFor()
}
