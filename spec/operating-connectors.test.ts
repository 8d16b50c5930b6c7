/** What an operator does with connectors, and what becomes of their links: over real links. */
import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createAdminApi } from '../src/cloud/admin/index.ts'
import { createAdminListener, openLocalToken } from '../src/cloud/node/index.ts'
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

/** The admin API of the tunnel's cloud, on its own port, as a program calls it. */
async function openAdmin() {
  const file = join(tunnel.stateDirectory, 'admin-token')
  const api = createAdminApi(tunnel.cloud, {
    access: { localTokenHash: await openLocalToken(file) },
  })
  const listener = createAdminListener(api)
  const port = await listener.listen(0)
  const token = (await readFile(file, 'utf8')).trim()
  return {
    file,
    listener,
    token,
    async call(path: string, init: RequestInit = {}) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...init.headers },
      })
      const text = await response.text()
      return { status: response.status, json: text === '' ? undefined : JSON.parse(text) }
    },
  }
}

test('R8.5e an operator sees how a connector does, and revokes it, by a port of its own', async () => {
  tunnel = await start()
  const admin = await openAdmin()
  try {
    expect((await stat(admin.file)).mode & 0o777).toBe(0o600)
    expect(await status()).toBe(200)
    const { json } = await admin.call('/v1/connectors')
    expect(json.items).toEqual([
      expect.objectContaining({
        ...{ tenantId: 'contoso', standing: 'active', links: 1, inFlight: 0 },
        version: expect.stringMatching(/^app-proxy-connector\//),
        address: expect.stringContaining('127.0.0.1'),
        certificateExpiresAt: expect.any(Number),
        applications: [
          expect.objectContaining({ applicationId: 'open', health: 'healthy', faults: 0 }),
        ],
      }),
    ])
    const { id } = json.items[0]
    const revoked = await admin.call(`/v1/connectors/${id}/revoke`, {
      ...{ method: 'POST', headers: { 'if-match': '*' } },
    })
    expect(revoked.json.standing).toBe('revoked')
    await until(() => tunnel.attached.length === 0)
    expect([503, 504]).toContain(await status())
    await expect(admin.listener.listen(0, '0.0.0.0')).rejects.toMatchObject({ path: 'host' })
  } finally {
    await admin.listener.close()
  }
})

test('R8.5e the view names the application that a connector fails for, and how', async () => {
  const nobody = createServer()
  await once(nobody.listen(0, '127.0.0.1'), 'listening')
  const { port } = nobody.address() as AddressInfo
  await new Promise((closed) => nobody.close(closed))
  tunnel = await startTunnel({ backend: () => undefined, internalPort: port })
  const admin = await openAdmin()
  try {
    expect(await status()).toBe(502)
    const { json } = await admin.call('/v1/connectors')
    expect(json.items[0].applications).toEqual([
      expect.objectContaining({
        ...{ applicationId: 'open', health: 'passed-over', faults: 1 },
        lastFault: { at: expect.any(Number), reason: 'not-sent' },
      }),
    ])
    const { json: applications } = await admin.call('/v1/applications')
    expect(applications.items[0].connectors).toEqual([
      { connectorId: json.items[0].id, health: 'passed-over', faults: 1 },
    ])
  } finally {
    await admin.listener.close()
  }
})
