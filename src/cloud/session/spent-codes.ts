/**
 * Codes that are good once: which of them were used.
 *
 * @module
 */
import { systemClocks } from '../../runtime/clocks.ts'

/** Where instances that share users note which one-time codes were used. */
export interface SpentCodes {
  /**
   * Notes that a code is used: `true` for the first who says so, of all who share this; `false` for
   * everybody after. It may be forgotten at `until`, milliseconds since 1970.
   */
  spend(id: string, until: number): Promise<boolean>
}

/** Codes remembered; the oldest are forgotten first, and then the issuer's one-time code stands. */
const MOST = 100_000

/** In this process's memory. */
export class MemorySpentCodes implements SpentCodes {
  readonly #wallClock: () => number
  /** By id; until when it is remembered. In order of use. */
  readonly #spent = new Map<string, number>()

  constructor(options: { readonly wallClock?: () => number } = {}) {
    this.#wallClock = options.wallClock ?? systemClocks.wallClock
  }

  async spend(id: string, until: number): Promise<boolean> {
    const now = this.#wallClock()
    for (const [old, end] of this.#spent) {
      if (end > now && this.#spent.size < MOST) break
      this.#spent.delete(old)
    }
    if (this.#spent.has(id)) return false
    this.#spent.set(id, until)
    return true
  }
}
