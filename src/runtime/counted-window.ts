/**
 * How often something may be done under a name in a while: tokens that are not good by an address,
 * sign-outs that nobody signed. Bounded: the names that were not counted lately are forgotten.
 *
 * @module
 */
import { BoundedCache } from './bounded-cache.ts'

/** Options of {@link CountedWindow}. */
export interface CountedWindowOptions {
  /** Monotonic milliseconds. */
  now(): number
  /** How often, in each window. */
  readonly most: number
  /** Milliseconds from the first time to the end of the window. */
  readonly windowMs: number
  /** Names remembered. Default 4096. */
  readonly remembered?: number
}

export class CountedWindow {
  readonly #options: CountedWindowOptions
  readonly #windows: BoundedCache<{ readonly endsAt: number; count: number }>

  constructor(options: CountedWindowOptions) {
    this.#options = options
    this.#windows = new BoundedCache(options.remembered ?? 4096)
  }

  /** Milliseconds until it may be done again; 0: it may now. */
  waitMs(name: string): number {
    const window = this.#windows.get(name)
    if (window === undefined || window.count < this.#options.most) return 0
    return Math.max(0, window.endsAt - this.#options.now())
  }

  /** How often it was done in the window that has not ended. */
  counted(name: string): number {
    const window = this.#windows.get(name)
    return window !== undefined && this.#options.now() < window.endsAt ? window.count : 0
  }

  /** It was done once more. */
  count(name: string): void {
    const now = this.#options.now()
    const window = this.#windows.get(name)
    if (window !== undefined && now < window.endsAt) window.count += 1
    else this.#windows.set(name, { endsAt: now + this.#options.windowMs, count: 1 })
  }
}
