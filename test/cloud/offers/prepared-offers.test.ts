/** Offers that carry what is made for one attempt alone: whatever happens while it is made. In time that passes only when told to. */
import { describe, expect, test } from 'vitest'
import { ServedWorld, type Request } from '../../../spec/served-world.ts'
import type { ExchangeId, HeaderList } from '../../../src/protocol/internal.ts'

/** What makes it: each is asked for, and made when the test says so. */
class Maker {
  readonly asked: { readonly id: ExchangeId; readonly attempt: number }[] = []
  readonly #waiting: { resolve(list: HeaderList): void; reject(error: Error): void }[] = []

  readonly request: Request = {
    prepare: (id, attempt) => {
      this.asked.push({ id, attempt })
      return new Promise((resolve, reject) => void this.#waiting.push({ resolve, reject }))
    },
  }

  /** The one that waits longest. */
  make(): void {
    const { attempt } = this.asked[this.asked.length - this.#waiting.length]!
    this.#waiting.shift()!.resolve(['X-Attempt', String(attempt)])
  }

  fail(): void {
    this.#waiting.shift()!.reject(new Error('no key'))
  }
}

const attemptIn = (headers: HeaderList | undefined) => headers?.[headers.indexOf('X-Attempt') + 1]

test('is asked for when a link is chosen, and not before', async () => {
  const [world, maker] = [new ServedWorld(), new Maker()]
  const told = world.ask(maker.request)
  await world.pass(100)
  expect(maker.asked).toEqual([])
  const connector = await world.connector('answers')
  expect(maker.asked).toMatchObject([{ attempt: 1 }])
  await world.pass(100)
  expect(connector.got).toEqual([])
  maker.make()
  await world.pass(1)
  expect(told.status).toBe(200)
  expect(attemptIn(connector.headers[0])).toBe('1')
})

test('each attempt carries its own', async () => {
  const [world, maker] = [new ServedWorld(), new Maker()]
  const both = [await world.connector('unreachable'), await world.connector('unreachable')]
  const told = world.ask(maker.request)
  maker.make()
  await world.pass(1)
  for (const connector of both) connector.meeting = 'answers'
  maker.make()
  await world.pass(1)
  expect(told.status).toBe(200)
  expect(both.flatMap(({ headers }) => headers.map(attemptIn))).toEqual(['2'])
  expect(maker.asked.map(({ attempt }) => attempt)).toEqual([1, 2])
  expect(new Set(maker.asked.map(({ id }) => id)).size).toBe(1)
})

describe('while it is made', () => {
  test('the user leaves: nobody hears of the request', async () => {
    const [world, maker] = [new ServedWorld(), new Maker()]
    const connector = await world.connector('answers', { offers: 1 })
    const told = world.ask(maker.request)
    world.leave(told)
    maker.make()
    await world.pass(1)
    expect([connector.got, told.status]).toEqual([[], undefined])
    // What was to be spent for it is there for the next.
    const next = world.ask()
    await world.pass(1)
    expect(next.status).toBe(200)
  })

  test('the link dies: another one gets an attempt of its own, and what comes late goes nowhere', async () => {
    const [world, maker] = [new ServedWorld(), new Maker()]
    const first = await world.connector('answers')
    const told = world.ask({ ...maker.request, method: 'POST', body: 'x' })
    first.cut()
    const second = await world.connector('answers')
    expect(maker.asked.map(({ attempt }) => attempt)).toEqual([1, 2])
    maker.make()
    await world.pass(1)
    expect([first.got, second.got]).toEqual([[], []])
    maker.make()
    await world.pass(1)
    expect(told.status).toBe(200)
    expect(attemptIn(second.headers[0])).toBe('2')
  })

  test('the link takes no more: another one does', async () => {
    const [world, maker] = [new ServedWorld(), new Maker()]
    const first = await world.connector('answers')
    const told = world.ask(maker.request)
    first.detach()
    const second = await world.connector('answers')
    maker.make()
    await world.pass(1)
    maker.make()
    await world.pass(1)
    expect(told.status).toBe(200)
    expect([first.got, attemptIn(second.headers[0])]).toEqual([[], '2'])
  })

  test('links that die use no attempt up: nobody was told anything', async () => {
    const [world, maker] = [new ServedWorld(), new Maker()]
    const told = world.ask(maker.request)
    for (let i = 0; i < 6; i++) (await world.connector('answers')).cut()
    const last = await world.connector('answers')
    for (let i = 0; i < 7; i++) maker.make()
    await world.pass(1)
    expect([told.status, attemptIn(last.headers[0])]).toEqual([200, '7'])
  })

  test('the time to claim it passes: the request fails, and it is no fault of the connector’s', async () => {
    const [world, maker] = [new ServedWorld(), new Maker()]
    const connector = await world.connector('answers')
    const told = world.ask(maker.request)
    await world.pass(5_100)
    expect(told).toMatchObject({ status: 502, reason: 'sign-on-failed' })
    maker.make()
    const others = world.askAll(3)
    await world.pass(1)
    expect(others.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(connector.got).toHaveLength(3)
  })
})

test('what cannot be made fails the request, which nobody heard of', async () => {
  const [world, maker] = [new ServedWorld(), new Maker()]
  const connector = await world.connector('answers')
  const told = world.ask(maker.request)
  maker.fail()
  await world.pass(1)
  expect(told).toMatchObject({ status: 502, reason: 'sign-on-failed' })
  expect(connector.got).toEqual([])
})

/** The group serves no other application. */
const ALONE = { isAlone: true }

describe('grants', () => {
  test('none is lost, whatever becomes of what is made', async () => {
    const world = new ServedWorld()
    const connector = await world.connector('answers', { offers: 2 })
    for (let i = 0; i < 10; i++) {
      const maker = new Maker()
      const failing = world.ask({ ...maker.request, ...ALONE, user: 'ann' })
      const leaving = world.ask({ ...maker.request, ...ALONE, user: 'bob' })
      world.leave(leaving)
      maker.fail()
      maker.make()
      await world.pass(1)
      expect(failing.reason).toBe('sign-on-failed')
    }
    const both = [world.ask({ ...ALONE, user: 'ann' }), world.ask({ ...ALONE, user: 'bob' })]
    await world.pass(1)
    expect(both.map(({ status }) => status)).toEqual([200, 200])
    expect(connector.got).toHaveLength(2)
  })

  test('none is spent twice, whatever is granted meanwhile', async () => {
    const world = new ServedWorld()
    await world.connector('answers', { offers: 3 })
    const maker = new Maker()
    const slow = world.ask({ ...maker.request, ...ALONE, user: 'ann' })
    const slower = world.ask({ ...maker.request, ...ALONE, user: 'bob' })
    // Each that is over is granted anew: were those two counted as free, the third would be beyond.
    for (let i = 0; i < 5; i++) {
      const others = world.askAll(1, { ...ALONE, user: 'cat' })
      await world.pass(1)
      expect(others.map(({ status }) => status)).toEqual([200])
    }
    maker.make()
    maker.make()
    await world.pass(1)
    expect([slow.status, slower.status]).toEqual([200, 200])
  })
})

test('what needs nothing made is offered in the same turn', async () => {
  const world = new ServedWorld()
  const connector = await world.connector('answers')
  const told = world.ask()
  await Promise.resolve()
  await Promise.resolve()
  await world.time.settled()
  expect([told.status, connector.got.length]).toEqual([200, 1])
})
