import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import * as jose from 'jose'
import {
  type CertificateAuthority,
  type ConnectorRegistry,
  type RegistrationOrder,
} from '../../../src/cloud/index.ts'
import {
  createRegistration,
  type RegistrationOptions,
} from '../../../src/cloud/connectors/registration-service.ts'
import { LOOK_UPS } from '../../../src/cloud/issuer/key-set.ts'
import type { RegistrationReply } from '../../../src/protocol/internal.ts'
import { USUAL_ISSUER } from '../../../src/cloud/directory/issuer-configuration.ts'
import {
  adminToken,
  directoryOf,
  newKeys,
  registration,
  requestFor,
  startTrust,
  PROVIDERS,
  useProvider,
} from '../trust.ts'

describe.each(PROVIDERS)('over %s', (_, provider) => {
  beforeAll(() => useProvider(provider))
  let trust: Awaited<ReturnType<typeof startTrust>>
  beforeEach(async () => {
    trust = await startTrust()
  })
  afterEach(() => trust.issuer.close())

  async function register(token: string | Promise<string>, keys?: CryptoKeyPair) {
    const request = await requestFor(keys ?? (await newKeys()))
    return trust.registrar.register(registration(await token, request), {
      remoteAddress: '192.0.2.1',
    })
  }

  const refusal = (reason: string) => expect.objectContaining({ type: 'refused', reason })
  const registered = (reply: RegistrationReply) => {
    if (reply.type !== 'registered') expect.unreachable(`refused: ${reply.reason}`)
    return reply as Extract<RegistrationReply, { type: 'registered' }>
  }

  describe('a registration', () => {
    test('certifies the key for the tenant of the token', async () => {
      const reply = registered(await register(adminToken(trust.issuer)))
      expect(reply).toMatchObject({ v: 1, tenantId: 'contoso', standing: 'active' })
      expect(reply.chain).toEqual([trust.authority.certificate])
      expect(reply.cloudAuthorities).toEqual([])
      const caller = await trust.certificates.identify(reply.certificate, Date.now())
      expect(caller.connector).toMatchObject({
        id: reply.connectorId,
        tenantId: 'contoso',
        groupId: 'contoso-default',
        name: 'branch-office',
      })
    })

    test('is audited, without a secret', async () => {
      const token = await adminToken(trust.issuer)
      const reply = registered(await register(token))
      expect(trust.audit.events).toEqual([
        {
          time: expect.any(Number),
          type: 'connector.registration',
          outcome: 'success',
          tenantId: 'contoso',
          subject: 'alice',
          connectorId: reply.connectorId,
          address: '192.0.2.1',
          detail: {
            instance: { name: 'branch-office', version: '1.0.0' },
            keyId: expect.stringMatching(/^[0-9a-f]{64}$/),
            ignored: [],
            standing: 'active',
            repeated: false,
          },
        },
      ])
      for (const part of token.split('.')) {
        expect(JSON.stringify(trust.audit.events)).not.toContain(part)
      }
    })

    test('waits for approval where the tenant wants that', async () => {
      await trust.issuer.close()
      trust = await startTrust({ approveConnectors: true })
      const reply = registered(await register(adminToken(trust.issuer)))
      expect(reply.standing).toBe('pending')
      expect((await trust.registry.connector(reply.connectorId))?.standing).toBe('pending')
    })

    test('is refused beyond the limit of the tenant', async () => {
      await trust.issuer.close()
      trust = await startTrust({ connectorLimit: 1 })
      registered(await register(adminToken(trust.issuer)))
      expect(await register(adminToken(trust.issuer))).toEqual(refusal('connector-limit'))
    })

    test('that is asked for again after revocation is refused', async () => {
      const [token, keys] = [await adminToken(trust.issuer), await newKeys()]
      const { connectorId } = registered(await register(token, keys))
      await trust.registry.setStanding(connectorId, 'revoked', Date.now())
      expect(await register(token, keys)).toEqual(refusal('certificate-revoked'))
    })

    test('is put off when too many run at once', async () => {
      await trust.issuer.close()
      trust = await startTrust({}, { concurrency: 2 })
      const tokens = await Promise.all([1, 2, 3].map(() => adminToken(trust.issuer)))
      const request = await requestFor(await newKeys())
      const replies = await Promise.all(
        tokens.map((token) => trust.registrar.register(registration(token, request))),
      )
      expect(replies[2]).toMatchObject({
        type: 'refused',
        reason: 'unavailable',
        retryAfterMs: 1000,
      })
      expect(replies.slice(0, 2).map(({ type }) => type)).toEqual(['registered', 'registered'])
      expect(trust.audit.events).toHaveLength(3)
    })

    test('that fails on our side says nothing of why', async () => {
      const authority: CertificateAuthority = {
        certificate: trust.authority.certificate,
        issue: () => Promise.reject(new Error('/var/lib/secret is full')),
      }
      const options: RegistrationOptions = { ...trust, authority }
      const request = await requestFor(await newKeys())
      const reply = await createRegistration(options).register(
        registration(await adminToken(trust.issuer), request),
      )
      expect(reply).toMatchObject({ type: 'refused', reason: 'unavailable', retryAfterMs: 1000 })
      expect(JSON.stringify([reply, trust.audit.events])).not.toContain('secret')
    })
  })

  test('a registration that cannot be recorded in time is put off, and what comes late is dropped', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const { registry } = trust
      let commit!: () => void
      let tell!: () => void
      const asked = new Promise<void>((resolve) => (tell = resolve))
      const slow = Object.create(registry, {
        register: {
          value: async (order: RegistrationOrder) => {
            await new Promise<void>((resolve) => {
              commit = resolve
              tell()
            })
            return registry.register(order)
          },
        },
      }) as ConnectorRegistry
      const registrar = createRegistration({ ...trust, registry: slow })
      const message = registration(
        await adminToken(trust.issuer),
        await requestFor(await newKeys()),
      )
      const answer = registrar.register(message)
      await asked
      vi.advanceTimersByTime(5_000)
      expect(await answer).toMatchObject({ reason: 'unavailable', retryAfterMs: 1000 })
      commit()
      const again = registered(await trust.registrar.register(message))
      expect(await registry.list('contoso')).toHaveLength(1)
      expect((await registry.connector(again.connectorId))?.tenantId).toBe('contoso')
      expect(trust.audit.events.map(({ outcome }) => outcome)).toEqual(['refused', 'success'])
    } finally {
      vi.useRealTimers()
    }
  })

  describe('a token', () => {
    const seconds = () => Math.floor(Date.now() / 1000)

    test.each<[string, string, Record<string, unknown>]>([
      ['of somebody without a registrar role', 'token-role', { roles: ['reader'] }],
      ['without roles', 'token-role', { roles: undefined }],
      ['whose roles are not a list of names', 'token-role', { roles: { 0: 'x' } }],
      ['for another audience', 'token-audience', { aud: 'https://other.example' }],
      ['without an audience', 'token-audience', { aud: undefined }],
      ['of another tenant', 'token-tenant', { tid: 'fabrikam' }],
      ['of an unknown issuer', 'token-issuer', { iss: 'https://evil.example' }],
      ['without an issuer', 'token-issuer', { iss: undefined }],
      ['that has expired', 'token-expired', { exp: seconds() - 61 }],
      ['that never expires', 'token-malformed', { exp: undefined }],
      ['of no known age', 'token-malformed', { iat: undefined }],
      ['without a subject', 'token-malformed', { sub: undefined }],
      ['that is not valid yet', 'token-not-yet-valid', { nbf: seconds() + 100 }],
      ['from the future', 'token-not-yet-valid', { iat: seconds() + 100 }],
    ])('%s is refused: %s', async (_, reason, claims) => {
      const reply = await register(adminToken(trust.issuer, claims))
      expect(reply).toEqual(refusal(reason))
      expect(trust.audit.events).toMatchObject([{ outcome: 'refused', reason }])
      expect(await trust.registry.list('contoso')).toEqual([])
    })

    test.each([
      ['exp', -59],
      ['nbf', 59],
      ['iat', 59],
    ])('is given a minute for clocks that differ: %s', async (claim, offset) => {
      registered(await register(adminToken(trust.issuer, { [claim]: seconds() + offset })))
    })

    test('may name its one role as text, and its audience among others', async () => {
      const claims = { roles: 'company-administrator', aud: ['a', 'https://connectors.example'] }
      registered(await register(adminToken(trust.issuer, claims)))
    })

    test('need not name the tenant where its issuer has one, and must where it has several, or where the configuration says what', async () => {
      const nameless = () => adminToken(trust.issuer, { tid: undefined })
      registered(await register(nameless()))
      const [one] = trust.directory.tenants()
      const other = { ...one!, id: 'fabrikam' }
      const profile = { ...USUAL_ISSUER, tenantValue: '8d0f' }
      for (const tenants of [[one!, other], [{ ...one!, issuerProfile: profile }]]) {
        const registrar = createRegistration({ ...trust, directory: directoryOf(tenants) })
        const reply = await registrar.register(
          registration(await nameless(), await requestFor(await newKeys())),
        )
        expect(reply).toEqual(refusal('token-tenant'))
      }
      const directory = directoryOf([{ ...one!, issuerProfile: profile }])
      const registrar = createRegistration({ ...trust, directory })
      const named = await adminToken(trust.issuer, { tid: '8d0f' })
      registered(await registrar.register(registration(named, await requestFor(await newKeys()))))
    })

    test('has its roles, and its type, where its issuer has them', async () => {
      const [one] = trust.directory.tenants()
      const issuerProfile = { ...USUAL_ISSUER, tokenType: 'any' as const }
      const roleClaim = ['https://contoso.example/app', 'roles']
      const registrars = { ...one!.registrars, roleClaim }
      const directory = directoryOf([{ ...one!, issuerProfile, registrars }])
      const registrar = createRegistration({ ...trust, directory })
      const roles = { roles: undefined, [roleClaim[0]!]: { roles: ['company-administrator'] } }
      const ask = async (claims: object, typ?: string) =>
        registrar.register(
          registration(
            await adminToken(trust.issuer, { ...roles, ...claims }, { typ: typ as string }),
            await requestFor(await newKeys()),
          ),
        )
      registered(await ask({}))
      registered(await ask({}, 'JWT'))
      registered(await ask({}, 'application/at+jwt'))
      // Its audience is right, and still it was made for something else.
      expect(await ask({}, 'logout+jwt')).toEqual(refusal('token-malformed'))
      expect(await ask({ nonce: 'n' }, 'JWT')).toEqual(refusal('token-malformed'))
      const flat = { [roleClaim[0]!]: undefined, roles: ['company-administrator'] }
      expect(await ask(flat)).toEqual(refusal('token-role'))
    })

    test('must name its issuer exactly, even if the directory is not exact', async () => {
      const tenant = trust.directory.tenant('contoso')!
      const directory = { ...trust.directory, tenantOfIssuer: () => tenant }
      const registrar = createRegistration({ ...trust, directory })
      const token = await adminToken(trust.issuer, { iss: `${trust.issuer.url}/` })
      const request = await requestFor(await newKeys())
      expect(await registrar.register(registration(token, request))).toEqual(
        refusal('token-issuer'),
      )
    })

    test('that is not a token is refused', async () => {
      for (const token of ['x', 'a.b.c', '..', `${'a.'.repeat(5000)}`]) {
        expect(await register(token)).toEqual(refusal('token-malformed'))
      }
      expect(trust.issuer.asked).toEqual({})
    })

    test('that is not an access token is refused, unless any is accepted', async () => {
      const token = await adminToken(trust.issuer, {}, { typ: 'JWT' })
      expect(await register(token)).toEqual(refusal('token-malformed'))
      const lenient = createRegistration({ ...trust, tokenType: 'any' })
      const request = await requestFor(await newKeys())
      registered(await lenient.register(registration(token, request)))
    })

    describe('is only good with a signature of its issuer:', () => {
      const claims = () => ({
        iss: trust.issuer.url,
        sub: 'alice',
        aud: 'https://connectors.example',
        tid: 'contoso',
        roles: ['application-administrator'],
        jti: 'forged',
      })
      const unsigned = () => new jose.SignJWT(claims()).setIssuedAt().setExpirationTime('5m')

      test('none at all', async () => {
        const [, payload] = (await adminToken(trust.issuer)).split('.')
        const header = jose.base64url.encode('{"alg":"none","typ":"at+jwt"}')
        expect(await register(`${header}.${payload}.`)).toEqual(refusal('token-signature'))
      })

      test('a shared secret, even if it is the public key', async () => {
        const jwks = await (await fetch(`${trust.issuer.url}/jwks`)).text()
        const token = await unsigned()
          .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'key-1' })
          .sign(new TextEncoder().encode(jwks))
        expect(await register(token)).toEqual(refusal('token-signature'))
      })

      test('a key that the token brings along', async () => {
        const { privateKey, publicKey } = await jose.generateKeyPair('ES256')
        const jwk = await jose.exportJWK(publicKey)
        for (const kid of ['key-1', 'unknown']) {
          const token = await unsigned()
            .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid, jwk })
            .sign(privateKey)
          expect(await register(token)).toEqual(refusal('token-malformed'))
        }
      })

      test('changed claims', async () => {
        const [header, , signature] = (await adminToken(trust.issuer)).split('.')
        const payload = jose.base64url.encode(
          JSON.stringify({ ...claims(), iat: 0, exp: 9_999_999_999 }),
        )
        expect(await register(`${header}.${payload}.${signature}`)).toEqual(
          refusal('token-signature'),
        )
      })
    })

    describe('is spent once:', () => {
      test('the same key gets the same certificate, another key nothing', async () => {
        const [token, keys] = [await adminToken(trust.issuer), await newKeys()]
        const first = registered(await register(token, keys))
        const again = registered(await register(token, keys))
        expect(again).toEqual({ ...first, serverTime: again.serverTime })
        expect(await register(token)).toEqual(refusal('token-replayed'))
        expect(trust.audit.events.at(-1)).toMatchObject({
          reason: 'token-replayed',
          tenantId: 'contoso',
          subject: 'alice',
        })
      })

      test('by its `uti` where it has no `jti`', async () => {
        const claims = { jti: undefined, uti: 'one' }
        registered(await register(adminToken(trust.issuer, claims)))
        const second = await adminToken(trust.issuer, { ...claims, sub: 'bob' })
        expect(await register(second)).toEqual(refusal('token-replayed'))
      })

      test('by what is signed where it has neither, however the signature is rewritten', async () => {
        const token = await adminToken(trust.issuer, { jti: undefined })
        registered(await register(token))
        const twin = otherSignature(token)
        expect(twin).not.toBe(token)
        expect(await register(twin)).toEqual(refusal('token-replayed'))
        const other = await adminToken(trust.issuer, { jti: undefined, sub: 'bob' })
        registered(await register(other))
      })

      test('by an id of any length', async () => {
        registered(await register(adminToken(trust.issuer, { jti: 'x'.repeat(8000) })))
      })
    })
  })

  /** (r, n - s) is as good a signature as (r, s). */
  function otherSignature(token: string): string {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const end = token.lastIndexOf('.')
    const signature = jose.base64url.decode(token.slice(end + 1))
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`)
    const flipped = Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex')
    return `${token.slice(0, end)}.${jose.base64url.encode(
      Buffer.concat([signature.subarray(0, 32), flipped]),
    )}`
  }

  describe('the issuer', () => {
    const METADATA = '/.well-known/openid-configuration'

    test('is asked for its metadata and keys once', async () => {
      for (let i = 0; i < 5; i++) registered(await register(adminToken(trust.issuer)))
      expect(trust.issuer.asked).toEqual({ [METADATA]: 1, '/jwks': 1 })
    })

    test('that does not answer properly is unavailable, and left alone for a while', async () => {
      const answers = {
        'an error': { status: 500 },
        'a redirect': { status: 302, headers: { location: 'http://127.0.0.1:9/' } },
        'not JSON': { body: '<html>' },
        'another issuer': { body: '{"issuer":"https://other.example","jwks_uri":"https://x/"}' },
        'no key set': { body: JSON.stringify({ issuer: trust.issuer.url }) },
        'a key set over plain http': {
          body: JSON.stringify({ issuer: trust.issuer.url, jwks_uri: 'http://keys.example/' }),
        },
        'far too much': { body: `{"x":"${'x'.repeat(300_000)}"}` },
      }
      let asked = 0
      for (const [name, answer] of Object.entries(answers)) {
        trust.issuer.override(METADATA, answer)
        for (let i = 0; i < 3; i++) {
          const reply = await register(adminToken(trust.issuer))
          expect(reply, name).toMatchObject({ reason: 'issuer-unavailable', retryAfterMs: 5000 })
        }
        asked += 1
        expect(trust.issuer.asked[METADATA], name).toBe(asked)
        trust.clocks.offset += 5000
      }
    })

    test('whose keys cannot be had is unavailable, and left alone for a while', async () => {
      for (const answer of [{ status: 500 }, { body: 'x' }, { body: '{"keys":1}' }]) {
        trust.issuer.override('/jwks', answer)
        const before = trust.issuer.asked['/jwks'] ?? 0
        for (let i = 0; i < 3; i++) {
          expect(await register(adminToken(trust.issuer))).toEqual(refusal('issuer-unavailable'))
        }
        expect(trust.issuer.asked['/jwks']).toBe(before + 1)
        trust.clocks.offset += 5000
      }
    })

    test('is not asked again and again for a key it does not have', async () => {
      registered(await register(adminToken(trust.issuer)))
      for (let i = 0; i < 10; i++) {
        const token = await adminToken(trust.issuer, {}, { kid: `unknown-${i}` })
        expect(await register(token)).toEqual(refusal('token-signature'))
      }
      expect(trust.issuer.asked['/jwks']).toBe(1 + LOOK_UPS.anybody.burst)
    })

    test('is not asked at all for a token of somebody else', async () => {
      await register(adminToken(trust.issuer, { iss: 'https://evil.example' }))
      expect(trust.issuer.asked).toEqual({})
    })

    test('may roll its keys, and again at once', async () => {
      registered(await register(adminToken(trust.issuer)))
      for (const asked of [2, 3]) {
        await trust.issuer.rotate()
        registered(await register(adminToken(trust.issuer)))
        expect(trust.issuer.asked['/jwks']).toBe(asked)
      }
    })
  })
})
