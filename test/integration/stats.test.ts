/**
 * What cloud and connector tell of themselves: plain values, the same at both ends.
 */
import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTunnel, until, type Tunnel } from './tunnel.ts'

const held: (() => void)[] = []
let tunnel: Tunnel
beforeAll(async () => {
  tunnel = await startTunnel({
    backend: (_, response) => void held.push(() => response.end('over')),
    groups: [{ id: 'empty', tenantId: 'contoso' }],
    others: ['wiki'],
    connector: { offers: 3 },
    // Everybody may hold all of it.
    shares: { application: 1, user: 1 },
  })
})
afterAll(() => tunnel.close())

/** A request whose application does not answer yet. */
function ask(application: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { host: `${application}.localhost` }
    httpRequest({ port: tunnel.port, host: '127.0.0.1', headers })
      .on('response', (response) => response.resume().on('end', resolve))
      .on('error', reject)
      .end()
  })
}

test('links, grants, queue, open exchanges, certificates and ages, at both ends', async () => {
  const idle = tunnel.cloud.stats()
  expect(idle).toMatchObject({
    instance: 'cloud-1',
    groups: [
      {
        ...{ tenantId: 'contoso', groupId: 'default', connectors: 1, links: 1 },
        ...{ capacity: 3, grants: 3, waiting: 0 },
      },
    ],
    applications: [],
    certificates: [
      { name: 'connector-authority', daysLeft: expect.toSatisfy((days) => days > 3_600) },
      { name: 'connector-listener', daysLeft: 89 },
    ],
  })
  expect(idle.configuration.ageMs).toBeGreaterThanOrEqual(0)
  // Plain values: nothing is lost as JSON.
  expect(JSON.parse(JSON.stringify(idle))).toEqual(idle)

  // Three are taken, by two applications; the fourth has to wait.
  const answers = [ask('open'), ask('open'), ask('wiki')]
  await until(() => held.length === 3)
  answers.push(ask('wiki'))
  await until(() => tunnel.cloud.stats().groups[0]!.waiting === 1)
  const busy = tunnel.cloud.stats()
  expect(busy.groups).toMatchObject([{ grants: 0, waiting: 1 }])
  expect(busy.applications).toEqual([
    { tenantId: 'contoso', applicationId: 'open', open: 2, waiting: 0 },
    { tenantId: 'contoso', applicationId: 'wiki', open: 2, waiting: 1 },
  ])
  const { identity, configuration } = tunnel.connector
  const stats = tunnel.connector.stats()
  expect(stats).toEqual({
    at: expect.any(Number),
    tenantId: 'contoso',
    connectorId: identity.connectorId,
    groupId: 'default',
    standing: 'active',
    links: [
      {
        instance: 'cloud-1',
        url: tunnel.connectorUrl,
        state: 'up',
        binding: 'link',
        offers: 3,
        grants: 0,
      },
    ],
    applications: [
      { applicationId: 'open', open: 2 },
      { applicationId: 'wiki', open: 1 },
    ],
    certificate: { expiresAt: identity.expiresAt, daysLeft: 59, state: 'fresh' },
    configuration: {
      version: configuration.version,
      ageMs: expect.any(Number),
      confirmedMs: expect.any(Number),
    },
  })
  expect(JSON.parse(JSON.stringify(stats))).toEqual(stats)
  const { ageMs, confirmedMs } = stats.configuration
  expect(ageMs).toBeGreaterThanOrEqual(confirmedMs)

  for (let answered = 0; answered < 4; answered++) {
    await until(() => held.length > 0)
    held.shift()!()
  }
  await Promise.all(answers)
  await until(() => tunnel.connector.stats().applications.length === 0)
  expect(tunnel.cloud.stats().applications).toEqual([])
  expect(tunnel.cloud.stats().groups).toEqual(idle.groups)
})

test('a configuration and a certificate that are replaced are young again', async () => {
  const before = tunnel.cloud.stats()
  await until(() => tunnel.cloud.stats().configuration.ageMs! > 5)
  tunnel.directory.replace(tunnel.configuration as never)
  expect(tunnel.cloud.stats().configuration.ageMs).toBeLessThan(
    before.configuration.ageMs! + 60_000,
  )
  const { groups } = tunnel.cloud.stats()
  expect(groups).toEqual(before.groups)
  expect(() => tunnel.connectors.replaceCertificate({ key: 'none', cert: tunnel.ca })).toThrow(
    /^key: /,
  )
})

test('what is gone is not counted', async () => {
  await tunnel.connector.stop()
  await until(() => tunnel.cloud.stats().groups[0]!.links === 0)
  expect(tunnel.cloud.stats().groups).toMatchObject([{ connectors: 0, links: 0, grants: 0 }])
  await tunnel.connectors.close()
  expect(tunnel.cloud.stats().certificates.map(({ name }) => name)).toEqual(['connector-authority'])
})
