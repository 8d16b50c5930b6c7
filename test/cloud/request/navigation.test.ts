import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decideWayIn,
  NAVIGATION,
  navigationFacts,
  wayIn,
  type NavigationFacts,
  type WayIn,
} from '../../../src/cloud/request/navigation.ts'
import type { Bearer } from '../../../src/cloud/directory/bearer-configuration.ts'
import type { UserRequestHead } from '../../../src/cloud/request/user-exchange.ts'

const head = (
  headers: Record<string, string>,
  rest: Partial<UserRequestHead> = {},
): UserRequestHead => ({
  method: 'GET',
  target: '/',
  authority: 'a.example',
  headers: Object.entries(headers).flat(),
  secure: true,
  httpVersion: '1.1',
  remoteAddress: '192.0.2.1',
  upgrade: undefined,
  ...rest,
})
const BEARER: Bearer = {
  ...{ audiences: undefined, scopes: [], roles: [], tokenType: 'at+jwt', maxTokenBytes: 8192 },
  ...{ basicToken: false, forward: false },
}
const chromium = {
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
  'Sec-Fetch-Site': 'none',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-User': '?1',
  'Sec-Fetch-Dest': 'document',
}

// Requests as the clients of the world make them.
test.each<[string, WayIn, UserRequestHead]>([
  ['an address typed into a browser', 'page', head(chromium)],
  ['a page shown in a frame', 'redirect', head({ ...chromium, 'Sec-Fetch-Dest': 'iframe' })],
  ['a HEAD of a browser', 'redirect', head(chromium, { method: 'HEAD' })],
  [
    'a page that is fetched before somebody opens it',
    'refuse',
    head({ ...chromium, 'Sec-Purpose': 'prefetch;prerender' }),
  ],
  ['the same, as older browsers say it', 'refuse', head({ ...chromium, Purpose: 'prefetch' })],
  ['a form that is sent', 'form', head(chromium, { method: 'POST' })],
  [
    'a form that is sent in a frame',
    'form',
    head({ ...chromium, 'Sec-Fetch-Dest': 'iframe' }, { method: 'POST' }),
  ],
  ['a form of a browser of before', 'form', head({ Accept: 'text/html,*/*' }, { method: 'POST' })],
  ['a program that sends a form', 'refuse', head({ Accept: '*/*' }, { method: 'POST' })],
  [
    'a script that sends a form',
    'refuse',
    head({ ...chromium, 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty' }, { method: 'POST' }),
  ],
  [
    'a script of before that sends a form',
    'refuse',
    head({ Accept: 'text/html', 'X-Requested-With': 'XMLHttpRequest' }, { method: 'POST' }),
  ],
  ['a PUT by whatever means', 'refuse', head(chromium, { method: 'PUT' })],
  ['curl', 'redirect', head({ Accept: '*/*', 'User-Agent': 'curl/8' })],
  [
    'a browser of before',
    'redirect',
    head({ Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }),
  ],
  ['a client that says nothing', 'redirect', head({})],
  ['a client that takes any text', 'redirect', head({ Accept: 'text/*' })],
  [
    'an app that shows a page',
    'page',
    head({ ...chromium, 'X-Requested-With': 'com.example.app' }),
  ],
  [
    'fetch()',
    'refuse',
    head({ Accept: '*/*', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty' }),
  ],
  [
    'fetch() from the same origin',
    'refuse',
    head({ Accept: '*/*', 'Sec-Fetch-Mode': 'same-origin' }),
  ],
  [
    'an image',
    'refuse',
    head({ Accept: 'image/*', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' }),
  ],
  ['an image of a browser that says little', 'refuse', head({ Accept: 'image/webp,*/*;q=0.5' })],
  ['XMLHttpRequest', 'refuse', head({ Accept: '*/*', 'X-Requested-With': 'XMLHttpRequest' })],
  ['a client of an API', 'refuse', head({ Accept: 'application/json' })],
  [
    'a client of an API that takes the rest as well',
    'refuse',
    head({ Accept: 'application/json, text/plain, */*' }),
  ],
  [
    'a client that will not have a page',
    'refuse',
    head({ Accept: 'text/html;q=0, application/json' }),
  ],
  ['a client that writes', 'refuse', head({ Accept: '*/*' }, { method: 'PUT' })],
  ['an event stream', 'refuse', head({ Accept: 'text/event-stream' })],
  [
    'a service worker that has a destination and no mode',
    'refuse',
    head({ 'Sec-Fetch-Dest': 'serviceworker' }),
  ],
  ['two modes', 'refuse', head({ 'Sec-Fetch-Mode': 'navigate', 'sec-fetch-mode': 'cors' })],
  [
    'a WebSocket',
    'refuse',
    head({ ...chromium, Connection: 'Upgrade', Upgrade: 'websocket' }, { upgrade: 'websocket' }),
  ],
  [
    'a WebSocket that this connection cannot become',
    'refuse',
    head({ Connection: 'Upgrade', Upgrade: 'websocket' }),
  ],
])('T47 %s: %s', (_, expected, request) => expect(wayIn(request, {})).toBe(expected))

// Where programs may show tokens, whoever does not look like a browser is told so.
test.each<[string, WayIn, Record<string, string>]>([
  ['curl, git', 'refuse', { Accept: '*/*' }],
  ['a client that says nothing', 'refuse', {}],
  ['a client that takes any text', 'refuse', { Accept: 'text/*;q=0.5' }],
  ['a container client', 'refuse', { Accept: 'application/vnd.oci.image.index.v1+json' }],
  ['a browser of before', 'redirect', { Accept: 'text/html,*/*;q=0.8' }],
  ['a browser', 'page', chromium],
  ['a browser that takes anything', 'page', { ...chromium, Accept: '*/*' }],
])('%s, of an application that takes tokens: %s', (_, expected, headers) =>
  expect(wayIn(head(headers), { bearer: BEARER })).toBe(expected),
)

const facts: fc.Arbitrary<NavigationFacts> = fc.record({
  upgrade: fc.constantFrom('yes', 'no'),
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'other'),
  script: fc.constantFrom('yes', 'no'),
  prefetch: fc.constantFrom('yes', 'no'),
  mode: fc.constantFrom('navigate', 'other', 'none'),
  destination: fc.constantFrom('document', 'frame', 'other', 'none'),
  site: fc.constantFrom('own', 'foreign'),
  embedding: fc.constantFrom('yes', 'no'),
  accept: fc.constantFrom('page', 'anything', 'other'),
  tokens: fc.constantFrom('yes', 'no'),
})

describe('T47 a frame', () => {
  const embedding = { ancestors: ['https://portal.example'], partitioned: false }
  const framed = (site: string | undefined, destination: string, more = {}) => {
    const { 'Sec-Fetch-Site': _, ...rest } = chromium
    const said = site === undefined ? {} : { 'Sec-Fetch-Site': site }
    return head({ ...rest, ...said, 'Sec-Fetch-Dest': destination, ...more })
  }

  test.each(['iframe', 'frame', 'embed', 'object', 'fencedframe'])(
    'of a page of another origin begins no sign-in: %s',
    (destination) => {
      for (const site of ['cross-site', 'same-site', undefined]) {
        expect(wayIn(framed(site, destination), {})).toBe('window')
        expect(wayIn(framed(site, destination), { embedding })).toBe('redirect')
      }
      expect(wayIn(framed('same-origin', destination), {})).toBe('redirect')
    },
  )

  test('that a page of its own leads on, below another site, is such a one', () => {
    const storage = { 'Sec-Fetch-Storage-Access': 'none' }
    expect(wayIn(framed('same-origin', 'iframe', storage), {})).toBe('window')
  })

  test('whose browser says no mode is such a one', () =>
    expect(wayIn(head({ Accept: 'text/html', 'Sec-Fetch-Dest': 'iframe' }), {})).toBe('window'))

  test('never begins one, whatever else is said', () =>
    fc.assert(
      fc.property(facts, (some) => {
        const frame = { ...some, destination: 'frame', site: 'foreign', embedding: 'no' } as const
        expect(decideWayIn(frame)).toMatch(/^(?:window|refuse|form)$/)
      }),
    ))
})

describe('the table', () => {
  test('decides every request', () => {
    fc.assert(
      fc.property(facts, (some) => {
        expect(decideWayIn(some)).toMatch(/page|redirect|refuse|window|form/)
      }),
    )
  })

  test('has no row that never decides', () => {
    const used = new Set<number>()
    for (const some of fc.sample(facts, 5_000))
      used.add(
        NAVIGATION.findIndex(({ when }) =>
          Object.entries(when).every(([name, values]) =>
            (values as string[]).includes(some[name as keyof NavigationFacts]),
          ),
        ),
      )
    expect(used.size).toBe(NAVIGATION.length)
  })

  test('T47 sends nobody away who would do something, or whom a browser calls no navigation', () => {
    fc.assert(
      fc.property(facts, (some) => {
        if (some.upgrade === 'yes' || some.method === 'other' || some.mode === 'other')
          expect(decideWayIn(some)).toBe('refuse')
        if (some.method === 'POST') expect(decideWayIn(some)).toMatch(/^(?:refuse|form)$/)
      }),
    )
  })

  test('reads any header', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (accept, mode) => {
        const read = navigationFacts(head({ Accept: accept, 'Sec-Fetch-Mode': mode }), {})
        expect(['page', 'anything', 'other']).toContain(read.accept)
      }),
    )
  })
})
