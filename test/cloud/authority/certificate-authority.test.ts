import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile, chmod } from 'node:fs/promises'
import { createServer, connect } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCertificateAuthority, createServerAuthority } from '../../../src/cloud/index.ts'
import { identityOf, identityUri } from '../../../src/cloud/authority/leaf-profile.ts'
import { authorityFile } from '../../../src/cloud/node/index.ts'
import {
  crypto,
  DAY,
  memoryAuthorityStore,
  newKeys,
  spkiOf,
  TestClocks,
  PROVIDERS,
  useProvider,
} from '../trust.ts'

describe.each(PROVIDERS)('over %s', (_, provider) => {
  beforeAll(() => useProvider(provider))
  const clocks = new TestClocks()

  async function newAuthority() {
    return createCertificateAuthority({ crypto, clocks, store: memoryAuthorityStore() })
  }

  describe('a leaf', () => {
    test('has exactly the profile, as another implementation reads it', async () => {
      const authority = await newAuthority()
      const now = Date.now()
      const issued = await authority.issue({
        publicKeySpki: await spkiOf(await newKeys()),
        tenantId: 'contoso',
        connectorId: 'c1',
        now,
      })
      const leaf = new X509Certificate(issued.der)
      const root = new X509Certificate(authority.certificate)
      expect(leaf.verify(root.publicKey)).toBe(true)
      expect(leaf.checkIssued(root)).toBe(true)
      expect(leaf.ca).toBe(false)
      expect(root.ca).toBe(true)
      expect(leaf.subjectAltName).toBe('URI:urn:app-proxy:tenant:contoso:connector:c1')
      expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
      expect(leaf.serialNumber.toLowerCase()).toBe(issued.serial)
      expect(issued.serial).toMatch(/^[4-7][0-9a-f]{31}$/)
      expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
      expect(Date.parse(leaf.validFrom)).toBe(Math.floor((now - 60_000) / 1000) * 1000)
      expect(issued.expiresAt).toBe(Math.floor((now + 60 * DAY) / 1000) * 1000)
      expect(Date.parse(leaf.validTo)).toBe(issued.expiresAt)
      expect(issued.issuedAt).toBe(now)
    })

    test('never outlives its root', async () => {
      const authority = await newAuthority()
      const root = new X509Certificate(authority.certificate)
      const { expiresAt } = await authority.issue({
        publicKeySpki: await spkiOf(await newKeys()),
        tenantId: 't',
        connectorId: 'c',
        now: Date.now(),
        validityMs: 100 * 365 * DAY,
      })
      expect(expiresAt).toBe(Date.parse(root.validTo))
    })

    test('is not made for a key of another kind', async () => {
      const authority = await newAuthority()
      const { publicKey } = await crypto.subtle.generateKey(
        { name: 'ECDSA', namedCurve: 'P-384' },
        true,
        ['sign', 'verify'],
      )
      const publicKeySpki = new Uint8Array(await crypto.subtle.exportKey('spki', publicKey))
      await expect(
        authority.issue({ publicKeySpki, tenantId: 't', connectorId: 'c', now: Date.now() }),
      ).rejects.toMatchObject({ code: 'ERR_API_MISUSE' })
    })

    test('has a serial number of its own every time', async () => {
      const authority = await newAuthority()
      const publicKeySpki = await spkiOf(await newKeys())
      const serials = new Set<string>()
      for (let i = 0; i < 20; i++) {
        const order = { publicKeySpki, tenantId: 't', connectorId: 'c', now: Date.now() }
        serials.add((await authority.issue(order)).serial)
      }
      expect(serials.size).toBe(20)
    })
  })

  describe('an identity in a URI', () => {
    test.each(['contoso', 'a:b', 'ü/?#%', 'x:connector:y', '..', ' '])('carries %j', (id) => {
      const identity = { tenantId: id, connectorId: 'c' }
      expect(identityOf(identityUri(identity))).toEqual(identity)
    })

    test.each([
      'urn:app-proxy:tenant::connector:c',
      'urn:app-proxy:tenant:a:connector:',
      'urn:app-proxy:tenant:a:connector:b:connector:c',
      'URN:app-proxy:tenant:a:connector:b',
      'urn:app-proxy:tenant:%61:connector:b',
      'urn:app-proxy:tenant:%:connector:b',
      'urn:app-proxy:tenant:a:connector:b ',
      ' urn:app-proxy:tenant:a:connector:b',
      'urn:app-proxy:tenant:a:connector:b\n',
    ])('is refused in any other spelling: %j', (uri) => {
      expect(identityOf(uri)).toBeUndefined()
    })
  })

  describe('the root', () => {
    let directory: string
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'authority-'))
    })
    afterEach(() => rm(directory, { recursive: true, force: true }))

    test('is made once and kept, for its owner alone', async () => {
      const path = join(directory, 'state', 'authority.pem')
      const options = { crypto, clocks, store: authorityFile(path) }
      const first = await createCertificateAuthority(options)
      const second = await createCertificateAuthority(options)
      expect(second.certificate).toEqual(first.certificate)
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      expect((await stat(join(directory, 'state'))).mode & 0o777).toBe(0o700)
    })

    test('is the same for two processes that start at once', async () => {
      const path = join(directory, 'authority.pem')
      const authorities = await Promise.all(
        Array.from({ length: 4 }, () =>
          createCertificateAuthority({ crypto, clocks, store: authorityFile(path) }),
        ),
      )
      const roots = new Set(authorities.map(({ certificate }) => certificate.join()))
      expect(roots.size).toBe(1)
    })

    test('is refused where others could read its key, and where it is something else', async () => {
      const path = join(directory, 'authority.pem')
      const options = { crypto, clocks, store: authorityFile(path) }
      await createCertificateAuthority(options)
      await chmod(path, 0o640)
      const invalid = { code: 'ERR_CONFIGURATION_INVALID', path }
      await expect(createCertificateAuthority(options)).rejects.toMatchObject(invalid)
      await chmod(path, 0o600)
      await writeFile(path, 'something else')
      await expect(createCertificateAuthority(options)).rejects.toMatchObject(invalid)
    })

    test('is refused with the key of another', async () => {
      const [one, other] = [memoryAuthorityStore(), memoryAuthorityStore()]
      await createCertificateAuthority({ crypto, clocks, store: one })
      await createCertificateAuthority({ crypto, clocks, store: other })
      const mixed = { ...one.stored!, key: other.stored!.key }
      const store = { load: async () => mixed, save: async () => undefined }
      await expect(createCertificateAuthority({ crypto, clocks, store })).rejects.toMatchObject({
        code: 'ERR_CONFIGURATION_INVALID',
      })
    })
  })

  describe('a server certificate', () => {
    test('serves TLS under its own root, by name and by address', async () => {
      const servers = await createServerAuthority({ crypto, clocks, store: memoryAuthorityStore() })
      const { key, certificate, ca } = await servers.issue()
      const server = createServer({ key, cert: certificate }, (socket) => socket.end())
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      const authorized = (options: object) =>
        new Promise<boolean | string>((resolve) => {
          const socket = connect({ host: '127.0.0.1', port, ...options }, () => {
            resolve(socket.authorized)
            socket.destroy()
          })
          socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
        })
      try {
        expect(await authorized({ ca })).toBe(true)
        expect(await authorized({ ca, servername: 'localhost' })).toBe(true)
        expect(await authorized({ ca, servername: 'other.example' })).toBe(
          'ERR_TLS_CERT_ALTNAME_INVALID',
        )
        const connectors = await newAuthority()
        const foreign = new X509Certificate(connectors.certificate).toString()
        expect(await authorized({ ca: foreign })).not.toBe(true)
      } finally {
        await new Promise((resolve) => server.close(resolve))
      }
    })
  })
})
