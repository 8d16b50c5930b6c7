/**
 * How fast something may be done: so often a second, and some of it at once. A name's bucket is one
 * number, until when it is busy; a bucket that is not busy any more is the same as none.
 *
 * It is the generic cell rate algorithm: a request is taken unless it would come more than a burst
 * ahead of its pace.
 *
 * @see ITU-T I.371, annex A
 * @module
 */

/** A pace. */
export interface Rate {
  /** More than 0; a fraction is one in several seconds. */
  readonly perSecond: number
  /** How many may come at once, after a pause; at least 1. */
  readonly burst: number
}

/** Less than that is the error of sums. Milliseconds. */
const TINY_MS = 0.001

/**
 * Milliseconds until one more may come; 0: it may now. `busyUntil` and `now`: monotonic
 * milliseconds.
 */
export function pacedWaitMs(rate: Rate, busyUntil: number, now: number): number {
  const each = 1_000 / rate.perSecond
  const wait = ahead(rate, busyUntil, now) - (rate.burst - 1) * each
  return wait < TINY_MS ? 0 : wait
}

/** Until when its bucket is busy once another has come. */
export function pacedUntil(rate: Rate, busyUntil: number, now: number): number {
  return now + ahead(rate, busyUntil, now) + 1_000 / rate.perSecond
}

/** More than a burst was taken at a slower pace, before a change: nobody waits for that. */
function ahead({ perSecond, burst }: Rate, busyUntil: number, now: number): number {
  const each = 1_000 / perSecond
  const taken = Math.max(busyUntil - now, 0)
  return taken > burst * each + TINY_MS ? (burst - 1) * each : taken
}
