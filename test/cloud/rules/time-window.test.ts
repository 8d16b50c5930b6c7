import { expect, test } from 'vitest'
import fc from 'fast-check'
import { WEEKDAYS, type TimeWindow } from '../../../src/cloud/rules/access-policy.ts'
import { LocalHours, windowFault } from '../../../src/cloud/rules/time-window.ts'

const at = (text: string) => Date.parse(text)
const WORKDAYS = WEEKDAYS.slice(1, 6)
const BERLIN = 'Europe/Berlin'
const office: TimeWindow = { weekdays: WORKDAYS, from: '08:00', to: '18:00', timeZone: BERLIN }
const night: TimeWindow = { weekdays: ['friday'], from: '22:00', to: '06:00', timeZone: BERLIN }
const weekend: TimeWindow = { weekdays: ['saturday', 'sunday'], timeZone: 'America/New_York' }
const gap: TimeWindow = { from: '02:30', to: '04:00', timeZone: BERLIN }
const twice: TimeWindow = { from: '02:00', to: '02:30', timeZone: BERLIN }

// In Berlin clocks went forward on 2026-03-29 at 01:00Z and back on 2026-10-25 at 01:00Z.
test.each<[string, TimeWindow, string, boolean]>([
  ['winter: before eight', office, '2026-01-12T06:59:59.999Z', false],
  ['winter: at eight', office, '2026-01-12T07:00:00Z', true],
  ['winter: before six in the evening', office, '2026-01-12T16:59:59.999Z', true],
  ['winter: at six', office, '2026-01-12T17:00:00Z', false],
  ['summer: at eight', office, '2026-07-13T06:00:00Z', true],
  ['summer: before eight', office, '2026-07-13T05:59:59.999Z', false],
  ['a Sunday', office, '2026-01-11T10:00:00Z', false],
  ['the Friday before clocks go forward', office, '2026-03-27T07:00:00Z', true],
  ['the Monday after, an hour earlier', office, '2026-03-30T06:00:00Z', true],
  ['the Monday after, before that', office, '2026-03-30T05:59:59.999Z', false],
  ['the Friday before clocks go back', office, '2026-10-23T06:00:00Z', true],
  ['the Monday after, an hour later', office, '2026-10-26T06:59:59.999Z', false],
  ['a night: Friday evening', night, '2026-01-16T21:00:00Z', true],
  ['a night: Saturday morning belongs to Friday', night, '2026-01-17T04:59:59.999Z', true],
  ['a night: its end', night, '2026-01-17T05:00:00Z', false],
  ['a night: Friday morning belongs to Thursday', night, '2026-01-16T04:00:00Z', false],
  ['a weekend elsewhere: still Friday there', weekend, '2026-01-17T04:59:59.999Z', false],
  ['a weekend elsewhere: Saturday there', weekend, '2026-01-17T05:00:00Z', true],
  ['a weekend elsewhere: Sunday night there', weekend, '2026-01-19T04:59:59.999Z', true],
  ['a beginning that is skipped: before', gap, '2026-03-29T00:59:59.999Z', false],
  ['a beginning that is skipped: the hour after', gap, '2026-03-29T01:00:00Z', true],
  ['a beginning that is skipped: the end stays', gap, '2026-03-29T02:00:00Z', false],
  ['an hour that comes twice: first', twice, '2026-10-25T00:15:00Z', true],
  ['an hour that comes twice: between', twice, '2026-10-25T00:45:00Z', false],
  ['an hour that comes twice: again', twice, '2026-10-25T01:15:00Z', true],
  ['an hour that comes twice: after', twice, '2026-10-25T01:30:00Z', false],
])('%s', (_, window, instant, expected) =>
  expect(new LocalHours(window).holds(at(instant))).toBe(expected),
)

test('a zone with half an hour, and one whose clocks move by half an hour', () => {
  const india = new LocalHours({ from: '09:00', to: '10:00', timeZone: 'Asia/Kolkata' })
  expect(india.holds(at('2026-06-01T03:30:00Z'))).toBe(true)
  expect(india.holds(at('2026-06-01T03:29:59Z'))).toBe(false)
  const howe = new LocalHours({ from: '02:00', to: '03:00', timeZone: 'Australia/Lord_Howe' })
  // 2026-10-04 02:00 (+10:30) becomes 02:30 (+11): the window lasts half an hour.
  expect(howe.holds(at('2026-10-03T15:30:00Z'))).toBe(true)
  expect(howe.holds(at('2026-10-03T16:00:00Z'))).toBe(false)
})

test.each<[string, TimeWindow, string, string]>([
  ['the beginning', office, '2026-01-12T06:00:00Z', '2026-01-12T07:00:00Z'],
  ['the end', office, '2026-01-12T09:00:00Z', '2026-01-12T17:00:00Z'],
  ['midnight', office, '2026-01-12T20:00:00Z', '2026-01-12T23:00:00Z'],
  ['clocks going forward', gap, '2026-03-29T00:10:00Z', '2026-03-29T01:00:00Z'],
  ['clocks going back', twice, '2026-10-25T00:45:00Z', '2026-10-25T01:00:00Z'],
])('what is known of a window ends with %s', (_, window, instant, expected) =>
  expect(new Date(new LocalHours(window).until(at(instant))).toISOString()).toBe(
    new Date(expected).toISOString(),
  ),
)

test('until the time named nothing changes, in any zone, over every change of clocks', () => {
  const minute = fc.integer({ min: 0, max: 24 * 60 - 1 })
  const clock = (value: number) =>
    `${String(Math.floor(value / 60)).padStart(2, '0')}:${String(value % 60).padStart(2, '0')}`
  const zones = [BERLIN, 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca', 'UTC']
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      minute,
      minute,
      fc.subarray([...WEEKDAYS], { minLength: 1 }),
      // Around the changes of 2026, to the quarter of an hour and a bit.
      fc.constantFrom(
        ...['2026-03-08', '2026-03-29', '2026-04-05', '2026-10-04', '2026-10-25', '2026-11-01'],
        ...['2026-02-15', '2026-03-22'],
      ),
      fc.integer({ min: -36 * 60, max: 36 * 60 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (timeZone, from, to, weekdays, day, offset, part) => {
        fc.pre(from !== to)
        const window = { weekdays, from: clock(from), to: clock(to), timeZone }
        const hours = new LocalHours(window)
        const now = at(`${day}T00:00:00Z`) + offset * 60_000
        const until = hours.until(now)
        expect(until).toBeGreaterThan(now)
        const later = now + Math.floor((until - 1 - now) * part)
        expect(hours.holds(later)).toBe(hours.holds(now))
        expect(hours.holds(until - 1)).toBe(hours.holds(now))
      },
    ),
  )
})

test.each<[TimeWindow, string]>([
  [{ timeZone: BERLIN }, 'must name weekdays or times of day'],
  [{ from: '08:00', to: '08:00', timeZone: BERLIN }, 'must not begin when it ends'],
  [{ to: '00:00', timeZone: BERLIN }, 'must not begin when it ends'],
  [{ from: '08:00', timeZone: 'Mars/Olympus' }, 'must name a time zone, such as "Europe/Berlin"'],
])('%j is refused', (window, words) => expect(windowFault(window)).toBe(words))
