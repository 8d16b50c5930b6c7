import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Application } from '../../src/cloud/directory/directory-port.ts'
import { ApplicationCache } from '../../src/connector/application-cache.ts'
import { ConnectorWorld } from './connector-world.ts'

const MINUTE_MS = 60_000

let world: ConnectorWorld
let cache: ApplicationCache
beforeEach(async () => {
  world = await ConnectorWorld.create()
  cache = await open()
})
afterEach(async () => {
  cache.close()
  await world.close()
})

const open = async (capacity?: number) => {
  const { current } = await world.store.load()
  return new ApplicationCache({
    channel: world.cloud,
    environment: world.time.environment,
    identity: () => current!,
    ...(capacity !== undefined && { capacity }),
  })
}
const publish = (id: string, version = 'v1') => {
  const application: Application = {
    id,
    tenantId: 'contoso',
    name: id,
    version,
    externalUrl: `https://${id}.example/`,
    internalUrl: `http://${id}.internal/`,
    groupId: 'head-office',
    preAuthentication: 'passthrough',
    identityHeaders: {},
    hostHeader: 'internal',
    verifyCertificate: true,
    responseHeadMs: 85_000,
  }
  world.cloud.applications.set(id, application)
}
const details = (id: string, version = 'v1') =>
  world.within(MINUTE_MS, Promise.resolve(cache.details(id, version)))
const calls = () => world.cloud.applicationCalls.length

test('fetches what it does not know, once', async () => {
  publish('wiki')
  expect(await details('wiki')).toMatchObject({ id: 'wiki', internalUrl: 'http://wiki.internal/' })
  expect(await details('wiki')).toMatchObject({ id: 'wiki' })
  expect(calls()).toBe(1)
  expect(world.time.timers).toBe(0)
})

test('what is known is there at once', async () => {
  publish('wiki')
  expect(cache.details('wiki', 'v1')).toBeInstanceOf(Promise)
  await details('wiki')
  expect(cache.details('wiki', 'v1')).toMatchObject({ id: 'wiki', version: 'v1' })
  expect(await details('nobody')).toBeUndefined()
  expect(cache.details('nobody', 'v1')).toBeUndefined()
})

test('many offers at once share one call', async () => {
  publish('wiki')
  const many = Array.from({ length: 50 }, () => cache.details('wiki', 'v1'))
  const all = await world.within(MINUTE_MS, Promise.all(many))
  expect(new Set(all).size).toBe(1)
  expect(calls()).toBe(1)
})

test('an offer of another version fetches again', async () => {
  publish('wiki')
  await details('wiki')
  publish('wiki', 'v2')
  expect(await details('wiki', 'v1')).toMatchObject({ version: 'v1' })
  expect(await details('wiki', 'v2')).toMatchObject({ version: 'v2' })
  expect(calls()).toBe(2)
})

test('a late offer of an old version asks once, not each time', async () => {
  publish('wiki', 'v2')
  await details('wiki', 'v2')
  for (let offer = 0; offer < 5; offer++)
    expect(await details('wiki', 'v1')).toMatchObject({ version: 'v2' })
  expect(calls()).toBe(2)
})

test('an offer of a newer version is not served from a fetch for an older one', async () => {
  publish('wiki', 'v1')
  const old = cache.details('wiki', 'v1')
  const fetched = world.cloud.application.bind(world.cloud)
  world.cloud.application = (request, call) => {
    publish('wiki', 'v2')
    return fetched(request, call)
  }
  const young = cache.details('wiki', 'v2')
  const both = await world.within(MINUTE_MS, Promise.all([old, young]))
  expect(both.map((one) => one?.version)).toEqual(['v1', 'v2'])
})

test('an unknown application is unknown for a minute', async () => {
  for (let offer = 0; offer < 5; offer++) expect(await details('wiki')).toBeUndefined()
  expect(calls()).toBe(1)
  publish('wiki')
  await world.time.pass(MINUTE_MS)
  expect(await details('wiki')).toMatchObject({ id: 'wiki' })
  expect(calls()).toBe(2)
})

test('unless an offer names another version', async () => {
  expect(await details('wiki', 'v1')).toBeUndefined()
  publish('wiki', 'v2')
  expect(await details('wiki', 'v2')).toMatchObject({ version: 'v2' })
})

test('a cloud that cannot be asked is an error for those who wait, and nothing is remembered', async () => {
  publish('wiki')
  world.cloud.faults.push('lost', 'silent')
  await expect(details('wiki')).rejects.toThrow('ECONNREFUSED')
  await expect(details('wiki')).rejects.toMatchObject({ reason: 'unavailable' })
  expect(await details('wiki')).toMatchObject({ id: 'wiki' })
})

test('an answer about another application is not taken', async () => {
  publish('wiki')
  publish('shop')
  const fetched = world.cloud.application.bind(world.cloud)
  world.cloud.application = (request, call) => fetched({ ...request, applicationId: 'shop' }, call)
  await expect(details('wiki')).rejects.toMatchObject({ code: 'ERR_PEER_VIOLATION' })
})

test('remembers so many and forgets the one unused longest', async () => {
  cache.close()
  cache = await open(2)
  for (const id of ['a', 'b', 'c']) publish(id)
  for (const id of ['a', 'b', 'a', 'c', 'a']) await details(id)
  expect(cache.size).toBe(2)
  expect(calls()).toBe(3)
  await details('b')
  expect(calls()).toBe(4)
})

test('closing wakes those who wait', async () => {
  world.cloud.faults.push('silent')
  const waiting = cache.details('wiki', 'v1')
  await world.time.settled()
  cache.close()
  await expect(waiting).rejects.toMatchObject({ reason: 'unavailable' })
  expect(world.time.timers).toBe(0)
})
