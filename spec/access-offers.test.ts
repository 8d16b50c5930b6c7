/** How requests come to connectors: what is offered again and what is not, who waits, and what whoever waited in vain is told. */
import { describe, expect, test } from 'vitest'
import { ServedWorld, type Request } from './served-world.ts'

const KINDS: readonly Request[] = [
  { method: 'GET' },
  { method: 'POST', body: 'a form' },
  { method: 'DELETE' },
]

describe('what was certainly not sent', () => {
  test.each(KINDS)('R3.3.6 $method goes to another connector', async (request) => {
    const world = new ServedWorld()
    const unable = await world.connector('unreachable')
    // Nobody else is there yet when it is offered first.
    const first = world.ask(request)
    const able = await world.connector('answers')
    const all = [first, ...world.askAll(9, request)]
    await world.pass(1_000)
    expect(all).toEqual(Array.from({ length: 10 }, () => ({ status: 200 })))
    expect(able.got).toEqual(
      Array.from({ length: 10 }, () => `${request.method} ${request.body ?? ''}`.trim()),
    )
    expect(unable.got).toEqual([])
  })

  test('R3.3.6 where nobody else is there, the user is told why', async () => {
    const world = new ServedWorld()
    await world.connector('unreachable')
    const told = world.ask({ method: 'POST', body: 'a form' })
    await world.pass(10_000)
    expect(told).toEqual({ status: 502, reason: 'application-unreachable' })
  })
})

describe('a connector is lost with what it had claimed', () => {
  const lose = async (request: Request) => {
    const world = new ServedWorld()
    const lost = await world.connector('hangs')
    const told = world.ask(request)
    await world.pass(100)
    const other = await world.connector('answers')
    lost.cut()
    await world.pass(1_000)
    return { told, runs: lost.got.length + other.got.length }
  }

  test.each(KINDS.slice(1))('R3.3.7 $method, not replayable, runs once', async (request) => {
    const { told, runs } = await lose(request)
    expect(runs).toBe(1)
    expect(told).toEqual({ status: 502, reason: 'connector-lost' })
  })

  test('R3.3.7 what is replayable may run again, and is answered', async () => {
    const { told, runs } = await lose({ method: 'GET' })
    expect([told, runs]).toEqual([{ status: 200 }, 2])
  })
})

test('R3.3.7 of a hundred that are not replayable none runs twice, whichever of three connectors goes when', async () => {
  const world = new ServedWorld()
  const connectors = [
    await world.connector('answers'),
    await world.connector('hangs'),
    await world.connector('unreachable'),
  ]
  const told = Array.from({ length: 100 }, (_, i) =>
    world.ask({ method: 'POST', body: `form ${i}`, user: `user ${i}` }),
  )
  for (const connector of connectors.slice(1)) {
    await world.pass(300)
    connector.cut()
  }
  await world.pass(10_000)
  const runs = connectors.flatMap(({ got }) => got)
  expect(new Set(runs).size).toBe(runs.length)
  expect(told.filter(({ status }) => status === undefined)).toEqual([])
  const unknown = told.filter(({ reason }) => reason === 'connector-lost')
  expect(told.filter(({ status }) => status === 200)).toHaveLength(runs.length - unknown.length)
})

describe('shares', () => {
  test('R3.2h an application holds half of what its connectors take; another one is served meanwhile', async () => {
    const world = new ServedWorld()
    const connector = await world.connector('hangs', { offers: 20 })
    for (let i = 0; i < 40; i++) world.ask({ application: 'greedy', user: `user ${i}` })
    await world.pass(100)
    expect(connector.got).toHaveLength(10)
    connector.meeting = 'answers'
    const others = world.askAll(5, { application: 'other' })
    await world.pass(100)
    expect(others.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  })

  test('R3.2h a user holds half of that; another user of the same application is served meanwhile', async () => {
    const world = new ServedWorld()
    const connector = await world.connector('hangs', { offers: 20 })
    const greedy = world.askAll(40, { user: 'greedy' })
    await world.pass(100)
    expect(connector.got).toHaveLength(5)
    connector.meeting = 'answers'
    const other = world.ask({ user: 'other' })
    await world.pass(100)
    expect(other).toEqual({ status: 200 })
    await world.pass(6_000)
    expect(greedy.filter(({ status }) => status === 429)).toHaveLength(35)
  })

  test('R3.2h where its group serves no other, an application holds all', async () => {
    const world = new ServedWorld()
    const connector = await world.connector('hangs', { offers: 20 })
    for (let i = 0; i < 40; i++) world.ask({ isAlone: true, user: `user ${i}` })
    await world.pass(100)
    expect(connector.got).toHaveLength(20)
  })
})

describe('whoever waited in vain is told why', () => {
  test('R3.2g want of capacity is 503', async () => {
    const world = new ServedWorld()
    await world.connector('hangs', { offers: 4 })
    const asked = [1, 2, 3, 4, 5].map((i) => world.ask({ isAlone: true, user: `user ${i}` }))
    await world.pass(6_000)
    expect(asked[4]).toMatchObject({ status: 503, reason: 'application-share' })
    expect(asked.slice(0, 4)).toEqual([{}, {}, {}, {}])
  })

  test('R3.2g absence of connectors is 504', async () => {
    const world = new ServedWorld()
    const told = world.ask()
    await world.pass(4_900)
    expect(told).toEqual({})
    await world.pass(200)
    expect(told).toEqual({ status: 504, reason: 'no-connector' })
  })

  test('R3.2g a connector that comes in time takes what waits', async () => {
    const world = new ServedWorld()
    const told = world.askAll(3)
    await world.pass(4_000)
    await world.connector('answers')
    await world.pass(100)
    expect(told).toEqual([{ status: 200 }, { status: 200 }, { status: 200 }])
  })
})

test('R3.2i what an application needs is asked of connectors that can; where none can, its user is told so', async () => {
  const world = new ServedWorld()
  const old = await world.connector('answers')
  const needy = { application: 'needy', needs: ['sign-on/form'] }
  const refused = world.ask(needy)
  expect(refused).toEqual({ status: 501, reason: 'connector-too-old' })
  const newer = await world.connector('answers', { features: ['link', 'sign-on/form'] })
  const told = world.askAll(10, needy)
  await world.pass(100)
  expect(told).toEqual(Array.from({ length: 10 }, () => ({ status: 200 })))
  expect([old.got.length, newer.got.length]).toEqual([0, 10])
})
