/** Registers one connector, says so on stdout, and then waits to be killed. */
import { writeSync } from 'node:fs'
import { openLmdbRegistry } from '../../../src/cloud/lmdb/index.ts'

const [path, connectorId] = process.argv.slice(2) as [string, string]
const now = Date.now()
const registered = await openLmdbRegistry({ path }).register({
  issuer: 'https://issuer.example',
  onceId: connectorId,
  keyId: 'key',
  tokenExpiresAt: now + 60_000,
  tenantId: 'contoso',
  limit: 100,
  now,
  make: async () => ({
    connector: {
      id: connectorId,
      tenantId: 'contoso',
      groupId: 'default',
      name: 'child',
      standing: 'active',
      registeredAt: now,
    },
    certificate: {
      serial: `4${connectorId}`,
      connectorId,
      keyId: 'key',
      der: new Uint8Array([1, 2, 3]),
      issuedAt: now,
      expiresAt: now + 60_000,
    },
  }),
})
writeSync(1, `${JSON.stringify(registered)}\n`)
setInterval(() => undefined, 60_000)
