/** What an operator does with connectors, and what becomes of their links: over real links. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { startTunnel, type Tunnel } from '../test/integration/tunnel.ts'
import { until } from '../test/until.ts'

let tunnel: Tunnel
/** What the cloud's wall clock is ahead of ours. */
let aheadMs = 0
afterEach(async () => {
  aheadMs = 0
  await tunnel.close()
})

const start = () =>
  startTunnel({
    backend: (_request, response) => response.end('here'),
    wallClock: () => Date.now() + aheadMs,
    limits: { queueWaitMs: 300 },
  })

async function status() {
  const at = { host: '127.0.0.1', port: tunnel.port, agent: false }
  const [response] = (await once(
    get({ ...at, headers: { host: 'open.localhost' } }),
    'response',
  )) as [IncomingMessage]
  response.resume()
  return response.statusCode
}

test('R8.5a a connector that is forgotten loses its links, and is told to be registered again', async () => {
  tunnel = await start()
  const [connector] = await tunnel.registry.list('contoso')
  expect(await status()).toBe(200)
  await tunnel.registry.forget(connector!.id, Date.now())
  await until(() => tunnel.attached.length === 0)
  expect([503, 504]).toContain(await status())
  expect(await tunnel.registry.list('contoso')).toEqual([])
  const told = () => JSON.stringify(tunnel.events)
  await until(() => told().includes('connector-forgotten') || told().includes('has removed'))
})

test('R8.5b an approval ends by itself: the connector serves nothing until the next', async () => {
  tunnel = await start()
  const [connector] = await tunnel.registry.list('contoso')
  const now = Date.now()
  await tunnel.registry.setStanding(connector!.id, 'active', now, { until: now + 3_600_000 })
  expect(await status()).toBe(200)
  aheadMs = 3_600_000
  await tunnel.cloud.terms.expire()
  await until(() => tunnel.attached.length === 0)
  expect([503, 504]).toContain(await status())
  expect(tunnel.audit.events).toContainEqual(
    expect.objectContaining({
      ...{ type: 'connector.lapsed', connectorId: connector!.id, detail: { standing: 'pending' } },
    }),
  )
  await tunnel.registry.setStanding(connector!.id, 'active', now + aheadMs)
  await until(() => tunnel.attached.length === 1, 60_000)
  expect(await status()).toBe(200)
}, 120_000)
