import * as fc from 'fast-check'
import { exportJWK, exportPKCS8, generateKeyPair, jwtVerify, type JWK } from 'jose'
import type { AuthorizationServer } from 'oauth4webapi'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDirectory } from '../../../src/cloud/index.ts'
import type { ClientCredentials } from '../../../src/cloud/directory/client-configuration.ts'
import { clientAuthentication, escaped } from '../../../src/cloud/issuer/client-authentication.ts'
import { HostileIssuer, type Json } from '../../hostile-issuer/issuer.ts'
import { cookieOf, HOST, preAuthenticationAt } from '../sts-process.ts'

const ISSUER = 'https://issuer.example'
const metadataOf = (more: Json = {}): AuthorizationServer => ({
  issuer: ISSUER,
  token_endpoint: `${ISSUER}/token`,
  ...more,
})

/** What a call to the token endpoint carries. */
async function shown(client: ClientCredentials, more: Json = {}) {
  const metadata = metadataOf(more)
  const [body, headers] = [new URLSearchParams(), new Headers()]
  const authenticate = await clientAuthentication(metadata, client)
  await authenticate(metadata, { client_id: client.id }, body, headers)
  const basic = headers.get('authorization')?.replace(/^Basic /, '')
  const credentials = basic && Buffer.from(basic, 'base64').toString().split(':')
  return { body: Object.fromEntries(body), credentials }
}

const offers = (...methods: unknown[]) => ({ token_endpoint_auth_methods_supported: methods })
const ID = 'urn:wiki-1.2_x~y'
const SECRET = 'a-b_c.d~e'

describe('a secret is shown as the metadata says:', () => {
  const asBasic = { body: {}, credentials: ['urn%3Awiki-1.2_x~y', SECRET] }
  const posted = { body: { client_id: ID, client_secret: SECRET }, credentials: undefined }
  test.each([
    ['nothing', {}, asBasic],
    ['null', { token_endpoint_auth_methods_supported: null }, asBasic],
    ['basic among others', offers('client_secret_post', null, 'client_secret_basic'), asBasic],
    ['posted only', offers('private_key_jwt', 'client_secret_post'), posted],
  ])('%s', async (_, more, expected) =>
    expect(await shown({ id: ID, secret: SECRET }, more)).toEqual(expected),
  )

  test('as an assertion only', async () => {
    const { body } = await shown({ id: ID, secret: SECRET }, offers('client_secret_jwt'))
    const key = new TextEncoder().encode(SECRET)
    const { payload } = await jwtVerify(body['client_assertion']!, key, { audience: ISSUER })
    expect(payload).toMatchObject({ iss: ID, sub: ID })
  })

  test('not at all: the operator is told what to change', () =>
    expect(shown({ id: ID, secret: SECRET }, offers('tls_client_auth'))).rejects.toMatchObject({
      reason: 'client-refused',
      evidence: 'authentication-method',
    }))

  test('the configuration has the last word', async () => {
    const client = { id: ID, secret: SECRET, authentication: 'client_secret_post' } as const
    expect(await shown(client, offers('client_secret_basic'))).toEqual(posted)
    const raw = { id: 'a', secret: 'p%c+d', authentication: 'client_secret_basic_unescaped' }
    expect(await shown(raw as ClientCredentials)).toMatchObject({ credentials: ['a', 'p%c+d'] })
    const open = { id: ID, authentication: 'none' } as const
    expect(await shown(open, offers('client_secret_basic'))).toEqual({
      ...{ body: { client_id: ID }, credentials: undefined },
    })
  })

  test('revocation has a list of its own, else the token endpoint’s', async () => {
    const metadata = metadataOf({
      ...offers('client_secret_basic'),
      revocation_endpoint_auth_methods_supported: ['client_secret_post'],
    })
    const body = new URLSearchParams()
    const client = { id: ID, secret: SECRET }
    const authenticate = await clientAuthentication(metadata, client, 'revocation')
    await authenticate(metadata, { client_id: ID }, body, new Headers())
    expect(body.get('client_secret')).toBe(SECRET)
  })
})

describe('what is escaped', () => {
  const decoded = (text: string) => new URLSearchParams(`v=${text}`).get('v')
  const text = fc.string({ unit: 'grapheme', maxLength: 40 })

  test('is read by whoever decodes as it was', () =>
    fc.assert(fc.property(text, (secret) => void expect(decoded(escaped(secret))).toBe(secret))))

  test('is the same for whoever does not decode, unless it must be escaped', () =>
    fc.assert(
      fc.property(
        fc.stringMatching(/^[\x21-\x24'-*,-9;-~]*$/),
        (secret) => void expect(escaped(secret)).toBe(secret),
      ),
    ))

  test('has no second colon', () =>
    fc.assert(fc.property(text, (secret) => void expect(escaped(secret)).not.toContain(':'))))
})

describe('a key signs', () => {
  const kinds = ['ES256', 'ES384', 'RS256', 'PS256', 'Ed25519'] as const
  test.each(kinds)('%s, as JWK, as PEM and as CryptoKey', async (alg) => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    const jwk = { ...(await exportJWK(privateKey)), alg, kid: 'k1' }
    const list = { token_endpoint_auth_signing_alg_values_supported: [alg] }
    for (const key of [
      jwk,
      { ...jwk, alg: undefined },
      await exportPKCS8(privateKey),
      privateKey,
    ]) {
      const client = { id: 'wiki', key } as ClientCredentials
      // Whatever the issuer lists: nothing else can be done with a key.
      const { body } = await shown(client, { ...list, ...offers('client_secret_basic') })
      const { protectedHeader, payload } = await jwtVerify(body['client_assertion']!, publicKey, {
        ...{ issuer: 'wiki', subject: 'wiki', audience: ISSUER, algorithms: [alg] },
      })
      expect(payload.jti).toMatch(/.{20}/)
      expect(protectedHeader.kid).toBe(typeof key === 'object' && 'kid' in key ? 'k1' : undefined)
    }
  })

  test('for the token endpoint, where the application says so', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    const client = { id: 'wiki', key: privateKey, assertionAudience: 'token-endpoint' } as const
    const { body } = await shown(client)
    const [, payload] = body['client_assertion']!.split('.')
    expect(JSON.parse(Buffer.from(payload!, 'base64url').toString())).toMatchObject({
      aud: `${ISSUER}/token`,
    })
  })

  test.each([
    ['no key at all', '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n'],
    ['a JWK that is none', { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', d: 'AA' }],
  ])('nothing, if it is %s', (_, key) =>
    expect(shown({ id: 'wiki', key })).rejects.toMatchObject({
      ...{ reason: 'client-refused', evidence: 'key-unusable' },
    }),
  )
})

describe('in configuration', () => {
  const jwk = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' } satisfies JWK
  const read = (client: Json) =>
    createDirectory({
      tenants: [{ id: 't', issuer: ISSUER, registrars: { audience: 'a' } }],
      groups: [{ id: 'g', tenantId: 't' }],
      applications: [
        {
          ...{ id: 'wiki', groupId: 'g', preAuthentication: 'oidc' },
          ...{ externalUrl: 'https://wiki.example/', internalUrl: 'http://wiki/' },
          client: { id: 'wiki', ...client } as never,
        },
      ],
    }).application('wiki')!.client

  test.each<Json>([
    {},
    { secret: 's' },
    { key: jwk },
    { authentication: 'none' },
    { secret: 's', authentication: 'client_secret_basic_unescaped' },
    { secret: 's', authentication: 'client_secret_jwt', assertionAudience: 'token-endpoint' },
    { key: jwk, authentication: 'private_key_jwt', assertionAudience: 'issuer' },
  ])('%j is taken as it is', (client) => expect(read(client)).toEqual({ id: 'wiki', ...client }))

  test.each<[Json, string]>([
    [{ secret: 's', key: jwk }, 'authentication'],
    [{ secret: 's', authentication: 'none' }, 'secret'],
    [{ key: jwk, authentication: 'client_secret_post', secret: 's' }, 'key'],
    [{ authentication: 'client_secret_post' }, 'secret'],
    [{ authentication: 'private_key_jwt' }, 'key'],
    [{ secret: 's', assertionAudience: 'issuer' }, 'assertionAudience'],
    [{ key: { kty: 'oct', k: 'k', d: 'd' } }, 'key'],
    [{ key: { ...jwk, d: undefined } }, 'key'],
    [{ key: '-----BEGIN RSA PRIVATE KEY-----\n' }, 'key'],
    [{ secret: 's', authentication: 'tls_client_auth' }, 'authentication'],
  ])('%j is refused by name', (client, name) => {
    expect(() => read(client)).toThrow(`applications[0].client.${name}`)
  })
})

describe('at an issuer', () => {
  let issuer: HostileIssuer
  beforeAll(async () => {
    issuer = await HostileIssuer.start()
  })
  afterAll(() => issuer.close())
  beforeEach(() => (issuer.misbehaviour = {}))

  test.each([
    ['basic', {}, { authorization: `Basic ${btoa(`intranet:${SECRET}`)}` }, ''],
    ['posted', offers('client_secret_post'), {}, `client_secret=${SECRET.replace('~', '%7E')}`],
  ])('a user signs in, the secret %s', async (_, more, headers, posted) => {
    const bench = await preAuthenticationAt(issuer.url, { clientId: 'intranet', secret: SECRET })
    issuer.misbehaviour = { metadata: (good) => ({ ...good, ...more }) }
    const begun = await bench.preAuthentication.begin(bench.intranet, HOST, '/')
    if (begun.kind !== 'redirect') throw new Error(begun.reason)
    const answer = await fetch(begun.location, { redirect: 'manual' })
    const query = new URL(answer.headers.get('location')!).search.slice(1)
    const cookies = [cookieOf(begun.setCookies)]
    const { kind } = await bench.preAuthentication.callback(bench.intranet, HOST, query, cookies)
    expect(kind).toBe('signed-in')
    const call = issuer.tokenCalls.at(-1)!
    expect(call.headers).toMatchObject(headers)
    expect('authorization' in call.headers).toBe('authorization' in headers)
    expect(call.body).toContain(posted)
  })
})
