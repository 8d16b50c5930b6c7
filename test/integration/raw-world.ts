import { randomBytes, randomUUID } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { type LeafIdentity } from '../../src/cloud/index.ts'
import { identityUri, LEAF_SUBJECT } from '../../src/cloud/authority/leaf-profile.ts'
import * as x509 from '../../src/runtime/x509.ts'
import { crypto, memoryAuthorityStore, newKeys, P256, spkiOf } from '../cloud/trust.ts'
import { RawConnector, type Credentials } from './raw-connector.ts'
import { startTunnel, type Tunnel, type TunnelOptions } from './tunnel.ts'

const DAY = 24 * 60 * 60 * 1000

/** A connector's certificate and key, and who it is. */
export interface Enrolled extends Credentials, LeafIdentity {
  readonly serial: string
  readonly expiresAt: number
}

/** A cloud on real TLS whose connectors are made by the test. */
export interface RawWorld extends Tunnel {
  /** Milliseconds that the cloud's wall clock is ahead. */
  ahead: number
  /** Registers a connector with a certificate of the real authority. */
  enrol(options?: EnrolOptions): Promise<Enrolled>
  /** A leaf signed with the authority's very key, and as it should be but for what is said. */
  forge(changes?: ForgedLeaf): Promise<Credentials>
  connect(credentials?: Credentials): RawConnector
  user(path: string, options?: UserOptions): Promise<UserAnswer>
}

export interface EnrolOptions {
  readonly tenantId?: string
  readonly groupId?: string
  /** When it was issued: milliseconds since 1970. */
  readonly now?: number
  readonly validityMs?: number
}

export type ForgedLeaf = Partial<x509.X509CertificateCreateWithKeyParams> & {
  /** The type of an extension that is left out. */
  readonly drop?: string
}

export interface UserOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array
}

/** What a user got; `broken`: the connection was cut before the answer was whole. */
export interface UserAnswer {
  readonly status: number
  readonly body: Buffer
  readonly broken: boolean
}

export async function startRawWorld(options: Partial<TunnelOptions> = {}): Promise<RawWorld> {
  const store = memoryAuthorityStore()
  let ahead = 0
  const tunnel = await startTunnel({
    noConnector: true,
    backend: (_request, response) => response.end(),
    authorityStore: store,
    wallClock: () => Date.now() + ahead,
    ...options,
  })
  const root = new x509.X509Certificate(store.stored!.certificate as BufferSource)
  const rootKey = await crypto.subtle.importKey(
    'pkcs8',
    store.stored!.key as BufferSource,
    P256,
    false,
    ['sign'],
  )
  const connectors: RawConnector[] = []
  return Object.defineProperties(Object.create(tunnel) as RawWorld, {
    ...Object.getOwnPropertyDescriptors({
      get ahead() {
        return ahead
      },
      set ahead(ms: number) {
        ahead = ms
      },
      enrol: (options: EnrolOptions = {}) => enrol(tunnel, options),
      forge: (changes: ForgedLeaf = {}) => forge(root, rootKey, changes),
      connect(credentials?: Credentials) {
        const connector = new RawConnector(tunnel.connectorUrl, tunnel.ca, credentials)
        connectors.push(connector)
        return connector
      },
      user: (path: string, options: UserOptions = {}) => userCall(tunnel.port, path, options),
      async close() {
        for (const connector of connectors) connector.close()
        await tunnel.close()
      },
    }),
  })
}

async function enrol(
  { cloud, registry }: Tunnel,
  { tenantId = 'contoso', groupId = 'default', now = Date.now(), validityMs }: EnrolOptions,
): Promise<Enrolled> {
  const keys = await newKeys()
  const connectorId = randomUUID()
  const issued = await cloud.authority.issue({
    publicKeySpki: await spkiOf(keys),
    tenantId,
    connectorId,
    now,
    ...(validityMs !== undefined && { validityMs }),
  })
  await registry.register({
    issuer: 'test',
    onceId: connectorId,
    keyId: issued.keyId,
    tokenExpiresAt: now + DAY,
    tenantId,
    limit: 1000,
    now,
    make: async () => ({
      connector: {
        id: connectorId,
        tenantId,
        groupId,
        name: 'raw',
        standing: 'active',
        registeredAt: now,
      },
      certificate: { ...issued, connectorId },
    }),
  })
  const { serial, expiresAt } = issued
  return { connectorId, tenantId, serial, expiresAt, ...(await credentials(keys, issued.der)) }
}

async function forge(
  root: x509.X509Certificate,
  rootKey: CryptoKey,
  { extensions, drop, ...changes }: ForgedLeaf,
): Promise<Credentials> {
  const keys = await newKeys()
  const identity = { tenantId: 'contoso', connectorId: 'forged' }
  const own = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    new x509.SubjectAlternativeNameExtension([{ type: 'url', value: identityUri(identity) }]),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto as Crypto),
    await x509.AuthorityKeyIdentifierExtension.create(root.publicKey, false, crypto as Crypto),
  ]
  const replaced = new Set(extensions?.map(({ type }) => type))
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: `4${randomBytes(16).toString('hex').slice(1)}`,
      subject: LEAF_SUBJECT,
      issuer: root.subjectName,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + DAY),
      publicKey: keys.publicKey,
      signingKey: rootKey,
      signingAlgorithm: P256,
      extensions: [
        ...own.filter(({ type }) => !replaced.has(type) && type !== drop),
        ...(extensions ?? []),
      ],
      ...changes,
    },
    crypto as Crypto,
  )
  return credentials(keys, new Uint8Array(certificate.rawData))
}

async function credentials(keys: CryptoKeyPair, der: Uint8Array): Promise<Credentials> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    cert: x509.PemConverter.encode(der as BufferSource, 'CERTIFICATE'),
  }
}

function userCall(port: number, path: string, options: UserOptions): Promise<UserAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let status = 0
    const settle = (broken: boolean) => resolve({ status, body: Buffer.concat(chunks), broken })
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path,
      agent: false,
      method: options.method ?? 'GET',
      headers: {
        host: 'open.localhost',
        ...(options.body !== undefined && { 'content-length': String(options.body.length) }),
        ...options.headers,
      },
    })
    request.on('error', () => settle(true))
    request.on('response', (response: IncomingMessage) => {
      status = response.statusCode!
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => settle(true))
      response.on('end', () => settle(false))
    })
    request.end(options.body)
  })
}
