/**
 * Access 1.1–1.5 and its note, at the driver of the sign-in, against the real example issuer: every redirect is followed and every form is filled in.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failureResponse } from '../src/cloud/pages/pages.ts'
import { Issuer } from '../src/cloud/issuer/issuer.ts'
import { PreAuthentication } from '../src/cloud/sign-in/sign-in.ts'
import type { SignedIn, SignInRedirect } from '../src/cloud/sign-in/sign-in-outcome.ts'
import {
  ALICE,
  BOB,
  closedPort,
  cookieOf,
  HOST,
  OTHER_HOST,
  preAuthenticationAt,
  startSts,
  throughTheForms,
  type StsProcess,
} from '../test/cloud/sts-process.ts'

let sts: StsProcess
beforeAll(async () => {
  sts = await startSts()
})
afterAll(() => sts.stop())

/** Signs a user in, from the first redirect to the callback's outcome. */
async function signIn(user: typeof ALICE, target = '/', options = {}) {
  const bench = await preAuthenticationAt(sts.issuer, options)
  const { query, cookie } = await throughTheForms(bench, user, target)
  const outcome = await bench.preAuthentication.callback(bench.intranet, HOST, query, [cookie])
  return { ...bench, query, cookie, outcome }
}

/** The part of a compact token: 0 is the header, 1 the claims. */
const decoded = (token: string, part: 0 | 1) =>
  JSON.parse(Buffer.from(token.split('.')[part]!, 'base64url').toString()) as Record<
    string,
    unknown
  >

/** A `fetch` that keeps the ID tokens it saw. */
function listening() {
  const tokens: string[] = []
  return {
    tokens,
    fetch: async (url: string, init: RequestInit) => {
      const response = await fetch(url, init)
      if (init.method === 'POST')
        tokens.push(((await response.clone().json()) as { id_token: string }).id_token)
      return response
    },
  }
}

test('R3.1b a user of an application with pre-authentication is redirected to the issuer', async () => {
  const { preAuthentication, intranet } = await preAuthenticationAt(sts.issuer)
  const { kind, location } = (await preAuthentication.begin(intranet, HOST, '/')) as SignInRedirect
  expect(kind).toBe('redirect')
  expect(new URL(location).origin).toBe(sts.issuer)
})

test('R3.1.1b the user must be assigned to the application', async () => {
  expect((await signIn(ALICE)).outcome.kind).toBe('signed-in')
  expect((await signIn(BOB)).outcome).toMatchObject({ kind: 'denied', reason: 'not-assigned' })
})

test('R3.1.2 the issuer issues a signed token for the application and redirects the user back', async () => {
  const { fetch, tokens } = listening()
  const { query, outcome } = await signIn(ALICE, '/', { fetch })
  const answer = new URLSearchParams(query)
  expect(answer.get('code')).toBeTruthy()
  expect(answer.get('iss')).toBe(sts.issuer)
  expect(outcome.kind).toBe('signed-in')
  expect(decoded(tokens[0]!, 0)).toMatchObject({ alg: 'RS256' })
  expect(decoded(tokens[0]!, 1)).toMatchObject({ iss: sts.issuer, aud: 'intranet' })
})

test('R3.1.3a a token issued to another application is refused', async () => {
  const { fetch, tokens } = listening()
  const { intranet, wiki, clocks } = await signIn(ALICE, '/', { fetch })
  const issuer = new Issuer({
    issuer: sts.issuer,
    wallClock: clocks.wallClock,
    now: clocks.now,
    timeoutMs: 5000,
    metadataMs: 60_000,
    leewayMs: 60_000,
  })
  const nonce = decoded(tokens[0]!, 1)['nonce'] as string
  const client = (id: string) => ({ id, redirectUri: 'http://unused.localhost/' })
  const accepted = await issuer.verify(client(intranet.client!.id), nonce, tokens[0]!)
  expect(accepted.aud).toBe('intranet')
  await expect(issuer.verify(client(wiki.client!.id), nonce, tokens[0]!)).rejects.toMatchObject({
    reason: 'token-audience',
  })
})

/** Lets the issuer's token endpoint answer with a token changed on its way. */
const tampering = (change: (parts: [string, string, string]) => string) => ({
  fetch: async (url: string, init: RequestInit) => {
    const response = await fetch(url, init)
    if (init.method !== 'POST') return response
    const body = (await response.json()) as { id_token: string }
    body.id_token = change(body.id_token.split('.') as [string, string, string])
    return Response.json(body)
  },
})

test('R3.1.3b a token that the issuer did not sign is refused', async () => {
  const changed = tampering(([header, claims, signature]) => {
    const promoted = JSON.parse(Buffer.from(claims, 'base64url').toString()) as object
    const forged = Buffer.from(JSON.stringify({ ...promoted, groups: ['staff'] }))
    return [header, forged.toString('base64url'), signature].join('.')
  })
  expect((await signIn(BOB, '/', changed)).outcome).toMatchObject({
    kind: 'denied',
    source: 'issuer',
    reason: 'token-signature',
  })
})

test('R3.1.3c a token outside its window is refused', async () => {
  const bench = await preAuthenticationAt(sts.issuer)
  const { query, cookie } = await throughTheForms(bench, ALICE)
  // By our clock the attempt has only just begun, but the issuer's token ended long ago.
  const twoHoursOn = new PreAuthentication({
    ...bench.options,
    // The time that the sign-in takes is not that of the clock on the wall.
    clocks: { now: () => performance.now(), wallClock: () => bench.clocks.wallClock() },
    fetch: async (url, init) => {
      const response = await fetch(url, init)
      if (init.method === 'POST') bench.turnClock(2 * 3_600_000)
      return response
    },
  })
  const outcome = await twoHoursOn.callback(bench.intranet, HOST, query, [cookie])
  expect(outcome).toMatchObject({ kind: 'denied', reason: 'token-expired' })
})

test('R3.1.3d the callback must belong to this browser’s attempt, and is taken once', async () => {
  const { preAuthentication, intranet, query, cookie, outcome } = await signIn(ALICE)
  expect(outcome.kind).toBe('signed-in')
  const callback = (q: string, cookies: string[]) =>
    preAuthentication.callback(intranet, HOST, q, cookies)
  expect(await callback(query, [cookie])).toMatchObject({ reason: 'attempt-used' })
  expect(await callback(query, [])).toMatchObject({ reason: 'attempt-missing' })
  expect(await callback(`${query}&state=x`, [cookie])).toMatchObject({
    reason: 'callback-malformed',
  })
})

test('R3.1.4a the cookie is encrypted, not persisted, and good for this application only', async () => {
  const { outcome, sessions, intranet, wiki, clocks } = await signIn(ALICE)
  const { setCookies } = outcome as SignedIn
  const cookie = setCookies.find((one) => !one.includes('Max-Age=0'))!
  expect(cookie).toMatch(/; HttpOnly; SameSite=Lax$/)
  expect(cookie).not.toMatch(/expires|max-age/i)
  const read = (application: typeof intranet, host: string) =>
    sessions.read(application, host, [cookieOf(setCookies)], clocks.wallClock())
  expect(await read(intranet, HOST)).toBeDefined()
  expect(await read(wiki, HOST)).toBeUndefined()
  expect(await read(intranet, OTHER_HOST)).toBeUndefined()
})

test('R3.1.4b the cookie carries an expiry taken from the token, and the user', async () => {
  const { outcome, sessions, intranet, clocks } = await signIn(ALICE)
  const { setCookies, session } = outcome as SignedIn
  expect(session.user).toMatchObject({ subject: 'user-alice', name: 'Alice Liddell' })
  // The example issuer's ID tokens live an hour.
  expect((session.expiresAt - session.startedAt) / 60_000).toBeCloseTo(60, 0)
  const read = (wallNow: number) => sessions.read(intranet, HOST, [cookieOf(setCookies)], wallNow)
  expect(await read(clocks.wallClock())).toEqual(session)
  expect(await read(session.expiresAt)).toBeUndefined()
})

test('R3.1.4c the cookie opens with the cloud’s keys alone', async () => {
  const { outcome, intranet, clocks } = await signIn(ALICE)
  const cookie = cookieOf((outcome as SignedIn).setCookies)
  const stranger = await preAuthenticationAt(sts.issuer)
  expect(await stranger.sessions.read(intranet, HOST, [cookie], clocks.wallClock())).toBeUndefined()
  for (const part of cookie.split('.'))
    expect(Buffer.from(part, 'base64url').toString('latin1')).not.toContain('alice')
})

test('R3.1.5 the user is redirected to the URL first asked for', async () => {
  const { outcome } = await signIn(ALICE, '/reports/2026?quarter=3&view=a%2Fb')
  expect((outcome as SignedIn).location).toBe(`http://${HOST}/reports/2026?quarter=3&view=a%2Fb`)
})

test('R3.1.Na when any part of pre-authentication fails, the request is denied', async () => {
  const { outcome } = await signIn(BOB)
  expect(outcome).toMatchObject({ kind: 'denied', status: 403 })
  expect(cookieOf(outcome.setCookies)).toBe('')
  const down = await preAuthenticationAt(await closedPort())
  expect(await down.preAuthentication.begin(down.intranet, HOST, '/')).toMatchObject({
    kind: 'denied',
    status: 503,
  })
})

test('R3.1.Nb the user is told the source of the problem', async () => {
  const shown = async (user: typeof ALICE, options = {}) => {
    const { outcome } = await signIn(user, '/', options)
    if (outcome.kind !== 'denied') throw new Error('not denied')
    const { body } = failureResponse(
      { ...outcome, code: outcome.reason, requestId: 'r1' },
      { accept: 'html' },
    )
    return new TextDecoder().decode(body)
  }
  expect(await shown(BOB)).toContain('<dt>Source</dt><dd>Sign-in</dd>')
  expect(await shown(ALICE, { secret: 'wrong' })).toContain('<dt>Source</dt><dd>This service</dd>')
  const broken = tampering(([header, claims]) => `${header}.${claims}.AAAA`)
  expect(await shown(ALICE, broken)).toContain('<dt>Source</dt><dd>The sign-in service</dd>')
})
