import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SignInRedirect } from '../../src/cloud/sign-in.ts'
import { cookieOf, HOST, preAuthenticationAt, type Bench } from './sts-process.ts'

const denied = (source: string, reason: string) =>
  expect.objectContaining({ kind: 'denied', source, reason })

/** An issuer that signs what it is told to: the only way to see a bad token. */
describe('a token that', () => {
  const seconds = () => Math.floor(Date.now() / 1000)
  let server: Server
  let issuer: string
  let bench: Bench
  let sign: (nonce: string) => Promise<string>
  let key: CryptoKey
  let stranger: CryptoKey
  let nonce = ''
  let keyRequests = 0

  beforeAll(async () => {
    const pair = await generateKeyPair('ES256')
    key = pair.privateKey
    stranger = (await generateKeyPair('ES256')).privateKey
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }
    server = createServer((request, response) => {
      const answer = (value: object) =>
        response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
      if (request.url === '/keys') {
        keyRequests += 1
        return void answer({ keys: [jwk] })
      }
      if (request.url === '/token')
        return void sign(nonce).then((token) =>
          answer({ access_token: 'x', token_type: 'Bearer', id_token: token }),
        )
      answer({
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        id_token_signing_alg_values_supported: ['ES256', 'HS256', 'none'],
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    bench = await preAuthenticationAt(issuer)
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  const good = (n: string) => ({
    iss: issuer,
    sub: 'u1',
    aud: 'intranet',
    nonce: n,
    iat: seconds(),
    exp: seconds() + 300,
    groups: ['staff'],
    tid: 'contoso',
  })
  const jwt = (claims: object, by = key, header: object = {}) =>
    new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header }).sign(by)
  const attempt = async () => {
    const begun = (await bench.preAuthentication.begin(bench.intranet, HOST, '/')) as SignInRedirect
    const asked = new URL(begun.location).searchParams
    nonce = asked.get('nonce')!
    const query = `${new URLSearchParams({ code: 'c', state: asked.get('state')! })}`
    return bench.preAuthentication.callback(bench.intranet, HOST, query, [
      cookieOf(begun.setCookies),
    ])
  }

  test('is right in everything is accepted', async () => {
    sign = (n) => jwt(good(n))
    expect(await attempt()).toMatchObject({ kind: 'signed-in' })
  })

  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  test.each<[string, string, (n: string) => string | Promise<string>]>([
    ['was signed by somebody else', 'token-signature', (n) => jwt(good(n), stranger)],
    ['names an unknown key', 'token-signature', (n) => jwt(good(n), key, { kid: 'k2' })],
    [
      'was changed after it was signed',
      'token-signature',
      async (n) => {
        const [header, , signature] = (await jwt({ ...good(n), sub: 'u2' })).split('.')
        return [header, part(good(n)), signature].join('.')
      },
    ],
    [
      'came from another issuer',
      'token-issuer',
      (n) => jwt({ ...good(n), iss: 'https://o.example' }),
    ],
    ['is for another application', 'token-audience', (n) => jwt({ ...good(n), aud: 'wiki' })],
    [
      'is for two applications',
      'token-audience',
      (n) => jwt({ ...good(n), aud: ['intranet', 'wiki'] }),
    ],
    ['was given to another party', 'token-audience', (n) => jwt({ ...good(n), azp: 'wiki' })],
    ['has ended', 'token-expired', (n) => jwt({ ...good(n), exp: seconds() - 61 })],
    ['has not begun', 'token-not-yet-valid', (n) => jwt({ ...good(n), nbf: seconds() + 120 })],
    [
      'comes from the future',
      'token-not-yet-valid',
      (n) => jwt({ ...good(n), iat: seconds() + 120 }),
    ],
    ['answers another attempt', 'token-nonce', () => jwt(good('another'))],
    ['is for another tenant', 'token-tenant', (n) => jwt({ ...good(n), tid: 'fabrikam' })],
  ])('%s is refused', async (_, reason, makeToken) => {
    sign = async (n) => makeToken(n)
    expect(await attempt()).toEqual(denied('issuer', reason))
  })

  test.each<[string, (n: string) => string | Promise<string>]>([
    ['is not signed at all', (n) => `${part({ alg: 'none' })}.${part(good(n))}.`],
    [
      'is signed with a shared secret',
      (n) =>
        new SignJWT(good(n))
          .setProtectedHeader({ alg: 'HS256' })
          .sign(new TextEncoder().encode('intranet-secret-for-tests-and-longer')),
    ],
    ['has no end', (n) => jwt({ ...good(n), exp: undefined })],
    ['names no user', (n) => jwt({ ...good(n), sub: undefined })],
    ['is no token', () => 'rubbish'],
  ])('%s is refused, whatever the reason is called', async (_, makeToken) => {
    sign = async (n) => makeToken(n)
    expect(await attempt()).toMatchObject({ kind: 'denied', source: 'issuer' })
  })

  test('names unknown keys does not make us ask for the keys each time', async () => {
    const before = keyRequests
    sign = (n) => jwt(good(n), key, { kid: crypto.randomUUID() })
    for (let i = 0; i < 5; i++) expect(await attempt()).toEqual(denied('issuer', 'token-signature'))
    expect(keyRequests - before).toBeLessThanOrEqual(1)
  })

  test('names no tenant is refused where two tenants share the issuer', async () => {
    const tenant = bench.options.directory.tenant('contoso')!
    const shared = await preAuthenticationAt(issuer, {
      directory: { tenant: () => tenant, tenants: () => [tenant, { ...tenant, id: 'fabrikam' }] },
    })
    const kept = bench
    bench = shared
    sign = (n) => jwt({ ...good(n), tid: undefined })
    expect(await attempt()).toEqual(denied('issuer', 'token-tenant'))
    bench = kept
    expect(await attempt()).toMatchObject({ kind: 'signed-in' })
  })
})
