import type { ConnectorRegistry } from '../../src/cloud/index.ts'

/** A connector that needs no certificate: it is joined in memory. */
export async function registered(registry: ConnectorRegistry): Promise<string> {
  const now = Date.now()
  const validity = { issuedAt: now, expiresAt: now + 60_000 }
  const { connector } = await registry.register({
    issuer: 'memory',
    onceId: 'memory',
    keyId: 'memory',
    tokenExpiresAt: now + 60_000,
    tenantId: 'contoso',
    limit: 10,
    now,
    make: async () => ({
      connector: {
        id: 'memory',
        tenantId: 'contoso',
        groupId: 'default',
        name: 'memory',
        standing: 'active',
        registeredAt: now,
      },
      certificate: {
        serial: 'memory',
        connectorId: 'memory',
        keyId: 'memory',
        der: new Uint8Array(1),
        ...validity,
      },
    }),
  })
  return connector.id
}
