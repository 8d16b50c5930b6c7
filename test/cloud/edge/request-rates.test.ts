/** The buckets of users: bounded, and forgetting one helps nobody. */
import { expect, test } from 'vitest'
import { UserBuckets } from '../../../src/cloud/edge/request-rates.ts'
import { pacedWaitMs } from '../../../src/runtime/paced-rate.ts'

const RATE = { perSecond: 1, burst: 2 }

function asks(buckets: UserBuckets, user: string, now: number): boolean {
  if (pacedWaitMs(RATE, buckets.busyUntil(user, now), now) > 0) return false
  buckets.take(RATE, user, now)
  return true
}

test('users have a bucket each', () => {
  const buckets = new UserBuckets()
  expect([1, 2, 3].map(() => asks(buckets, 'alice', 0))).toEqual([true, true, false])
  expect(asks(buckets, 'bob', 0)).toBe(true)
  expect(asks(buckets, 'alice', 1_000)).toBe(true)
})

test('whoever makes many users gets nothing more for one that was there before', () => {
  const buckets = new UserBuckets(100)
  asks(buckets, 'mallory', 0)
  asks(buckets, 'mallory', 0)
  for (let i = 0; i < 10_000; i++) asks(buckets, `other-${i}`, 1)
  expect(asks(buckets, 'mallory', 2)).toBe(false)
  expect(buckets.size).toBe(100)
})

test('where there is no room, all whom there is none for are one user', () => {
  const buckets = new UserBuckets(100)
  const taken = Array.from({ length: 10_000 }, (_, i) => asks(buckets, `user-${i}`, 0))
  expect(taken.filter(Boolean)).toHaveLength(100 + RATE.burst)
  // The first hundred keep what is theirs.
  expect(asks(buckets, 'user-7', 0)).toBe(true)
  expect(asks(buckets, 'user-7', 0)).toBe(false)
})

test('whoever kept to their pace is forgotten, and others have room', () => {
  const buckets = new UserBuckets(100)
  for (let i = 0; i < 100; i++) asks(buckets, `user-${i}`, 0)
  expect(asks(buckets, 'late', 1_000)).toBe(true)
  expect(buckets.size).toBe(1)
  expect(buckets.isOver(1_999)).toBe(false)
  expect(buckets.isOver(2_100)).toBe(true)
})
