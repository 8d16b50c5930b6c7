/**
 * What pairs of measurements say: the median of their ratios, and an interval that holds the true
 * median in 95 of 100 runs.
 *
 * @module
 */
import { median } from './statistics.ts'

/** Processor time per request of both trees, measured one right after the other. */
export interface Pair {
  readonly hereMicroseconds: number
  readonly referenceMicroseconds: number
}

/** A median with its interval. Ratios are here ÷ reference: below 1 is better here. */
export interface PairedRatio {
  readonly pairs: number
  readonly median: number
  readonly low: number
  readonly high: number
}

/** With fewer pairs than this the interval would be the whole range, or says less than 95 %. */
export const FEWEST_PAIRS = 11
/** The lower end of the interval may reach this and the cost is still "not worse". */
export const WORSE_FROM = 1.03

/**
 * The interval needs no assumption about the noise: the true median lies between the kth least
 * and the kth greatest ratio, unless fewer than k of the pairs fell on one side of it.
 *
 * @throws TypeError when there are fewer pairs than {@link FEWEST_PAIRS}
 */
export function pairedRatio(pairs: readonly Pair[]): PairedRatio {
  if (pairs.length < FEWEST_PAIRS) throw new TypeError(`at least ${FEWEST_PAIRS} pairs are needed`)
  const ratios = pairs
    .map(({ hereMicroseconds, referenceMicroseconds }) => hereMicroseconds / referenceMicroseconds)
    .toSorted((a, b) => a - b)
  const outside = outsideOfInterval(pairs.length)
  return {
    pairs: pairs.length,
    median: median(ratios),
    low: ratios[outside]!,
    high: ratios.at(-1 - outside)!,
  }
}

/** How many ratios at either end the 95 % interval leaves out: tails of the fair coin. */
function outsideOfInterval(pairs: number): number {
  let ways = 1
  let tail = ways
  let outside = 0
  while (2 * (tail + (ways * (pairs - outside)) / (outside + 1)) <= 0.05 * 2 ** pairs) {
    ways = (ways * (pairs - outside)) / (outside + 1)
    tail += ways
    outside += 1
  }
  return outside
}

export const isNotWorse = ({ low }: PairedRatio) => low <= WORSE_FROM

/** One line for people. */
export function sayRatio(name: string, commit: string, ratio: PairedRatio): string {
  const { pairs, low, high } = ratio
  const interval = `95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}`
  const verdict = isNotWorse(ratio) ? 'not worse' : 'WORSE'
  return `${name}, CPU/request against ${commit}: ×${ratio.median.toFixed(3)}, ${interval}, ${pairs} pairs: ${verdict}`
}
