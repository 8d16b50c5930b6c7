import { Crypto as PeculiarCrypto } from '@peculiar/webcrypto'
import {
  createCertificateAuthority,
  createMemoryRegistry,
  defaultCryptoProvider,
  type Application,
  type CryptoProvider,
  type Tenant,
} from '../../src/cloud/index.ts'
import { ConfigurationService } from '../../src/cloud/connectors/configuration-service.ts'
import { ConnectorCertificates } from '../../src/cloud/connectors/connector-certificate.ts'
import {
  createRegistration,
  type RegistrationOptions,
} from '../../src/cloud/connectors/registration-service.ts'
import { PROTOCOL_VERSION, type RegistrationRequest } from '../../src/protocol/internal.ts'
import * as x509 from '../../src/runtime/x509.ts'
import { startIssuer, type Issuer } from '../issuer.ts'
import { recordedAudit } from '../recorded-audit.ts'
import { memoryAuthorityStore } from './authority/memory-authority-store.ts'

export { memoryAuthorityStore }

/** The providers of cryptography that suites run over, by name. */
export const PROVIDERS: readonly (readonly [name: string, provider: CryptoProvider])[] = [
  ['the runtime’s Web Crypto', await defaultCryptoProvider()],
  ['@peculiar/webcrypto', new PeculiarCrypto()],
]

/** The provider in use: see {@link useProvider}. */
export let crypto: CryptoProvider = PROVIDERS[0]![1]

/**
 * From now on all keys and certificates of this suite are made, and checked, by `provider`; what is returned ends that: other files may be run in the same process.
 */
export function useProvider(provider: CryptoProvider): () => void {
  crypto = provider
  return () => (crypto = PROVIDERS[0]![1])
}

export const DAY = 24 * 60 * 60 * 1000
export const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** Clocks that tests set. */
export class TestClocks {
  offset = 0
  now = (): number => this.offset
  wallClock = (): number => Date.now() + this.offset
}

export async function newKeys(): Promise<CryptoKeyPair> {
  // Without a hash: some providers would keep it, and sign with no other.
  return crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
}

export async function spkiOf({ publicKey }: CryptoKeyPair): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.exportKey('spki', publicKey))
}

/** A certificate request as an honest connector makes it; `wishes` for the others. */
export async function requestFor(
  keys: CryptoKeyPair,
  wishes: Partial<x509.Pkcs10CertificateRequestCreateParams> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    { keys, signingAlgorithm: P256, ...wishes },
    crypto as Crypto,
  )
  return new Uint8Array(request.rawData)
}

export function tenantOf(issuer: string, id = 'contoso', overrides: Partial<Tenant> = {}): Tenant {
  return {
    id,
    name: id,
    issuer,
    registrars: {
      audience: 'https://connectors.example',
      roleClaim: ['roles'],
      roles: ['company-administrator', 'application-administrator'],
    },
    connectorLimit: 100,
    approveConnectors: false,
    defaultGroupId: `${id}-default`,
    ...overrides,
  }
}

export function directoryOf(tenants: readonly Tenant[], applications: readonly Application[] = []) {
  return {
    tenant: (id: string) => tenants.find((tenant) => tenant.id === id),
    tenants: () => tenants,
    tenantOfIssuer: (issuer: string) => tenants.find((tenant) => tenant.issuer === issuer),
    group: (id: string) => ({ id, tenantId: id.split('-')[0]!, name: `Group ${id}` }),
    applications: () => applications,
    application: (id: string) => applications.find((application) => application.id === id),
  }
}

/** The cloud's side of trust, on real keys and a real issuer. */
export async function startTrust(
  tenant: Partial<Tenant> = {},
  overrides: Partial<RegistrationOptions> = {},
  applications: readonly Application[] = [],
) {
  const issuer = await startIssuer()
  const clocks = new TestClocks()
  const audit = recordedAudit()
  const registry = overrides.registry ?? createMemoryRegistry()
  const authority = await createCertificateAuthority({
    crypto,
    clocks,
    store: memoryAuthorityStore(),
  })
  const directory = directoryOf([tenantOf(issuer.url, 'contoso', tenant)], applications)
  const shared = { crypto, clocks, directory, authority, audit }
  const registrar = createRegistration({ ...shared, ...overrides, registry })
  const certificates = new ConnectorCertificates({
    crypto,
    authority,
    registry,
    directory,
  })
  const configuration = new ConfigurationService({
    ...shared,
    registry,
    instances: () => ({ one: 'https://cloud.example:8443' }),
  })
  return { ...shared, issuer, registry, registrar, certificates, configuration }
}

/** What an administrator of `contoso` signs in to. */
export function adminToken(
  issuer: Issuer,
  claims: Record<string, unknown> = {},
  header: Record<string, string> = {},
): Promise<string> {
  return issuer.sign(
    {
      sub: 'alice',
      aud: 'https://connectors.example',
      tid: 'contoso',
      roles: ['application-administrator'],
      jti: globalThis.crypto.randomUUID(),
      ...claims,
    },
    header,
  )
}

export function registration(token: string, request: Uint8Array<ArrayBuffer>): RegistrationRequest {
  return {
    v: PROTOCOL_VERSION,
    type: 'registration',
    token,
    request,
    instance: { name: 'branch-office', version: '1.0.0' },
    features: [],
  }
}
