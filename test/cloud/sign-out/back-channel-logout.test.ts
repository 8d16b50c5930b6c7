/** Logout tokens, right and wrong, from an issuer that says whatever the test wants. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { generateKeyPair, SignJWT } from 'jose'
import { BackChannelLogout } from '../../../src/cloud/sign-out/back-channel-logout.ts'
import type { Session } from '../../../src/cloud/session/session.ts'
import { LOOK_UPS } from '../../../src/cloud/issuer/key-set.ts'
import { startIssuer, type Issuer } from '../../issuer.ts'
import { HOST, preAuthenticationAt, type Bench } from '../sts-process.ts'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const TYPE = { typ: 'logout+jwt' }

let issuer: Issuer
beforeAll(async () => {
  issuer = await startIssuer()
  const metadata = {
    issuer: issuer.url,
    authorization_endpoint: `${issuer.url}/authorize`,
    token_endpoint: `${issuer.url}/token`,
    jwks_uri: `${issuer.url}/jwks`,
    id_token_signing_alg_values_supported: ['ES256'],
  }
  issuer.override('/.well-known/openid-configuration', { body: JSON.stringify(metadata) })
})
afterAll(() => issuer.close())

let bench: Bench
let backChannel: BackChannelLogout
let session: Session
let ids = 0
/** Another application that signs its users in by the same client. */
const shared = () => ({ ...bench.intranet, id: 'shared', externalUrl: 'http://shared.localhost/' })
beforeEach(async () => {
  bench = await preAuthenticationAt(issuer.url)
  backChannel = new BackChannelLogout({
    ...bench.options,
    directory: {
      ...bench.options.directory,
      applications: () => [bench.intranet, bench.wiki, shared()],
    },
    issuers: bench.preAuthentication.issuers,
  })
  const wallNow = bench.clocks.wallClock()
  const identity = { authenticatedAt: wallNow, expiresAt: wallNow + 3_600_000 }
  ;({ session } = await bench.sessions.start(bench.intranet, HOST, {
    ...{ subject: 'alice', issuer: issuer.url, issuerSession: 'sid-1' },
    ...identity,
  }))
})

const claims = (over: Record<string, unknown> = {}) => ({
  aud: 'intranet',
  jti: `token-${++ids}`,
  sub: 'alice',
  sid: 'sid-1',
  events: { [EVENT]: {} },
  ...over,
})
const take = async (token: string) => backChannel.take([bench.intranet], token)
const isRevoked = (of = session, application = bench.intranet) =>
  bench.sessions.revocations.isRevoked(of, application)

describe('a logout token ends', () => {
  test('what the issuer’s session led to, when it names one', async () => {
    expect(await take(await issuer.sign(claims(), TYPE))).toBe(true)
    expect(isRevoked()).toBe(true)
    expect(isRevoked({ ...session, issuerSession: 'sid-2' })).toBe(false)
    expect(bench.audit).toMatchObject([
      { type: 'sign-out.back-channel', outcome: 'success', subject: 'alice' },
    ])
  })

  test('all of the user’s sessions, when it names none', async () => {
    expect(await take(await issuer.sign(claims({ sid: undefined }), TYPE))).toBe(true)
    expect(isRevoked({ ...session, id: 'x', issuerSession: 'sid-2' })).toBe(true)
    const bob = { ...session, id: 'x', user: { ...session.user, subject: 'bob' } }
    expect(isRevoked(bob)).toBe(false)
  })

  test('what it led to at every application of the client', async () => {
    expect(await take(await issuer.sign(claims(), TYPE))).toBe(true)
    expect(isRevoked(session, shared())).toBe(true)
  })

  test('nothing of another application', async () => {
    expect(await take(await issuer.sign(claims(), TYPE))).toBe(true)
    expect(isRevoked(session, bench.wiki)).toBe(false)
  })

  test('nothing that begins later', async () => {
    expect(await take(await issuer.sign(claims(), TYPE))).toBe(true)
    const startedAt = bench.clocks.wallClock() + 5
    expect(isRevoked({ ...session, id: 'later', startedAt })).toBe(false)
  })

  test.each([
    ['without a type', { typ: undefined }, {}],
    ['with the type’s full name', { typ: 'application/logout+jwt' }, {}],
    ['without an end, while it is fresh', TYPE, { exp: undefined }],
    ['with several audiences', TYPE, { aud: ['wiki', 'intranet'] }],
    ['with the session alone', TYPE, { sub: undefined }],
  ])('what it names: %s', async (_, header, over) => {
    expect(await take(await issuer.sign(claims(over), header as typeof TYPE))).toBe(true)
    expect(isRevoked()).toBe(true)
  })
})

describe('T23 a logout token revokes nothing', () => {
  afterEachRefusal()
  const now = () => Math.floor(Date.now() / 1000)

  test.each<[string, () => Record<string, unknown>]>([
    ['of another issuer', () => ({ iss: 'https://evil.example' })],
    ['for another application', () => ({ aud: 'wiki' })],
    ['for nobody', () => ({ aud: undefined })],
    ['that has ended', () => ({ exp: now() - 61 })],
    ['of tomorrow', () => ({ iat: now() + 86_400, exp: now() + 86_500 })],
    ['of yesterday, however long it lasts', () => ({ iat: now() - 86_400, exp: now() + 86_400 })],
    ['that does not say when', () => ({ iat: undefined })],
    ['without an id', () => ({ jti: undefined })],
    ['with an empty id', () => ({ jti: '' })],
    ['whose id is no text', () => ({ jti: 7 })],
    ['without the event', () => ({ events: undefined })],
    ['with another event', () => ({ events: { 'https://example/other': {} } })],
    ['whose events are a list', () => ({ events: [EVENT] })],
    ['whose event is no object', () => ({ events: { [EVENT]: true } })],
    ['with a nonce, as ID tokens have', () => ({ nonce: 'n' })],
    ['that names nobody', () => ({ sub: undefined, sid: undefined })],
    ['whose session is no text', () => ({ sid: { $ne: '' } })],
    ['whose user is endless', () => ({ sub: 'x'.repeat(256) })],
  ])('%s', async (_, over) => {
    expect(await take(await issuer.sign(claims(over()), TYPE))).toBe(false)
  })

  test.each(['JWT', 'at+jwt', 'dpop+jwt'])('of the type %s', async (typ) =>
    expect(await take(await issuer.sign(claims(), { typ }))).toBe(false),
  )

  test.each<[string, object]>([
    ['T19 that brings its key', { jwk: {} }],
    ['T19 that says where its key is', { jku: 'https://evil.example/keys' }],
    ['T19 whose key is named by a path', { kid: '../../key-1' }],
    ['T21 whose header is too large', { padding: 'x'.repeat(4_000) }],
  ])('%s', async (_, header) =>
    expect(await take(await issuer.sign(claims(), { ...TYPE, ...header }))).toBe(false),
  )

  test('T21 that says its events twice', async () => {
    const [header, payload, signature] = (await issuer.sign(claims(), TYPE)).split('.')
    const text = Buffer.from(payload!, 'base64url').toString().replace('{', '{"events":{},')
    const twice = Buffer.from(text).toString('base64url')
    expect(await take(`${header}.${twice}.${signature}`)).toBe(false)
    expect(bench.audit).toMatchObject([
      { reason: 'token-malformed', detail: { evidence: 'duplicate' } },
    ])
  })

  test('that the issuer did not sign', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    const forged = await new SignJWT({ iss: issuer.url, iat: now(), ...claims() })
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1', ...TYPE })
      .sign(privateKey)
    expect(await take(forged)).toBe(false)
    const [, payload, signature] = (await issuer.sign(claims(), TYPE)).split('.')
    const none = Buffer.from('{"alg":"none","typ":"logout+jwt"}').toString('base64url')
    expect(await take(`${none}.${payload}.${signature}`)).toBe(false)
    expect(await take(`${none}.${payload}.`)).toBe(false)
  })

  test('that is no token', async () => {
    for (const text of ['', 'x', 'a.b.c', `${'x'.repeat(20_000)}.e30.x`])
      expect(await take(text)).toBe(false)
  })

  test('a second time', async () => {
    const token = await issuer.sign(claims(), TYPE)
    expect(await take(token)).toBe(true)
    const since = { ...session, id: 'since', startedAt: bench.clocks.wallClock() + 50 }
    bench.turnClock(100)
    expect(await take(token)).toBe(false)
    expect(isRevoked(since)).toBe(false)
    session = since
  })

  test('and an issuer that is asked for unknown keys again and again is left alone', async () => {
    const before = issuer.asked['/jwks'] ?? 0
    for (let i = 0; i < 20; i++)
      expect(await take(await issuer.sign(claims(), { ...TYPE, kid: `unknown-${i}` }))).toBe(false)
    expect((issuer.asked['/jwks'] ?? 0) - before).toBeLessThanOrEqual(1 + LOOK_UPS.anybody.burst)
  })
})

/** Whatever was refused: the session goes on, and the record says why without quoting anything. */
function afterEachRefusal(): void {
  beforeEach((context) => {
    context.onTestFinished(() => {
      expect(isRevoked()).toBe(false)
      expect(bench.audit.at(-1)).toMatchObject({
        type: 'sign-out.back-channel',
        outcome: 'refused',
        reason: expect.stringMatching(/^(token|issuer)-/),
      })
      expect(JSON.stringify(bench.audit)).not.toContain('sid-1')
    })
  })
}
