import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigurationInvalid, Refused } from '../../src/protocol/wire/errors.ts'
import { ConnectorWorld } from './connector-world.ts'
import { DAY_MS, HOUR_MS } from './cloud-in-memory.ts'

let world: ConnectorWorld
beforeEach(async () => {
  world = await ConnectorWorld.create()
})
afterEach(() => world.close())

test('pulls at once, then periodically with jitter', async () => {
  const keeper = await world.keeper()
  const configuration = await world.within(HOUR_MS, keeper.start())
  expect(configuration).toMatchObject({
    groupId: 'head-office',
    groupName: 'Group head-office',
    instances: { 'cloud-1': 'https://localhost:8443' },
    renewAfterMs: 30 * DAY_MS,
  })
  expect(keeper.configuration).toEqual(configuration)
  await world.time.pass(10 * HOUR_MS)
  const { pulls } = world.cloud
  const gaps = pulls.slice(1).map(({ at }, index) => at - pulls[index]!.at)
  expect(gaps.length).toBeGreaterThanOrEqual(8)
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0.8 * HOUR_MS)
  expect(Math.max(...gaps)).toBeLessThanOrEqual(1.2 * HOUR_MS)
  expect(new Set(gaps).size).toBeGreaterThan(1)
  keeper.close()
  expect(world.time.timers).toBe(0)
})

test('says what it has and what became of it, once', async () => {
  const keeper = await world.keeper()
  const { version } = await world.within(HOUR_MS, keeper.start())
  await world.time.pass(3 * HOUR_MS)
  expect(world.cloud.pulls.slice(0, 3).map(({ request }) => request)).toEqual([
    { v: 1, type: 'configuration' },
    { v: 1, type: 'configuration', have: version, applied: { version } },
    { v: 1, type: 'configuration', have: version },
  ])
  keeper.close()
})

test('a hint pulls now; one that comes during a pull pulls again', async () => {
  const keeper = await world.keeper()
  await world.within(HOUR_MS, keeper.start())
  const { connectorId } = keeper.identity
  await world.cloud.registry.setGroup(connectorId, 'group-2')
  keeper.hint()
  keeper.hint()
  await world.time.pass(1)
  expect(keeper.configuration?.groupId).toBe('group-2')
  expect(world.cloud.pulls).toHaveLength(3)
  keeper.close()
})

test('a hint of what is in force is passed over, but not while an answer may replace it', async () => {
  const keeper = await world.keeper()
  const { version } = await world.within(HOUR_MS, keeper.start())
  keeper.hint(version)
  await world.time.pass(1)
  expect(world.cloud.pulls).toHaveLength(1)
  // The group is another, and the first again before the answer came.
  const { connectorId } = keeper.identity
  await world.cloud.registry.setGroup(connectorId, 'group-2')
  const answer = world.cloud.configuration.bind(world.cloud)
  world.cloud.configuration = async (...args) => {
    const reply = await answer(...args)
    world.cloud.configuration = answer
    await world.cloud.registry.setGroup(connectorId, 'head-office')
    keeper.hint(version)
    return reply
  }
  keeper.hint('another')
  await world.time.pass(1)
  expect(world.cloud.pulls).toHaveLength(3)
  expect(keeper.configuration).toMatchObject({ version, groupId: 'head-office' })
  keeper.close()
})

describe('whatever goes wrong, the last good configuration stays', () => {
  test('the cloud is away, silent or refusing', async () => {
    const keeper = await world.keeper()
    const good = await world.within(HOUR_MS, keeper.start())
    world.cloud.configure({ renewAfterMs: 20 * DAY_MS })
    world.cloud.faults.push('lost', 'silent', 'reply-lost')
    world.cloud.refuse = () =>
      world.happened('pull-failed') < 4 ? new Refused('unavailable') : undefined
    keeper.hint()
    await world.time.pass(1)
    expect(keeper.configuration).toEqual(good)
    await world.time.pass(HOUR_MS)
    expect(world.happened('pull-failed')).toBe(4)
    expect(keeper.configuration?.renewAfterMs).toBe(20 * DAY_MS)
    keeper.close()
  })

  test('a configuration that cannot be used is refused, and the cloud is told why', async () => {
    const keeper = await world.keeper()
    const good = await world.within(HOUR_MS, keeper.start())
    world.cloud.configure({ instances: () => ({ 'cloud-1': 'http://localhost:8443' }) })
    keeper.hint()
    await world.time.pass(1)
    expect(keeper.configuration).toEqual(good)
    await world.time.pass(2 * HOUR_MS)
    expect(world.cloud.pulls[2]!.request).toMatchObject({
      have: good.version,
      applied: {
        version: expect.not.stringMatching(good.version),
        error: 'instances["cloud-1"]: must be an https URL',
      },
    })
    keeper.close()
  })

  test('its owner may refuse too', async () => {
    const keeper = await world.keeper({
      check: () => {
        throw new ConfigurationInvalid('groupId', 'not mine')
      },
    })
    void keeper.start()
    await world.time.pass(HOUR_MS)
    expect(keeper.configuration).toBeUndefined()
    expect(world.cloud.pulls[1]!.request.applied).toEqual({
      version: expect.any(String),
      error: 'groupId: not mine',
    })
    keeper.close()
  })
})

test('before the first configuration it tries again, more slowly each time', async () => {
  world.cloud.faults.push(...Array<'lost'>(40).fill('lost'))
  const keeper = await world.keeper()
  const start = world.time.now
  await world.within(DAY_MS, keeper.start())
  expect(world.happened('pull-failed')).toBe(40)
  expect(world.time.now - start).toBeGreaterThan(60_000)
  expect(world.time.now - start).toBeLessThan(40 * 30_000)
  keeper.close()
})

test('"unchanged" to a connector that has nothing is a failure like others', async () => {
  const answer = world.cloud.configuration.bind(world.cloud)
  let lies = 1
  const channel = Object.assign(Object.create(world.cloud) as typeof world.cloud, {
    configuration: async (...args: Parameters<typeof answer>) => {
      const reply = await answer(...args)
      return lies-- > 0 ? { ...reply, configuration: undefined } : reply
    },
  })
  const keeper = await world.keeper({ channel })
  await world.within(HOUR_MS, keeper.start())
  expect(world.events[0]).toMatchObject({
    type: 'pull-failed',
    error: { code: 'ERR_PEER_VIOLATION' },
  })
  keeper.close()
})
