/** What an application may believe of an assertion, row by row. */
import { beforeAll, describe, expect, test } from 'vitest'
import {
  AssertionRefused,
  assertionGuard,
  verifyAssertion,
  type AssertionRefusal,
  type GuardedRequest,
  type VerifyAssertionOptions,
} from 'app-proxy/assertion'
import { AppProxyError } from 'app-proxy/protocol'
import { AUDIENCE, createMaker, FORGERIES, ISSUER, type Maker } from './assertions.ts'

const NOW = Date.UTC(2026, 10, 30, 12)
let maker: Maker
let options: VerifyAssertionOptions

beforeAll(async () => {
  maker = await createMaker(() => NOW)
  const request = { method: 'GET', url: 'https://wiki.example/page?week=7' }
  options = { audience: AUDIENCE, issuer: ISSUER, keys: maker.keys, now: () => NOW, request }
})

const refusal = (token: string | undefined, changes: Partial<VerifyAssertionOptions> = {}) =>
  verifyAssertion(token, { ...options, ...changes }).then(
    () => 'accepted' as const,
    (error: AssertionRefused) => {
      expect(error).toBeInstanceOf(AppProxyError)
      expect(error.code).toBe('ERR_ASSERTION_REFUSED')
      return error.reason
    },
  )

test('a good one says who the user is', async () => {
  const claims = await verifyAssertion(await maker.make({ groups: ['a,b', 'c'] }), options)
  expect(claims).toMatchObject({ sub: 'alice', sub_iss: 'https://sts.example', tid: 'contoso' })
  expect(claims.groups).toEqual(['a,b', 'c'])
})

test.each(FORGERIES)('$name is refused as $reason', async ({ token, reason }) => {
  expect(await refusal(await token(maker, NOW))).toBe(reason)
})

test('no message of a refusal quotes what was shown', async () => {
  for (const { token } of FORGERIES) {
    const shown = await token(maker, NOW)
    const error = await verifyAssertion(shown, options).catch((error: unknown) => error)
    const parts = shown?.split('.').filter((part) => part.length > 8) ?? []
    for (const part of parts) expect(String((error as Error).stack)).not.toContain(part)
  }
})

describe('what is nearly one', () => {
  test.each<[string, () => Promise<string> | string, AssertionRefusal]>([
    ['with a space behind', async () => `${await maker.make()} `, 'malformed'],
    ['twice in one field', async () => `${await maker.make()}, ${await maker.make()}`, 'malformed'],
    ['with bits that decoding drops', async () => lastBit(await maker.make()), 'malformed'],
    ['of too many characters', () => maker.make({ name: 'x'.repeat(20_000) }), 'malformed'],
    ['with an extension that must be known', () => maker.make({}, criticalHeader), 'malformed'],
    ['without a kind', () => maker.make({}, { typ: undefined }), 'type'],
    ['of the usual kind', () => maker.make({}, { typ: 'at+jwt' }), 'type'],
    ['without the name of a key', () => maker.make({}, { kid: undefined }), 'key-unknown'],
    ['of a key named as no key', () => maker.make({}, { kid: '__proto__' }), 'key-unknown'],
    ['for two applications', () => maker.make({ aud: [AUDIENCE, 'https://b/'] }), 'malformed'],
    ['for one in a list', () => maker.make({ aud: [AUDIENCE] }), 'malformed'],
    ['without an end', () => maker.make({ exp: null }), 'malformed'],
    ['that never ends', () => maker.make({ exp: 'never' }), 'malformed'],
    ['without a user', () => maker.make({ sub: null }), 'malformed'],
    ['of an empty user', () => maker.make({ sub: '' }), 'malformed'],
    ['without the issuer of its user', () => maker.make({ sub_iss: null }), 'malformed'],
    ['for the application without its slash', () => maker.make({ aud: ISSUER }), 'audience'],
    ['for a part of its path', () => maker.make({ htu: 'https://wiki.example/pag' }), 'url'],
    ['for another host', () => maker.make({ htu: 'https://wiki.example.evil/page' }), 'url'],
    ['for another scheme', () => maker.make({ htu: 'http://wiki.example/page' }), 'url'],
    ['for the method in small letters', () => maker.make({ htm: 'get' }), 'method'],
  ])('%s', async (_, token, reason) => expect(await refusal(await token())).toBe(reason))
})

const criticalHeader = { crit: ['b64'], b64: true }

function lastBit(token: string): string {
  const last = token.at(-1)!
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return token.slice(0, -1) + letters[letters.indexOf(last) + 1]
}

test('clocks may be a little apart, and no more', async () => {
  const token = await maker.make()
  const at = (ms: number, clockTolerance?: number) =>
    refusal(token, { now: () => NOW + ms, ...(clockTolerance !== undefined && { clockTolerance }) })
  expect(await at(64_000)).toBe('accepted')
  expect(await at(65_000)).toBe('expired')
  expect(await at(60_000, 0)).toBe('expired')
  expect(await at(59_999, 0)).toBe('accepted')
  expect(await at(-5_000)).toBe('accepted')
  expect(await at(-5_001)).toBe('not-yet-valid')
})

describe('a replay', () => {
  test('is refused where somebody remembers', async () => {
    const seen = new Map<string, number>()
    const replays = {
      isReplay: (jti: string, expiresAt: number) => seen.has(jti) || void seen.set(jti, expiresAt),
    } as unknown as NonNullable<VerifyAssertionOptions['replays']>
    const token = await maker.make()
    expect(await refusal(token, { replays })).toBe('accepted')
    expect(await refusal(token, { replays })).toBe('replayed')
    expect([...seen.values()]).toEqual([NOW + 65_000])
  })

  test('what is not good fills no memory', async () => {
    const replays = { isReplay: () => expect.fail('it was asked') }
    for (const { token } of FORGERIES)
      expect(await refusal(await token(maker, NOW), { replays })).not.toBe('accepted')
  })

  test('nobody is let in while the memory fails', async () => {
    const replays = { isReplay: () => Promise.reject(new Error('down')) }
    await expect(verifyAssertion(await maker.make(), { ...options, replays })).rejects.toThrow()
  })
})

describe('keys', () => {
  test.each([
    ['private ones are taken for what they are in public', { d: 'AAAA' }, 'accepted'],
    ['of another curve', { crv: 'P-384' }, 'key-unknown'],
    ['of another kind', { kty: 'RSA' }, 'key-unknown'],
    ['for another algorithm', { alg: 'ES384' }, 'key-unknown'],
    ['for encryption', { use: 'enc' }, 'key-unknown'],
    ['that are no point of the curve', { x: 'AAAA' }, 'key-unknown'],
  ])('%s', async (_, change, expected) => {
    const keys = { keys: [{ ...maker.keys.keys[0], ...change }] }
    expect(await refusal(await maker.make(), { keys })).toBe(expected)
  })

  test('may be found by a function, as it likes', async () => {
    const [key] = maker.keys.keys
    const token = await maker.make()
    expect(await refusal(token, { keys: () => key })).toBe('accepted')
    expect(
      await refusal(token, { keys: (kid) => Promise.resolve(kid === 'x' ? key : undefined) }),
    ).toBe('key-unknown')
  })

  test('of members that are none, the others are used', async () => {
    const keys = { keys: [null, 'x', {}, { kid: 'key-1' }, ...maker.keys.keys] as never }
    expect(await refusal(await maker.make(), { keys })).toBe('accepted')
  })
})

describe('a guard', () => {
  const guarded = (changes: object = {}) =>
    assertionGuard({
      ...{ audience: AUDIENCE, issuer: ISSUER, keys: maker.keys },
      now: () => NOW,
      ...changes,
    })
  const request = (headers: Readonly<Record<string, string | string[]>>, url = '/page?week=7') =>
    ({ method: 'GET', url, header: (name) => headers[name] }) satisfies GuardedRequest
  const reason = (promise: Promise<unknown>) =>
    promise.then(
      () => 'accepted',
      (error: AssertionRefused) => error.reason,
    )

  test('reads the usual field', async () => {
    const headers = { 'x-app-proxy-assertion': await maker.make() }
    expect(await guarded()(request(headers))).toMatchObject({ sub: 'alice' })
    expect(await reason(guarded()(request({})))).toBe('missing')
    expect(await reason(guarded()(request(headers, '/other')))).toBe('url')
    expect(await reason(guarded()({ ...request(headers), method: 'HEAD' }))).toBe('method')
  })

  test('or another one, and Authorization with its scheme', async () => {
    const token = await maker.make()
    expect(await reason(guarded({ header: 'X-User' })(request({ 'x-user': token })))).toBe(
      'accepted',
    )
    const header = 'Authorization'
    const shown = { authorization: `Bearer ${token}` }
    expect(await reason(guarded({ header })(request(shown)))).toBe('accepted')
    expect(await reason(guarded({ header })(request({ authorization: 'Basic YTpi' })))).toBe(
      'malformed',
    )
  })

  test('takes one value and no more', async () => {
    const token = await maker.make()
    const two = { 'x-app-proxy-assertion': [token, token] }
    expect(await reason(guarded()(request(two)))).toBe('malformed')
    expect(await reason(guarded()(request({ 'x-app-proxy-assertion': [token] })))).toBe('accepted')
  })

  test('knows where the application is mounted', async () => {
    const audience = 'https://wiki.example/wiki/'
    const aud = audience
    const headers = async (path: string) => ({
      'x-app-proxy-assertion': await maker.make({ aud, htu: `https://wiki.example${path}` }),
    })
    const guard = guarded({ audience, basePath: '/app/' })
    expect(await reason(guard(request(await headers('/wiki/a'), '/app/a?x')))).toBe('accepted')
    expect(await reason(guard(request(await headers('/wiki/a'), '/app2/a')))).toBe('url')
    expect(await reason(guard(request(await headers('/wiki'), '/app')))).toBe('accepted')
    const mounted = guarded({ audience })
    expect(await reason(mounted(request(await headers('/wiki/'), '/')))).toBe('accepted')
  })
})
