/** One registration a name: the same token, key, record and certificate whenever it is made again. */
import type { TokenRegistration } from '../../../src/cloud/index.ts'

const T0 = 1_800_000_000_000

export function orderOf(id: string): TokenRegistration {
  return {
    ...{ issuer: 'https://issuer.example', onceId: id, keyId: `key of ${id}`, limit: 1_000 },
    ...{ tenantId: 'contoso', now: T0, tokenExpiresAt: T0 + 300_000 },
    make: async () => ({
      connector: {
        ...{ id, tenantId: 'contoso', groupId: 'default', name: id },
        ...{ standing: 'active', registeredAt: T0 },
      },
      certificate: {
        ...{ serial: `4${id}`, connectorId: id, keyId: `key of ${id}` },
        ...{ der: new TextEncoder().encode(id), issuedAt: T0, expiresAt: T0 + 5_000_000_000 },
      },
    }),
  }
}
