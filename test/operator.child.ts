/**
 * An operator's program beside a running cloud, on the same state directory: does what its arguments say, then says so.
 *
 *     operator.child.ts STATE_DIRECTORY standing CONNECTOR STANDING | group CONNECTOR GROUP | many CONNECTOR TIMES | rotate | seal NAME
 */
import { join } from 'node:path'
import { KeyRing } from '../src/cloud/index.ts'
import { openLmdbRegistry } from '../src/cloud/lmdb/index.ts'
import { keyRingFile } from '../src/cloud/node/index.ts'
import { seal } from '../src/cloud/session/sealed-cookie.ts'

const [stateDirectory, order, name, value] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
]

if (order === 'rotate' || order === 'seal') {
  const store = keyRingFile(join(stateDirectory, 'key-ring.json'))
  const ring = await KeyRing.open({ store })
  if (order === 'rotate') await ring.rotate()
  const scope = {
    purpose: 'session',
    tenantId: 'contoso',
    applicationId: 'wiki',
    host: 'wiki',
  } as const
  const sealed = await seal(ring, scope, { name })
  console.log(JSON.stringify({ newest: ring.newest, sealed }))
} else {
  const registry = openLmdbRegistry({ path: join(stateDirectory, 'registry.lmdb') })
  if (order === 'many')
    for (let i = 0; i < Number(value); i++) await registry.setGroup(name, `g-${i}`)
  const connector =
    order === 'many'
      ? await registry.connector(name)
      : order === 'group'
        ? await registry.setGroup(name, value)
        : await registry.setStanding(name, value as 'revoked', Date.now())
  await registry.close()
  console.log(JSON.stringify(connector))
}
