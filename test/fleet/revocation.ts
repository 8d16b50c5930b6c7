/**
 * A connector that an operator revokes at one of two instances, each a process: what becomes of its links and of every call with its certificate, there and at the
 * other, and after all processes were killed and started again.
 */
import type { ConnectorView } from '../../src/cloud/admin/admin-views.ts'
import { until } from '../until.ts'
import { FleetApplication } from './application.ts'
import { Fleet } from './fleet.ts'
import type { Engine } from './instance.child.ts'

const EXCHANGE = '0'.repeat(32)
const LINK = 'versions=1&run=raw&index=0&epoch=1&offers=1&granted=1&max-data=65536&features=plain'
/** All that a connector may ask for. */
const CALLS: readonly (readonly [method: 'GET' | 'POST', path: string, upgrade?: string])[] = [
  ['POST', '/configuration'],
  ['POST', '/application'],
  ['GET', '/link', 'app-proxy/1'],
  ['GET', `/links/raw-0/offers?${LINK}`],
  ['POST', '/links/raw-0/credit'],
  ['POST', '/links/raw-0/goodbye?epoch=1'],
  ['POST', `/exchanges/${EXCHANGE}/body?attempt=1&max-data=65536`],
  ['POST', `/exchanges/${EXCHANGE}/response?max-data=65536`],
  ['POST', `/exchanges/${EXCHANGE}/decline`],
]

export interface RevocationSeen {
  /** Links of the revoked connector and of the other, at each instance. */
  readonly links: readonly (readonly [revoked: number, other: number])[]
  /** What each call with the revoked certificate was answered, at both instances: once each. */
  readonly refusals: readonly string[]
}

/** Before the revocation, after it, and when everything was killed and is back. */
export async function revocation(engine: Engine): Promise<{
  before: Pick<RevocationSeen, 'links'>
  after: RevocationSeen
  restarted: RevocationSeen
}> {
  const application = await FleetApplication.start()
  const { port } = application
  const fleet = await Fleet.start({
    ...{ instances: 2, connectors: ['default', 'default'], engine },
    applications: { one: { groupId: 'default', port } },
  })
  try {
    const ids = fleet.connectors.map(({ process }) => process.ready.connectorId)
    const links = () =>
      Promise.all(
        fleet.instances.map(async (_, i) => {
          const { items } = await fleet.operator<{ items: ConnectorView[] }>(i, '/v1/connectors')
          const of = (id: string | undefined) => items.find((one) => one.id === id)!.links
          return [of(ids[0]), of(ids[1])] as const
        }),
      )
    const seen = async () => ({ links: await links(), refusals: await refusals(fleet) })
    await until(async () => (await links()).flat().every((count) => count > 0), 30_000)
    const before = { links: await links() }
    await fleet.operator(0, `/v1/connectors/${ids[0]}/revoke`, {})
    await until(async () => (await links()).every(([revoked]) => revoked === 0))
    const after = await seen()
    await fleet.killAll([0])
    await until(async () => (await links()).every(([, other]) => other > 0), 30_000)
    return { before, after, restarted: await seen() }
  } finally {
    await fleet.close()
    application.close()
  }
}

async function refusals(fleet: Fleet): Promise<string[]> {
  const said = new Set<string>()
  for (const i of fleet.instances.keys())
    for (const [method, path, upgrade] of CALLS) {
      const calls = fleet.calls(i, fleet.credentials(0))
      const headers = upgrade === undefined ? {} : { connection: 'Upgrade', upgrade }
      const outcome = await calls.call(method, path, { headers, body: new Uint8Array() })
      said.add(outcome === 'broken' ? outcome : `${outcome.status} ${outcome.code}`)
      calls.close()
    }
  return [...said]
}
