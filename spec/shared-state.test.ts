/** Instances that share what they know, over a broker that comes and goes. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openNatsRegistry, openNatsRevocations } from 'app-proxy/cloud/nats'
import { memoryAuthorityStore } from '../test/cloud/authority/memory-authority-store.ts'
import { describeWithPackages } from '../test/debian-packages.ts'
import { RawUser } from '../test/integration/raw-user.ts'
import { startTunnel, type Tunnel, type TunnelOptions } from '../test/integration/tunnel.ts'
import { NatsWorld } from '../test/suites/nats-world.ts'
import { until } from '../test/until.ts'

describeWithPackages('instances share what they know', ['nats-server'], () => {
  let world: NatsWorld
  let tunnels: Tunnel[] = []
  const authorityStore = memoryAuthorityStore()
  beforeAll(async () => void (world = await NatsWorld.start()))
  afterAll(() => world.close())
  afterEach(async () => {
    for (const tunnel of tunnels) await tunnel.close()
    tunnels = []
    await world.clear()
  })

  /** A further instance of the service, with listeners of its own. */
  const instance = async (options: Partial<TunnelOptions> = {}) => {
    const registry = await openNatsRegistry(await world.instance())
    const backend: TunnelOptions['backend'] = (_, response) => void response.end('served')
    const tunnel = await startTunnel({ registry, authorityStore, backend, ...options })
    tunnels.push(tunnel)
    return tunnel
  }
  const ask = async ({ port }: Tunnel, host: string) => {
    const user = new RawUser(port).ask('GET', '/', { host, connection: 'close' })
    await user.closed
    return user
  }

  test('R8.3a a connector that is revoked at one instance is cut at all of them, and stays so', async () => {
    const [one, other] = [await instance(), await instance()]
    const connectors = [one, other].map(({ connector }) => connector.identity.connectorId)
    await until(() => one.attached.length > 0 && other.attached.length > 0)
    for (const id of connectors) await one.registry.setStanding(id, 'revoked', Date.now())
    await until(() => one.attached.length === 0 && other.attached.length === 0)
    const shown = await Promise.all(connectors.map((id) => one.registry.certificates(id)))
    const isRefused = async ({ cloud }: Tunnel) => {
      for (const { der } of shown.flat())
        await expect(cloud.certificates.identify(der, Date.now())).rejects.toMatchObject({
          reason: 'certificate-revoked',
        })
    }
    for (const tunnel of [one, other]) await isRefused(tunnel)
    for (const tunnel of tunnels.splice(0)) await tunnel.close()
    await world.server.kill()
    await world.server.restart()
    await isRefused(await instance({ noConnector: true }))
  })

  test('R8.3b whoever would have to be known is not let in on what is too old', async () => {
    const shared = await world.instance({ staleAfterMs: 400 })
    const revocations = await openNatsRevocations({ ...shared, staleLimitMs: 0 })
    const tunnel = await instance({ revocations })
    expect((await ask(tunnel, 'secure.localhost')).status).toBe(302)
    await world.server.stop()
    await until(() => revocations.isStale)
    const refused = await ask(tunnel, 'secure.localhost')
    expect(refused.status).toBe(503)
    expect(refused.received).toContain('state-stale')
    expect(refused.received.toLowerCase()).toContain('retry-after: 5')
    // What needs nobody to be known goes on, and so do the links.
    expect((await ask(tunnel, 'open.localhost')).status).toBe(200)
    await world.server.restart()
    await until(async () => (await ask(tunnel, 'secure.localhost')).status === 302, 30_000)
  })
})
