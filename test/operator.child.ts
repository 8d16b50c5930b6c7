/**
 * An operator's program beside a running cloud, on the same state directory: does what its arguments say, in order, and then says
 * what came of the last.
 *
 *     operator.child.ts STATE_DIRECTORY ORDER…
 *
 * An order is words with spaces between: `register CONNECTOR`, `enrol CONNECTOR TICKET-HASH`, `standing CONNECTOR STANDING`, `group CONNECTOR GROUP`,
 * `groups CONNECTOR TIMES`, `rotate`, `seal NAME`.
 */
import { join } from 'node:path'
import { KeyRing, type ConnectorRegistry } from '../src/cloud/index.ts'
import { openLmdbRegistry } from '../src/cloud/lmdb/index.ts'
import { keyRingFile } from '../src/cloud/node/index.ts'
import { seal } from '../src/cloud/session/sealed-cookie.ts'

const [stateDirectory = '', ...orders] = process.argv.slice(2)

async function onRegistry<T>(work: (registry: ConnectorRegistry) => Promise<T>): Promise<T> {
  const registry = openLmdbRegistry({ path: join(stateDirectory, 'registry.lmdb') })
  try {
    return await work(registry)
  } finally {
    await registry.close()
  }
}

const ring = () => KeyRing.open({ store: keyRingFile(join(stateDirectory, 'key-ring.json')) })

const ORDERS: Readonly<Record<string, (name: string, value: string) => Promise<unknown>>> = {
  register: (name) => onRegistry((registry) => register(registry, name)),
  enrol: (name, value) =>
    onRegistry(async (registry) => {
      try {
        return await register(registry, name, { ticketHash: value })
      } catch (error) {
        return (error as { reason: string }).reason
      }
    }),
  standing: (name, value) =>
    onRegistry((registry) => registry.setStanding(name, value as 'revoked', Date.now())),
  group: (name, value) => onRegistry((registry) => registry.setGroup(name, value)),
  groups: (name, value) =>
    onRegistry(async (registry) => {
      for (let i = 0; i < Number(value); i++) await registry.setGroup(name, `g-${i}`)
    }),
  rotate: async () => {
    await (await ring()).rotate()
  },
  seal: async (name) => {
    const keys = await ring()
    const scope = { purpose: 'session', tenantId: 'contoso', applicationId: 'wiki' } as const
    return { newest: keys.newest, sealed: await seal(keys, { ...scope, host: 'wiki' }, { name }) }
  },
}

async function register(
  registry: ConnectorRegistry,
  id: string,
  by: { ticketHash: string } | { issuer: string } = { issuer: 'https://issuer.example' },
) {
  const now = Date.now()
  const expiresAt = now + 60_000
  const { connector } = await registry.register({
    ...('issuer' in by ? { ...by, onceId: id, tokenExpiresAt: expiresAt } : by),
    ...{ keyId: id, tenantId: 'contoso', limit: 100, now },
    make: async () => ({
      connector: {
        ...{ id, tenantId: 'contoso', groupId: 'default', name: id },
        ...{ standing: 'active', registeredAt: now },
      },
      certificate: {
        ...{ serial: `4${id}`, connectorId: id, keyId: id, der: new Uint8Array([1]) },
        ...{ issuedAt: now, expiresAt },
      },
    }),
  })
  return connector
}

let result: unknown
for (const order of orders) {
  const [verb = '', name = '', value = ''] = order.split(' ')
  result = await ORDERS[verb]!(name, value)
}
console.log(JSON.stringify(result ?? null))
