import { beforeAll, describe, expect, test } from 'vitest'
import {
  createCertificateAuthority,
  createMemoryRegistry,
  type CertificateAuthority,
  type ConnectorRegistry,
  type IssuedCertificate,
  type Tenant,
} from '../../../src/cloud/index.ts'
import { ConnectorCertificates } from '../../../src/cloud/connectors/connector-certificate.ts'
import { identityUri, LEAF_SUBJECT } from '../../../src/cloud/authority/leaf-profile.ts'
import * as x509 from '../../../src/runtime/x509.ts'
import {
  crypto,
  DAY,
  memoryAuthorityStore,
  newKeys,
  P256,
  spkiOf,
  TestClocks,
  PROVIDERS,
  useProvider,
} from '../trust.ts'

/** Without a hash: some providers would keep it, and sign with no other. */
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const

describe.each(PROVIDERS)('over %s', (_, provider) => {
  beforeAll(() => useProvider(provider))
  const now = Date.now()
  const clocks = new TestClocks()
  const refused = (reason: string, detail = '') =>
    expect.objectContaining({
      code: 'ERR_REFUSED',
      reason,
      message: detail === '' ? reason : `${reason}: ${detail}`,
    })

  const store = memoryAuthorityStore()
  let authority: CertificateAuthority
  let root: { certificate: x509.X509Certificate; key: CryptoKey }
  let certificates: ConnectorCertificates
  let registry: ConnectorRegistry
  /** Tenants that were removed, and to whom its group belongs. */
  let removed: string[] = []
  let owner = 'contoso'
  const directory = {
    tenant: (id: string) => (removed.includes(id) ? undefined : ({ id } as Tenant)),
    group: (id: string) => (removed.includes(id) ? undefined : { id, tenantId: owner, name: id }),
  }

  beforeAll(async () => {
    authority = await createCertificateAuthority({ crypto, clocks, store })
    const { key, certificate } = store.stored!
    root = {
      certificate: new x509.X509Certificate(certificate as BufferSource),
      key: await crypto.subtle.importKey('pkcs8', key as BufferSource, CURVE, false, ['sign']),
    }
    registry = createMemoryRegistry()
    certificates = new ConnectorCertificates({
      crypto,
      authority,
      registry,
      directory,
    })
  })

  async function issue(connectorId = 'c1', at = now): Promise<IssuedCertificate> {
    const publicKeySpki = await spkiOf(await newKeys())
    return authority.issue({ publicKeySpki, tenantId: 'contoso', connectorId, now: at })
  }

  /** A leaf made with the authority's very key, and as it should be but for what is said. */
  async function forged({
    extensions,
    drop,
    ...changes
  }: Partial<x509.X509CertificateCreateWithKeyParams> & { drop?: string } = {}) {
    const keys = await newKeys()
    const own = [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: identityUri({ tenantId: 'contoso', connectorId: 'c1' }) },
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto as Crypto),
      await x509.AuthorityKeyIdentifierExtension.create(
        root.certificate.publicKey,
        false,
        crypto as Crypto,
      ),
    ]
    const replaced = new Set(extensions?.map(({ type }) => type))
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: `4${'0'.repeat(30)}1`,
        subject: LEAF_SUBJECT,
        issuer: root.certificate.subjectName,
        notBefore: new Date(now - 60_000),
        notAfter: new Date(now + DAY),
        publicKey: keys.publicKey,
        signingKey: root.key,
        signingAlgorithm: P256,
        extensions: [
          ...own.filter(({ type }) => !replaced.has(type) && type !== drop),
          ...(extensions ?? []),
        ],
        ...changes,
      },
      crypto as Crypto,
    )
    return new Uint8Array(certificate.rawData)
  }

  /** The same certificate with what is signed as it is now. */
  async function signedAgain(der: Uint8Array): Promise<Uint8Array> {
    const tbs = der.slice(4, 8 + ((der[6]! << 8) | der[7]!))
    const raw = new Uint8Array(await crypto.subtle.sign(P256, root.key, tbs))
    const integer = (octets: Uint8Array) => {
      const first = octets.findIndex((octet) => octet !== 0)
      const magnitude = octets.subarray(first)
      const value = magnitude[0]! >= 0x80 ? [0, ...magnitude] : [...magnitude]
      return [2, value.length, ...value]
    }
    const pair = [...integer(raw.subarray(0, 32)), ...integer(raw.subarray(32))]
    const signature = [3, pair.length + 3, 0, 0x30, pair.length, ...pair]
    const algorithm = [...Buffer.from('300a06082a8648ce3d040302', 'hex')]
    const content = [...tbs, ...algorithm, ...signature]
    return new Uint8Array([0x30, 0x82, content.length >> 8, content.length & 0xff, ...content])
  }

  describe('the profile of a leaf', () => {
    test('is met by what the authority issues', async () => {
      const { der, serial, keyId, expiresAt } = await issue()
      expect(await certificates.checkLeaf(der, now)).toEqual({
        tenantId: 'contoso',
        connectorId: 'c1',
        serial,
        keyId,
        authorityKeyId: expect.stringMatching(/^[0-9a-f]{40}$/),
        notBefore: Math.floor((now - 60_000) / 1000) * 1000,
        notAfter: expiresAt,
      })
    })

    test('is met by the unchanged forgery, so that the changes below are what counts', async () => {
      expect((await certificates.checkLeaf(await forged(), now)).connectorId).toBe('c1')
    })

    const san = (...names: x509.JsonGeneralNames) => ({
      extensions: [new x509.SubjectAlternativeNameExtension(names)],
    })
    const eku = (...usages: string[]) => ({
      extensions: [new x509.ExtendedKeyUsageExtension(usages)],
    })
    const uri = identityUri({ tenantId: 'contoso', connectorId: 'c1' })
    const { clientAuth, serverAuth } = x509.ExtendedKeyUsage

    test.each<[string, string, Parameters<typeof forged>[0]]>([
      [
        'CA:true',
        'basic constraints',
        { extensions: [new x509.BasicConstraintsExtension(true, undefined, true)] },
      ],
      [
        'a path length, which only authorities have',
        'basic constraints',
        { extensions: [new x509.BasicConstraintsExtension(false, 0, true)] },
      ],
      [
        'basic constraints that are not critical',
        'criticality of 2.5.29.19',
        { extensions: [new x509.BasicConstraintsExtension(false, undefined, false)] },
      ],
      ['no basic constraints', 'set of extensions', { drop: '2.5.29.19' }],
      [
        'a key usage that signs certificates',
        'key usage',
        {
          extensions: [
            new x509.KeyUsagesExtension(
              x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign,
              true,
            ),
          ],
        },
      ],
      ['no key usage', 'set of extensions', { drop: '2.5.29.15' }],
      ['no extended key usage', 'set of extensions', { drop: '2.5.29.37' }],
      ['serverAuth', 'extended key usage', eku(serverAuth)],
      ['serverAuth beside clientAuth', 'extended key usage', eku(clientAuth, serverAuth)],
      ['any purpose', 'extended key usage', eku('2.5.29.37.0')],
      ['no name', 'set of extensions', { drop: '2.5.29.17' }],
      [
        'a name of another form',
        'subject alternative name',
        san({ type: 'url', value: 'urn:a:b' }),
      ],
      ['a DNS name', 'subject alternative name', san({ type: 'dns', value: 'c1' })],
      [
        'a second name',
        'subject alternative name',
        san({ type: 'url', value: uri }, { type: 'dns', value: 'evil.example' }),
      ],
      ['another subject', 'subject', { subject: 'CN=admin' }],
      ['another issuer', 'issuer', { issuer: 'CN=somebody' }],
      ['a short serial number', 'serial number', { serialNumber: '41' }],
      [
        'a weak signature',
        'signature algorithm',
        { signingAlgorithm: { name: 'ECDSA', hash: 'SHA-1' } as EcdsaParams },
      ],
      [
        'an extension that nobody asked for',
        'set of extensions',
        { extensions: [new x509.Extension('1.2.3.4', false, new Uint8Array([5, 0]))] },
      ],
      [
        'an extension twice',
        'set of extensions',
        {
          extensions: [
            new x509.ExtendedKeyUsageExtension([clientAuth]),
            new x509.ExtendedKeyUsageExtension([serverAuth]),
          ],
        },
      ],
      ['no authority key identifier', 'set of extensions', { drop: '2.5.29.35' }],
      [
        'the key identifier of another authority',
        'authority key identifier',
        { extensions: [new x509.AuthorityKeyIdentifierExtension('00'.repeat(20))] },
      ],
    ])('refuses %s', async (_, deviation, changes) => {
      const der = await forged(changes)
      await expect(certificates.checkLeaf(der, now)).rejects.toEqual(
        refused('certificate-profile', deviation),
      )
    })

    test.each([0, 1, 3])('refuses version field %i, properly signed', async (version) => {
      const der = await forged()
      // [0] { INTEGER 2 }: version 3, at the beginning of what is signed.
      const at = Buffer.from(der).indexOf(Buffer.from('a003020102', 'hex'))
      der[at + 4] = version
      await expect(certificates.checkLeaf(await signedAgain(der), now)).rejects.toEqual(
        refused('certificate-profile', 'version'),
      )
    })

    test.each([0x00, 0x3f, 0x80])('refuses a serial number that begins with %i', async (octet) => {
      const der = await forged()
      const at = Buffer.from(der).indexOf(Buffer.from('a0030201020210', 'hex'))
      der[at + 7] = octet
      await expect(certificates.checkLeaf(await signedAgain(der), now)).rejects.toEqual(
        refused('certificate-profile', 'serial number'),
      )
    })

    test('refuses a key of another curve', async () => {
      const { publicKey } = await crypto.subtle.generateKey(
        { name: 'ECDSA', namedCurve: 'P-384' },
        true,
        ['sign', 'verify'],
      )
      await expect(certificates.checkLeaf(await forged({ publicKey }), now)).rejects.toEqual(
        refused('certificate-profile', 'key'),
      )
    })

    test('refuses another authority, even one of the same name, and the root itself', async () => {
      const other = await crypto.subtle.generateKey(P256, false, ['sign', 'verify'])
      const untrusted = [
        await forged({ signingKey: other.privateKey }),
        new Uint8Array([0x30, 0x00]),
        new Uint8Array(5000),
        crypto.getRandomValues(new Uint8Array(400)),
        new Uint8Array([...(await forged()), 0]),
      ]
      for (const der of untrusted) {
        await expect(certificates.checkLeaf(der, now)).rejects.toMatchObject({
          reason: 'certificate-untrusted',
        })
      }
      await expect(certificates.checkLeaf(authority.certificate, now)).rejects.toMatchObject({
        reason: 'certificate-profile',
      })
    })

    test('lets no certificate through that has one octet changed', async () => {
      const { der } = await issue()
      for (let at = 0; at < der.length; at++) {
        const changed = der.slice()
        changed[at]! ^= 0x10
        await expect(
          certificates.checkLeaf(changed, now).then(() => `octet ${at}`),
        ).rejects.toMatchObject({ code: 'ERR_REFUSED' })
      }
    })

    test('is about now: validity is checked every time, remembered or not', async () => {
      const { der, expiresAt } = await issue()
      await certificates.checkLeaf(der, now)
      await certificates.checkLeaf(der, now - 59_000)
      await certificates.checkLeaf(der, expiresAt - 1)
      await expect(certificates.checkLeaf(der, expiresAt)).rejects.toEqual(
        refused('certificate-expired'),
      )
      await expect(certificates.checkLeaf(der, now - 3_600_000)).rejects.toEqual(
        refused('certificate-expired', 'it is not valid yet'),
      )
    })
  })

  describe('a caller', () => {
    async function registered(connectorId: string, tenantId = 'contoso') {
      const issued = await issue(connectorId)
      const connector = {
        id: connectorId,
        tenantId,
        groupId: 'default',
        name: connectorId,
        standing: 'active',
        registeredAt: now,
      } as const
      await registry.register({
        issuer: 'https://issuer.example',
        onceId: connectorId,
        keyId: issued.keyId,
        tokenExpiresAt: now + 1,
        tenantId,
        limit: 100,
        now,
        make: async () => ({ connector, certificate: { ...issued, connectorId } }),
      })
      return { connector, issued }
    }

    test('is known by its certificate; the first use is noted', async () => {
      const { connector, issued } = await registered('known')
      const caller = await certificates.identify(issued.der, now)
      expect(caller.connector).toEqual(connector)
      expect(caller.certificate).toMatchObject({ serial: issued.serial, firstUsedAt: now })
      const again = await certificates.identify(issued.der, now + 1000)
      expect(again.certificate.firstUsedAt).toBe(now)
    })

    test('without a certificate is refused', async () => {
      for (const der of [undefined, new Uint8Array(0)]) {
        await expect(certificates.identify(der, now)).rejects.toEqual(
          refused('certificate-missing'),
        )
      }
    })

    test('whose certificate is ours but nobody registered it is refused', async () => {
      const { der } = await issue('stranger')
      await expect(certificates.identify(der, now)).rejects.toEqual(
        refused('certificate-revoked', 'its serial number is not known'),
      )
    })

    test('whose certificate has a known serial number but is another is refused', async () => {
      const { issued } = await registered('original')
      const der = await forged({ serialNumber: issued.serial })
      await expect(certificates.identify(der, now)).rejects.toMatchObject({
        reason: 'certificate-revoked',
      })
    })

    test('whose record is of another tenant is refused', async () => {
      const { issued } = await registered('moved', 'fabrikam')
      await expect(certificates.identify(issued.der, now)).rejects.toMatchObject({
        reason: 'certificate-revoked',
      })
    })

    test.each([
      ['tenant is removed', () => (removed = ['contoso'])],
      ['group is removed', () => (removed = ['default'])],
      ['group is another tenant’s', () => (owner = 'fabrikam')],
    ])('is no connector while its %s', async (what, happens) => {
      const { issued } = await registered(`homeless: ${what}`)
      await certificates.identify(issued.der, now)
      happens()
      const refusal = { reason: 'connector-unassigned', retryAfterMs: 10_000 }
      await expect(certificates.identify(issued.der, now)).rejects.toMatchObject(refusal)
      removed = []
      owner = 'contoso'
      await certificates.identify(issued.der, now)
    })

    test('that is forgotten is told to be registered again, a revoked one that it is revoked', async () => {
      const { issued } = await registered('forgotten')
      await registry.forget('forgotten', now)
      await expect(certificates.identify(issued.der, now)).rejects.toEqual(
        refused('connector-forgotten'),
      )
      const { issued: other } = await registered('both')
      await registry.setStanding('both', 'revoked', now)
      await registry.forget('both', now)
      await expect(certificates.identify(other.der, now)).rejects.toEqual(
        refused('certificate-revoked'),
      )
    })

    test('whose approval is over waits again, before anybody wrote that down', async () => {
      const { issued } = await registered('approved')
      await registry.setStanding('approved', 'active', now, { until: now + 1_000 })
      const standing = async (at: number) =>
        (await certificates.identify(issued.der, at)).connector.standing
      expect(await standing(now + 999)).toBe('active')
      expect(await standing(now + 1_000)).toBe('pending')
    })

    test('is refused from the moment it is revoked', async () => {
      const { issued } = await registered('revoked')
      await certificates.identify(issued.der, now)
      await registry.setStanding('revoked', 'revoked', now)
      await expect(certificates.identify(issued.der, now)).rejects.toEqual(
        refused('certificate-revoked'),
      )
    })

    test('that is disabled is still known: what it may do is another question', async () => {
      const { issued } = await registered('disabled')
      await registry.setStanding('disabled', 'disabled', now)
      const { connector } = await certificates.identify(issued.der, now)
      expect(connector.standing).toBe('disabled')
    })

    test('may show its old certificate for a day after the first use of the next', async () => {
      const { issued: old } = await registered('rolling')
      await certificates.identify(old.der, now)
      const next = await issue('rolling', now + 1000)
      await registry.renew({
        serial: old.serial,
        keyId: next.keyId,
        now: now + 1000,
        make: async () => ({ ...next, connectorId: 'rolling' }),
      })
      await certificates.identify(old.der, now + 5 * DAY)
      await certificates.identify(next.der, now + 5 * DAY)
      await certificates.identify(old.der, now + 6 * DAY - 1)
      await expect(certificates.identify(old.der, now + 6 * DAY)).rejects.toEqual(
        refused('certificate-revoked', 'a newer certificate has taken its place'),
      )
      await certificates.identify(next.der, now + 6 * DAY)
    })

    test('is checked anew when it was forgotten', async () => {
      const small = new ConnectorCertificates({
        crypto,
        authority,
        registry,
        directory,
        remembered: 2,
      })
      const leaves = await Promise.all(['a', 'b', 'c', 'd'].map((id) => issue(id)))
      for (const { der, serial } of [...leaves, ...leaves]) {
        expect((await small.checkLeaf(der, now)).serial).toBe(serial)
      }
    })
  })
})
