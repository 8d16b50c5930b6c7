/** What an operator sees of the instances: those that presence knows, and the one that is asked. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { tenantKey, type InstanceNotice } from '../src/cloud/index.ts'
import type { KnownInstanceView } from '../src/cloud/admin/index.ts'
import { InstanceList } from '../src/cloud/connectors/instance-presence.ts'
import { adminWorld, LOCAL_TOKEN, type World } from './admin-world.ts'

let list: InstanceList
let known = () => list.known(Date.now(), true, 'cloud-1')
let world: World
let alone: World
beforeAll(async () => {
  ;[world, alone] = await Promise.all([adminWorld({}, { known: () => known() }), adminWorld()])
})
beforeEach(() => {
  list = new InstanceList()
})
afterAll(() => Promise.all([world.close(), alone.close()]))

const ask = (of: World) => of.call('GET', '/v1/instances', { token: LOCAL_TOKEN })

async function shown(of = world): Promise<readonly KnownInstanceView[]> {
  const { status, json } = await ask(of)
  expect(status).toBe(200)
  return json['items'] as KnownInstanceView[]
}

/** It said so some time ago. */
function heard(instance: string, agoMs: number, more: Partial<InstanceNotice> = {}): void {
  const at = Date.now() - agoMs
  const notice: InstanceNotice = {
    ...{ instance, connectorUrl: `https://${instance}.example`, version: '1.2.3', since: 5 },
    ...{ state: 'serving', links: 3, open: 7, ...more },
  }
  list.hear(instance, notice, at, at)
}

test('R8.1e each instance is shown with what it holds and when it was heard; who is silent is not gone', async () => {
  heard('cloud-1', 0)
  heard('cloud-2', 1_000, { state: 'draining', links: 1, open: 0 })
  heard('cloud-3', 60_000)
  heard('cloud-4', 2_000)
  list.hear('cloud-4', undefined, Date.now() - 1_000, Date.now())
  heard('cloud-5', 11 * 60_000)
  const items = await shown()
  expect(items).toMatchObject([
    {
      ...{ instance: 'cloud-1', state: 'serving', isAsked: true, links: 3, open: 7 },
      ...{ connectorUrl: 'https://cloud-1.example', version: '1.2.3', since: 5 },
    },
    { instance: 'cloud-2', state: 'draining', isAsked: false, links: 1, open: 0 },
    { instance: 'cloud-3', state: 'silent', isAsked: false },
  ])
  const [, second, third] = items
  expect(second!.heardAgoMs).toBeGreaterThanOrEqual(1_000)
  expect(third!.heardAgoMs).toBeGreaterThanOrEqual(60_000)
  expect(third!.heardAt).toBeLessThanOrEqual(Date.now() - 60_000)
})

test('R8.1e where nobody can be heard, that is what is shown of all others', async () => {
  known = () => list.known(Date.now(), false, 'cloud-1')
  heard('cloud-1', 10_000)
  heard('cloud-2', 10_000)
  expect((await shown()).map(({ instance, state }) => [instance, state])).toEqual([
    ['cloud-1', 'serving'],
    ['cloud-2', 'unknown'],
  ])
})

test('R8.1e an instance that nobody is told of shows itself, beside those that it is told of', async () => {
  for (const offers of [4, 5])
    alone.cloud.origin.attach(tenantKey('contoso', 'contoso-default'), {
      ...{ connectorId: `c-${offers}`, features: [], offers, grants: offers, isRemote: false },
      offer: () => undefined,
    })
  expect(await shown(alone)).toEqual([
    {
      ...{ instance: 'cloud-1', state: 'serving', isAsked: true, links: 2, open: 0 },
      ...{ heardAt: expect.any(Number), heardAgoMs: 0 },
    },
  ])
  heard('a', 0)
  expect((await shown()).map(({ instance, isAsked }) => [instance, isAsked])).toEqual([
    ['a', false],
    ['cloud-1', true],
  ])
})

test('R8.1e a presence that fails is a call that fails, and says so', async () => {
  known = () => {
    throw new Error('not to be told')
  }
  const { status, json } = await ask(world)
  expect([status, json['code']]).toEqual([503, 'unavailable'])
  expect(JSON.stringify(json)).not.toContain('not to be')
})
