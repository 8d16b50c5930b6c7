/**
 * The time of a link, whatever carries it: one timer, moved only when its deadline comes nearer.
 *
 * @module
 */
import type { LinkEndpoint } from '../protocol/internal.ts'

/** Calls `run` once, after so many milliseconds; returns what calls it off. */
export type After = (ms: number, run: () => void) => () => void

/** Ticks one link when it is due. */
export class LinkDeadline {
  readonly #link: LinkEndpoint
  readonly #now: () => number
  readonly #after: After
  #at = Infinity
  #callOff: (() => void) | undefined

  constructor(link: LinkEndpoint, now: () => number, after: After) {
    this.#link = link
    this.#now = now
    this.#after = after
  }

  /** Call it whenever the link was given or asked something: its deadline may be another. */
  watch(): void {
    const { deadline } = this.#link
    if (deadline >= this.#at) return
    this.#callOff?.()
    this.#at = deadline
    this.#callOff = this.#after(Math.max(0, deadline - this.#now()), () => this.#tick())
  }

  /** For good: no deadline is nearer than this. */
  stop(): void {
    this.#callOff?.()
    this.#at = -Infinity
  }

  #tick(): void {
    this.#at = Infinity
    const now = this.#now()
    if (now >= this.#link.deadline) this.#link.tick(now)
    this.watch()
  }
}
