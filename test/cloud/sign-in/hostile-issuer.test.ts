import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SIGN_IN_DENIALS } from '../../../src/protocol/machines/sign-in-denials.ts'
import { LOOK_UPS } from '../../../src/cloud/issuer/key-set.ts'
import { ANSWER_ROWS, HTTPS_ROWS } from '../../hostile-issuer/answer-rows.ts'
import { HostileIssuer, status, type Misbehaviour } from '../../hostile-issuer/issuer.ts'
import { TOKEN_ROWS, type Row } from '../../hostile-issuer/token-rows.ts'
import { cookieOf, HOST, preAuthenticationAt, type Bench } from '../sts-process.ts'

let issuer: HostileIssuer

beforeAll(async () => {
  issuer = await HostileIssuer.start()
})
afterAll(() => issuer.close())
beforeEach(() => {
  issuer.misbehaviour = {}
  issuer.publicUrl = undefined
  issuer.keys.splice(1)
})

type Options = Parameters<typeof preAuthenticationAt>[1]
/** Everything is asked for anew. */
const bench = (options: Options = {}) =>
  preAuthenticationAt(issuer.publicUrl ?? issuer.url, {
    clientId: issuer.clientId,
    secret: issuer.clientSecret,
    stepMs: 10_000,
    ...options,
  })

/** One whole sign-in: to the issuer, back, and through the callback. */
async function signIn({
  preAuthentication,
  intranet,
}: Bench): ReturnType<Bench['preAuthentication']['callback']> {
  const begun = await preAuthentication.begin(intranet, HOST, '/')
  if (begun.kind === 'denied') return begun
  const cookie = cookieOf(begun.setCookies)
  issuer.secrets.add(cookie.slice(cookie.indexOf('=') + 1))
  const authorize = begun.location.replace(issuer.publicUrl ?? issuer.url, issuer.url)
  const { headers } = await fetch(authorize, { redirect: 'manual' })
  const query = new URL(headers.get('location')!).search.slice(1)
  return preAuthentication.callback(intranet, HOST, query, [cookie])
}

/** Refused for the reason, without a session, and told to the record without a secret. */
async function expectRefusal(world: Bench, { reason, wrong }: Row): Promise<void> {
  issuer.misbehaviour = wrong
  const result = await signIn(world)
  expect(result).toMatchObject({ kind: 'denied', reason })
  for (const cookie of result.setCookies) expect(cookie).toMatch(/^[^=]*attempt[^=]*=;.*Max-Age=0/)
  const ends = world.audit.filter(({ type }) => type !== 'sign-in.begun')
  expect(ends).toHaveLength(1)
  expect(ends[0]).toMatchObject({
    type: 'sign-in.denied',
    reason,
    applicationId: 'intranet',
  })
  expect(ends[0]!.detail).toMatchObject({
    source: SIGN_IN_DENIALS[reason as keyof typeof SIGN_IN_DENIALS].source,
  })
  const record = JSON.stringify([world.audit, { ...result, setCookies: [] }])
  for (const secret of [...issuer.secrets, issuer.clientSecret])
    expect(record.includes(secret), 'the record holds a secret').toBe(false)
}

test('an issuer that does nothing wrong is believed', async () => {
  const world = await bench()
  expect(await signIn(world)).toMatchObject({
    kind: 'signed-in',
    session: { user: { subject: 'u1' } },
  })
  expect(world.audit).toMatchObject([{ type: 'sign-in.begun' }, { type: 'sign-in.signed-in' }])
})

test.each<[string, Misbehaviour]>([
  [
    'several audiences and the application as the authorised party',
    {
      idToken: ({ sign, claims }) =>
        sign({ ...claims, aud: ['intranet', 'wiki'], azp: 'intranet' }),
    },
  ],
  [
    'no key id while there is one key only',
    { idToken: ({ sign, claims }) => sign(claims, { kid: undefined }) },
  ],
  ['a media type of its own', { idToken: ({ sign, claims }) => sign(claims, { typ: 'JWT' }) }],
  [
    'true hashes of access token and code',
    {
      idToken: async ({ sign, claims, accessToken, code }) =>
        sign({ ...claims, at_hash: await half(accessToken), c_hash: await half(code) }),
    },
  ],
  [
    'members that are null beside it, in metadata, keys and answer',
    {
      metadata: (good) => ({
        ...{ ...good, token_endpoint_auth_methods_supported: null, end_session_endpoint: null },
        ...{ revocation_endpoint: null },
        ...{ authorization_response_iss_parameter_supported: null, userinfo_endpoint: null },
        id_token_signing_alg_values_supported: ['ES256', null],
      }),
      keys: ({ keys }) =>
        ({ keys: [null as never, ...keys.map((key) => ({ ...key, x5c: null }))] }) as never,
      token: (good) => ({
        ...{ ...good, refresh_token: null, scope: null, expires_in: null, id_token_hint: null },
      }),
    },
  ],
  [
    'claims that are null',
    {
      idToken: ({ sign, claims }) =>
        sign({
          ...{ ...claims, nbf: null, azp: null, auth_time: null, at_hash: null, c_hash: null },
          ...{ acr: null, amr: null, sid: null, email: null, tid: null, jti: null },
        }),
    },
  ],
  [
    'a clock that is half a minute ahead',
    {
      idToken: ({ sign, claims, seconds }) =>
        sign({ ...claims, iat: seconds + 30, nbf: seconds + 30, exp: seconds + 90 }),
    },
  ],
  [
    'a member name inside a value',
    { idToken: ({ sign, claims }) => sign({ ...claims, name: '{"sub": "sub":', x: [{ sub: 1 }] }) },
  ],
])('a token with %s is accepted', async (_, fine) => {
  issuer.misbehaviour = fine
  expect(await signIn(await bench())).toMatchObject({ kind: 'signed-in' })
})

const half = async (whole: string) => {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(whole))
  return Buffer.from(digest).subarray(0, 16).toString('base64url')
}

describe('refused, for its own reason:', () => {
  const rows = [...TOKEN_ROWS, ...ANSWER_ROWS]

  test.each(rows.map((row) => [row.title, row] as const))('%s', async (_, row) =>
    // Only where nothing comes, time is to run out.
    expectRefusal(await bench(row.reason === 'issuer-timeout' ? { stepMs: 250 } : {}), row),
  )

  test.each(HTTPS_ROWS.map((row) => [row.title, row] as const))('%s', async (_, row) => {
    issuer.publicUrl = 'https://issuer.example'
    const fetchIt = (url: string, init: RequestInit) =>
      fetch(url.replace('https://issuer.example', issuer.url), init)
    await expectRefusal(await bench({ fetch: fetchIt }), row)
  })

  test('no title comes twice', () =>
    expect(new Set(rows.map(({ title }) => title)).size).toBe(rows.length))
})

test('T18 a token that names no tenant is refused where two tenants share the issuer', async () => {
  const { options } = await bench()
  const tenant = options.directory.tenant('contoso')!
  const world = await bench({
    directory: {
      tenant: () => tenant,
      tenants: () => [tenant, { ...tenant, id: 'fabrikam' }],
      applicationsOn: () => [],
    },
  })
  await expectRefusal(world, {
    title: '',
    reason: 'token-tenant',
    wrong: { idToken: ({ sign, claims }) => sign({ ...claims, tid: undefined }) },
  })
})

describe('keys that change', () => {
  const asked = () => issuer.asked.get('/keys') ?? 0
  const unknownKey: Misbehaviour = {
    idToken: ({ sign, claims }) => sign(claims, { kid: crypto.randomUUID() }),
  }

  test('T20 keys that rotated are found by one look-up, twice within a moment', async () => {
    const world = await bench()
    await signIn(world)
    for (let i = 0; i < 2; i++) {
      await issuer.rotate()
      const before = asked()
      expect(await signIn(world)).toMatchObject({ kind: 'signed-in' })
      expect(asked() - before).toBe(1)
    }
  })

  test('T20 a flood of unknown keys causes a few look-ups, and then one now and then', async () => {
    let now = 0
    const clocks = { now: () => now, wallClock: () => Date.now() }
    const world = await bench({ clocks })
    await signIn(world)
    const before = asked()
    issuer.misbehaviour = unknownKey
    for (let i = 0; i < 20; i++) expect(await signIn(world)).toMatchObject({ reason: 'token-key' })
    const { burst, refillMs } = LOOK_UPS.issuer
    expect(asked() - before).toBe(burst)
    now += refillMs
    for (let i = 0; i < 5; i++) expect(await signIn(world)).toMatchObject({ reason: 'token-key' })
    expect(asked() - before).toBe(burst + 1)
  })

  test('T20 while the keys cannot be had, a flood causes one look-up, and nobody gets in', async () => {
    const world = await bench()
    issuer.misbehaviour = { ...unknownKey, keys: () => status(503) }
    const before = asked()
    for (let i = 0; i < 10; i++)
      expect(await signIn(world)).toMatchObject({ kind: 'denied', reason: 'issuer-unavailable' })
    expect(asked() - before).toBe(1)
  })

  test('T20 while the metadata cannot be had, a flood asks for them now and then', async () => {
    const world = await bench()
    issuer.misbehaviour = { metadata: () => status(503) }
    const path = '/.well-known/openid-configuration'
    const before = issuer.asked.get(path) ?? 0
    for (let i = 0; i < 20; i++)
      expect(await signIn(world)).toMatchObject({ kind: 'denied', reason: 'issuer-unavailable' })
    expect(issuer.asked.get(path)! - before).toBeLessThan(20)
    issuer.misbehaviour = {}
    world.turnClock(500)
    expect(await signIn(world)).toMatchObject({ kind: 'signed-in' })
  })

  test('T20 keys that can be had again are asked for again', async () => {
    const world = await bench()
    issuer.misbehaviour = { keys: () => status(503) }
    expect(await signIn(world)).toMatchObject({ reason: 'issuer-unavailable' })
    issuer.misbehaviour = {}
    world.turnClock(2_000)
    expect(await signIn(world)).toMatchObject({ kind: 'signed-in' })
  })
})
