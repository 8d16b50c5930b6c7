import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDirectory } from '../../../src/cloud/directory/directory.ts'
import { ConfigurationInvalid, headerValue, headerValues } from '../../../src/protocol/internal.ts'
import { LOOK_UPS } from '../../../src/cloud/issuer/key-set.ts'
import { HostileIssuer, part, redirect, status, type Json } from '../../hostile-issuer/issuer.ts'
import { edgeWorld, HOST, type EdgeWorld, type MemoryUser } from '../edge/edge-world.ts'

const BEARER = { audiences: ['https://api.example', 'secure'], scopes: ['read', 'list'] }
const METADATA = `https://${HOST}/.well-known/oauth-protected-resource`

let issuer: HostileIssuer
let world: EdgeWorld
beforeAll(async () => {
  issuer = await HostileIssuer.start()
})
afterAll(() => issuer.close())
const start = async (secure: object = { bearer: BEARER }) => {
  world = await edgeWorld({}, { secure, issuer: issuer.url })
}
beforeEach(async () => {
  issuer.misbehaviour = {}
  issuer.keys.splice(1)
  await start()
})

const now = () => Math.floor(Date.now() / 1000)
const CLAIMS = { sub: 'robot', aud: 'secure', scope: 'read list write', client_id: 'cli', jti: 'j' }
const sign = (claims: Json = {}, header: Json = {}) =>
  issuer.sign({ ...CLAIMS, ...claims }, { typ: 'at+jwt', ...header })
/** Asks, and waits until there is an answer or an offer. */
async function ask(authorization: string | undefined, more: readonly string[] = [], rest = {}) {
  const before = world.offers.length
  const fields = authorization === undefined ? [] : ['Authorization', authorization]
  const user = world.ask({ authority: HOST, headers: [...fields, ...more], ...rest })
  await expect
    .poll(() => user.said.length > 0 || world.offers.length > before, { timeout: 5_000 })
    .toBe(true)
  return user
}
const challengeOf = (user: MemoryUser) => headerValue(user.headers, 'www-authenticate')
const NAVIGATION = ['Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document']

/** A program is never sent anywhere, and given no cookie. */
function expectRefusal(user: MemoryUser, statusCode: number, reason: string): void {
  expect([user.status, user.code]).toEqual([statusCode, reason])
  expect(headerValues(user.headers, 'set-cookie')).toEqual([])
  expect(headerValues(user.headers, 'location')).toEqual([])
  expect([world.offers, world.redirects]).toEqual([[], []])
}

describe('a good token', () => {
  test('is as good as a session: the application is told who asks, and not shown the token', async () => {
    await ask(`Bearer ${await sign({ groups: ['robots'], name: 'Robot' })}`, ['X-Own', '1'])
    expect(world.offers).toHaveLength(1)
    const { headers, user } = world.offers[0]!
    expect(user).toEqual({
      subject: 'robot',
      issuer: issuer.url,
      name: 'Robot',
      groups: ['robots'],
    })
    expect(headerValues(headers, 'x-user')).toEqual(['robot'])
    expect(headerValues(headers, 'x-own')).toEqual(['1'])
    expect(headerValues(headers, 'authorization')).toEqual([])
  })

  test('is shown to an application that wants it', async () => {
    await start({ bearer: { ...BEARER, forward: true } })
    const token = await sign()
    await ask(`bearer  ${token}`)
    expect(headerValues(world.offers[0]!.headers, 'authorization')).toEqual([`bearer  ${token}`])
  })

  test('is verified once, and from then on costs neither promise nor key', async () => {
    const token = await sign()
    await ask(`Bearer ${token}`)
    issuer.misbehaviour = { keys: () => status(500), metadata: () => status(500) }
    world.clock.wall += 60_000
    world.ask({ authority: HOST, headers: ['Authorization', `Bearer ${token}`] })
    expect(world.offers).toHaveLength(2)
    expect(world.audit.events.map(({ type }) => type)).toEqual(['bearer.accepted'])
    expect(world.audit.events[0]).toMatchObject({ subject: 'robot', detail: { client: 'cli' } })
  })

  test('ends, also where it is remembered', async () => {
    const token = await sign()
    await ask(`Bearer ${token}`)
    world.clock.wall += 361_000
    const user = await ask(`Bearer ${token}`)
    expect([user.status, user.code]).toEqual([401, 'token-expired'])
  })

  test('that ended as long ago as clocks may differ is good every time, and what it opened goes on', async () => {
    const token = await sign({ exp: now() - 30 })
    for (let i = 0; i < 3; i++) await ask(`Bearer ${token}`)
    expect(world.offers).toHaveLength(3)
    await wait(600)
    expect(world.origin.open).toBe(3)
  })

  test('is over when its user is revoked, also where it is remembered', async () => {
    const token = await sign()
    await ask(`Bearer ${token}`)
    await world.sessions.revoke({
      ...{ kind: 'user', issuer: issuer.url, subject: 'robot', at: world.clock.wall },
    })
    const user = await ask(`Bearer ${token}`)
    expect([user.status, user.code]).toEqual([401, 'token-revoked'])
  })

  test('decides where a session comes with it, and no cookie is sent on', async () => {
    await ask(`Bearer ${await sign()}`, ['Cookie', `${world.cookie}; own=1`])
    expect(world.offers[0]!.user).toMatchObject({ subject: 'robot' })
    expect(headerValues(world.offers[0]!.headers, 'cookie')).toEqual(['own=1'])
  })

  test('needs no Origin to open a WebSocket', async () => {
    const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Origin', 'https://x.example']
    await ask(`Bearer ${await sign()}`, upgrade, { upgrade: 'websocket' })
    expect(world.offers[0]).toMatchObject({ upgrade: 'websocket' })
  })

  test.each<[string, Json]>([
    ['claims that are null', { nbf: null, cnf: null, nonce: null, at_hash: null, jti: null }],
    ['scopes as a list', { scope: undefined, scp: ['list', 'read'] }],
    ['scopes by another name', { scope: undefined, scp: 'read list' }],
    ['another of its audiences', { aud: ['https://other.example', 'https://api.example'] }],
    ['a clock that is half a minute ahead', { iat: Math.floor(Date.now() / 1000) + 30 }],
  ])('may have %s', async (_, claims) => {
    await ask(`Bearer ${await sign(claims)}`)
    expect(world.offers).toHaveLength(1)
  })
})

describe('what a token must be for', () => {
  const isTaken = async (aud: string) => {
    const before = world.offers.length
    const user = await ask(`Bearer ${await sign({ aud })}`)
    if (world.offers.length > before) return true
    expect([user.status, user.code]).toEqual([401, 'token-audience'])
    return false
  }

  test('is what the metadata says, or the client', async () => {
    await start({ bearer: {} })
    expect(await isTaken(`https://${HOST}/`)).toBe(true)
    expect(await isTaken('secure')).toBe(true)
    for (const aud of [`https://${HOST}`, `https://${HOST}/mcp`, `http://${HOST}/`, 'other'])
      expect(await isTaken(aud)).toBe(false)
  })

  test('is the resource that it has', async () => {
    await start({ bearer: { resource: `https://${HOST}/mcp` } })
    expect(await isTaken(`https://${HOST}/mcp`)).toBe(true)
    for (const aud of [`https://${HOST}/`, `https://${HOST}/mcp/`, `https://${HOST}/mcp/x`])
      expect(await isTaken(aud)).toBe(false)
  })

  test('is one of the audiences alone, where they are said', async () => {
    expect(await isTaken('https://api.example')).toBe(true)
    expect(await isTaken(`https://${HOST}/`)).toBe(false)
  })
})

describe('a token that is refused', () => {
  test.each<[string, string, () => Promise<string> | string]>([
    [
      'T19 is not signed',
      'token-algorithm',
      () => `${part({ alg: 'none', typ: 'at+jwt' })}.${part(CLAIMS)}.`,
    ],
    [
      'T19 is signed by somebody else',
      'token-signature',
      async () => (await sign()).replace(/[^.]{20}$/, 'A'.repeat(20)),
    ],
    ['T20 names an unknown key', 'token-key', () => sign({}, { kid: 'other' })],
    ['T19 brings its key', 'token-header', () => sign({}, { jwk: {} })],
    ['T19 says where its key is', 'token-header', () => sign({}, { jku: issuer.url })],
    ['T18 is an ID token', 'token-header', () => sign({ nonce: 'n' }, { typ: 'JWT' })],
    ['T18 is a logout token', 'token-header', () => sign({}, { typ: 'logout+jwt' })],
    ['T18 is of another issuer', 'token-issuer', () => sign({ iss: 'https://other.example' })],
    ['T18 is for another application', 'token-audience', () => sign({ aud: 'open' })],
    ['T18 is for nobody', 'token-claims', () => sign({ aud: undefined })],
    ['T18 is for another tenant', 'token-tenant', () => sign({ tid: 'fabrikam' })],
    ['T18 has expired', 'token-expired', () => sign({ exp: now() - 61 })],
    ['T18 has no end', 'token-claims', () => sign({ exp: undefined })],
    ['T18 is not valid yet', 'token-not-yet-valid', () => sign({ nbf: now() + 100 })],
    ['T18 comes from the future', 'token-not-yet-valid', () => sign({ iat: now() + 100 })],
    ['T18 names nobody', 'token-claims', () => sign({ sub: undefined })],
    [
      'T18 is bound to a key that nobody has proved to hold',
      'token-claims',
      () => sign({ cnf: { jkt: 'x' } }),
    ],
    ['T21 is too long', 'token-too-large', () => sign({ padding: 'x'.repeat(9_000) })],
    ['T21 is encrypted', 'token-encrypted', () => 'e30.e30.e30.e30.e30'],
    ['T21 is none', 'token-malformed', () => 'opaque'],
    ['T21 is made of dots', 'token-malformed', () => '.'.repeat(5_000)],
  ])('%s: %s', async (_, reason, make) => {
    const token = await make()
    const user = await ask(`Bearer ${token}`, [
      ...NAVIGATION,
      'Cookie',
      world.cookie,
      'Accept',
      'application/json',
    ])
    expectRefusal(user, 401, reason)
    expect(challengeOf(user)).toMatch(
      new RegExp(
        `^Bearer realm="${HOST}", error="invalid_token", error_description="${reason}: [^"]+", scope="read list", resource_metadata="${METADATA}"$`,
      ),
    )
    expect(world.audit.events).toMatchObject([
      { type: 'bearer.refused', outcome: 'refused', reason },
    ])
    const said = JSON.stringify([user.said, world.audit.events])
    for (const piece of token.split('.'))
      if (piece.length > 20) expect(said.includes(piece)).toBe(false)
  })

  test.each<[string, readonly string[]]>([
    ['is empty', ['Authorization', 'Bearer']],
    ['has a space in it', ['Authorization', 'Bearer a b']],
    ['has a comma behind it', ['Authorization', 'Bearer a.b.c, Basic x']],
    ['comes twice', ['Authorization', 'Bearer a.b.c', 'authorization', 'Bearer a.b.c']],
    ['comes beside another', ['Authorization', 'Basic x', 'Authorization', 'Bearer a.b.c']],
  ])('%s', async (_, fields) => {
    expectRefusal(await ask(undefined, [...fields, 'Cookie', world.cookie]), 401, 'token-malformed')
  })

  test('lacks a scope: which are needed is said', async () => {
    const user = await ask(`Bearer ${await sign({ scope: 'read' })}`)
    expectRefusal(user, 403, 'token-scope')
    expect(challengeOf(user)).toMatch(/error="insufficient_scope", .*, scope="read list"/)
  })

  test('lacks a role', async () => {
    await start({ bearer: { ...BEARER, roles: ['Reader', 'Writer'] } })
    expectRefusal(await ask(`Bearer ${await sign({ roles: ['reader'] })}`), 403, 'token-role')
    await ask(`Bearer ${await sign({ roles: ['Writer'] })}`)
    expect(world.offers).toHaveLength(1)
  })

  test('is of somebody who is not assigned', async () => {
    await start({ bearer: BEARER, assigned: { users: [], groups: ['staff'] } })
    expectRefusal(await ask(`Bearer ${await sign({ groups: ['robots'] })}`), 403, 'not-assigned')
    await ask(`Bearer ${await sign({ groups: ['staff'] })}`)
    expect(world.offers).toHaveLength(1)
  })

  test('T18 of an unmarked kind is accepted by option, but no ID token is', async () => {
    await start({ bearer: { ...BEARER, tokenType: 'any' } })
    const unmarked = { typ: undefined }
    expectRefusal(await ask(`Bearer ${await sign({ nonce: 'n' }, unmarked)}`), 401, 'token-header')
    expectRefusal(await ask(`Bearer ${await sign({}, { typ: 'logout+jwt' })}`), 401, 'token-header')
    await ask(`Bearer ${await sign({}, unmarked)}`)
    expect(world.offers).toHaveLength(1)
  })

  test('T20 a flood of unknown keys asks for the keys a few times', async () => {
    issuer.asked.clear()
    for (let i = 0; i < 20; i++) await ask(`Bearer ${await sign({}, { kid: `made-up-${i}` })}`)
    expect(issuer.asked.get('/keys')).toBe(1 + LOOK_UPS.anybody.burst)
    expect(world.offers).toEqual([])
  })

  test.each<[string, number, object]>([
    ['issuer-unavailable', 503, { keys: () => status(500) }],
    ['issuer-redirected', 502, { keys: () => redirect('http://127.0.0.1:1/') }],
    ['issuer-unavailable', 503, { metadata: () => status(500) }],
  ])('T20 cannot be judged: %s %i', async (reason, code, wrong) => {
    issuer.misbehaviour = wrong
    const user = await ask(`Bearer ${await sign()}`, ['Cookie', world.cookie])
    expectRefusal(user, code, reason)
    expect(challengeOf(user)).toBeUndefined()
  })
})

describe('conditional access', () => {
  const policies = [{ id: 'two-factors', effect: 'step-up', stepUp: { acrValues: ['two'] } }]
  beforeEach(() => start({ bearer: BEARER, policies }))

  test('that asks for more tells a program what to ask the issuer for, and sends it nowhere', async () => {
    const user = await ask(`Bearer ${await sign()}`, NAVIGATION)
    expectRefusal(user, 401, 'step-up-required')
    expect(challengeOf(user)).toMatch(
      /error="insufficient_user_authentication".*, acr_values="two"/,
    )
  })

  test('is met by a token that says how its user authenticated', async () => {
    await ask(`Bearer ${await sign({ acr: 'two', auth_time: now() - 60 })}`)
    expect(world.offers).toHaveLength(1)
  })

  test('may ask for any claim of the token', async () => {
    const when = { device: { managed: [true] } }
    await start({ bearer: BEARER, policies: [{ id: 'managed', effect: 'allow', when }] })
    expectRefusal(await ask(`Bearer ${await sign()}`), 403, 'no-policy-allows')
    await ask(`Bearer ${await sign({ managed: true })}`)
    expect(world.offers).toHaveLength(1)
  })

  test('that denies the user denies the token', async () => {
    const denied = [
      { id: 'no-robots', effect: 'deny', reason: 'No.', when: { who: { groups: ['robots'] } } },
    ]
    await start({ bearer: BEARER, policies: [...denied, { id: 'others', effect: 'allow' }] })
    expectRefusal(await ask(`Bearer ${await sign({ groups: ['robots'] })}`), 403, 'policy-denies')
    // Whose groups are not told may be one of them.
    expectRefusal(await ask(`Bearer ${await sign()}`), 403, 'policy-denies')
    await ask(`Bearer ${await sign({ groups: [] })}`)
    expect(world.offers).toHaveLength(1)
  })
})

describe('without a token', () => {
  test('a program learns where to ask for one', async () => {
    const user = await ask(undefined, ['Accept', 'application/json'])
    expectRefusal(user, 401, 'sign-in-required')
    expect(challengeOf(user)).toBe(
      `Bearer realm="${HOST}", scope="read list", resource_metadata="${METADATA}"`,
    )
  })

  test('another scheme is the application’s, and the session decides', async () => {
    await ask('Basic eDp5', ['Cookie', world.cookie])
    expect(world.offers[0]!.user).toMatchObject({ subject: 'alice' })
    expect(headerValues(world.offers[0]!.headers, 'authorization')).toEqual(['Basic eDp5'])
  })
})

test('an application that takes no tokens has its own, and the session decides', async () => {
  await start({})
  await ask(`Bearer ${await sign()}`, ['Cookie', world.cookie])
  expect(world.offers[0]!.user).toMatchObject({ subject: 'alice' })
  expect(headerValues(world.offers[0]!.headers, 'authorization')).toHaveLength(1)
  const user = await ask(`Bearer ${await sign()}`, ['Accept', 'application/json'])
  expect(challengeOf(user)).toBe(`Cookie realm="${HOST}"`)
})

test('whatever stands in Authorization, it lets nobody in and breaks nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary-ascii' }), async (text) => {
      const user = await ask(`Bearer ${text.replace(/[\0-\x1f\x7f]/g, '')}`)
      expect(user.status).toBe(401)
    }),
    { numRuns: 50 },
  )
  expect(world.offers).toEqual([])
})

describe('metadata for programs (RFC 9728)', () => {
  const get = (target: string, rest = {}) => world.ask({ authority: HOST, target, ...rest })
  const bodyOf = (user: MemoryUser) => JSON.parse(user.one('write')![0] as string) as object

  test('is public, may be kept, and may be read by any page', () => {
    const user = get('/.well-known/oauth-protected-resource')
    expect(user.status).toBe(200)
    expect(headerValue(user.headers, 'content-type')).toBe('application/json')
    expect(headerValue(user.headers, 'cache-control')).toBe('public, max-age=300')
    expect(headerValues(user.headers, 'access-control-allow-origin')).toEqual(['*'])
    expect(bodyOf(user)).toEqual({
      resource: `https://${HOST}/`,
      authorization_servers: [issuer.url],
      bearer_methods_supported: ['header'],
      scopes_supported: ['read', 'list'],
      resource_name: 'secure',
    })
    expect(get('/.well-known/oauth-protected-resource/').status).toBe(200)
  })

  test('may be asked for with any field of a program’s own', () => {
    const target = '/.well-known/oauth-protected-resource'
    const user = get(target, { method: 'OPTIONS' })
    expect(user.status).toBe(204)
    expect(headerValues(user.headers, 'access-control-allow-origin')).toEqual(['*'])
    expect(headerValues(user.headers, 'access-control-allow-headers')).toEqual(['*'])
  })

  test('is there for its resource, and not for what is none', async () => {
    await start({ bearer: { ...BEARER, resource: `https://${HOST}/mcp` } })
    // Some programs look at the host alone.
    for (const end of ['/mcp', '/mcp/', '', '/'])
      expect(bodyOf(get(`/.well-known/oauth-protected-resource${end}`))).toMatchObject({
        resource: `https://${HOST}/mcp`,
      })
    for (const end of ['/mcp/other', '/mc', '/mcp-2']) {
      const user = get(`/.well-known/oauth-protected-resource${end}`, {
        headers: ['Cookie', world.cookie],
      })
      expect([user.status, user.code]).toEqual([404, 'not-found'])
      expect(headerValues(user.headers, 'access-control-allow-origin')).toEqual(['*'])
    }
    expect(world.offers).toEqual([])
    get('/.well-known/oauth-protected-resources', { headers: ['Cookie', world.cookie] })
    expect(world.offers).toHaveLength(1)
    const user = await ask(undefined, [], { target: '/mcp', method: 'POST' })
    expect(challengeOf(user)).toContain(`resource_metadata="${METADATA}/mcp"`)
  })

  test('stands between host and path for an application under a path', async () => {
    const externalUrl = `https://${HOST}/apps/one/`
    await start({ bearer: BEARER, externalUrl })
    for (const end of ['', '/']) {
      const user = get(`/.well-known/oauth-protected-resource/apps/one${end}`)
      expect(bodyOf(user)).toMatchObject({ resource: externalUrl })
    }
    expect(get('/.well-known/oauth-protected-resource').status).toBe(404)
    const user = await ask(undefined, [], { target: '/apps/one/x', method: 'POST' })
    expect(challengeOf(user)).toContain(
      '"https://secure.example/.well-known/oauth-protected-resource/apps/one/"',
    )
  })

  test('is the application’s own affair where it takes no tokens', async () => {
    await start({})
    world.ask({
      ...{ authority: HOST, target: '/.well-known/oauth-protected-resource' },
      headers: ['Cookie', world.cookie],
    })
    expect(world.offers).toHaveLength(1)
  })
})

test.each<[string, object]>([
  ['bearer', { preAuthentication: 'passthrough', client: undefined, bearer: {} }],
  ['bearer.resource', { bearer: { resource: 'mcp' } }],
  ['bearer.resource', { bearer: { resource: 'https://b.example/' } }],
  ['bearer.resource', { bearer: { resource: 'https://a.example:8443/' } }],
  ['bearer.resource', { bearer: { resource: 'http://a.example/' } }],
  ['bearer.resource', { bearer: { resource: 'https://a.example/mcp?x' } }],
  ['bearer.resource', { bearer: { resource: 'https://a.example/%6dcp' } }],
  ['bearer.resource', { bearer: { resource: 'https://a.example/.app-proxy/x' } }],
  [
    'bearer.resource',
    { externalUrl: 'https://a.example/one/', bearer: { resource: 'https://a.example/on' } },
  ],
  ['bearer.resource', { bearer: { resource: 'https://a.example/other/mcp' } }],
  ['bearer.audiences', { bearer: { tokenType: 'any' } }],
  ['bearer.audiences', { bearer: { audiences: [] } }],
  ['bearer.scopes[0]', { bearer: { scopes: ['a b'] } }],
  ['bearer.scopes[0]', { bearer: { scopes: ['a"b'] } }],
  ['bearer.maxTokenBytes', { bearer: { maxTokenBytes: 1e6 } }],
])('a configuration is refused at %s: %j', (where, change) => {
  const make = () =>
    createDirectory({
      tenants: [{ id: 't', issuer: 'https://i.example', registrars: { audience: 'x' } }],
      groups: [{ id: 'g', tenantId: 't' }],
      applications: [
        {
          ...{ id: 'a', groupId: 'g', preAuthentication: 'oidc', client: { id: 'a' } },
          ...{ externalUrl: 'https://a.example/', internalUrl: 'http://10.0.0.1/' },
          ...change,
        },
        {
          ...{ id: 'other', groupId: 'g', preAuthentication: 'passthrough' },
          ...{ externalUrl: 'https://a.example/other/', internalUrl: 'http://10.0.0.2/' },
        },
      ],
    })
  expect(make).toThrow(ConfigurationInvalid)
  expect(make).toThrow(`applications[0].${where}`)
})
