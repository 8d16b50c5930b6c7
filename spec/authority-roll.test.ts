/** The authority of connectors is rolled under them, and they stay who they are. */
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { createAdminApi, type AdminApi } from '../src/cloud/admin/index.ts'
import { authorityKeyIdOf } from '../src/cloud/authority/authority-roll.ts'
import type { ConnectorIdentity } from '../src/connector/ports.ts'
import { toPem } from '../src/runtime/node/pem.ts'
import { RawConnector, type Answer } from '../test/integration/raw-connector.ts'
import { RawUser } from '../test/integration/raw-user.ts'
import { startTunnel, until, type Tunnel, type TunnelOptions } from '../test/integration/tunnel.ts'

let tunnel: Tunnel
let admin: AdminApi['service']['authority']
let isOver = false
afterEach(() => {
  isOver = true
  return tunnel.close()
})

async function start(options: Partial<TunnelOptions> = {}) {
  isOver = false
  tunnel = await startTunnel({
    ...options,
    backend: (request, response) => void response.end(`served ${request.url}`),
    limits: { configurationPullMs: 200, leaseMs: 1_000 },
  })
  admin = createAdminApi(tunnel.cloud, { access: {} }).service.authority
}

const ask = async (path: string) => {
  const headers = { host: 'open.localhost', connection: 'close' }
  const user = new RawUser(tunnel.port).ask('GET', path, headers)
  await user.closed
  return user.received
}

/** Speaks to the listener as whoever holds this identity. */
async function as({ keys, certificate }: ConnectorIdentity): Promise<RawConnector> {
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return new RawConnector(tunnel.connectorUrl, tunnel.ca, {
    key: toPem('PRIVATE KEY', new Uint8Array(key)),
    cert: toPem('CERTIFICATE', certificate),
  })
}

const link = `/links/raw-0/offers?versions=1&run=raw&index=0&epoch=1&offers=1&granted=1&max-data=65536&features=plain`
const authorityOf = ({ certificate }: ConnectorIdentity) => authorityKeyIdOf(certificate)

const SLOW = { timeout: 90_000 }

describe.each(['link over TLS', 'plain over TLS'] as const)('by %s', SLOW, (transport) => {
  test('R8.9a an authority is rolled under load: connectors renew, and nobody is registered again', async () => {
    await start({ transport })
    const { cloud, connector, registry, events } = tunnel
    const before = connector.identity
    expect((await admin.view()).state).toBe('one')

    let asked = 0
    const wrong: string[] = []
    const load = async () => {
      while (!isOver) {
        const path = `/${(asked += 1)}`
        const answer = await ask(path)
        if (!answer.endsWith(`served ${path}`)) wrong.push(answer)
        await wait(5)
      }
    }
    const loads = [load(), load()]
    const { state, root, leaving } = await admin.roll({ beginsInMs: 0 })
    expect(state).toBe('rolling')
    expect(leaving!.keyId).toBe(authorityOf(before))
    // It is told, renews, and is itself as before.
    await until(() => authorityOf(connector.identity) === root.keyId, 60_000)
    expect((await admin.view()).remaining.total).toBe(0)
    expect(connector.identity.connectorId).toBe(before.connectorId)
    const [first, ...next] = await registry.certificates(before.connectorId)
    expect(first!.supersededUntil).toBeDefined()
    expect(next).toHaveLength(1)

    // Both are trusted: what is about to be refused is still let in.
    const old = await as(before)
    const nothing = (await old.call('GET', '/nothing')) as Answer
    expect(nothing.status).not.toBe(401)
    const stale = await old.link()
    expect(stale.isClosed).toBe(false)
    await expect(admin.finish({})).rejects.toThrow('connections carry something here')

    // What is cut by force is tried again; before, nothing was cut.
    const failed = () => events.filter(({ type }) => type === 'exchange-failed')
    expect(failed()).toEqual([])
    // What lies open in the root's name ends with it, and nothing new is let in by it.
    expect((await admin.finish({ force: true })).state).toBe('one')
    await until(() => stale.isClosed)
    const refused = (await (await as(before)).call('GET', link)) as Answer
    expect(refused).toMatchObject({ status: 401, code: 'certificate-untrusted' })
    await until(() => asked > 50)
    const soFar = asked
    await until(() => asked > soFar + 20)
    isOver = true
    await Promise.all(loads)
    expect(wrong).toEqual([])
    expect(await registry.list('contoso')).toHaveLength(1)
    expect(connector.identity.connectorId).toBe(before.connectorId)
    expect(cloud.certificates.connections.count(leaving!.keyId)).toBe(0)
    // Once: it is not asked for another under the root that signs.
    expect(await registry.certificates(before.connectorId)).toHaveLength(2)
    const troubles = events.filter(({ type }) =>
      ['pull-failed', 'reverted', 'renewal-failed', 'expired'].includes(type),
    )
    expect(troubles).toEqual([])
  })
})

test(
  'R8.9b a connector that was away keeps the root before: it is named, or shut out by force',
  SLOW,
  async () => {
    await start()
    const { connector, registry } = tunnel
    const { connectorId } = connector.identity
    const away = connector.identity
    const [certificate] = await registry.certificates(connectorId)
    await connector.stop()
    await admin.roll({ beginsInMs: 0 })
    const { remaining } = await admin.view()
    expect(remaining).toMatchObject({ total: 1, connectors: [{ id: connectorId }] })
    await expect(admin.finish({})).rejects.toThrow(connectorId)
    expect((await admin.view()).state).toBe('rolling')

    // It comes back in time, by what it has.
    await tunnel.startConnector()
    await until(async () => (await admin.view()).remaining.total === 0, 60_000)
    expect((await registry.certificates(connectorId)).at(-1)!.serial).not.toBe(certificate!.serial)

    // A revocation is of the connector, not of a root.
    await registry.setStanding(connectorId, 'revoked', Date.now())
    await admin.finish({ force: true })
    const answer = (await (await as(away)).call('GET', link)) as Answer
    expect(answer).toMatchObject({ status: 401, code: 'certificate-untrusted' })
    const latest = (await registry.certificates(connectorId)).at(-1)!
    await expect(tunnel.cloud.certificates.identify(latest.der, Date.now())).rejects.toMatchObject({
      reason: 'certificate-revoked',
    })
  },
)

test(
  'R8.9d the authority of the servers is rolled: connectors know the next root before it signs',
  SLOW,
  async () => {
    await start({ pins: true })
    const { cloud, connector, connectors } = tunnel
    const { servers } = cloud
    const [before] = connector.identity.cloudAuthorities
    expect(Buffer.from(before!)).toEqual(Buffer.from(servers!.certificate))

    await admin.roll({ of: 'servers', beginsInMs: 0 })
    // The one before signs until every connector knows the other.
    expect(Buffer.from(before!)).toEqual(Buffer.from(servers!.certificate))
    await until(() => connector.identity.cloudAuthorities.length === 2, 60_000)
    await until(async () => (await admin.view({ of: 'servers' })).remaining.total === 0, 60_000)
    expect((await admin.view()).state).toBe('one')

    // What it was told is durable.
    await connector.stop()
    const again = await startedUnder(servers!.roll.trusted)
    expect((await admin.finish({ of: 'servers' })).state).toBe('one')
    expect(Buffer.from(servers!.certificate)).not.toEqual(Buffer.from(before!))
    const { key, certificate: cert } = await servers!.issue()
    connectors.replaceCertificate({ key, cert })
    tunnel.cut()
    // It comes back to a server that the root before did not sign, and serves.
    await until(async () => (await ask('/after')).endsWith('served /after'), 60_000)
    await until(() => again.isReady, 60_000)
    const { connectorId } = again.identity
    expect(connectorId).toBe(connector.identity.connectorId)
    const troubles = tunnel.events.filter(({ type }) => type === 'reverted' || type === 'expired')
    expect(troubles).toEqual([])
  },
)

/** The connector, started anew by what it has stored. */
async function startedUnder(trusted: readonly Uint8Array[]): Promise<Tunnel['connector']> {
  const again = await tunnel.startConnector()
  const held = again.identity.cloudAuthorities.map((der) => Buffer.from(der))
  expect(held).toEqual(trusted.map((der) => Buffer.from(der)))
  return again
}

test(
  'R8.9d a connector that was not told is named before the servers are changed',
  SLOW,
  async () => {
    await start({ pins: true })
    const { connectorId } = tunnel.connector.identity
    await tunnel.connector.stop()
    await admin.roll({ of: 'servers', beginsInMs: 0 })
    await expect(admin.finish({ of: 'servers' })).rejects.toThrow(connectorId)
  },
)
