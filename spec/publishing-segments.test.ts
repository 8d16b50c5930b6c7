/** Parts of an application with admission of their own: who gets where, on every binding, by every way to a path. */
import { once } from 'node:events'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect as connectSocket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  createDirectory,
  testPolicies,
  type Directory,
  type DirectoryInput,
} from '../src/cloud/index.ts'
import { ConfigurationInvalid } from '../src/protocol/internal.ts'
import { until } from '../test/until.ts'
import {
  BINDINGS,
  codeOf,
  publishedWorld,
  type Ask,
  type PublishedWorld,
} from './published-world.ts'

const everybody = [{ id: 'anybody', effect: 'allow' }]
const wiki = {
  ...{ id: 'wiki', externalUrl: 'https://wiki.example/', preAuthentication: 'oidc' },
  client: { id: 'wiki' },
  assigned: { groups: ['staff'] },
  identityHeaders: { 'X-User': 'subject' },
  segments: [
    { path: '/public/', preAuthentication: 'passthrough' },
    { path: '/public/draft.html' },
    { path: '/reports/', assigned: { groups: ['finance'] } },
    { path: '/reports/summary.html', assigned: 'everyone' },
    {
      path: '/vault/',
      policies: [
        ...everybody,
        { id: 'second', effect: 'step-up', stepUp: { acrValues: ['two-factor'] } },
      ],
    },
  ],
}
const HOST = 'wiki.example'
/** What a page's script asks for is no navigation: nobody is sent to the issuer. */
const SCRIPT = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }
/** What `X-User` the application was told, and what else of each request. */
const told: (readonly [string, string | undefined])[] = []
const streams: ServerResponse[] = []
let world: PublishedWorld

beforeAll(async () => {
  world = await publishedWorld({
    applications: [wiki],
    cloud: { auditRequests: true },
    serve: (request, response) => {
      told.push([request.url!, request.headers['x-user'] as string | undefined])
      if (!request.url!.endsWith('/stream'))
        return void response.end(JSON.stringify(request.headers))
      streams.push(response)
      response.write('begun\n')
    },
    upgrade: (_, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    },
  })
})
afterAll(() => world.close())
beforeEach(() => {
  world.publish(wiki)
  told.splice(0)
  world.reached.splice(0)
})

const staff = () => world.signIn('wiki', { groups: ['staff'] })
const finance = () => world.signIn('wiki', { groups: ['finance'] })

describe.each(BINDINGS)('R7.6a %s', (binding) => {
  const statusOf = async (path: string, cookie?: string, ask: Ask = {}) => {
    const headers = { ...SCRIPT, ...ask.headers, ...(cookie !== undefined && { cookie }) }
    const { status } = await world.ask(binding, HOST, path, { ...ask, headers })
    return status
  }

  test('R7.6a each part lets in whom its own rules let in, with one session for all', async () => {
    const [alice, fred] = [await staff(), await finance()]
    expect([await statusOf('/', alice), await statusOf('/', fred)]).toEqual([200, 403])
    expect([await statusOf('/reports/q3', alice), await statusOf('/reports/q3', fred)]).toEqual([
      403, 200,
    ])
    expect([await statusOf('/reports', alice), await statusOf('/reports', fred)]).toEqual([
      403, 200,
    ])
  })

  test('R7.6a down to a single file', async () => {
    const [alice, other] = [await staff(), await world.signIn('wiki')]
    expect(await statusOf('/reports/summary.html', alice)).toBe(200)
    expect(await statusOf('/reports/summary.html?a=/vault/', other)).toBe(200)
    expect(await statusOf('/reports/summary.htm', other)).toBe(403)
  })

  test('R7.6a where nobody is asked nobody is named, signed in or not', async () => {
    expect(await statusOf('/public/a')).toBe(200)
    expect(await statusOf('/public/a', await staff(), { headers: { 'x-user': 'root' } })).toBe(200)
    expect(told).toEqual([
      ['/public/a', undefined],
      ['/public/a', undefined],
    ])
  })

  test('R7.6a and a file within it is asked for by whoever is signed in', async () => {
    expect(await statusOf('/public/draft.html')).toBe(401)
    expect(await statusOf('/public/draft.html', await finance())).toBe(403)
    expect(await statusOf('/public/draft.html', await staff())).toBe(200)
    expect(told).toEqual([['/public/draft.html', 'alice']])
  })

  test('R7.6a what no segment covers is the application’s', async () => {
    expect(await statusOf('/publicity')).toBe(401)
    expect(await statusOf('/')).toBe(401)
  })

  test('R7.6a a policy of a segment asks for a stronger sign-in there alone', async () => {
    const cookie = await staff()
    expect(await statusOf('/', cookie)).toBe(200)
    const answer = await world.ask(binding, HOST, '/vault/x', { headers: { ...SCRIPT, cookie } })
    expect([answer.status, codeOf(answer)]).toEqual([401, 'step-up-required'])
    const strong = await world.signIn('wiki', { groups: ['staff'], strength: 'two-factor' })
    expect(await statusOf('/vault/x', strong)).toBe(200)
  })

  test('R7.6b what can be read as one of several is refused, and reaches nothing', async () => {
    const cookie = await staff()
    const paths = ['/Reports/q3', '/public/draft.html;x', '/public/%64raft.html', '/reports%2fq3']
    for (const path of [...paths, '/public//draft.html', '/public/draft.html/', '/%2572eports/'])
      expect(await statusOf(path, cookie), path).toBe(400)
    expect(world.reached).toEqual([])
    expect(await statusOf('/public/a%2Fb;v=1', undefined)).toBe(200)
    expect(world.reached.at(-1)).toMatch(/GET \/public\/a%2Fb;v=1$/)
  })

  test('R7.6c no field of a request names another path', async () => {
    const headers = { 'X-Original-URL': '/reports/q3', 'x-rewrite-url': '/vault/' }
    const answer = await world.ask(binding, HOST, '/public/a', { headers })
    expect(answer.status).toBe(200)
    expect(answer.body).not.toMatch(/original|rewrite|reports/i)
  })
})

describe('R7.6c other ways to a path', () => {
  const ask = async (path: string, method: string, headers: Record<string, string> = {}) => {
    const answer = await world.ask('HTTP/1.1', HOST, path, { method, headers })
    return [answer.status, answer.status < 300 ? 'passed' : codeOf(answer)]
  }

  test.each([
    ['COPY', '/a', '/reports/b'],
    ['MOVE', '/a', 'https://wiki.example/reports/b'],
    ['COPY', '/reports/summary.html', '/reports/b'],
    ['PUT', '/a', '/reports/b'],
  ])('R7.6c %s %s to %s is for whoever is admitted to both', async (method, from, destination) => {
    const cookie = await staff()
    expect(await ask(from, method, { cookie, destination })).toEqual([403, 'segment-out-of-reach'])
    const both = await world.signIn('wiki', { groups: ['staff', 'finance'] })
    expect(await ask(from, method, { cookie: both, destination })).toEqual([200, 'passed'])
  })

  test('R7.6c out of a part where nobody is asked, somebody must be known for the other', async () => {
    const destination = '/x'
    expect(await ask('/public/a', 'COPY', { destination })).toEqual([401, 'sign-in-required'])
    expect(await ask('/public/a', 'COPY', { destination: '/public/b' })).toEqual([200, 'passed'])
    expect(await ask('/x', 'COPY', { destination: '/public/b' })).toEqual([401, 'sign-in-required'])
    const cookie = await staff()
    expect(await ask('/public/a', 'COPY', { cookie, destination })).toEqual([200, 'passed'])
  })

  test.each(['//reports/b', 'https://other.example/b', '/Reports/b', '/a/../reports/b', 'b'])(
    'R7.6c a destination that nobody can judge is refused: %s',
    async (destination) => {
      const cookie = await staff()
      expect(await ask('/a', 'MOVE', { cookie, destination })).toEqual([400, 'user-malformed'])
    },
  )

  test.each([
    ['DELETE', '/', {}],
    ['MOVE', '/', { destination: '/elsewhere/' }],
    ['PROPFIND', '/', {}],
    ['PROPFIND', '/', { depth: 'infinity' }],
    ['LOCK', '/', {}],
    ['COPY', '/elsewhere/', { destination: '/' }],
    ['POST', '/', { 'x-http-method-override': 'DELETE' }],
    ['SEARCH', '/elsewhere', {}],
    ['BIND', '/elsewhere', {}],
    ['REPORT', '/', { depth: '0' }],
    ['PURGE', '/', {}],
  ])(
    'R7.6c %s of what has parts below is for whoever is admitted to each: %s %s',
    async (method, path, headers) => {
      const cookie = await staff()
      const expected = [403, 'segment-out-of-reach']
      const answer = await rawly(method, path, { cookie, ...headers })
      expect(answer).toEqual(expected)
      const all = { groups: ['staff', 'finance'], strength: 'two-factor' }
      expect(
        await rawly(method, path, { cookie: await world.signIn('wiki', all), ...headers }),
      ).toEqual([200, 'passed'])
    },
  )

  test('R7.6c what is not deep, or has nothing below, is as ever', async () => {
    const cookie = await staff()
    expect(await rawly('PROPFIND', '/', { cookie, depth: '1' })).toEqual([200, 'passed'])
    expect(await rawly('DELETE', '/elsewhere/', { cookie })).toEqual([200, 'passed'])
    expect(await rawly('DELETE', '/public/', {})).toEqual([401, 'sign-in-required'])
    expect(await rawly('DELETE', '/public/', { cookie })).toEqual([200, 'passed'])
  })

  test('R7.6c an absolute target, and an upgrade, are judged as any other', async () => {
    const cookie = await staff()
    const fields = { cookie, connection: 'upgrade', upgrade: 'x', origin: 'https://wiki.example' }
    expect(await rawly('GET', `http://${HOST}/reports/q3`, { cookie })).toEqual([
      403,
      'not-assigned',
    ])
    expect(await rawly('GET', '/reports/socket', fields)).toEqual([403, 'not-assigned'])
  })

  test('R7.6c a preflight asks nobody, and is answered by the rule of its application', async () => {
    const preflight = { origin: 'https://portal.example', 'access-control-request-method': 'GET' }
    expect(await rawly('OPTIONS', '/reports/q3', preflight)).toEqual([403, 'cors-not-configured'])
    expect(await rawly('OPTIONS', '/public/a', preflight)).toEqual([200, 'passed'])
    expect(await rawly('OPTIONS', '/PUBLIC/a', preflight)).toEqual([400, 'user-malformed'])
  })

  /** Methods that Node's client does not know go by a socket. */
  async function rawly(method: string, path: string, headers: Record<string, string>) {
    const socket = connectSocket(world.port, '127.0.0.1')
    const lines = Object.entries({
      host: HOST,
      ...headers,
      ...(!headers['upgrade'] && { connection: 'close' }),
    })
    socket.write(
      `${method} ${path} HTTP/1.1\r\n${lines.map((pair) => `${pair.join(': ')}\r\n`).join('')}\r\n`,
    )
    let said = ''
    socket.on('data', (bytes: Buffer) => (said += bytes.toString()))
    await once(socket, 'close')
    const status = Number(said.slice(9, 12))
    return [status, status < 300 ? 'passed' : /"code":"([^"]+)"/.exec(said)?.[1]]
  }
})

describe('R7.6d whoever cannot be judged is not let in', () => {
  const invalid = (segments: unknown) => () => world.publish({ ...wiki, segments })
  test.each([
    [
      [{ path: '/a/', policies: [{ id: 'x', effect: 'deny' }] }],
      'applications[0].segments[0].policies[0].reason',
    ],
    [
      [
        {
          path: '/a/',
          policies: [{ id: 'x', effect: 'allow', when: { from: { networks: ['10.0.0.1/8'] } } }],
        },
      ],
      'applications[0].segments[0].policies[0].when.from.networks[0]: has bits set beyond its prefix',
    ],
    [
      [{ path: '/a/', policies: [...everybody, ...everybody] }],
      'segments[0].policies[1].id: is not unique',
    ],
    [
      [{ path: '/a;b' }],
      'applications[0].segments[0].path: must be a path that can be read in one way only',
    ],
    [
      [{ path: '/a/' }, { path: '/A' }],
      'applications[0].segments[1].path: is one already, for some server',
    ],
    [[{ path: '/.app-proxy/x' }], 'applications[0].segments[0].path: must not lie under'],
    [[{ path: '/a/', preAuthentication: 'open' }], 'applications[0].segments[0].preAuthentication'],
    [
      [{ path: '/a/', preAuthentication: 'passthrough', policies: everybody }],
      'has no meaning with "passthrough"',
    ],
    [
      [{ path: '/a/', assigned: { users: ['alice'] } }],
      'applications[0].segments[0].assigned.users[0]',
    ],
    [[{}], 'applications[0].segments[0].path'],
  ])(
    'R7.6d a mistake is told with its place, and what was in force stays: %j',
    async (segments, place) => {
      expect(invalid(segments)).toThrow(ConfigurationInvalid)
      expect(invalid(segments)).toThrow(place)
      const answer = await world.ask('HTTP/1.1', HOST, '/reports/q3', {
        headers: { cookie: await staff() },
      })
      expect(answer.status).toBe(403)
    },
  )

  test('R7.6d a segment in another application, or beside what signs everybody on, is a mistake', () => {
    const other = {
      id: 'b',
      externalUrl: 'https://wiki.example/b/',
      preAuthentication: 'passthrough',
    }
    expect(() => world.publish({ ...wiki, segments: [{ path: '/b/x' }] }, other)).toThrow(
      'applications[0].segments[0].path: lies in another application',
    )
    const open = [{ path: '/a/', preAuthentication: 'passthrough' }]
    expect(() => world.publish({ ...wiki, segments: open, signOn: { kind: 'inject' } })).toThrow(
      'applications[0].segments[0].preAuthentication: cannot be "passthrough" with "signOn"',
    )
    expect(() => world.publish({ ...other, segments: [{ path: '/b/' }] })).toThrow(
      'applications[0].segments',
    )
  })

  test('R7.6d segments that are taken away leave the application, not the open', async () => {
    const { segments: _, ...bare } = wiki
    for (const application of [bare, { ...wiki, segments: [] }]) {
      world.publish(application)
      expect((await world.ask('HTTP/1.1', HOST, '/public/a', { headers: SCRIPT })).status).toBe(401)
      expect((await world.ask('HTTP/1.1', HOST, '/reports/q3', { headers: SCRIPT })).status).toBe(
        401,
      )
    }
  })

  test.each([
    ['no list', { segments: 'all' }],
    ['a path that is none', { segments: [{ path: 7, preAuthentication: 'passthrough' }] }],
    ['a path of two readings', { segments: [{ path: '/a;b', preAuthentication: 'passthrough' }] }],
    ['an admission that is none', { segments: [{ path: '/public/', preAuthentication: 'yes' }] }],
  ])('R7.6d a directory of one’s own that says %s lets nobody in', async (_, wrong) => {
    const own = await publishedWorld({
      applications: [wiki],
      cloud: { directory: directoryWith(wrong) },
    })
    try {
      const cookie = await own.signIn('wiki', { groups: ['staff'] }).catch(() => '')
      for (const path of ['/', '/public/a', '/reports/q3']) {
        const answer = await own.ask('HTTP/1.1', HOST, path, { headers: { cookie } })
        expect([answer.status, codeOf(answer)], path).toEqual([500, 'internal'])
      }
      expect(own.reached).toEqual([])
    } finally {
      await own.close()
    }
  })

  test('R7.6d and one whose rules for a segment cannot be read denies that segment', async () => {
    const segments = [
      { path: '/reports/', preAuthentication: 'oidc', access: { policies: 'none' } },
    ]
    const own = await publishedWorld({
      applications: [wiki],
      cloud: { directory: directoryWith({ segments }) },
    })
    try {
      const headers = { cookie: await own.signIn('wiki', { groups: ['staff'] }) }
      expect((await own.ask('HTTP/1.1', HOST, '/', { headers })).status).toBe(200)
      const answer = await own.ask('HTTP/1.1', HOST, '/reports/q3', { headers })
      expect([answer.status, codeOf(answer)]).toEqual([500, 'policy-broken'])
    } finally {
      await own.close()
    }
  })
})

/** A directory of the embedder's that nobody has checked. */
function directoryWith(wrong: object): Directory {
  const { segments: _, ...bare } = wiki
  const good = createDirectory({
    tenants: [{ id: 'contoso', issuer: 'https://sts.example', registrars: { audience: 'x' } }],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: [{ ...bare, groupId: 'default', internalUrl: world.internalUrl } as never],
  })
  const application = Object.create(
    good.application('wiki')!,
    Object.getOwnPropertyDescriptors(wrong),
  )
  return {
    tenant: (id) => good.tenant(id),
    tenantOfIssuer: (issuer) => good.tenantOfIssuer(issuer),
    group: (id) => good.group(id),
    application: () => application,
    applicationsOn: () => [application],
    tenants: () => good.tenants(),
    applications: () => [application],
  } as Directory
}

describe('R7.6e what is open', () => {
  const stream = async (path: string, cookie?: string) => {
    const call = get({
      ...{ host: '127.0.0.1', port: world.port, path, agent: false },
      headers: { host: HOST, ...(cookie !== undefined && { cookie }) },
    })
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    call.on('error', () => undefined)
    const seen = { text: '', isWhole: false, isOver: false }
    response.on('data', (bytes: Buffer) => (seen.text += bytes.toString()))
    response.on('end', () => (seen.isWhole = true)).on('close', () => (seen.isOver = true))
    response.on('error', () => undefined)
    await until(() => seen.text === 'begun\n')
    return seen
  }

  test('R7.6e is judged by the segment that it is in, and ends when that lets its user in no more', async () => {
    const fred = await world.signIn('wiki', { groups: ['finance', 'staff'] })
    const [report, page, open] = [
      await stream('/reports/stream', fred),
      await stream('/a/stream', fred),
      await stream('/public/stream'),
    ]
    const [publicly, draft, , ...rest] = wiki.segments
    world.publish({
      ...wiki,
      segments: [publicly, draft, { path: '/reports/', assigned: { groups: ['board'] } }, ...rest],
    })
    await until(() => report.isOver)
    expect(report.isWhole).toBe(false)
    world.publish({ ...wiki, segments: [draft, ...rest] })
    await until(() => open.isOver)
    expect([open.isWhole, page.isOver]).toEqual([false, false])
    streams.at(-2)!.end('ended\n')
    await until(() => page.isOver)
    expect(page.isWhole).toBe(true)
  })

  test('R7.6e and by no other, which would not let its user in', async () => {
    const seen = await stream('/reports/stream', await finance())
    // Two looks at what is open.
    await new Promise((later) => setTimeout(later, 1_100))
    streams.at(-1)!.end('ended\n')
    await until(() => seen.isOver)
    expect(seen.isWhole).toBe(true)
  })
})

describe('R7.6f the operator sees which segment decided', () => {
  test('R7.6f and tries it out before, by the path that a user goes to', () => {
    const directory = {
      tenants: [{ id: 'contoso', issuer: 'https://sts.example', registrars: { audience: 'x' } }],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [{ ...wiki, groupId: 'default', internalUrl: 'http://10.0.0.1/' }],
    } as unknown as DirectoryInput
    const user = { groups: ['staff'] }
    const cases = [
      { application: 'wiki', user, expect: 'allow' },
      { application: 'wiki', user, path: '/reports/q3', expect: 'deny', code: 'not-assigned' },
      { application: 'wiki', user, path: '/reports/summary.html', expect: 'allow' },
      { application: 'wiki', user, path: '/vault/', expect: 'step-up', policy: 'second' },
    ] as const
    expect(testPolicies(directory, cases, Date.now()).map(({ isPassed }) => isPassed)).toEqual(
      cases.map(() => true),
    )
    const wrong = (path: string) => () =>
      testPolicies(directory, [{ application: 'wiki', user, path, expect: 'deny' }], Date.now())
    expect(wrong('/public/a')).toThrow('cases[0].path: asks nobody who they are')
    expect(wrong('/Reports/')).toThrow('cases[0].path: is no path that can be read in one way only')
  })

  test('R7.6f in each event', async () => {
    const cookie = await staff()
    const refused = await world.ask('HTTP/1.1', HOST, '/reports/q3', { headers: { cookie } })
    const { requestId } = JSON.parse(refused.body) as { requestId: string }
    const events = world.audit.filter((event) => event.requestId === requestId)
    expect(events).toMatchObject([
      { type: 'access.decided', reason: 'not-assigned', detail: { segment: '/reports/' } },
      { type: 'access.request', reason: 'not-assigned', detail: { segment: '/reports/' } },
    ])
    await world.ask('HTTP/1.1', HOST, '/x', { headers: { cookie } })
    expect(world.audit.at(-1)!.detail).not.toHaveProperty('segment')
  })

  test('R7.6f once for each segment, however a session goes from one to another', async () => {
    const cookie = await world.signIn('wiki', { groups: ['none'] })
    const before = world.audit.length
    for (const path of ['/a', '/reports/', '/a', '/reports/'])
      await world.ask('HTTP/1.1', HOST, path, { headers: { cookie } })
    expect(world.audit.slice(before).filter(({ type }) => type === 'access.decided')).toHaveLength(
      2,
    )
  })
})
