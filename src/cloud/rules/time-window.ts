/**
 * Windows of local time, such as office hours.
 *
 * An instant is inside a window exactly when a clock on the wall of its time zone reads a weekday
 * and a time of day inside it. So where clocks are set back the hour that comes twice counts twice,
 * and where they are set forward a window that begins in the hour that is skipped begins with the
 * hour after. A window whose `to` is not after its `from` ends on the next day; its weekday is the
 * one it began on.
 *
 * @module
 */
import { WEEKDAYS, type TimeWindow } from './access-policy.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** A {@link TimeWindow}, ready to be asked. Times are wall-clock milliseconds since 1970. */
export class LocalHours {
  readonly #weekdays: ReadonlySet<number>
  readonly #from: number
  readonly #to: number
  readonly #zone: Intl.DateTimeFormat

  /** @throws TypeError when the time zone is not known */
  constructor({ weekdays, from = '00:00', to = '24:00', timeZone }: TimeWindow) {
    this.#weekdays = new Set((weekdays ?? WEEKDAYS).map((weekday) => WEEKDAYS.indexOf(weekday)))
    this.#from = timeOfDay(from)
    this.#to = timeOfDay(to)
    this.#zone = zone(timeZone)
  }

  holds(now: number): boolean {
    const local = now + this.#offset(now)
    const today = Math.floor(local / DAY_MS)
    const time = local - today * DAY_MS
    if (this.#from < this.#to) return this.#isOn(today) && time >= this.#from && time < this.#to
    return (this.#isOn(today) && time >= this.#from) || (this.#isOn(today - 1) && time < this.#to)
  }

  /** Until when {@link holds} answers the same at the least; never more than a day on. */
  until(now: number): number {
    const offset = this.#offset(now)
    const time = modulo(now + offset, DAY_MS)
    const edges = [this.#from, this.#to, DAY_MS].filter((edge) => edge > time)
    const edge = now + Math.min(...edges) - time
    return this.#offset(edge) === offset ? edge : this.#transition(now, edge, offset)
  }

  /**
   * The first millisecond at which the zone's offset is another: no zone changes twice within a
   * day.
   */
  #transition(before: number, after: number, offset: number): number {
    while (after - before > 1) {
      const middle = before + Math.floor((after - before) / 2)
      if (this.#offset(middle) === offset) before = middle
      else after = middle
    }
    return after
  }

  #isOn(day: number): boolean {
    // 1970 began on a Thursday.
    return this.#weekdays.has(modulo(day + 4, 7))
  }

  /** Milliseconds by which the zone is ahead of UTC at an instant. */
  #offset(at: number): number {
    const seconds = Math.floor(at / 1000) * 1000
    const read: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {}
    for (const { type, value } of this.#zone.formatToParts(seconds)) read[type] = Number(value)
    const { year, month, day, hour, minute, second } = read
    return Date.UTC(year!, month! - 1, day, hour, minute, second) - seconds
  }
}

/** What the schema cannot say of a window, in words, or `undefined`. */
export function windowFault({ weekdays, from, to, timeZone }: TimeWindow): string | undefined {
  if (weekdays === undefined && from === undefined && to === undefined)
    return 'must name weekdays or times of day'
  if ((from ?? '00:00') === to) return 'must not begin when it ends'
  try {
    zone(timeZone)
    return undefined
  } catch {
    return 'must name a time zone, such as "Europe/Berlin"'
  }
}

const zone = (timeZone: string) =>
  new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })

const timeOfDay = (text: string) =>
  Number(text.slice(0, 2)) * HOUR_MS + Number(text.slice(3)) * 60_000
const modulo = (value: number, by: number) => ((value % by) + by) % by
