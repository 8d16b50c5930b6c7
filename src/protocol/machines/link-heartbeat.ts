/**
 * Whether the other end is still there: asked when it has been silent, given up after two
 * unanswered pings.
 *
 * @module
 */

import { copyOf, restorePlain } from './table.ts'

/** What it remembers, in monotonic milliseconds. */
export interface HeartbeatMemory {
  pingMs: number
  heardAt: number
  /** Before the first ping, when it began. */
  pingedAt: number
}

/** Watches one direction of a link. */
export class Heartbeat {
  readonly #memory: HeartbeatMemory

  constructor(pingMs: number, now: number) {
    this.#memory = { pingMs, heardAt: now, pingedAt: now }
  }

  /** When to {@link check}. */
  get deadline(): number {
    const { heardAt, pingedAt, pingMs } = this.#memory
    return Math.max(heardAt, pingedAt) + pingMs
  }

  /** Begins anew, with another interval. */
  restart(pingMs: number, now: number): void {
    restorePlain(this.#memory, { pingMs, heardAt: now, pingedAt: now })
  }

  /** Anything at all arrived. */
  heard(now: number): void {
    this.#memory.heardAt = now
  }

  /** `ping`: ask; `dead`: two pings went unanswered. */
  check(now: number): 'ping' | 'dead' | undefined {
    const { heardAt, pingMs } = this.#memory
    if (now < this.deadline) return undefined
    if (now >= heardAt + 3 * pingMs) return 'dead'
    this.#memory.pingedAt = now
    return 'ping'
  }

  /** All that it knows. */
  save(): HeartbeatMemory {
    return copyOf(this.#memory)
  }

  /** Becomes the heartbeat that was saved. */
  restore(saved: HeartbeatMemory): void {
    restorePlain(this.#memory, saved)
  }
}
