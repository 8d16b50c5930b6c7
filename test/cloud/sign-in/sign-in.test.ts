import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_ATTEMPTS_KEPT } from '../../../src/cloud/directory/attempt-slots.ts'
import { applicationHint } from '../../../src/cloud/sign-in/attempts.ts'
import { PreAuthentication } from '../../../src/cloud/sign-in/sign-in.ts'
import type { SignedIn, SignInRedirect } from '../../../src/cloud/sign-in/sign-in-outcome.ts'
import { registrarToken } from '../../../examples/registrar-token.ts'
import {
  ALICE,
  AUDIENCE,
  BOB,
  closedPort,
  cookieOf,
  HOST,
  OTHER_HOST,
  preAuthenticationAt,
  REGISTRAR,
  startSts,
  throughTheForms,
  type Bench,
  type StsProcess,
} from '../sts-process.ts'

let sts: StsProcess
beforeAll(async () => {
  sts = await startSts()
})
afterAll(() => sts.stop())

const denied = (source: string, reason: string) =>
  expect.objectContaining({ kind: 'denied', source, reason })

describe('at the real issuer', () => {
  test('an assigned user signs in and lands on the deep link', async () => {
    const bench = await preAuthenticationAt(sts.issuer)
    const { query, cookie } = await throughTheForms(bench, ALICE, '/reports/7?sort=a&b=%2F')
    const result = (await bench.preAuthentication.callback(bench.intranet, HOST, query, [
      cookie,
    ])) as SignedIn
    expect(result.kind).toBe('signed-in')
    expect(result.location).toBe(`http://${HOST}/reports/7?sort=a&b=%2F`)
    expect(result.session.user).toEqual({
      subject: 'user-alice',
      issuer: sts.issuer,
      name: 'Alice Liddell',
      email: 'alice@contoso.example',
      groups: ['staff'],
      roles: ['Application Administrator'],
    })
    const session = await bench.sessions.read(
      bench.intranet,
      HOST,
      [cookieOf(result.setCookies)],
      bench.clocks.wallClock(),
    )
    expect(session).toEqual(result.session)
    expect(bench.audit).toMatchObject([
      { type: 'sign-in.begun', outcome: 'success' },
      { type: 'sign-in.signed-in', outcome: 'success', subject: 'user-alice', tenantId: 'contoso' },
    ])
  })

  test('a user who is not assigned is denied by the sign-in', async () => {
    const bench = await preAuthenticationAt(sts.issuer)
    const { query, cookie } = await throughTheForms(bench, BOB)
    const result = await bench.preAuthentication.callback(bench.intranet, HOST, query, [cookie])
    expect(result).toEqual(denied('sign-in', 'not-assigned'))
    expect(result).toMatchObject({ status: 403 })
    expect(cookieOf(result.setCookies)).toBe('')
    expect(bench.audit).toMatchObject([
      { type: 'sign-in.begun', outcome: 'success' },
      { type: 'sign-in.denied', outcome: 'refused', reason: 'not-assigned', subject: 'user-bob' },
    ])
  })

  test('a callback is taken once, by this instance and at the issuer', async () => {
    const bench = await preAuthenticationAt(sts.issuer)
    const { query, cookie } = await throughTheForms(bench, ALICE)
    const again = () =>
      bench.preAuthentication.callback(bench.intranet, HOST, query, [cookie], 'again')
    expect((await again()).kind).toBe('signed-in')
    expect(await again()).toEqual(denied('sign-in', 'attempt-used'))
    const otherInstance = new PreAuthentication(bench.options)
    expect(await otherInstance.callback(bench.intranet, HOST, query, [cookie])).toEqual(
      denied('issuer', 'code-refused'),
    )
  })

  test('any instance with the same keys takes the callback', async () => {
    const bench = await preAuthenticationAt(sts.issuer)
    const { query, cookie } = await throughTheForms(bench, ALICE)
    const other = new PreAuthentication(bench.options)
    expect((await other.callback(bench.intranet, HOST, query, [cookie])).kind).toBe('signed-in')
  })

  test('T17 two tabs do not clobber each other', async () => {
    const bench = await preAuthenticationAt(sts.issuer)
    const one = await throughTheForms(bench, ALICE, '/one')
    const two = await throughTheForms(bench, ALICE, '/two', bench.intranet, [one.cookie])
    const jar = [`${one.cookie}; ${two.cookie}`]
    const take = (query: string) =>
      bench.preAuthentication.callback(bench.intranet, HOST, query, jar)
    expect(await take(one.query)).toMatchObject({ location: `http://${HOST}/one` })
    expect(await take(two.query)).toMatchObject({ location: `http://${HOST}/two` })
  })

  test('the secret of another client is our own mistake, told as such', async () => {
    const bench = await preAuthenticationAt(sts.issuer, { secret: 'wrong' })
    const { query, cookie } = await throughTheForms(bench, ALICE)
    expect(await bench.preAuthentication.callback(bench.intranet, HOST, query, [cookie])).toEqual(
      denied('cloud', 'client-refused'),
    )
  })

  test('cancelling at the issuer is told as its refusal', async () => {
    const bench = await preAuthenticationAt(sts.issuer)
    const { query, cookie } = await throughTheForms(bench, ALICE)
    const changed = new URLSearchParams(query)
    changed.delete('code')
    changed.set('error', 'access_denied')
    expect(
      await bench.preAuthentication.callback(bench.intranet, HOST, `${changed}`, [cookie]),
    ).toEqual(denied('issuer', 'access-denied'))
  })

  test('a registrar obtains a token for the registration service; a wrong password does not', async () => {
    const options = { issuer: sts.issuer, audience: AUDIENCE, ...REGISTRAR }
    const token = await registrarToken({ ...options, ...ALICE })
    const [header, claims] = token
      .split('.', 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
    expect(header).toMatchObject({ typ: 'at+jwt', alg: 'RS256' })
    expect(claims).toMatchObject({
      iss: sts.issuer,
      aud: AUDIENCE,
      tid: 'contoso',
      roles: ['Application Administrator'],
      jti: expect.any(String),
    })
    await expect(registrarToken({ ...options, ...ALICE, password: 'no' })).rejects.toThrow(/401/)
    await expect(registrarToken({ ...options, username: 'x', password: 'no' })).rejects.toThrow(
      /401/,
    )
  })
})

test('steps at an issuer that each take their time have an end together: a page within half a minute', async () => {
  let now = 0
  const bench = await preAuthenticationAt(sts.issuer, {
    clocks: { now: () => now, wallClock: () => Date.now() },
    fetch: (url, init) => {
      // Slow, and then silent for ever.
      if (url.endsWith('/jwks')) return new Promise(() => undefined)
      if (init.method === 'POST') now += 25_000
      return fetch(url, init)
    },
  })
  const { query, cookie } = await throughTheForms(bench, ALICE)
  expect(await bench.preAuthentication.callback(bench.intranet, HOST, query, [cookie])).toEqual(
    denied('issuer', 'issuer-timeout'),
  )
})

describe('T17 a callback that is not the answer to our question', () => {
  let bench: Bench
  let query: string
  let cookie: string
  beforeAll(async () => {
    bench = await preAuthenticationAt(sts.issuer)
    ;({ query, cookie } = await throughTheForms(bench, ALICE))
  })
  const callback = (q: string, cookies: string[], application = bench.intranet, host = HOST) =>
    bench.preAuthentication.callback(application, host, q, cookies)
  const tamper = (text: string, at: number) =>
    text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)

  test.each([
    ['without a state', () => 'code=abc', 'callback-malformed'],
    ['with the state twice', () => `${query}&state=x`, 'callback-malformed'],
    ['with the code twice', () => `${query}&code=x`, 'callback-malformed'],
    ['with the issuer twice', () => `${query}&iss=x`, 'callback-malformed'],
    ['with a token in the query', () => `${query}&id_token=x`, 'callback-malformed'],
    ['longer than anybody needs', () => `${query}&x=${'y'.repeat(9000)}`, 'callback-malformed'],
    [
      'of an attempt this browser never began',
      () => 'state=0abcdefXXXXXXXX.y.z&code=1',
      'attempt-missing',
    ],
  ])('%s', async (_, makeQuery, reason) => {
    expect(await callback(makeQuery(), [cookie])).toEqual(denied('sign-in', reason))
  })

  test('without its cookie, with a tampered one, or with two of them', async () => {
    const missing = denied('sign-in', 'attempt-missing')
    expect(await callback(query, [])).toEqual(missing)
    for (const at of [cookie.indexOf('=') + 5, cookie.length - 30, cookie.length - 5])
      expect(await callback(query, [tamper(cookie, at)])).toEqual(missing)
    expect(await callback(query, [`${cookie}; ${cookie}`])).toEqual(missing)
  })

  test('with the cookie of another application or host', async () => {
    const missing = denied('sign-in', 'attempt-missing')
    expect(await callback(query, [cookie], bench.wiki, OTHER_HOST)).toEqual(missing)
    expect(await callback(query, [cookie], bench.wiki, HOST)).toEqual(missing)
    expect(await callback(query, [cookie], bench.intranet, OTHER_HOST)).toEqual(missing)
  })

  test.each([
    ['whose state was changed after its name', 'state', 'state-mismatch', 'sign-in'],
    ['that names another issuer', 'iss', 'issuer-mismatch', 'issuer'],
    ['with an empty code', 'code', 'callback-malformed', 'sign-in'],
    ['with a code the issuer never gave', 'code!', 'code-refused', 'issuer'],
  ])('%s', async (_, parameter, reason, source) => {
    const fresh = await throughTheForms(bench, ALICE)
    const changed = new URLSearchParams(fresh.query)
    const id = changed.get('state')!.split('.')[0]
    if (parameter === 'state') changed.set('state', `${id}.forged.x`)
    if (parameter === 'iss') changed.set('iss', 'https://evil.example')
    if (parameter === 'code') changed.set('code', '')
    if (parameter === 'code!') changed.set('code', 'stolen')
    expect(await callback(`${changed}`, [fresh.cookie])).toEqual(denied(source, reason))
  })

  test('without the name of the issuer, although it announced to give it', async () => {
    const fresh = await throughTheForms(bench, ALICE)
    const changed = new URLSearchParams(fresh.query)
    changed.delete('iss')
    expect(await callback(`${changed}`, [fresh.cookie])).toEqual(
      denied('issuer', 'issuer-mismatch'),
    )
  })

  test('after ten minutes', async () => {
    const late = await preAuthenticationAt(sts.issuer)
    const fresh = await throughTheForms(late, ALICE)
    late.turnClock(10 * 60_000)
    expect(
      await late.preAuthentication.callback(late.intranet, HOST, fresh.query, [fresh.cookie]),
    ).toEqual(denied('sign-in', 'attempt-expired'))
  })

  test('is audited without a code, a cookie or a state', () => {
    const text = JSON.stringify(bench.audit)
    const { code, state } = Object.fromEntries(new URLSearchParams(query)) as Record<string, string>
    for (const secret of [code!, state!, cookie.split('=')[1]!]) expect(text).not.toContain(secret)
  })
})

describe('the redirect to the issuer', () => {
  const begin = async (bench: Bench, target: string, cookies: string[] = []) =>
    (await bench.preAuthentication.begin(bench.intranet, HOST, target, cookies)) as SignInRedirect

  test('asks for a code with PKCE, state and nonce, and keeps the promise in one sealed cookie', async () => {
    const bench = await preAuthenticationAt(sts.issuer)
    const { location, setCookies } = await begin(bench, '/')
    const url = new URL(location)
    expect(url.origin).toBe(sts.issuer)
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: 'code',
      client_id: 'intranet',
      redirect_uri: `http://${HOST}/.app-proxy/sign-in/callback`,
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w.-]{40,}$/),
      nonce: expect.stringMatching(/^[\w-]{22}$/),
    })
    expect(applicationHint(url.search)).toBe('intranet')
    expect(setCookies).toHaveLength(1)
    expect(setCookies[0]).toMatch(
      /^app-proxy-attempt-[0-4]=[\w.-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/,
    )
  })

  test('takes the place of the oldest attempt above five', async () => {
    const bench = await preAuthenticationAt(sts.issuer)
    const jar = new Map<string, string>()
    const values: string[] = []
    for (let i = 0; i < MAX_ATTEMPTS_KEPT + 3; i++) {
      const cookies = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
      const { setCookies } = await begin(bench, '/', [cookies])
      const [name, value] = cookieOf(setCookies).split('=') as [string, string]
      jar.set(name, value)
      values.push(value)
      bench.turnClock(1000)
    }
    expect([...jar.values()].sort()).toEqual(values.slice(-MAX_ATTEMPTS_KEPT).sort())
  })

  test('of an issuer that is down is a denial that names the issuer', async () => {
    const bench = await preAuthenticationAt(await closedPort())
    expect(await bench.preAuthentication.begin(bench.intranet, HOST, '/')).toMatchObject({
      kind: 'denied',
      source: 'issuer',
      reason: 'issuer-unavailable',
      status: 503,
    })
    expect(bench.audit).toMatchObject([
      {
        outcome: 'failed',
        reason: 'issuer-unavailable',
        detail: { source: 'issuer', evidence: 'ECONNREFUSED' },
      },
    ])
  })

  test('asks for the metadata once for all who come at the same time', async () => {
    let asked = 0
    const bench = await preAuthenticationAt(sts.issuer, {
      fetch: (url, init) => {
        asked += 1
        return fetch(url, init)
      },
    })
    await Promise.all([begin(bench, '/'), begin(bench, '/'), begin(bench, '/')])
    await begin(bench, '/')
    expect(asked).toBe(1)
    bench.turnClock(600_000)
    await begin(bench, '/')
    expect(asked).toBe(2)
  })

  test('a silent issuer is given up', async () => {
    const bench = await preAuthenticationAt(sts.issuer, {
      stepMs: 50,
      fetch: (_, { signal }) =>
        new Promise((_resolve, reject) =>
          signal!.addEventListener('abort', () => reject(signal!.reason as Error)),
        ),
    })
    expect(await bench.preAuthentication.begin(bench.intranet, HOST, '/')).toEqual(
      denied('issuer', 'issuer-timeout'),
    )
  })

  test('an issuer that redirects, or answers without end, is not followed', async () => {
    const redirecting = await preAuthenticationAt(sts.issuer, {
      fetch: async () => Response.redirect('http://127.0.0.1:1/', 302),
    })
    expect(await redirecting.preAuthentication.begin(redirecting.intranet, HOST, '/')).toEqual(
      denied('issuer', 'issuer-redirected'),
    )
    const endless = await preAuthenticationAt(sts.issuer, {
      fetch: async () =>
        new Response(
          new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(64 * 1024).fill(32)) }),
          { headers: { 'content-type': 'application/json' } },
        ),
    })
    expect(await endless.preAuthentication.begin(endless.intranet, HOST, '/')).toEqual(
      denied('issuer', 'issuer-too-large'),
    )
  })
})
