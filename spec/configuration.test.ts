import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ConfigurationKeeper } from '../src/connector/index.ts'
import { RENEW_AFTER_MS } from '../src/connector/configuration-keeper.ts'
import { DAY_MS, serialOf } from '../test/connector/cloud-in-memory.ts'
import { enrol, keeperOf, told, worlds, type ControlWorld } from './control-worlds.ts'

describe.each(Object.entries(worlds))('regular updates of the configuration, %s', (_, start) => {
  let world: ControlWorld
  let keeper: ConfigurationKeeper
  beforeEach(async () => {
    world = await start()
    await enrol(world)
    keeper = await keeperOf(world)
  })
  afterEach(async () => {
    keeper.close()
    await world.close()
  })

  const pulls = () => world.seen.filter(({ path }) => path === '/configuration')
  const requests = () => world.cloud.pulls.flatMap(({ request }) => request.request ?? [])

  test('R2.1a the connector connects to the configuration endpoint with its client certificate', async () => {
    await keeper.start()
    expect(pulls()).toMatchObject([{ serial: serialOf(keeper.identity.certificate) }])
  })

  test('R2.1b it does so periodically', async () => {
    world.cloud.configure({ pullEveryMs: 100 })
    await keeper.start()
    world.cloud.configure({ instances: () => ({ 'cloud-2': 'https://localhost:8444' }) })
    // Nobody hints: only the period can bring the news.
    await told(keeper, 'configured')
    expect(keeper.configuration?.instances).toEqual({ 'cloud-2': 'https://localhost:8444' })
    expect(pulls().length).toBeGreaterThanOrEqual(2)
  })

  test('R2.2a the cloud answers only once it has validated the client certificate', async () => {
    const elsewhere = await start()
    const stranger = await enrol(elsewhere)
    const { signal } = new AbortController()
    const pull = { v: 1, type: 'configuration' } as const
    await expect(
      world.channel.configuration(pull, { signal, identity: stranger }),
    ).rejects.toMatchObject({ code: 'ERR_REFUSED', reason: 'certificate-untrusted' })
    const { identity } = keeper
    expect(await world.channel.configuration(pull, { signal, identity })).toMatchObject({
      configuration: { groupId: 'head-office' },
    })
    await elsewhere.close()
  })

  test('R2.2b the configuration names the connector group the connector is part of', async () => {
    const { groupId, groupName } = await keeper.start()
    expect([groupId, groupName]).toEqual(['head-office', 'Group head-office'])
    await world.cloud.registry.setGroup(keeper.identity.connectorId, 'branch-office')
    const news = told(keeper, 'configured')
    keeper.hint()
    await news
    expect(keeper.configuration?.groupId).toBe('branch-office')
  })

  test('R2.3a a new certificate request is made when the certificate is more than 30 days old', async () => {
    expect(RENEW_AFTER_MS).toBe(30 * DAY_MS)
    await keeper.start()
    const pulled = async () => {
      const before = pulls().length
      keeper.hint()
      while (pulls().length === before || keeper.certificateState === 'due')
        await new Promise((resolve) => setImmediate(resolve))
    }
    world.cloud.clockAheadMs = 30 * DAY_MS - 60_000
    await pulled()
    await pulled()
    expect(requests()).toEqual([])
    world.cloud.clockAheadMs = 30 * DAY_MS + 1
    const renewed = told(keeper, 'renewed')
    keeper.hint()
    await renewed
    expect(requests()).toHaveLength(1)
  })

  test('R2.3b so the client certificate rolls every 30 days', async () => {
    await keeper.start()
    const serials = [serialOf(keeper.identity.certificate)]
    for (const days of [31, 62, 93]) {
      const renewed = told(keeper, 'renewed')
      world.cloud.clockAheadMs = days * DAY_MS
      keeper.hint()
      await renewed
      serials.push(serialOf(keeper.identity.certificate))
    }
    expect(new Set(serials).size).toBe(4)
    expect(pulls().at(-1)!.serial).toBe(serials.at(-1))
    const issued = await world.cloud.registry.certificates(keeper.identity.connectorId)
    expect(issued.at(-1)!.serial).toBe(serials.at(-1))
  })
})
