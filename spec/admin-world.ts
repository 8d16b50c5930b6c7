/** The admin API over a cloud in memory, with two tenants, and somebody of each role. */
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  KeyRing,
  readDirectory,
  type AuditEvent,
  type InstancePresence,
} from '../src/cloud/index.ts'
import {
  createAdminApi,
  createMemoryConfigurationStore,
  openConfigurationVersions,
} from '../src/cloud/admin/index.ts'
import { startIssuer } from '../test/issuer.ts'
import { recordedAudit } from '../test/recorded-audit.ts'
import { memoryAuthorityStore } from '../test/cloud/trust.ts'

export const AUDIENCE = 'https://admin.example'
export const LOCAL_TOKEN = 'b'.repeat(43)

export type World = Awaited<ReturnType<typeof adminWorld>>

/**
 * @param tenant what each tenant has beside the usual
 * @param presence which instances there are; default: it is alone
 */
export async function adminWorld(tenant: object = {}, presence?: Pick<InstancePresence, 'known'>) {
  const [contoso, fabrikam, operators] = await Promise.all([
    startIssuer(),
    startIssuer(),
    startIssuer(),
  ])
  const issuers = { contoso, fabrikam, operators }
  const audit = recordedAudit()
  let isAuditFailing = false
  const registry = createMemoryRegistry()
  const tenantOf = (id: 'contoso' | 'fabrikam') => ({
    ...{ id, issuer: issuers[id].url, registrars: { audience: 'cloud' }, enrolmentTickets: true },
    defaultGroupId: `${id}-default`,
    ...tenant,
  })
  const initial = readDirectory({
    tenants: [tenantOf('contoso'), tenantOf('fabrikam')],
    groups: ['contoso', 'fabrikam'].flatMap((tenantId) => [
      { id: `${tenantId}-default`, tenantId },
      { id: `${tenantId}-other`, tenantId },
    ]),
    applications: ['contoso', 'fabrikam'].map((tenantId) => ({
      ...{ id: `${tenantId}-wiki`, groupId: `${tenantId}-default` },
      externalUrl: `https://wiki.${tenantId}.example/`,
      ...{ internalUrl: 'http://10.0.0.1/', preAuthentication: 'passthrough' },
    })),
  })
  const directory = createDirectory(initial)
  const cloud = createCloud({
    directory,
    registry,
    authority: await createCertificateAuthority({ store: memoryAuthorityStore() }),
    keyRing: await KeyRing.open(),
    audit: {
      write(event: AuditEvent) {
        if (isAuditFailing) throw new Error('the disk is full')
        audit.write(event)
      },
    },
    instances: () => ({}),
  })
  const store = createMemoryConfigurationStore()
  const versions = await openConfigurationVersions(cloud, { store, directory, initial })
  const octets = new TextEncoder().encode(LOCAL_TOKEN)
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', octets))
  const api = createAdminApi(cloud, {
    ...{ versions, presence },
    access: {
      audience: AUDIENCE,
      service: { issuer: operators.url, role: 'service' },
      localTokenHash: Buffer.from(digest).toString('hex'),
    },
  })
  let counter = 0
  return {
    cloud,
    directory,
    registry,
    audit,
    api,
    /** Of `contoso`. */
    issuer: contoso.url,
    store,
    versions,
    failAudit: (is: boolean) => (isAuditFailing = is),
    /** A token of an issuer: who is its subject, `roles` as they are called there. */
    token: (
      of: keyof typeof issuers,
      roles: readonly string[],
      {
        audience = AUDIENCE,
        typ = 'at+jwt',
        ...claims
      }: { audience?: string | readonly string[]; typ?: string; exp?: number; sub?: string } = {},
    ) =>
      issuers[of].sign(
        {
          ...{ sub: `somebody of ${of}`, aud: audience, roles },
          ...{ iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 300 },
          ...{ client_id: 'cli', jti: `${(counter += 1)}`, ...claims },
        },
        { typ },
      ),
    /** A connector of a tenant. */
    async register(tenantId: string, id = `${tenantId}-${(counter += 1)}`, record: object = {}) {
      const now = Date.now()
      const { connector } = await registry.register({
        ...{ issuer: 'memory', onceId: id, tokenExpiresAt: now + 1, keyId: id },
        ...{ tenantId, limit: 10_000, now },
        make: async () => ({
          connector: {
            ...{ id, tenantId, groupId: `${tenantId}-default`, name: id },
            ...{ standing: 'active', registeredAt: now, ...record },
          },
          certificate: {
            ...{ serial: `4${id}`, connectorId: id, keyId: id, der: new Uint8Array([1]) },
            ...{ issuedAt: now, expiresAt: now + 60_000 },
          },
        }),
      })
      return connector
    },
    async call(
      method: string,
      path: string,
      {
        token,
        body,
        headers = {},
        isLocal = true,
      }: {
        token?: string | undefined
        body?: unknown
        headers?: Readonly<Record<string, string>>
        isLocal?: boolean
      } = {},
    ) {
      const response = await api.handle(
        new Request(`http://localhost:8430${path}`, {
          method,
          headers: {
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
            ...(body !== undefined && { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        }),
        { remoteAddress: isLocal ? '127.0.0.1' : `192.0.2.${(counter += 1) % 250}`, isLocal },
      )
      const text = await response.text()
      const json = text === '' ? {} : JSON.parse(text)
      return { status: response.status, headers: response.headers, json }
    },
    async close() {
      await Promise.all(Object.values(issuers).map((issuer) => issuer.close()))
    },
  }
}
