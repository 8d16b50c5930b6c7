/**
 * Whether the other end is still there: asked when it has been silent, given up after two
 * unanswered pings.
 *
 * @module
 */

/** Watches one direction of a link. */
export class Heartbeat {
  readonly #pingMs: number
  #heardAt: number
  #pingedAt = -Infinity

  constructor(pingMs: number, now: number) {
    this.#pingMs = pingMs
    this.#heardAt = now
  }

  /** When to {@link check}. */
  get deadline(): number {
    return Math.max(this.#heardAt, this.#pingedAt) + this.#pingMs
  }

  /** Anything at all arrived. */
  heard(now: number): void {
    this.#heardAt = now
  }

  /** `ping`: ask; `dead`: two pings went unanswered. */
  check(now: number): 'ping' | 'dead' | undefined {
    if (now < this.deadline) return undefined
    if (now >= this.#heardAt + 3 * this.#pingMs) return 'dead'
    this.#pingedAt = now
    return 'ping'
  }
}
