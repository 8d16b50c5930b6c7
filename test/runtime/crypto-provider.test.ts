import { webcrypto, X509Certificate } from 'node:crypto'
import { Crypto as PeculiarCrypto } from '@peculiar/webcrypto'
import { afterEach, expect, test, vi } from 'vitest'
import {
  createCertificateAuthority,
  createMemoryRegistry,
  defaultCryptoProvider,
} from '../../src/cloud/index.ts'
import { ConnectorCertificates } from '../../src/cloud/connectors/connector-certificate.ts'
import { readCertificateRequest } from '../../src/cloud/authority/certificate-request.ts'
import { memoryAuthorityStore, newKeys, requestFor } from '../cloud/trust.ts'

afterEach(() => vi.unstubAllGlobals())

test('the runtime’s own Web Crypto is the default', async () => {
  expect(await defaultCryptoProvider()).toBe(globalThis.crypto)
})

test('a runtime without Web Crypto can still be an authority', async () => {
  vi.stubGlobal('crypto', undefined)
  const crypto = await defaultCryptoProvider()
  vi.stubGlobal('crypto', webcrypto)
  expect(crypto).toBeInstanceOf(PeculiarCrypto)
  const request = await requestFor(await newKeys())
  vi.stubGlobal('crypto', undefined)
  const now = Date.now()
  const authority = await createCertificateAuthority({
    crypto,
    clocks: { wallClock: () => now },
    store: memoryAuthorityStore(),
  })
  const { publicKey } = await readCertificateRequest(request, crypto)
  const { der } = await authority.issue({
    publicKeySpki: publicKey,
    tenantId: 't',
    connectorId: 'c',
    now,
  })
  const root = new X509Certificate(authority.certificate)
  expect(new X509Certificate(der).verify(root.publicKey)).toBe(true)
  const certificates = new ConnectorCertificates({
    crypto,
    authority,
    registry: createMemoryRegistry(),
    directory: { tenant: () => undefined, group: () => undefined },
  })
  expect(await certificates.checkLeaf(der, now)).toMatchObject({ connectorId: 'c' })
})
