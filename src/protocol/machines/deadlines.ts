/**
 * A coarse timer wheel: many deadlines, one clock.
 *
 * Whoever has a deadline exposes it as a number that may change at any time; the wheel looks again
 * when it said, and at least once per turn of the wheel. So moving a deadline costs nothing, and
 * nobody keeps a timer per byte.
 *
 * @module
 */

/** Something that must be told when its deadline has passed. */
export interface Deadlined {
  /**
   * Monotonic milliseconds; `Infinity` means none for now, `undefined` lets the wheel forget it.
   */
  readonly deadline: number | undefined
  expire(now: number): void
}

/** Milliseconds per slot, unless a wheel says otherwise. */
export const SLOT_MS = 50
const SLOTS = 20

/** An entry's place on the wheel. */
export interface DeadlineHandle {
  readonly entry: Deadlined
}

/**
 * Checks each entry when its deadline falls due, never early, at most one slot late (one turn when
 * it moved nearer).
 */
export class DeadlineWheel {
  readonly #slotMs: number
  /** The head of each slot's ring. */
  readonly #slots = Array.from({ length: SLOTS }, () => new Place(undefined as never))
  #slot: number
  #size = 0

  /** @param slotMs milliseconds per slot. Default 50; a turn is 20 slots. */
  constructor(now: number, slotMs = SLOT_MS) {
    this.#slotMs = slotMs
    this.#slot = Math.floor(now / slotMs)
  }

  /** Entries not yet forgotten. */
  get size(): number {
    return this.#size
  }

  add(entry: Deadlined): DeadlineHandle {
    const place = new Place(entry)
    this.#size += 1
    this.#place(place)
    return place
  }

  /** Forgets an entry at once: what is over is not kept from the garbage collector for a turn. */
  remove(handle: DeadlineHandle): void {
    const place = handle as Place
    if (place.next === place) return
    place.unlink()
    this.#size -= 1
  }

  /** Looks at every slot that has passed. Call it at least once per slot. */
  advance(now: number): void {
    const until = Math.floor(now / this.#slotMs)
    // After a long sleep one turn sees everything.
    if (until - this.#slot > SLOTS) this.#slot = until - SLOTS
    while (this.#slot < until) {
      this.#slot += 1
      const head = this.#slots[this.#slot % SLOTS]!
      // Whatever is placed anew lies ahead, never in this slot.
      while (head.next !== head) this.#look(head.next, now)
    }
  }

  #look(place: Place, now: number): void {
    const { entry } = place
    place.unlink()
    this.#place(place)
    if (entry.deadline !== undefined && entry.deadline <= now) entry.expire(now)
    if (entry.deadline === undefined) this.remove(place)
  }

  #place(place: Place): void {
    const ahead = Math.ceil((place.entry.deadline ?? 0) / this.#slotMs) - this.#slot
    const slot = this.#slot + Math.max(1, Math.min(SLOTS - 1, ahead))
    place.linkBefore(this.#slots[slot % SLOTS]!)
  }
}

/** One in a slot's ring; alone, it is linked to itself. */
class Place implements DeadlineHandle {
  readonly entry: Deadlined
  next: Place = this
  #previous: Place = this

  constructor(entry: Deadlined) {
    this.entry = entry
  }

  linkBefore(head: Place): void {
    this.next = head
    this.#previous = head.#previous
    this.#previous.next = this
    head.#previous = this
  }

  unlink(): void {
    this.#previous.next = this.next
    this.next.#previous = this.#previous
    this.next = this
    this.#previous = this
  }
}
