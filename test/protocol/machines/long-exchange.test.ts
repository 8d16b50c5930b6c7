import { expect, test } from 'vitest'
import {
  LongExchanges,
  LOOK_MS,
  STILL_MS,
  UNREAD_MS,
  type LongExchange,
  type LongSubject,
} from '../../../src/protocol/internal.ts'

/** What the frames of one exchange show. */
class Subject implements LongSubject {
  isStream = false
  octets = 0
  isUnread = false
  isAnswered = false
  long: LongExchange | undefined
  lengthenings = 0

  lengthened(): void {
    this.lengthenings += 1
  }
}

/** Looks as often as it must, from `from` to `to`. */
function pass(
  long: LongExchanges,
  subjects: readonly LongSubject[],
  from: number,
  to: number,
  each = (_now: number): void => {},
): void {
  for (let now = from; now <= to; now += LOOK_MS) {
    each(now)
    if (now >= long.deadline) long.look(now, () => subjects)
  }
}

test('a tunnel or an event stream is long at its head, once', () => {
  const long = new LongExchanges(10)
  const one = Object.assign(new Subject(), { isStream: true })
  long.answered(one)
  expect([one.lengthenings, long.size, long.deadline]).toEqual([1, 1, Infinity])
  pass(long, [one], 0, 10 * STILL_MS)
  expect(one.lengthenings).toBe(1)
  long.ended(one)
  expect(long.size).toBe(0)
})

test('an answer that stands still is long after its time, and not before', () => {
  const long = new LongExchanges(10)
  const one = new Subject()
  long.answered(one)
  pass(long, [one], 0, STILL_MS - LOOK_MS)
  expect(one.lengthenings).toBe(0)
  pass(long, [one], STILL_MS, STILL_MS + LOOK_MS)
  expect([one.lengthenings, long.size]).toEqual([1, 1])
})

test('octets either way begin the time anew, however few', () => {
  const long = new LongExchanges(10)
  const one = new Subject()
  long.answered(one)
  pass(long, [one], 0, 10 * STILL_MS, (now) => {
    if (now % (STILL_MS - 2 * LOOK_MS) === 0) one.octets += 1
  })
  expect(one.lengthenings).toBe(0)
})

test('an answer that nobody reads is long much sooner', () => {
  const long = new LongExchanges(10)
  const [unread, read] = [Object.assign(new Subject(), { isUnread: true }), new Subject()]
  long.answered(unread)
  long.answered(read)
  pass(long, [unread, read], 0, UNREAD_MS + LOOK_MS)
  expect([unread.lengthenings, read.lengthenings]).toEqual([1, 0])
})

test('beyond the bound they keep their slots, for good; what ends makes room for the next', () => {
  const long = new LongExchanges(2)
  const subjects = Array.from({ length: 4 }, () => Object.assign(new Subject(), { isStream: true }))
  for (const one of subjects.slice(0, 3)) long.answered(one)
  expect(subjects.map((one) => one.lengthenings)).toEqual([1, 1, 0, 0])
  long.ended(subjects[0]!)
  pass(long, subjects, 0, 2 * STILL_MS)
  long.answered(subjects[3]!)
  expect(subjects.map((one) => one.lengthenings)).toEqual([1, 1, 0, 1])
  for (const one of subjects) long.ended(one)
  expect([long.size, long.deadline]).toEqual([0, Infinity])
})

test('a link that names no streams has no long exchanges', () => {
  const long = new LongExchanges(0)
  const one = Object.assign(new Subject(), { isStream: true })
  long.answered(one)
  pass(long, [one], 0, 2 * STILL_MS)
  expect([one.lengthenings, long.deadline]).toEqual([0, Infinity])
})

test('who ended is not long any more', () => {
  const long = new LongExchanges(1)
  const one = new Subject()
  long.answered(one)
  long.ended(one)
  pass(long, [one], 0, 2 * STILL_MS)
  expect([one.lengthenings, long.size]).toEqual([0, 0])
})
