import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ApplicationCache } from '../src/connector/index.ts'
import {
  enrol,
  environment,
  publishedApplication,
  worlds,
  type ControlWorld,
} from './control-worlds.ts'

describe.each(Object.entries(worlds))('the application behind an offer, %s', (_, start) => {
  let world: ControlWorld
  let cache: ApplicationCache
  beforeEach(async () => {
    world = await start()
    const identity = await enrol(world)
    cache = new ApplicationCache({
      channel: world.channel,
      environment,
      identity: () => identity,
    })
  })
  afterEach(async () => {
    cache.close()
    await world.close()
  })

  const calls = () => world.seen.filter(({ path }) => path === '/application').length

  test('R3.3.1a the connector confirms that it knows the application', async () => {
    world.cloud.applications.set('wiki', publishedApplication('wiki'))
    expect(await cache.details('wiki', 'v1')).toMatchObject({
      internalUrl: 'http://wiki.internal/',
    })
    expect(await cache.details('nobody-published-this', 'v1')).toBeUndefined()
  })

  test('R3.3.1b if it does not, it fetches the details from the cloud and caches them', async () => {
    world.cloud.applications.set('wiki', publishedApplication('wiki'))
    for (let offer = 0; offer < 3; offer++) await cache.details('wiki', 'v1')
    expect(calls()).toBe(1)
    world.cloud.applications.set('wiki', publishedApplication('wiki', 'v2'))
    expect(await cache.details('wiki', 'v2')).toMatchObject({ version: 'v2' })
    expect(calls()).toBe(2)
  })
})
