/** Requests whose connections are their user's alone: who is offered them, and when. */
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type {
  DispatchAffinity,
  DispatchRequest,
  ExchangeId,
  HandshakeAnswer,
} from '../../../src/protocol/internal.ts'
import { HANDSHAKE_PATIENCE_MS, PIN_AGE_MS, PIN_IDLE_MS } from '../../../src/protocol/internal.ts'
import { pinKey } from '../../../src/protocol/machines/dispatch-pins.ts'
import { DispatchWorld } from './dispatch-world.ts'

type Step = DispatchAffinity['step']

let world: DispatchWorld
beforeEach(() => {
  world = new DispatchWorld({ shares: { application: 1, user: 1, waiting: 1_000 } })
})

const NEEDS = { features: ['affinity'] }
function ask(
  id: string,
  step: Step = 'none',
  more: Partial<DispatchRequest> = {},
  isShared = false,
) {
  const affinity = { id, isShared, step }
  return world.ask({ affinity, isReplayable: false, needs: ['affinity'], ...more })
}
/** The answer's head, and with it the answer. */
function answer(id: ExchangeId, shows: HandshakeAnswer | 'switched', ends = true): void {
  world.say(id, 'claimed')
  world.dispatcher.authentication(id, shows, world.now)
  world.say(id, 'answered')
  if (ends) world.say(id, 'ended')
}
/** All three steps of one user. */
function logIn(id: string, isShared = false): readonly string[] {
  const steps = [
    ['none', 'challenged'],
    ['opens', 'goesOn'],
    ['continues', 'authenticated'],
  ] as const
  return steps.flatMap(([step, shows]) => {
    const request = ask(id, step, {}, isShared)
    answer(request, shows)
    return world.of(request)
  })
}
const stateOf = (id: string) => world.dispatcher.state.pins.get(pinKey('wiki', id))?.state

describe('one connection', () => {
  test('keeps its connector from the first token on, whoever else is free', () => {
    for (const connector of ['a', 'b', 'c']) world.attach(connector, 50, NEEDS)
    const [, opened, continued] = logIn('x')
    expect(continued).toBe(opened)
    for (let i = 0; i < 20; i++) {
      const request = ask('x')
      expect(world.of(request)).toEqual([opened])
      answer(request, 'plain')
      // Others go everywhere.
      const other = world.ask({ user: 'ben' })
      world.say(other, 'claimed', 'answered', 'ended')
    }
  })

  test('tells which requests go to nobody but it', () => {
    world.attach('a', 50, NEEDS)
    const pinned: boolean[] = []
    for (const [step, shows] of [
      ['none', 'challenged'],
      ['opens', 'goesOn'],
      ['continues', 'authenticated'],
      ['none', 'plain'],
    ] as const) {
      const affinity = { id: 'x', isShared: false, step }
      const id = String(pinned.length) as ExchangeId
      const user = { group: 'g', application: 'wiki', user: 'ann', needs: ['affinity'] }
      world.dispatcher.submit({ id, affinity, isReplayable: false, ...user }, 5_000, 0)
      for (const decision of world.dispatcher.decisions())
        if (decision.type === 'offer') pinned.push(decision.isPinned)
      answer(id, shows)
    }
    expect(pinned).toEqual([false, false, true, true])
  })

  test('asks for one thing after the other, in order', () => {
    world.attach('a', 50, NEEDS)
    const requests = [ask('x'), ask('x'), ask('x')]
    const offered = () => requests.map((id) => world.of(id).length)
    expect(offered()).toEqual([1, 0, 0])
    answer(requests[0]!, 'plain', false)
    // Its answer is still coming.
    expect(offered()).toEqual([1, 0, 0])
    world.say(requests[0]!, 'ended')
    expect(offered()).toEqual([1, 1, 0])
    world.say(requests[1]!, 'ended')
    expect(offered()).toEqual([1, 1, 1])
  })

  test('keeps nobody else waiting', () => {
    world.attach('a', 50, NEEDS)
    ask('x')
    const waiting = ask('x')
    expect(world.of(ask('y'))).toEqual(['a'])
    expect(world.of(world.ask({}))).toEqual(['a'])
    expect(world.of(waiting)).toEqual([])
    world.pass(5_100)
    expect(world.of(waiting)).toEqual(['user-share'])
  })

  test('is offered to nobody who cannot do it', () => {
    world.attach('old', 50)
    expect(world.of(ask('x'))).toEqual(['connector-too-old'])
  })
})

describe('a connector that goes', () => {
  test('in mid-handshake: the next is told to begin anew, and begins at another one', () => {
    const link = world.attach('a', 50, NEEDS)
    answer(ask('x', 'opens'), 'goesOn')
    world.detach(link)
    world.attach('b', 50, NEEDS)
    expect(stateOf('x')).toBe('lost')
    expect(world.of(ask('x', 'continues'))).toEqual(['pin-lost'])
    expect(logIn('x')).toEqual(['b', 'b', 'b'])
  })

  test('before anything was said: another one takes the next request', () => {
    const link = world.attach('a', 50, NEEDS)
    answer(ask('x'), 'challenged')
    world.detach(link)
    world.attach('b', 50, NEEDS)
    expect(world.of(ask('x', 'opens'))).toEqual(['b'])
  })

  test('with one of its links only: it stays', () => {
    const link = world.attach('a', 50, NEEDS)
    world.attach('a', 50, NEEDS)
    logIn('x')
    world.detach(link)
    expect(world.of(ask('x'))).toEqual(['a'])
  })

  test('tells those who wait at once, and then all know', () => {
    const link = world.attach('a', 50, NEEDS)
    logIn('x')
    ask('x')
    const waiting = [ask('x'), ask('x')]
    world.detach(link)
    expect(waiting.map((id) => world.of(id))).toEqual([['pin-lost'], ['pin-lost']])
    expect(stateOf('x')).toBe('free')
  })

  test('or says that the connection is gone: no fault of its own, and no other takes the request', () => {
    world.attach('a', 50, NEEDS)
    world.attach('b', 50, NEEDS)
    const [, , at] = logIn('x')
    const request = ask('x')
    world.say(request, 'claimed')
    world.again(request, 'pin-lost')
    expect(world.of(request)).toEqual([at, 'pin-lost'])
    const pairs = world.dispatcher.state.groups.get('g')!.connectors.get(at!)!.pairs
    expect(pairs.get('wiki')!.state).toBe('healthy')
    expect(stateOf('x')).toBe('free')
  })

  test('is waited for where it only has no room', () => {
    const link = world.attach('a', 2, NEEDS)
    world.attach('b', 50, NEEDS)
    answer(ask('x', 'opens', { excluded: ['b'] }), 'goesOn')
    const full = [ask('y', 'none', { excluded: ['b'] })]
    const request = ask('x', 'continues')
    expect(world.of(request)).toEqual([])
    world.say(full[0]!, 'claimed', 'answered', 'ended')
    world.grant(link, 2)
    expect(world.of(request)).toEqual(['a'])
  })
})

test('what nobody used for a minute is lost, and forgotten after an hour', () => {
  world.attach('a', 50, NEEDS)
  logIn('x')
  world.pass(PIN_IDLE_MS - 1)
  answer(ask('x'), 'plain')
  world.pass(PIN_IDLE_MS)
  expect(world.of(ask('x'))).toEqual(['pin-lost'])
  world.pass(PIN_AGE_MS)
  ask('y')
  expect([stateOf('x'), stateOf('y')]).toEqual([undefined, 'free'])
})

test('an affinity that nobody will ask for again leaves nothing behind', () => {
  world.attach('a', 50, NEEDS)
  logIn('x')
  const running = ask('x')
  world.dispatcher.part('wiki', 'x')
  expect(world.dispatcher.state.pins.size).toBe(0)
  answer(running, 'plain')
  expect(world.dispatcher.state.groups.get('g')!.applications.get('wiki')!.users.size).toBe(0)
})

describe('several connections of one session', () => {
  const shared = (step: Step = 'none') => ask('s', step, {}, true)

  test('wait for a handshake; what continues it goes first', () => {
    world.attach('a', 50, NEEDS)
    const first = shared('opens')
    const second = shared('none')
    answer(first, 'goesOn')
    expect(world.of(second)).toEqual([])
    const continued = shared('continues')
    expect(world.of(continued)).toEqual(['a'])
    answer(continued, 'authenticated')
    expect(world.of(second)).toEqual(['a'])
  })

  test('wait for one that nobody goes on with for a while only', () => {
    world.attach('a', 50, NEEDS)
    answer(shared('opens'), 'goesOn')
    const other = shared('opens')
    world.pass(HANDSHAKE_PATIENCE_MS - 100)
    expect(world.of(other)).toEqual([])
    world.pass(200)
    expect(world.of(other)).toEqual(['a'])
  })

  test('are at most six at once when they are authenticated', () => {
    world.attach('a', 50, NEEDS)
    logIn('s', true)
    const requests = Array.from({ length: 8 }, () => shared())
    const under = () => requests.filter((id) => world.of(id).length > 0).length
    expect(under()).toBe(6)
    answer(requests[0]!, 'plain')
    expect(under()).toBe(7)
    // A tunnel is none of them.
    answer(requests[1]!, 'switched', false)
    expect(under()).toBe(8)
    world.say(requests[1]!, 'ended')
    for (const id of requests.slice(2)) answer(id, 'plain')
    expect(world.dispatcher.state.pins.get(pinKey('wiki', 's'))).toMatchObject({
      ...{ inFlight: 0, unanswered: 0, waiting: 0 },
    })
  })
})

describe('the share of a user', () => {
  test('holds idle connections as well: the longest idle gives way', () => {
    world = new DispatchWorld({ shares: { application: 1, user: 0.5, waiting: 1_000 } })
    world.attach('a', 8, NEEDS)
    const grant = () => world.grant(1, 8)
    for (const id of ['1', '2', '3', '4']) {
      logIn(id)
      grant()
    }
    const user = () => world.dispatcher.state.groups.get('g')!.applications.get('wiki')!.users
    expect(user().get('ann')).toMatchObject({ held: 0, pinned: 4, pins: 4 })
    const fifth = ask('5')
    expect(world.of(fifth)).toEqual(['a'])
    expect(user().get('ann')).toMatchObject({ held: 1, pinned: 3, pins: 5 })
    expect(stateOf('1')).toBe('lost')
    // One's own place is taken over.
    expect(world.of(ask('2'))).toEqual(['a'])
    expect(user().get('ann')).toMatchObject({ held: 2, pinned: 2 })
    expect(['2', '3', '4'].map(stateOf)).toEqual(['bound', 'bound', 'bound'])
  })
})

// ── whatever happens ────────────────────────────────────────────────────────────────────────

const ANSWERS = ['plain', 'challenged', 'goesOn', 'authenticated'] as const
const happening = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('ask' as const),
      pin: fc.integer({ min: 0, max: 3 }),
      step: fc.constantFrom<Step>('none', 'opens', 'continues'),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('answer' as const),
      which: fc.nat(),
      shows: fc.constantFrom<HandshakeAnswer | 'switched'>(...ANSWERS, ...ANSWERS, 'switched'),
      ends: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('fail' as const),
      which: fc.nat(),
      how: fc.constantFrom('pin-lost', 'lost', 'declined', 'claim-missed', 'not-sent', 'ended'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('attach' as const), who: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('detach' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('part' as const), pin: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(70_000) }),
  },
)

test('whatever happens, nobody but the connector that has a connection is offered what belongs to it', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 80 }), (happenings) => {
      const world = new DispatchWorld({ shares: { application: 1, user: 0.5, waiting: 50 } })
      const links = new Map<number, string>()
      let seen = 0
      const pinOfRequest = new Map<ExchangeId, string>()
      const running = new Map<ExchangeId, string>()
      /** Whom a pin is authenticated at, by our own book. */
      const authenticated = new Map<string, string>()
      const judge = (): void => {
        for (; seen < world.decided.length; seen++) {
          const one = world.decided[seen]!
          const pin = pinOfRequest.get(one.id)!
          if (!('to' in one)) {
            if (one.refused === 'pin-lost') authenticated.delete(pin)
            continue
          }
          const at = authenticated.get(pin)
          if (at !== undefined) expect(one.to).toBe(at)
          // The connections of a user's one connection serve one request at a time.
          const others = [...running].filter(([id]) => pinOfRequest.get(id) === pin)
          expect(others.length).toBeLessThan(pin.startsWith('s') ? 6 : 1)
          running.set(one.id, one.to)
        }
      }
      const pins = ['c0', 'c1', 's2', 's3']
      for (const one of happenings) {
        const ids = [...running.keys()]
        const id = 'which' in one ? ids[one.which % Math.max(1, ids.length)] : undefined
        switch (one.type) {
          case 'ask': {
            const pin = pins[one.pin]!
            const next = `r${pinOfRequest.size}` as ExchangeId
            pinOfRequest.set(next, pin)
            const affinity = { id: pin, isShared: pin.startsWith('s'), step: one.step }
            world.ask({ id: next, affinity, isReplayable: false, needs: ['affinity'] })
            break
          }
          case 'answer': {
            if (id === undefined) break
            const pin = pinOfRequest.get(id)!
            const before = world.dispatcher.state.pins.get(pinKey('wiki', pin))?.state
            world.say(id, 'claimed')
            world.dispatcher.authentication(id, one.shows, world.now)
            const after = world.dispatcher.state.pins.get(pinKey('wiki', pin))?.state
            if (after === 'handshaking' || after === 'bound') {
              if (before !== after && before === 'free') authenticated.set(pin, running.get(id)!)
            } else authenticated.delete(pin)
            if (one.shows === 'switched') running.delete(id)
            if (one.ends) running.delete(id)
            world.say(id, 'answered')
            if (one.ends) world.say(id, 'ended')
            break
          }
          case 'fail':
            if (id === undefined) break
            if (one.how === 'pin-lost') authenticated.delete(pinOfRequest.get(id)!)
            running.delete(id)
            if (one.how === 'ended') world.say(id, 'ended')
            else world.again(id, one.how as 'lost')
            break
          case 'attach': {
            const who = ['a', 'b', 'c'][one.who]!
            links.set(world.attach(who, 4, { features: ['affinity'] }), who)
            break
          }
          case 'detach': {
            const link = [...links.keys()][one.which % Math.max(1, links.size)]
            if (link === undefined) break
            const who = links.get(link)!
            links.delete(link)
            if (![...links.values()].includes(who))
              for (const [pin, at] of authenticated) if (at === who) authenticated.delete(pin)
            world.detach(link)
            break
          }
          case 'part':
            authenticated.delete(pins[one.pin]!)
            world.dispatcher.part('wiki', pins[one.pin]!)
            // What is under way then is of an affinity that is another one from here on.
            for (const other of [...running.keys()])
              if (pinOfRequest.get(other) === pins[one.pin]) {
                running.delete(other)
                world.say(other, 'ended')
              }
            break
          case 'pass':
            world.pass(one.ms)
        }
        judge()
        for (const pin of world.dispatcher.state.pins.values()) {
          expect(Math.min(pin.waiting, pin.inFlight, pin.unanswered)).toBeGreaterThanOrEqual(0)
          expect(pin.unanswered).toBeLessThanOrEqual(pin.inFlight)
        }
        for (const { users } of world.dispatcher.state.groups.get('g')?.applications.values() ?? [])
          for (const user of users.values()) {
            const own = [...world.dispatcher.state.pins.values()].filter((pin) => pin.user === user)
            expect(user.pins).toBe(own.length)
            const idle = own.filter(({ state }) => state !== 'lost')
            expect(user.pinned).toBe(
              idle.reduce((sum, pin) => sum + Math.max(0, pin.sockets - pin.inFlight), 0),
            )
          }
      }
      world.pass(6_000)
      judge()
      // Nobody waits for ever.
      expect(world.dispatcher.state.waiting).toBe(0)
    }),
    { numRuns: 400 },
  )
})
