import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { CorsRule } from '../../../src/cloud/directory/cors-rule.ts'
import { directoryOf } from '../directory/directory-of.ts'
import {
  ConfigurationInvalid,
  headerValues,
  ResetCode,
  type HeaderList,
} from '../../../src/protocol/internal.ts'
import { edgeWorld, HOST, octets, type EdgeWorld, type MemoryUser } from './edge-world.ts'

const PORTAL = 'https://portal.example'
const STRANGER = 'https://evil.example'
const RULE = {
  origins: [PORTAL, 'https://other.example:8443'],
  methods: ['GET', 'PUT'],
  headers: ['Content-Type', 'x-app-*'],
  exposeHeaders: ['X-Total'],
  credentials: true,
  maxAgeSeconds: 60,
}

let world: EdgeWorld
beforeEach(async () => {
  world = await edgeWorld({}, { secure: { cors: RULE }, open: {} })
})

const preflight = (
  origin: string,
  { authority = HOST, target = '/', more = [] as string[], method = 'PUT' } = {},
) =>
  world.ask({
    ...{ method: 'OPTIONS', authority, target },
    headers: ['Origin', origin, 'Access-Control-Request-Method', method, ...more],
  })
const grantsOf = (headers: HeaderList) =>
  Object.fromEntries(
    headers.flatMap((name, i) =>
      i % 2 === 0 && /^access-control-/i.test(name) ? [[name.toLowerCase(), headers[i + 1]!]] : [],
    ),
  )
const varied = ({ headers }: MemoryUser) => headerValues(headers, 'vary').join(', ')
const session = () => ['Cookie', world.cookie]

describe('a preflight where there is a rule', () => {
  test('T46 of an allowed origin is granted here, and sent to nobody', () => {
    const user = preflight(PORTAL, {
      more: ['Access-Control-Request-Headers', 'content-type, X-App-Trace'],
    })
    expect(user.status).toBe(204)
    expect(grantsOf(user.headers)).toEqual({
      'access-control-allow-origin': PORTAL,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'content-type, X-App-Trace',
      'access-control-max-age': '60',
    })
    expect(varied(user)).toMatch(/Origin, Access-Control-Request-Method/)
    expect(headerValues(user.headers, 'set-cookie')).toEqual([])
    expect([world.offers, world.redirects]).toEqual([[], []])
  })

  test('T46 is answered the same for somebody who is signed in', () => {
    expect(preflight(PORTAL, { more: session() }).status).toBe(204)
    expect(preflight(STRANGER, { more: session() }).status).toBe(403)
    expect(world.offers).toEqual([])
  })

  test.each<[string, string, object]>([
    ['cors-origin-refused', STRANGER, {}],
    ['cors-origin-refused', 'null', {}],
    ['cors-origin-refused', 'https://PORTAL.example', {}],
    ['cors-origin-refused', 'http://portal.example', {}],
    ['cors-origin-refused', `${PORTAL}:443`, {}],
    ['cors-origin-refused', `${PORTAL}.evil.example`, {}],
    ['cors-origin-refused', PORTAL, { more: ['Origin', PORTAL] }],
    ['cors-method-refused', PORTAL, { method: 'DELETE' }],
    ['cors-method-refused', PORTAL, { method: 'put' }],
    ['cors-headers-refused', PORTAL, { more: ['Access-Control-Request-Headers', 'x-other'] }],
    [
      'cors-headers-refused',
      PORTAL,
      { more: ['Access-Control-Request-Headers', 'x-app-a,authorization'] },
    ],
  ])('T46 is refused with %s: %s %j', (code, origin, rest) => {
    const user = preflight(origin, rest)
    expect([user.status, user.code]).toEqual([403, code])
    expect(grantsOf(user.headers)).toEqual({})
    expect(varied(user)).toMatch(/Origin/)
    expect(world.offers).toEqual([])
  })
})

describe('a preflight where there is no rule', () => {
  test('T46 is refused where users sign in, whoever asks', async () => {
    world = await edgeWorld()
    for (const more of [[], session()]) {
      const user = preflight(PORTAL, { more })
      expect([user.status, user.code]).toEqual([403, 'cors-not-configured'])
    }
    expect([world.offers, world.redirects]).toEqual([[], []])
  })

  test('is the application’s own affair where nobody signs in', () => {
    preflight(STRANGER, { authority: 'open.example' })
    expect(world.offers).toMatchObject([{ method: 'OPTIONS', user: undefined }])
    expect(headerValues(world.offers[0]!.headers, 'origin')).toEqual([STRANGER])
  })

  test('an OPTIONS that is none is a request like any other', () => {
    world.ask({ authority: HOST, method: 'OPTIONS', headers: session() })
    world.ask({ authority: HOST, method: 'OPTIONS', headers: ['Origin', PORTAL, ...session()] })
    expect(world.offers).toHaveLength(2)
  })
})

describe('another request where there is a rule', () => {
  const ask = (origin: string | undefined, headers: HeaderList = session()) =>
    world.ask({
      authority: HOST,
      headers: [...(origin === undefined ? [] : ['Origin', origin]), ...headers],
    })
  const respond = (headers: HeaderList) => {
    const { exchange } = world.claim()
    exchange.receivedResponse({ status: 200, headers }, false, 0)
    exchange.receivedData(octets('x'), true, 0)
  }
  const APPLICATION = [
    'access-control-allow-origin',
    '*',
    'Access-Control-Expose-Headers',
    'X-Inner',
    'X-Total',
    '7',
  ]

  test('has an answer that an allowed origin may read, by our rule and not by the application’s', () => {
    const user = ask(PORTAL)
    respond(APPLICATION)
    expect(grantsOf(user.headers)).toEqual({
      'access-control-allow-origin': PORTAL,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'X-Total, WWW-Authenticate',
    })
    expect(headerValues(user.headers, 'x-total')).toEqual(['7'])
    expect(varied(user)).toBe('Origin')
  })

  test.each([[STRANGER], [undefined], ['null']])('has one that %s may not read', (origin) => {
    const user = ask(origin)
    respond(APPLICATION)
    expect(grantsOf(user.headers)).toEqual({})
    expect(varied(user)).toBe('Origin')
  })

  test('T46 without a session has a 401 that an allowed origin may read', () => {
    const user = ask(PORTAL, ['Sec-Fetch-Mode', 'cors'])
    expect([user.status, user.code]).toEqual([401, 'sign-in-required'])
    expect(grantsOf(user.headers)).toMatchObject({ 'access-control-allow-origin': PORTAL })
    expect(grantsOf(ask(STRANGER, ['Sec-Fetch-Mode', 'cors']).headers)).toEqual({})
  })

  test('has failures of ours that an allowed origin may read', () => {
    const user = ask(PORTAL)
    world.claim().exchange.receivedReset(ResetCode.UNREACHABLE)
    expect(user.status).toBeGreaterThanOrEqual(500)
    expect(grantsOf(user.headers)).toMatchObject({ 'access-control-allow-origin': PORTAL })
  })
})

describe('where the session’s cookie comes with requests of other sites', () => {
  const ask = (method: string, ...headers: string[]) => {
    const user = world.ask({ authority: HOST, method, headers: [...session(), ...headers] })
    return user.said.length === 0 ? 'offered' : user.code
  }
  beforeEach(async () => {
    world = await edgeWorld({}, { secure: { cors: RULE, session: { sameSite: 'none' } } })
  })

  test('the cookie says so', async () => {
    const identity = { subject: 'u', issuer: 'i', expiresAt: world.clock.wall + 1_000 }
    const { setCookie } = await world.sessions.start(world.application, HOST, identity)
    expect(setCookie).toMatch(/^__Host-[^;]*; Path=\/; Secure; HttpOnly; SameSite=None$/)
  })

  test.each<[string, string, readonly string[]]>([
    ['a page of another site that posts', 'origin-refused', ['Origin', STRANGER]],
    ['a page of no origin', 'origin-refused', ['Origin', 'null']],
    [
      'a page of another site that does not say which',
      'origin-refused',
      ['Sec-Fetch-Site', 'cross-site'],
    ],
    ['two origins', 'origin-refused', ['Origin', PORTAL, 'Origin', STRANGER]],
    ['a page that the rule lets act', 'offered', ['Origin', PORTAL]],
    ['a page of its own', 'offered', ['Origin', `https://${HOST}`]],
    ['a program', 'offered', []],
  ])('%s: %s', (_, expected, headers) => {
    expect(ask('POST', ...headers)).toBe(expected)
    expect(ask('DELETE', ...headers)).toBe(expected)
    expect(ask('GET', ...headers)).toBe('offered')
  })

  test('a rule for some paths lets nobody act on others', async () => {
    const cors = { ...RULE, paths: ['/api/'] }
    world = await edgeWorld({}, { secure: { cors, session: { sameSite: 'none' } } })
    const post = (target: string) =>
      world.ask({
        ...{ authority: HOST, method: 'POST', target },
        headers: [...session(), 'Origin', PORTAL],
      })
    expect(post('/admin').code).toBe('origin-refused')
    expect(post('/api/things').said).toEqual([])
  })

  test('a rule without credentials lets nobody act', async () => {
    const cors = { ...RULE, credentials: false }
    world = await edgeWorld({}, { secure: { cors, session: { sameSite: 'none' } } })
    expect(ask('POST', 'Origin', PORTAL)).toBe('origin-refused')
  })
})

describe('an error before an application is chosen', () => {
  const SHARED = { externalUrl: `https://${HOST}/open/`, internalUrl: 'http://10.0.0.1/' }
  const OPEN = {
    origins: [PORTAL, 'https://third.example'],
    ...{ methods: ['GET'], exposeHeaders: ['X-Open'], credentials: false },
  }
  const ANY = { origins: ['*'], methods: ['GET'] }
  const READ = {
    'access-control-allow-origin': PORTAL,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'X-Total, WWW-Authenticate',
  }
  const BOTH = {
    'access-control-allow-origin': PORTAL,
    'access-control-expose-headers': 'WWW-Authenticate',
  }
  const MALFORMED = { target: '/a/../b' }
  const AMBIGUOUS = { target: '/open%2fx' }
  const UNKNOWN = { target: '/elsewhere' }
  const OWN = { target: '/.app-proxy/nothing' }
  const below = { secure: { cors: RULE, externalUrl: `https://${HOST}/app/` } }
  const alone = { secure: { cors: RULE } }
  const scoped = { secure: { cors: { ...RULE, paths: ['/api/'] } } }
  const shared = { secure: below.secure, open: { ...SHARED, cors: OPEN } }
  const withoutRule = { secure: below.secure, open: SHARED }
  const open = { secure: { externalUrl: `https://${HOST}/app/` }, open: SHARED }
  const form = ['Content-Type', 'application/x-www-form-urlencoded', 'Content-Length', '0']

  test.each<[string, number, object, object, object, string?]>([
    ['a bad target', 400, alone, MALFORMED, READ],
    ['a bad target, another origin', 400, alone, MALFORMED, {}, STRANGER],
    ['a bad target, no origin', 400, alone, MALFORMED, {}, 'null'],
    ['a bad length', 400, alone, { headers: ['Content-Length', 'x'] }, READ],
    ['two lengths', 400, alone, { headers: ['Content-Length', '1', 'Content-Length', '2'] }, READ],
    ['a target too long', 414, alone, { target: `/${'x'.repeat(9_000)}` }, READ],
    ['a head too large', 431, alone, { headers: ['X-Large', 'x'.repeat(50_000)] }, READ],
    ['too many fields', 431, alone, { headers: Array(500).fill('x') }, READ],
    ['a method of no path', 501, alone, { method: 'CONNECT' }, READ],
    ['no path of ours', 404, alone, OWN, READ],
    ['no method of ours', 404, alone, { target: '/.app-proxy/sign-out', method: 'PUT' }, READ],
    [
      ...(['a form from elsewhere', 403, alone] as const),
      { target: '/.app-proxy/sign-out', method: 'POST', headers: form },
      READ,
    ],
    ['no application', 404, below, UNKNOWN, READ],
    ['no application, another origin', 404, below, UNKNOWN, {}, STRANGER],
    ['an unknown host', 404, alone, { authority: 'nobody.example' }, {}],
    ['a bad target, a rule for paths', 400, scoped, MALFORMED, {}],
    ['a path of ours, a rule for paths', 404, scoped, OWN, {}],
    ['too long, below the paths', 414, scoped, { target: `/api/${'x'.repeat(9_000)}` }, READ],
    ['too long, beside the paths', 414, scoped, { target: `/${'x'.repeat(9_000)}` }, {}],
    ['a bad target, two rules', 400, shared, MALFORMED, BOTH],
    ['a path read in two ways, two rules', 400, shared, AMBIGUOUS, BOTH],
    ['a path of ours, two rules', 404, shared, OWN, BOTH],
    ['no application, two rules', 404, shared, UNKNOWN, BOTH],
    ['no application, of one rule only', 404, shared, UNKNOWN, {}, 'https://third.example'],
    ['no application, of the other only', 404, shared, UNKNOWN, {}, RULE.origins[1]!],
    ['too long, the first’s', 414, shared, { target: `/app/${'x'.repeat(9_000)}` }, READ],
    [
      ...(['too long, the second’s', 414, shared] as const),
      { target: `/open/${'x'.repeat(9_000)}` },
      { ...BOTH, 'access-control-expose-headers': 'X-Open, WWW-Authenticate' },
    ],
    ['one rule of two applications', 404, withoutRule, UNKNOWN, READ],
    [
      ...(['the application without a rule', 414, withoutRule] as const),
      { target: `/open/${'x'.repeat(9_000)}` },
      {},
    ],
    ['no rule at all', 400, open, MALFORMED, {}],
    [
      ...(['one list and one for everybody', 404] as const),
      { secure: below.secure, open: { ...SHARED, cors: ANY } },
      ...([UNKNOWN, BOTH] as const),
    ],
    [
      ...([
        'everybody',
        404,
        { open: { cors: ANY, externalUrl: 'https://open.example/x/' } },
      ] as const),
      { authority: 'open.example' },
      { ...BOTH, 'access-control-allow-origin': '*' },
      STRANGER,
    ],
  ])('is readable for whom the rules let read: %s (%i)', async (...row) => {
    const [, status, options, head, expected, origin = PORTAL] = row
    world = await edgeWorld({}, options)
    const { headers = [], ...rest } = head as { headers?: string[] }
    const user = world.ask({ authority: HOST, ...rest, headers: [...headers, 'Origin', origin] })
    expect(user.status).toBe(status)
    expect(grantsOf(user.headers)).toEqual(expected)
    if ('access-control-allow-credentials' in expected) expect(varied(user)).toMatch(/Origin/)
    expect(world.offers).toEqual([])
  })

  test('grants a preflight nothing, and a page of ours that is no error neither', async () => {
    expect(preflight(PORTAL, { target: MALFORMED.target }).status).toBe(400)
    expect(grantsOf(preflight(PORTAL, { target: MALFORMED.target }).headers)).toEqual({})
    const page = { authority: HOST, target: '/.app-proxy/sign-out' }
    const user = world.ask({ ...page, headers: ['Origin', PORTAL, ...session()] })
    await expect.poll(() => user.status).toBe(200)
    expect(grantsOf(user.headers)).toEqual({})
  })
})

test('a rule without credentials may be for everybody', async () => {
  world = await edgeWorld({}, { open: { cors: { origins: ['*'], headers: ['*'] } } })
  const asked = { authority: 'open.example', method: 'POST' }
  const more = ['Access-Control-Request-Headers', 'x-any']
  expect(grantsOf(preflight(STRANGER, { ...asked, more }).headers)).toEqual({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, HEAD, POST',
    'access-control-allow-headers': 'x-any',
    'access-control-max-age': '600',
  })
  more[1] = 'authorization'
  expect(preflight(STRANGER, { ...asked, more }).code).toBe('cors-headers-refused')
  more[1] = 'x-any x-other'
  expect(preflight(STRANGER, { ...asked, more }).code).toBe('cors-headers-refused')
  expect(world.offers).toEqual([])
})

test('a rule may be for some paths only', async () => {
  world = await edgeWorld({}, { secure: { cors: { ...RULE, paths: ['/api/'] } } })
  expect(preflight(PORTAL, { target: '/api/things' }).status).toBe(204)
  for (const target of ['/', '/apix'])
    expect(preflight(PORTAL, { target }).code).toBe('cors-not-configured')
  expect(preflight(PORTAL, { target: '/x%2f..%2fapi' }).status).toBe(400)
  expect(preflight(PORTAL, { target: '//api/things' }).code).toBe('user-malformed')
})

test('T46 whatever an origin is called, only a listed one is granted anything', () => {
  const rule = new CorsRule({ ...RULE, paths: undefined })
  const origins = fc.oneof(
    fc.string(),
    fc.webUrl().map((url) => new URL(url).origin),
    fc.constantFrom(
      ...RULE.origins,
      `${PORTAL}/`,
      ` ${PORTAL}`,
      `${PORTAL},${PORTAL}`,
      '__proto__',
      '*',
    ),
  )
  fc.assert(
    fc.property(origins, (origin) => {
      const head = {
        headers: ['Origin', origin, 'Access-Control-Request-Method', 'GET'],
      } as never
      const isListed = RULE.origins.includes(origin)
      expect('access-control-allow-origin' in grantsOf(rule.grants(head))).toBe(isListed)
      expect(typeof rule.preflight(head) === 'string').toBe(!isListed)
    }),
  )
})

test.each<[string, object]>([
  ['origins[0]', { origins: ['*'], credentials: true }],
  ['origins[1]', { origins: [PORTAL, '*'] }],
  ['origins[0]', { origins: ['https://portal.example/'] }],
  ['origins[0]', { origins: ['https://*.example'] }],
  ['origins[0]', { origins: ['null'] }],
  ['origins[0]', { origins: ['portal.example'] }],
  ['methods[0]', { origins: [PORTAL], methods: ['GET, PUT'] }],
  ['headers[0]', { origins: [PORTAL], headers: ['x y'] }],
  ['exposeHeaders[0]', { origins: [PORTAL], exposeHeaders: ['*'], credentials: true }],
  ['paths[0]', { origins: [PORTAL], paths: ['api'] }],
  ['paths[0]', { origins: [PORTAL], paths: ['/a%2fb'] }],
  ['paths[0]', { origins: [PORTAL], paths: ['/../b'] }],
])('a configuration is refused at %s: %j', (where, cors) => {
  const make = () =>
    directoryOf({
      tenants: [{ id: 't', issuer: 'https://i.example', registrars: { audience: 'x' } }],
      groups: [{ id: 'g', tenantId: 't' }],
      applications: [
        {
          id: 'a',
          groupId: 'g',
          externalUrl: 'https://a.example/',
          internalUrl: 'http://10.0.0.1/',
          preAuthentication: 'passthrough',
          cors,
        },
      ],
    })
  expect(make).toThrow(ConfigurationInvalid)
  expect(make).toThrow(`applications[0].cors.${where}`)
})
