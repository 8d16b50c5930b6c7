/** What an operator sees of the queue: what waits, for how long, and what it waits for. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tenantKey } from '../src/cloud/index.ts'
import { MOST_TOLD } from '../src/cloud/offers/counted-queues.ts'
import { edgeWorld, HOST, MemoryUser, type EdgeWorld } from '../test/cloud/edge/edge-world.ts'
import { adminWorld, LOCAL_TOKEN, type World } from './admin-world.ts'

const GROUP = tenantKey('contoso', 'default')
const CONNECTOR = { tenantId: 'contoso', groupId: 'default', connectorId: 'c' }
const queue = ({ origin }: EdgeWorld) => origin.counted().queues().get(GROUP)!
const link = (connectorId: string, offers: number, isRemote = false) => ({
  ...{ connectorId, features: [], offers, grants: offers, isRemote, offer: () => undefined },
})

test('R8.8d what waits, for how long, and what may be offered', async () => {
  const world = await edgeWorld()
  expect(queue(world)).toMatchObject({ waiting: 0, applications: [], passedOver: [] })
  expect(queue(world)).not.toHaveProperty('oldestWaitMs')
  world.origin.detach(world.link)
  world.origin.attach(GROUP, link('c', 4))
  for (let i = 0; i < 6; i++) {
    world.ask({ remoteAddress: `192.0.2.${i}` })
    world.clock.now += 100
  }
  expect(queue(world)).toMatchObject({
    ...{ capacity: 4, grants: 2, waiting: 4, oldestWaitMs: 400, untold: 0, passedOver: [] },
    applications: [
      {
        ...{ applicationId: 'open', waiting: 4, oldestWaitMs: 400, held: 2, mayHold: 2 },
        ...{ userMayHold: 1, users: 6, blockedUsers: 0 },
      },
    ],
    links: [{ connectorId: 'c', offers: 4, grants: 2, long: 0 }],
  })
})

test('R8.8d who takes requests and answers nothing', async () => {
  const world = await edgeWorld()
  for (let i = 0; i < 6; i++) world.ask({})
  // Four are what it may hold beside others before it has answered any.
  expect(queue(world).passedOver).toMatchObject([
    {
      ...{ connectorId: 'c', applicationId: 'open', health: 'healthy', reason: 'unanswered' },
      ...{ unanswered: 6, ramp: 4 },
    },
  ])
})

test('R8.8d who is passed over, why, and until when', async () => {
  const world = await edgeWorld()
  world.ask({})
  const { id, attempt } = world.offers.at(-1)!
  world.origin.declined(CONNECTOR, { id, attempt, reason: 'unknown-application' })
  const { passedOver } = queue(world)
  expect(passedOver).toMatchObject([
    {
      ...{ connectorId: 'c', applicationId: 'open', health: 'passed-over' },
      reason: 'unknown-application',
    },
  ])
  expect(passedOver[0]!.untilMs).toBeGreaterThan(0)
  world.clock.now += 2_000
  expect(queue(world).passedOver).toMatchObject([{ health: 'due' }])
  expect(queue(world).passedOver[0]).not.toHaveProperty('untilMs')
})

test('R8.8d which application and user hold all they may', async () => {
  const world = await edgeWorld({}, { secure: {}, user: { subject: 'alice' } })
  // Eight connectors of one each: two for a user, four for an application.
  world.origin.detach(world.link)
  for (let i = 0; i < 8; i++) world.origin.attach(GROUP, link(`c-${i}`, 1))
  for (let i = 0; i < 5; i++) world.ask({})
  world.ask({ authority: HOST, headers: ['Cookie', world.cookie] })
  const [first, second] = queue(world).applications
  expect(first).toMatchObject({
    ...{ applicationId: 'open', held: 2, mayHold: 4, userMayHold: 2 },
    ...{ waiting: 3, users: 1, blockedUsers: 1 },
  })
  expect(second).toMatchObject({ applicationId: 'secure', held: 1, waiting: 0, blockedUsers: 0 })
})

test('R8.8d other instances are told apart, and what is told is bounded', async () => {
  const world = await edgeWorld()
  world.origin.detach(world.link)
  world.origin.attach(GROUP, link('elsewhere', 7, true))
  world.ask({})
  expect(queue(world)).toMatchObject({ links: [], others: { grants: 6, sent: 1, taken: 0 } })
  for (let i = 0; i < MOST_TOLD + 5; i++) world.origin.attach(GROUP, link(`c-${i}`, 1))
  const { links, untold } = queue(world)
  expect([links.length, untold]).toEqual([MOST_TOLD, 5])
})

let world: World
beforeAll(async () => {
  world = await adminWorld()
  for (const tenant of ['contoso', 'fabrikam'])
    world.cloud.origin.attach(tenantKey(tenant, `${tenant}-default`), link(`c-${tenant}`, 10))
  world.cloud.edge.handle(new MemoryUser({ authority: 'wiki.contoso.example' }))
})
afterAll(() => world.close())

test('R8.8d a reader sees the queues of their tenant, the operator of the service all', async () => {
  const reader = await world.token('contoso', ['app-proxy.reader'])
  const own = await world.call('GET', '/v1/queue', { token: reader })
  expect(own.status).toBe(200)
  expect(own.json['items']).toMatchObject([
    {
      ...{ tenantId: 'contoso', groupId: 'contoso-default', capacity: 10 },
      applications: [{ applicationId: 'contoso-wiki', held: 1 }],
    },
  ])
  const other = await world.call('GET', '/v1/queue?tenant=fabrikam', { token: reader })
  expect(other.json['items']).toEqual([])
  const all = await world.call('GET', '/v1/queue', { token: LOCAL_TOKEN })
  expect(all.json['items']).toHaveLength(2)
})
