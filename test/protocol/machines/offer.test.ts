/** An exchange on offer: attempts, exclusion, deadlines, what its user is told when nobody takes it. */
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { OfferEntry, TIME_LIMITS, type OfferEffect } from '../../../src/protocol/internal.ts'

const HEAD_MS = 85_000
const make = (isReplayable: boolean, now = 0) =>
  new OfferEntry(TIME_LIMITS, isReplayable, HEAD_MS, now)

let get: OfferEntry
let post: OfferEntry
beforeEach(() => {
  get = make(true)
  post = make(false)
})

/** Offers to `connector`, which claims. */
function taken(offer: OfferEntry, connector: string, now = 0): OfferEffect {
  return offer.claim(offer.offer(connector, false, 5_000, now), connector, now)
}

describe('a claim', () => {
  test('of a replayable request is not confirmed, of any other it is', () =>
    expect([taken(get, 'a'), taken(post, 'a')]).toEqual(['start', 'confirm']))

  test('of an offer that came over another instance is always confirmed', () => {
    const attempt = get.offer('a', true, 5_000, 0)
    expect(get.claim(attempt, 'a', 0)).toBe('confirm')
  })

  test('counts for the current attempt only, and once', () => {
    const first = post.offer('a', false, 1_000, 0)
    expect(post.expire(1_000)).toBe('resubmit')
    expect(post.claim(first, 'a', 1_000)).toBe('gone')
    const second = post.offer('b', false, 1_000, 1_000)
    expect(post.claim(first, 'a', 1_000)).toBe('gone')
    expect(post.claim(second, 'b', 1_000)).toBe('confirm')
    expect(post.claim(second, 'c', 1_000)).toBe('gone')
  })

  test('may come late, as long as nobody looked at the clock', () => {
    const attempt = post.offer('a', false, 1_000, 0)
    expect(post.claim(attempt, 'a', 1_001)).toBe('confirm')
  })
})

describe('NOT_SENT', () => {
  test.each([true, false])('goes to another connector; replayable: %s', (isReplayable) => {
    const offer = make(isReplayable)
    taken(offer, 'a')
    expect(offer.notSent('application-unreachable', true, 10)).toBe('resubmit')
    expect(offer.excluded).toEqual(['a'])
    expect(() => offer.offer('a', false, 5_000, 10)).toThrow('"repeat" is not allowed')
    expect(taken(offer, 'b', 10)).not.toBe('gone')
  })

  test('uses no attempt up: a request meets as many connectors as there are', () => {
    for (let i = 0; i < 20; i++) {
      taken(post, `connector-${i}`)
      expect(post.notSent('application-timeout', true, 0)).toBe('resubmit')
    }
    expect(post.attempt).toBe(20)
  })

  test('of what is not kept any more is the end, in the words of its cause', () => {
    taken(post, 'a')
    expect(post.notSent('application-certificate', false, 0)).toBe('fail')
    expect(post.failure).toBe('application-certificate')
    expect(post.delivery).toEqual({ isClaimed: false, mayHaveBegun: false })
  })

  test('that nobody else can take is told in the words of its cause', () => {
    taken(post, 'a')
    post.notSent('connector-exhausted', true, 0)
    expect(post.refuse('no-connector')).toBe('fail')
    expect(post.failure).toBe('connector-exhausted')
    taken(get, 'a')
    get.notSent('application-unreachable', true, 0)
    expect([get.expire(5_000), get.failure]).toEqual(['fail', 'application-unreachable'])
    expect(get.delivery).toEqual({ isClaimed: false, mayHaveBegun: false })
  })

  test('after the time for an answer has run out is the end', () => {
    taken(post, 'a')
    expect(post.notSent('application-timeout', true, HEAD_MS)).toBe('fail')
  })

  test('takes nothing back of an earlier attempt that was lost', () => {
    taken(get, 'a')
    expect(get.exchangeLost(0)).toBe('resubmit')
    taken(get, 'b')
    get.notSent('application-unreachable', true, 0)
    get.refuse('no-connector')
    expect(get.delivery).toEqual({ isClaimed: false, mayHaveBegun: true })
  })
})

describe('DECLINE', () => {
  test('goes to another connector and uses no attempt up', () => {
    for (const connector of ['a', 'b', 'c', 'd'])
      expect(post.declined(post.offer(connector, false, 5_000, 0), 0)).toBe('resubmit')
    expect(post.excluded).toEqual(['a', 'b', 'c', 'd'])
    expect([post.refuse('no-connector'), post.failure]).toEqual(['fail', 'attempts-exhausted'])
    expect(post.delivery.mayHaveBegun).toBe(false)
  })

  test('of an earlier attempt, or of a claimed one, says nothing', () => {
    const first = post.offer('a', false, 1_000, 0)
    post.expire(1_000)
    const second = post.offer('b', false, 1_000, 1_000)
    expect(post.declined(first, 1_000)).toBe('none')
    post.claim(second, 'b', 1_000)
    expect(post.declined(second, 1_000)).toBe('none')
    expect(post.state).toBe('confirmed')
  })
})

describe('three attempts', () => {
  test('and no more, when links die', () => {
    const effects = ['a', 'b', 'c'].map((connector) => {
      post.offer(connector, false, 5_000, 0)
      return post.linkLost(0)
    })
    expect(effects).toEqual(['resubmit', 'resubmit', 'fail'])
    expect(post.failure).toBe('attempts-exhausted')
  })

  test('and no more, when claims are missed', () => {
    const effects = [0, 1_000, 2_000].map((now) => {
      post.offer('a', false, 1_000, now)
      return post.expire(now + 1_000)
    })
    expect(effects).toEqual(['resubmit', 'resubmit', 'fail'])
    expect(post.failure).toBe('claim-timeout')
  })

  test('and no more, when a replayable request loses its claims', () => {
    const effects = ['a', 'b', 'c'].map((connector) => {
      taken(get, connector)
      return get.exchangeLost(0)
    })
    expect(effects).toEqual(['resubmit', 'resubmit', 'fail'])
    expect(get.delivery).toEqual({ isClaimed: false, mayHaveBegun: true })
  })
})

test('a lost claim of a request that is not replayable is its outcome', () => {
  taken(post, 'a')
  expect(post.exchangeLost(0)).toBe('end')
  expect(post.delivery.isClaimed).toBe(true)
})

test('whose answer has begun is not offered again, whatever happens', () => {
  taken(get, 'a')
  get.began()
  expect(get.deadline).toBe(Infinity)
  expect(get.exchangeLost(0)).toBe('end')
})

describe('giving up', () => {
  test('is asked for after the patience for an answer, and again every second', () => {
    taken(get, 'a', 100)
    expect(get.deadline).toBe(5_100)
    expect(get.expire(5_100)).toBe('silent')
    expect(get.deadline).toBe(6_100)
    expect(get.giveUp(6_100)).toBe('give-up')
    expect(get.state).toBe('waiting')
  })

  test('happens once', () => {
    taken(get, 'a')
    get.giveUp(5_000)
    taken(get, 'b', 5_000)
    expect(get.deadline).toBe(Infinity)
    expect(get.giveUp(10_000)).toBe('none')
    expect(get.state).toBe('claimed')
  })

  test('never of a request that is not replayable, nor of an answer that has begun', () => {
    taken(post, 'a')
    expect([post.deadline, post.giveUp(5_000)]).toEqual([Infinity, 'none'])
    taken(get, 'a')
    get.began()
    expect(() => get.giveUp(5_000)).toThrow('"giveUp" is not allowed')
  })

  test('not with the last attempt', () => {
    for (const connector of ['a', 'b']) {
      taken(get, connector)
      get.exchangeLost(0)
    }
    taken(get, 'c')
    expect([get.deadline, get.giveUp(5_000)]).toEqual([Infinity, 'none'])
  })
})

describe('time left', () => {
  test('to claim is what the dispatcher gives, and shrinks with the time nobody had it', () => {
    post.offer('a', false, 5_000, 1_000)
    expect(post.remainingMs(1_000)).toBe(5_000)
    post.expire(6_000)
    post.offer('b', false, 5_000, 6_000)
    expect(post.remainingMs(6_000)).toBe(4_000)
    expect(post.expire(10_000)).toBe('fail')
  })

  test('to claim does not shrink while somebody has it', () => {
    taken(post, 'a')
    post.notSent('application-timeout', true, 10_000)
    post.offer('b', false, 5_000, 10_000)
    expect(post.remainingMs(10_000)).toBe(5_000)
  })

  test('to the answer runs from the first claim', () => {
    post.offer('a', false, 5_000, 0)
    expect(post.answerMs(0)).toBe(HEAD_MS)
    post.claim(1, 'a', 1_000)
    post.notSent('application-timeout', true, 11_000.5)
    expect(post.answerMs(11_000.5)).toBe(75_000)
  })

  test('runs out while it waits', () => {
    expect(post.deadline).toBe(5_000)
    expect([post.expire(5_000), post.failure, post.state]).toEqual([
      'fail',
      'no-connector',
      'expired',
    ])
  })
})

test('what may be begun without a confirmation may have been, once it was offered', () => {
  expect(get.delivery.mayHaveBegun).toBe(false)
  get.offer('a', false, 5_000, 0)
  expect(get.delivery.mayHaveBegun).toBe(true)
  get.linkLost(0)
  expect(get.delivery.mayHaveBegun).toBe(true)
  post.offer('a', false, 5_000, 0)
  post.linkLost(0)
  expect(post.delivery.mayHaveBegun).toBe(false)
})

test('over whatever happens, its promises hold, and a saved one goes on as the first', () => {
  const connectors = ['a', 'b', 'c', 'd', 'e', 'f']
  const happening = fc.record({
    what: fc.constantFrom(
      ...['offer', 'claim', 'decline', 'lost', 'missed', 'not-sent', 'begin', 'give-up'],
    ),
    who: fc.constantFrom(...connectors),
    isLate: fc.boolean(),
    ms: fc.integer({ min: 1, max: 700 }),
  })
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(happening, { maxLength: 40 }),
      (isReplayable, happenings) => {
        let offer = make(isReplayable)
        let now = 0
        let confirmed = 0
        let counted = 0
        let givenUp = 0
        const refused = new Set<string>()
        let carrier = ''
        for (const { what, who, isLate, ms } of happenings) {
          now += ms
          const { state, attempt } = offer
          const named = attempt - (isLate ? 1 : 0)
          const isClaimed = state === 'claimed' || state === 'confirmed'
          let effect: OfferEffect = 'none'
          if (what === 'offer' && state === 'waiting' && !refused.has(who)) {
            offer.offer(who, false, 1_000, now)
            carrier = who
            counted += 1
          } else if (what === 'claim') effect = offer.claim(named, carrier, now)
          else if (what === 'decline') effect = offer.declined(named, now)
          else if (what === 'lost' && state === 'offered') effect = offer.linkLost(now)
          else if (what === 'lost' && isClaimed) effect = offer.exchangeLost(now)
          else if (what === 'missed' && offer.deadline <= now) effect = offer.expire(now)
          else if (what === 'not-sent' && isClaimed)
            effect = offer.notSent('application-unreachable', true, now)
          else if (what === 'begin' && isClaimed) offer.began()
          else if (what === 'give-up' && isClaimed) effect = offer.giveUp(now)
          if (effect === 'confirm') confirmed += 1
          if (effect === 'give-up') givenUp += 1
          if (effect === 'resubmit' && (what === 'not-sent' || what === 'decline')) {
            refused.add(carrier)
            counted -= 1
            if (what === 'not-sent' && state === 'confirmed') confirmed -= 1
          }
          if (isLate) expect(effect).not.toMatch(/confirm|start/)
          expect(confirmed).toBeLessThanOrEqual(1)
          expect(counted).toBeLessThanOrEqual(3)
          expect(givenUp).toBeLessThanOrEqual(isReplayable ? 1 : 0)
          expect([...offer.excluded].sort()).toEqual([...refused].sort())
          const copy = make(isReplayable)
          copy.restore(JSON.parse(JSON.stringify(offer.save())) as never)
          expect(copy.save()).toEqual(offer.save())
          offer = copy
        }
      },
    ),
  )
})
