/** How fast something may be done: a burst, then a pace. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pacedUntil, pacedWaitMs, type Rate } from '../../src/runtime/paced-rate.ts'

/** Takes whatever may come of what comes at these times; gives the times that were taken. */
function taken(rate: Rate, times: readonly number[], busyUntil = 0): number[] {
  return times.filter((now) => {
    if (pacedWaitMs(rate, busyUntil, now) > 0) return false
    busyUntil = pacedUntil(rate, busyUntil, now)
    return true
  })
}

const rates = fc.record({
  perSecond: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.constantFrom(0.001, 0.3, 1 / 3, 7.7)),
  burst: fc.integer({ min: 1, max: 50 }),
})
const arrivals = fc
  .array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 })
  .map((gaps) => gaps.reduce<number[]>((at, gap) => [...at, (at.at(-1) ?? 1_000_000) + gap], []))

test('within any time no more is taken than its pace gives, and a burst', () => {
  fc.assert(
    fc.property(rates, arrivals, (rate, times) => {
      const all = taken(rate, times)
      for (const [i, from] of all.entries())
        for (const [j, to] of all.slice(i).entries())
          expect(j + 1).toBeLessThanOrEqual(
            rate.burst + ((to - from) / 1_000) * rate.perSecond + 0.01,
          )
    }),
  )
})

test('whoever keeps to the pace is never refused, and a whole burst is taken at once', () => {
  fc.assert(
    fc.property(rates, fc.integer({ min: 0, max: 1_000_000_000 }), (rate, start) => {
      const each = 1_000 / rate.perSecond
      const paced = Array.from({ length: 60 }, (_, i) => start + i * each)
      expect(taken(rate, paced)).toHaveLength(60)
      expect(taken(rate, Array(rate.burst + 5).fill(start))).toHaveLength(rate.burst)
    }),
  )
})

test('whoever waits as long as they are told is taken then, and not a good while before', () => {
  fc.assert(
    fc.property(rates, arrivals, (rate, times) => {
      let busyUntil = 0
      for (const now of times) {
        const wait = pacedWaitMs(rate, busyUntil, now)
        if (wait === 0) busyUntil = pacedUntil(rate, busyUntil, now)
        else {
          expect(pacedWaitMs(rate, busyUntil, now + wait)).toBe(0)
          expect(pacedWaitMs(rate, busyUntil, now + wait / 2)).toBeGreaterThan(0)
        }
      }
    }),
  )
})

test('a pace that becomes faster makes nobody wait for what was taken at the slower one', () => {
  const slow = { perSecond: 0.001, burst: 100 }
  let busyUntil = 0
  for (let i = 0; i < 100; i++) busyUntil = pacedUntil(slow, busyUntil, 0)
  const fast = { perSecond: 10, burst: 2 }
  expect(taken(fast, [0, 0, 50, 100, 200], busyUntil)).toEqual([0, 100, 200])
})
