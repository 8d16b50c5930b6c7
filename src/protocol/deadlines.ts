/**
 * A coarse timer wheel: many deadlines, one clock.
 *
 * Whoever has a deadline exposes it as a number that may change at any time; the wheel looks again when it said, and
 * at least once per turn of the wheel. So moving a deadline costs nothing, and nobody keeps a timer per byte.
 *
 * @module
 */

/** Something that must be told when its deadline has passed. */
export interface Deadlined {
  /** Monotonic milliseconds; `Infinity` means none for now, `undefined` lets the wheel forget it. */
  readonly deadline: number | undefined
  expire(now: number): void
}

const SLOTS = 20

/** Checks each entry when its deadline falls due, never early, at most one slot late (one turn when it moved nearer). */
export class DeadlineWheel {
  readonly #slotMs: number
  #slots: Deadlined[][] = Array.from({ length: SLOTS }, () => [])
  #slot: number
  #size = 0

  /** @param slotMs milliseconds per slot. Default 50; a turn is 20 slots. */
  constructor(now: number, slotMs = 50) {
    this.#slotMs = slotMs
    this.#slot = Math.floor(now / slotMs)
  }

  /** Entries not yet forgotten. */
  get size(): number {
    return this.#size
  }

  add(entry: Deadlined): void {
    this.#size += 1
    this.#place(entry)
  }

  /** Looks at every slot that has passed. Call it at least once per slot. */
  advance(now: number): void {
    const until = Math.floor(now / this.#slotMs)
    // After a long sleep one turn sees everything.
    if (until - this.#slot > SLOTS) this.#slot = until - SLOTS
    while (this.#slot < until) {
      this.#slot += 1
      const index = this.#slot % SLOTS
      const due = this.#slots[index]!
      if (due.length === 0) continue
      this.#slots[index] = []
      for (const entry of due) this.#look(entry, now)
    }
  }

  #look(entry: Deadlined, now: number): void {
    if (entry.deadline !== undefined && entry.deadline <= now) entry.expire(now)
    if (entry.deadline === undefined) this.#size -= 1
    else this.#place(entry)
  }

  #place(entry: Deadlined): void {
    const ahead = Math.ceil((entry.deadline ?? 0) / this.#slotMs) - this.#slot
    const slot = this.#slot + Math.max(1, Math.min(SLOTS - 1, ahead))
    this.#slots[slot % SLOTS]!.push(entry)
  }
}
