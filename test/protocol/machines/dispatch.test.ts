import { beforeEach, describe, expect, test } from 'vitest'
import { Dispatcher, SHARES, type ExchangeId } from '../../../src/protocol/internal.ts'
import { DispatchWorld } from './dispatch-world.ts'

let world: DispatchWorld
beforeEach(() => {
  world = new DispatchWorld()
})

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))
/** Taken, answered and over. */
const serve = (...ids: ExchangeId[]) => {
  for (const id of ids) world.say(id, 'claimed', 'answered', 'ended')
}

describe('who is chosen', () => {
  test('in turn, where nobody has more in flight', () => {
    world.attach('a')
    world.attach('b')
    times(6, () => serve(world.ask()))
    expect([world.to('a'), world.to('b')]).toEqual([3, 3])
  })

  test('neither more grants nor faster answers are a larger share', () => {
    world.attach('fast', 5_000)
    world.attach('slow', 50)
    for (let i = 0; i < 40; i++) {
      const id = world.ask({ user: `u${i}` })
      if (world.of(id)[0] === 'fast') serve(id)
      else {
        world.say(id, 'claimed', 'answered')
        world.pass(20)
        world.say(id, 'ended')
      }
    }
    expect(world.to('fast')).toBeLessThanOrEqual(world.to('slow') + 1)
  })

  test('two links of a connector are no larger share than one', () => {
    world.attach('a')
    world.attach('a')
    world.attach('b')
    times(8, (i) => world.ask({ user: `u${i}` }))
    expect([world.to('a'), world.to('b')]).toEqual([4, 4])
  })

  test('a new connector is filled gradually: 4 unanswered, doubled by as many answers', () => {
    const old = world.attach('old')
    times(300, () => serve(world.ask()))
    world.grant(old, 300)
    world.attach('new')
    // What goes beyond its ramp waits for the one that is trusted with it.
    const ids = times(40, (i) => world.ask({ user: `u${i}` }))
    const held = ids.filter((id) => world.of(id)[0] === 'new')
    expect(held.length).toBeLessThanOrEqual(4)
    const before = world.to('new')
    for (const id of held) world.say(id, 'claimed', 'answered')
    world.detach(old)
    times(20, (i) => world.ask({ user: `v${i}` }))
    expect(world.to('new') - before).toBeGreaterThan(8)
  })

  test('a pair that is silent holds no more than its ramp, while another answers', () => {
    world.attach('silent', 5_000)
    world.attach('well', 5_000)
    times(200, (i) => {
      const id = world.ask({ user: `u${i}` })
      if (world.of(id)[0] === 'well') serve(id)
    })
    expect(world.to('silent')).toBe(4)
    expect(world.to('well')).toBe(196)
  })

  test('an application that is slow everywhere is not held back for long', () => {
    world.attach('a')
    world.attach('b')
    const ids = times(20, (i) => world.ask({ user: `u${i}` }))
    expect(world.to('a') + world.to('b')).toBe(8)
    world.pass(1_100)
    expect(ids.every((id) => world.of(id).length === 1)).toBe(true)
  })
})

describe('health', () => {
  test('a pair that fails is passed over for a second, doubling, until one probe is answered', () => {
    world.attach('bad')
    world.attach('good')
    const first = world.ask()
    if (world.of(first)[0] === 'good') serve(first)
    const second = world.ask()
    const failed = world.of(first)[0] === 'bad' ? first : second
    world.again(failed, 'not-sent')
    expect(world.of(failed)).toEqual(['bad', 'good'])
    serve(first, second)
    const bad = world.to('bad')
    times(10, () => serve(world.ask()))
    expect(world.to('bad')).toBe(bad)
    world.pass(1_200)
    // One of them finds out, and the others are not kept waiting for it.
    const ids = times(10, () => world.ask({ isReplayable: false }))
    expect(world.to('bad')).toBe(bad + 1)
    const probe = ids.find((id) => world.of(id)[0] === 'bad')!
    world.again(probe, 'not-sent')
    serve(...ids)
    world.pass(1_300)
    times(10, () => serve(world.ask()))
    expect(world.to('bad')).toBe(bad + 1)
    world.pass(1_200)
    times(2, () => serve(world.ask()))
    times(10, () => serve(world.ask()))
    expect(world.to('bad')).toBeGreaterThan(bad + 4)
  })

  test('where requests may have been lost, only a replayable one is a probe, or any after 30 s', () => {
    world.attach('bad')
    world.attach('good')
    const ids = [world.ask(), world.ask()]
    const lost = ids.find((id) => world.of(id)[0] === 'bad')!
    world.say(lost, 'claimed')
    world.again(lost, 'lost')
    serve(...ids)
    world.pass(1_300)
    times(4, () => serve(world.ask({ isReplayable: false })))
    expect(world.to('bad')).toBe(1)
    serve(world.ask())
    expect(world.to('bad')).toBe(2)
    const posts = times(4, () => world.ask({ isReplayable: false }))
    const again = posts.find((id) => world.of(id)[0] === 'bad')!
    world.say(again, 'violation', 'ended')
    serve(...posts)
    const bad = world.to('bad')
    world.pass(31_300)
    serve(world.ask({ isReplayable: false }))
    expect(world.to('bad')).toBe(bad + 1)
  })

  test('a user who cannot be signed on is no fault: another is asked, and nobody passed over', () => {
    world.attach('one')
    world.attach('two')
    const id = world.ask()
    world.again(id, 'not-signed-on')
    world.again(id, 'not-signed-on')
    expect(world.of(id).slice(0, 2).sort()).toEqual(['one', 'two'])
    world.pass(6_000)
    const before = world.to('one')
    times(10, () => serve(world.ask()))
    expect(world.to('one') - before).toBe(5)
  })

  test('DECLINE for want of room is no fault: it pauses', () => {
    world.attach('full', 5_000)
    world.attach('well', 200)
    const ids = times(40, (i) => world.ask({ user: `u${i}`, isReplayable: i % 2 === 0 }))
    for (const id of ids) {
      if (world.of(id)[0] === 'full') world.again(id, 'declined')
      serve(id)
    }
    expect(ids.every((id) => world.of(id).at(-1) === 'well')).toBe(true)
    expect(world.to('full')).toBeLessThanOrEqual(4)
    world.pass(2_500)
    times(2, () => serve(world.ask()))
    expect(world.to('full')).toBeGreaterThan(0)
  })

  test('the only connector of a group is asked again after its pause', () => {
    world.attach('only')
    const id = world.ask()
    world.again(id, 'declined')
    expect(world.of(id)).toEqual(['only'])
    world.pass(200)
    expect(world.of(id)).toEqual(['only', 'only'])
  })

  test('all passed over: health is ignored', () => {
    world.attach('only')
    const id = world.ask()
    world.say(id, 'claimed', 'lost', 'ended')
    expect(world.of(world.ask({ isReplayable: false }))).toEqual(['only'])
  })

  test('whoever declined a request, or did not send it, is not offered it again', () => {
    world.attach('a')
    const id = world.ask()
    world.again(id, 'unknown-application')
    expect(world.of(id)).toEqual(['a', 'attempts-exhausted'])
    world.attach('b')
    const next = world.ask()
    world.again(next, 'not-sent')
    world.again(next, 'not-sent')
    expect(world.of(next).sort()).toEqual(['a', 'attempts-exhausted', 'b'])
  })

  test('failures of attempts that began before a fault say nothing new', () => {
    world.attach('bad')
    world.attach('good')
    const ids = times(8, (i) => world.ask({ user: `u${i}` }))
    for (const id of ids) {
      if (world.of(id)[0] === 'bad') world.say(id, 'lost', 'ended')
      else serve(id)
    }
    world.pass(1_300)
    const bad = world.to('bad')
    times(4, () => serve(world.ask()))
    expect(world.to('bad')).toBeGreaterThan(bad)
  })

  test('what another instance has seen counts as well', () => {
    world.attach('bad')
    world.attach('good')
    const seen = { group: 'g', application: 'wiki', connector: 'bad', outcome: 'lost' } as const
    world.dispatcher.handle({ type: 'observed', ...seen }, 0)
    times(6, () => serve(world.ask()))
    expect([world.to('bad'), world.to('good')]).toEqual([0, 6])
  })
})

describe('claims', () => {
  test('must come in 1 s where another healthy connector could take it, else in 5 s', () => {
    const link = world.attach('a', 200)
    world.ask()
    world.attach('b', 1)
    world.ask()
    world.ask()
    expect(world.decided.map((one) => 'claimMs' in one && one.claimMs)).toEqual([
      5_000, 1_000, 5_000,
    ])
    world.detach(link)
  })

  test('a silent one is given up once, if another is there and the pair answered nothing since', () => {
    world.attach('a')
    const id = world.ask()
    world.say(id, 'claimed')
    world.now = 5_000
    expect(world.dispatcher.mayGiveUp(id, world.now)).toBe(false)
    world.attach('b')
    expect(world.dispatcher.mayGiveUp(id, world.now)).toBe(true)
    world.again(id, 'given-up')
    expect(world.of(id)).toEqual(['a', 'b'])
    world.say(id, 'claimed')
    expect(world.dispatcher.mayGiveUp(id, world.now)).toBe(false)
  })

  test('a pair that answers others is slow, and not given up', () => {
    world.attach('a')
    const [slow, quick] = [world.ask(), world.ask()]
    world.say(slow, 'claimed')
    world.attach('b')
    world.now = 4_000
    world.say(quick, 'claimed', 'answered')
    world.now = 5_000
    expect(world.dispatcher.mayGiveUp(slow, world.now)).toBe(false)
  })

  test('no more than four, or a tenth of ten seconds, are given up', () => {
    world.attach('a')
    const ids = times(30, (i) => world.ask({ user: `u${i}` }))
    for (const id of ids) world.say(id, 'claimed')
    world.attach('b')
    world.now = 5_000
    const given = ids.filter((id) => {
      if (!world.dispatcher.mayGiveUp(id, world.now)) return false
      world.say(id, 'given-up', 'ended')
      return true
    })
    expect(given).toHaveLength(4)
  })
})

describe('shares', () => {
  test('an application holds half of its group at most, a user half of that', () => {
    world.attach('a', 20)
    times(12, (i) => world.ask({ user: `u${i}` }))
    times(12, () => world.ask({ application: 'mail' }))
    expect(world.to('a')).toBe(10 + 5)
  })

  test('an application that the group serves alone may take all of it', () => {
    world.attach('a', 20)
    times(30, (i) => world.ask({ user: `u${i}`, isAlone: true }))
    expect(world.to('a')).toBe(20)
  })

  test('excess waits, then it is told whose share is spent', () => {
    world.attach('a', 8)
    const ids = times(4, (i) => world.ask({ user: `u${i}` }))
    const over = world.ask({ user: 'u9' })
    const [, , , own] = times(4, () => world.ask({ application: 'mail' }))
    world.pass(4_900)
    expect(world.of(over)).toEqual([])
    world.pass(200)
    expect(world.of(over)).toEqual(['application-share'])
    expect(world.of(own!)).toEqual(['user-share'])
    serve(...ids)
  })

  test('what is given back goes to the next in turn: applications, then users', () => {
    const link = world.attach('a', 8)
    const held = times(4, (i) => world.ask({ user: `u${i}` }))
    times(4, (i) => world.ask({ application: 'mail', user: `u${i}` }))
    const waiting = [
      world.ask({ user: 'v' }),
      world.ask({ user: 'v' }),
      world.ask({ user: 'w' }),
      world.ask({ application: 'news', user: 'v' }),
    ]
    serve(held[0]!, held[1]!)
    world.grant(link, 2)
    expect(waiting.map((id) => world.of(id).length)).toEqual([1, 0, 0, 1])
    serve(held[2]!)
    world.grant(link, 1)
    expect(waiting.map((id) => world.of(id).length)).toEqual([1, 0, 1, 1])
  })

  test('long exchanges hold no slot, as many as the link carries beside its offers', () => {
    const link = world.attach('a', 8, { streams: 3 })
    const ids = times(4, (i) => world.ask({ user: `u${i}` }))
    for (const id of ids) world.say(id, 'claimed', 'answered', 'long', 'long')
    world.grant(link, 3)
    const more = times(4, (i) => world.ask({ user: `u${i}` }))
    expect(more.map((id) => world.of(id).length)).toEqual([1, 1, 1, 0])
    world.say(ids[0]!, 'ended')
    world.say(ids[3]!, 'long')
    expect(world.of(more[3]!)).toEqual(['a'])
  })

  test('a greedy application does not take the room to wait from others', () => {
    world = new DispatchWorld({ shares: { ...SHARES, waiting: 40 } })
    const greedy = times(60, (i) => world.ask({ user: `u${i}` }))
    const one = times(30, () => world.ask({ application: 'mail' }))
    expect(greedy.filter((id) => world.of(id)[0] === 'application-share')).toHaveLength(40)
    expect(one.filter((id) => world.of(id)[0] === 'user-share')).toHaveLength(20)
  })
})

describe('what cannot be offered', () => {
  test('absence is told as such, and want of room as such', () => {
    const absent = world.ask()
    world.pass(5_100)
    expect(world.of(absent)).toEqual(['no-connector'])
    world.attach('a', 2, { granted: 0 })
    const busy = world.ask()
    world.pass(5_100)
    expect(world.of(busy)).toEqual(['connectors-busy'])
  })

  test('whoever may not wait at all is told the same', () => {
    expect(world.of(world.ask({}, 0))).toEqual(['no-connector'])
    world.attach('a', 2, { granted: 0 })
    expect(world.of(world.ask({}, 0))).toEqual(['connectors-busy'])
  })

  test('a wait that ends within a turn of the clock is over at the next tick', () => {
    world.attach('a', 2, { granted: 0 })
    world.now = 7
    const id = world.ask({}, 1_000)
    world.now = 1_010
    world.pass(0)
    world.dispatcher.tick(1_010)
    world.pass(1)
    expect(world.decided.at(-1)).toMatchObject({ id, refused: 'connectors-busy' })
    expect(world.decided.at(-1)!.at).toBeLessThanOrEqual(1_011)
  })

  test('a link that lacks a feature is not offered what needs it', () => {
    world.attach('old')
    expect(world.of(world.ask({ needs: ['upgrade'] }))).toEqual(['upgrade-unsupported'])
    expect(world.of(world.ask({ needs: ['sign-on/form'] }))).toEqual(['connector-too-old'])
    const both = ['sign-on/form', 'upgrade']
    expect(world.of(world.ask({ needs: both }))).toEqual(['connector-too-old'])
    const plain = world.attach('plain', 200, { features: ['sign-on/form'] })
    expect(world.of(world.ask({ needs: both }))).toEqual(['upgrade-unsupported'])
    world.detach(plain)
    world.attach('new', 200, { features: ['sign-on/form', 'upgrade'] })
    times(3, () => world.ask({ needs: ['sign-on/form'] }))
    expect(world.to('new')).toBe(3)
  })

  test('nothing is offered at its deadline or after', () => {
    const id = world.ask({}, 1_000)
    world.now = 1_000
    world.attach('a')
    expect(world.of(id)).toEqual(['connectors-busy'])
  })

  test('another instance is asked only where no link of this one can take it', () => {
    world.attach('', 10, { isRemote: true })
    const remote = world.ask()
    expect(world.of(remote)).toEqual([''])
    world.attach('a', 20, { granted: 1 })
    expect(world.of(world.ask())).toEqual(['a'])
    expect(world.of(world.ask())).toEqual([''])
    world.again(remote, 'declined')
    world.pass(200)
    expect(world.of(remote)).toEqual(['', ''])
  })
})

test('its whole state is one value: a copy goes on as the original does', () => {
  world.attach('a', 8)
  world.attach('b', 8)
  const ids = times(12, (i) => world.ask({ user: `u${i}` }))
  world.again(ids[0]!, 'not-sent')
  const copy = new Dispatcher({}, structuredClone(world.dispatcher.state))
  const both = [world.dispatcher, copy]
  for (const one of both) {
    one.outcome(ids[1]!, 'claimed', 10)
    one.outcome(ids[1]!, 'ended', 20)
    one.granted(2, 1, 20)
    one.tick(5_100)
  }
  expect(copy.decisions()).toEqual(world.dispatcher.decisions())
  expect(copy.state).toEqual(world.dispatcher.state)
})

test('nothing is left of what is over', () => {
  const link = world.attach('a', 8)
  const ids = times(20, (i) => world.ask({ user: `u${i}` }))
  world.pass(6_000)
  serve(...ids)
  world.detach(link)
  world.now += 61_000
  const other = world.attach('b', 1)
  world.now += 61_000
  world.detach(other)
  world.now += 61_000
  world.detach(world.attach('c', 1))
  const { requests, links, waits, waiting } = world.dispatcher.state
  expect([requests.slotOf.size, links.size, waits.size, waiting]).toEqual([0, 0, 0, 0])
  expect(world.dispatcher.deadline).toBe(Infinity)
})
