/**
 * What concerns a connector reaches it without a pull of its own: the next one is two minutes away, and each test is over long
 * before.
 */
import { get } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { readDirectory } from '../../src/cloud/index.ts'
import { startTunnel, until, type Tunnel } from './tunnel.ts'

interface Configured {
  readonly applications: Record<string, unknown>[]
  readonly groups: Record<string, unknown>[]
}

describe.each(['link over TLS', 'plain over TLS'] as const)('over %s', (transport) => {
  let tunnel: Tunnel
  beforeAll(async () => {
    tunnel = await startTunnel({
      transport,
      backend: (request, response) => response.end(request.url),
      groups: [{ id: 'other', tenantId: 'contoso' }],
    })
  })
  afterAll(() => tunnel.close())
  afterEach(() => vi.restoreAllMocks())

  const ask = () =>
    new Promise<string>((resolve, reject) => {
      const headers = { host: 'open.localhost' }
      get({ host: '127.0.0.1', port: tunnel.port, path: '/x', headers, agent: false }, (answer) => {
        let body = ''
        answer.on('data', (chunk) => (body += String(chunk))).on('end', () => resolve(body))
      }).on('error', reject)
    })
  const replace = (change: (configured: Configured) => object) => {
    const configuration = tunnel.configuration as Configured
    tunnel.directory.replace(readDirectory({ ...configuration, ...change(configuration) }))
  }
  const configuration = () => tunnel.connector.configuration

  test('an application: its details are fetched before a request asks for them', async () => {
    expect(await ask()).toBe('/x')
    const fetched = vi.spyOn(tunnel.cloud.configuration, 'application')
    replace(({ applications: [open, ...others] }) => ({
      applications: [
        { ...open, internalUrl: String(open!['internalUrl']).replace(/\/$/, '/moved/') },
        ...others,
      ],
    }))
    await until(() => fetched.mock.calls.length > 0)
    const [, { applicationId }] = fetched.mock.calls[0]!
    const { version } = tunnel.directory.application('open')!
    expect(applicationId).toBe('open')
    expect(configuration().applications).toMatchObject({ open: version })
    // They are what the next request is served by.
    expect(await ask()).toBe('/moved/x')
    expect(fetched).toHaveBeenCalledOnce()
  })

  test('the name of its group', async () => {
    replace(({ groups: [group, ...others] }) => ({
      groups: [{ ...group, name: 'Main building' }, ...others],
    }))
    await until(() => configuration().groupName === 'Main building')
  })

  test('its group: the links of the one before drain, and offers come by those of the new one', async () => {
    const { connectorId } = tunnel.connector.identity
    await tunnel.registry.setGroup(connectorId, 'other')
    await until(() => configuration().groupId === 'other')
    await tunnel.registry.setGroup(connectorId, 'default')
    await until(() => configuration().groupId === 'default')
    await until(() => tunnel.connector.isReady)
    expect(await ask()).toContain('/x')
  })

  test('whoever has the version is not told', async () => {
    const { version } = configuration()
    const pulled = vi.spyOn(tunnel.cloud.configuration, 'configuration')
    // Ten changes, and the one that stays: one hint or two, as the looks fall.
    for (let i = 0; i < 10; i++)
      replace(({ groups: [group, ...others] }) => ({
        groups: [{ ...group, name: `Building ${i}` }, ...others],
      }))
    await until(() => configuration().groupName === 'Building 9')
    expect(configuration().version).not.toBe(version)
    expect(pulled.mock.calls.length).toBeLessThanOrEqual(2)
    const { connectorId } = tunnel.connector.identity
    const current = tunnel.cloud.configuration.versionFor({
      tenantId: 'contoso',
      groupId: 'default',
      standing: 'active',
    })
    expect([configuration().version, tunnel.cloud.configuration.given(connectorId)]).toEqual([
      current,
      current,
    ])
  })
})
