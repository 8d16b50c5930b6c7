/**
 * How long to wait before another try. The random number is an argument: this room has none of its
 * own.
 *
 * @module
 */
import type { TimeLimits } from '../wire/limits.ts'

/** First and last step of a backoff, in milliseconds. */
export type BackoffLimits = Pick<TimeLimits, 'backoffMinMs' | 'backoffMaxMs'>

/**
 * Full jitter: anywhere between nothing and a ceiling that doubles with each failure, so that a
 * crowd which lost its cloud at one moment does not come back at one moment.
 *
 * @param failures how many in a row, 1 or more
 * @param random in [0, 1)
 * @returns milliseconds
 */
export function fullJitter(failures: number, random: number, limits: BackoffLimits): number {
  return random * Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** (failures - 1))
}

/** A period ± 20 %, in milliseconds: connectors started together drift apart. */
export function jittered(periodMs: number, random: number): number {
  return periodMs * (0.8 + 0.4 * random)
}
