/** Time that passes when it is told to, and chance that is the same each time. */

/** So many turns in a millisecond: nothing is told apart that is closer. */
const TURNS_PER_MS = 10

export class VirtualTime {
  now = 0
  /** By turn: what happens in it, in the order in which it was planned. */
  readonly #calendar = new Map<number, (() => void)[]>()
  #random: number

  constructor(seed: number) {
    this.#random = seed
  }

  after(ms: number, run: () => void): void {
    const turn = Math.round((this.now + ms) * TURNS_PER_MS)
    const runs = this.#calendar.get(turn)
    if (runs === undefined) this.#calendar.set(turn, [run])
    else runs.push(run)
  }

  /** Until nothing is planned any more, but not beyond `endMs`. */
  pass(endMs: number): void {
    for (let turn = 0; turn < endMs * TURNS_PER_MS && this.#calendar.size > 0; turn++) {
      this.now = turn / TURNS_PER_MS
      for (const run of this.#calendar.get(turn) ?? []) run()
      this.#calendar.delete(turn)
    }
  }

  exponential(mean: number): number {
    return -Math.log(1 - this.#next()) * mean
  }

  one<T>(all: readonly T[]): T | undefined {
    return all[this.below(all.length)]
  }

  /** A whole number from 0 on. */
  below(end: number): number {
    return Math.floor(this.#next() * end)
  }

  /** In [0, 1). The generator is mulberry32. */
  #next(): number {
    this.#random = (this.#random + 0x6d2b79f5) >>> 0
    let x = this.#random
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}
