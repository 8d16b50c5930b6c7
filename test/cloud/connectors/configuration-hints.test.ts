import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  ConfigurationHints,
  HINTS_AT_ONCE,
  type HintedLinks,
} from '../../../src/cloud/connectors/configuration-hints.ts'
import { ApplicationCache } from '../../../src/connector/index.ts'
import type { Claimer } from '../../../src/cloud/offers/submission.ts'
import type { Application } from '../../../src/cloud/index.ts'
import type { ConfigurationKeeper } from '../../../src/connector/index.ts'
import { HOUR_MS } from '../../connector/cloud-in-memory.ts'
import { ConnectorWorld } from '../../connector/connector-world.ts'

const LOOK_MS = 500

/** Links that carry a hint to the keeper of the connector that they belong to. */
class Links implements HintedLinks {
  readonly told: string[] = []
  readonly held: Claimer[] = []
  isOpen = true
  keeper: ConfigurationKeeper | undefined

  claimers(): Iterable<Claimer> {
    return this.held
  }

  *featured(): Iterable<readonly [Claimer, readonly string[]]> {
    if (this.isOpen) for (const claimer of this.held) yield [claimer, []]
  }

  hint(connectorId: string, version: string): boolean {
    if (!this.isOpen || !this.held.some((one) => one.connectorId === connectorId)) return false
    this.told.push(version)
    this.keeper?.hint(version)
    return true
  }
}

describe('a connector that holds a link', () => {
  let world: ConnectorWorld
  let keeper: ConfigurationKeeper
  let links: Links
  let hints: ConfigurationHints
  let cache: ApplicationCache
  beforeEach(async () => {
    world = await ConnectorWorld.create()
    world.cloud.configure({})
    world.cloud.applications.set('wiki', application('wiki', 'v1'))
    keeper = await world.keeper()
    await world.within(HOUR_MS, keeper.start())
    links = new Links()
    links.keeper = keeper
    const { connectorId, tenantId } = keeper.identity
    links.held.push({ connectorId, tenantId, groupId: 'head-office' })
    hints = new ConfigurationHints(world.cloud.service, [links])
    cache = new ApplicationCache({
      channel: world.cloud,
      environment: world.time.environment,
      identity: () => keeper.identity,
    })
    keeper.subscribe((event) => {
      if (event.type === 'configured') void cache.expect(event.configuration.applications!)
    })
    looks()
  })
  afterEach(async () => {
    keeper.close()
    cache.close()
    await world.close()
  })

  /** As a listener looks: every so often. */
  const looks = () => {
    const { scheduler, clocks } = world.time.environment
    scheduler.at(clocks.now() + LOOK_MS, () => {
      hints.look()
      looks()
    })
  }
  const details = async () =>
    (await world.within(HOUR_MS, Promise.resolve(cache.details('wiki', 'v1'))))?.version

  test('is not told of what it has', async () => {
    await world.time.pass(60_000)
    expect(links.told).toEqual([])
    expect(world.cloud.pulls).toHaveLength(1)
  })

  test('has a changed application within two looks, a poll being an hour away', async () => {
    expect(await details()).toBe('v1')
    world.cloud.applications.set('wiki', application('wiki', 'v2'))
    await world.time.pass(2 * LOOK_MS)
    expect(keeper.configuration?.applications).toEqual({ wiki: 'v2' })
    expect(world.cloud.applicationCalls).toHaveLength(2)
    expect(await world.within(1, Promise.resolve(cache.details('wiki', 'v2')))).toMatchObject({
      version: 'v2',
    })
    expect(world.cloud.applicationCalls).toHaveLength(2)
  })

  test('forgets an application that its group serves no more', async () => {
    await details()
    expect(cache.size).toBe(1)
    world.cloud.applications.clear()
    await world.time.pass(2 * LOOK_MS)
    expect(cache.size).toBe(0)
  })

  test.each([
    ['instances', () => world.cloud.configure({ instances: () => ({ two: 'https://two' }) })],
    ['the period of its pulls', () => world.cloud.configure({ pullEveryMs: 2 * HOUR_MS })],
    ['the age its certificate is rolled at', () => world.cloud.configure({ renewAfterMs: 1_000 })],
  ])('is told of other %s, in the version that the pull then gives', async (_, change) => {
    change()
    hints = new ConfigurationHints(world.cloud.service, [links])
    await world.time.pass(2 * LOOK_MS)
    expect(links.told).toEqual([keeper.configuration!.version])
    await world.time.pass(60_000)
    expect(links.told).toHaveLength(1)
  })

  test('is told of a standing that keeps its link, and of its new group before the link drains', async () => {
    const { connectorId } = keeper.identity
    const { registry } = world.cloud
    const before = keeper.configuration!.version
    await registry.setStanding(connectorId, 'draining', 1)
    hints.changed(await registry.setStanding(connectorId, 'active', 1))
    expect(links.told).toEqual([])
    hints.changed(await registry.setGroup(connectorId, 'branch-office'))
    expect(links.told).toHaveLength(1)
    await world.time.pass(1)
    expect(keeper.configuration).toMatchObject({ groupId: 'branch-office', standing: 'active' })
    expect(keeper.configuration!.version).toBe(links.told[0])
    // The claimer of its old link still says the old group.
    await world.time.pass(10 * LOOK_MS)
    expect(links.told).toHaveLength(1)
    hints.changed(await registry.setGroup(connectorId, 'head-office'))
    await world.time.pass(10 * LOOK_MS)
    expect(links.told).toHaveLength(2)
    expect(keeper.configuration!.version).toBe(before)
  })

  test('is told by its new link of a change that came while it held none', async () => {
    const { connectorId, tenantId } = keeper.identity
    const { registry } = world.cloud
    hints.changed(await registry.setGroup(connectorId, 'branch-office'))
    await world.time.pass(1)
    links.held.length = 0
    hints.changed(await registry.setGroup(connectorId, 'head-office'))
    links.held.push({ connectorId, tenantId, groupId: 'head-office' })
    await world.time.pass(2 * LOOK_MS)
    expect(keeper.configuration?.groupId).toBe('head-office')
  })

  test('is told again by its next link what was lost with the one before', async () => {
    links.keeper = undefined
    world.cloud.configure({ pullEveryMs: 2 * HOUR_MS })
    hints = new ConfigurationHints(world.cloud.service, [links])
    await world.time.pass(4 * LOOK_MS)
    expect(links.told).toHaveLength(1)
    links.keeper = keeper
    // The link is the same; then another comes, and is open a while later.
    await world.time.pass(4 * LOOK_MS)
    expect(links.told).toHaveLength(1)
    links.isOpen = false
    links.held.splice(0, 1, { ...links.held[0]! })
    await world.time.pass(4 * LOOK_MS)
    links.isOpen = true
    await world.time.pass(4 * LOOK_MS)
    expect(links.told).toHaveLength(2)
    expect(keeper.configuration!.version).toBe(links.told[1])
  })

  test('is told once for many changes between two looks', async () => {
    for (let i = 0; i < 50; i++)
      world.cloud.configure({ instances: () => ({ [`c-${i}`]: 'https://c' }) })
    hints = new ConfigurationHints(world.cloud.service, [links])
    await world.time.pass(2 * LOOK_MS)
    expect(links.told).toHaveLength(1)
    expect(keeper.configuration?.instances).toEqual({ 'c-49': 'https://c' })
  })

  test('is told when its link opens, if what it has is not known here', async () => {
    links.isOpen = false
    world.cloud.configure({ pullEveryMs: 2 * HOUR_MS })
    hints = new ConfigurationHints(world.cloud.service, [links])
    await world.time.pass(4 * LOOK_MS)
    expect(links.told).toEqual([])
    links.isOpen = true
    await world.time.pass(2 * LOOK_MS)
    expect(links.told).toEqual([keeper.configuration!.version])
  })
})

test('many are told a part at each look', () => {
  const links = new Links()
  for (let i = 0; i < 2 * HINTS_AT_ONCE + 1; i++)
    links.held.push({ tenantId: 'contoso', groupId: 'default', connectorId: `c-${i}` })
  const given = new Map<string, string>()
  const service = {
    versionFor: () => 'v2',
    renewAfterMs: () => 0,
    given: (id: string) => given.get(id),
    told: (id: string, version: string) => void given.set(id, version),
    cameAnew: () => undefined,
  }
  const hints = new ConfigurationHints(service, [links])
  const counts = [1, 2, 3, 4].map(() => {
    hints.look()
    return links.told.length
  })
  const all = 2 * HINTS_AT_ONCE + 1
  expect(counts).toEqual([HINTS_AT_ONCE, 2 * HINTS_AT_ONCE, all, all])
})

test('groups of two tenants that share an id do not share a version', () => {
  const links = new Links()
  links.held.push({ tenantId: 'contoso', groupId: 'default', connectorId: 'a' })
  links.held.push({ tenantId: 'fabrikam', groupId: 'default', connectorId: 'b' })
  const hints = new ConfigurationHints(
    {
      versionFor: ({ tenantId }) => tenantId,
      renewAfterMs: () => 0,
      given: () => undefined,
      told: () => undefined,
      cameAnew: () => undefined,
    },
    [links],
  )
  hints.look()
  expect(links.told).toEqual(['contoso', 'fabrikam'])
})

function application(id: string, version: string): Application {
  return {
    ...{ id, version, tenantId: 'contoso', groupId: 'head-office', name: id },
    externalUrl: `https://${id}.example/`,
    internalUrl: `http://${id}.internal/`,
    preAuthentication: 'passthrough',
    identityHeaders: {},
    ...{ hostHeader: 'internal', verifyCertificate: true, responseHeadMs: 85_000 },
  } as Application
}
