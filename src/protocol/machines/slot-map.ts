/**
 * Collections of what comes and goes quickly: exchanges, requests, calls.
 *
 * A `Map` or `Set` that is added to and deleted from makes a new table every few dozen times, and
 * each old table refers to the next one. Once one of them is old enough for the garbage collector's
 * old generation, it keeps every later table, and all that was in them, until the next full
 * collection: minor collections then copy thousands of exchanges that are over. Here values lie in
 * an array that stays, and a table refers to no value.
 *
 * @module
 */

/** Values, each in a slot that is its own until it is removed. In no order. */
export class Slots<T extends object> {
  readonly #values: (T | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#values.length - this.#free.length
  }

  /** Returns its slot: what {@link get} and {@link remove} are told. */
  add(value: T): number {
    const slot = this.#free.pop() ?? this.#values.length
    this.#values[slot] = value
    return slot
  }

  get(slot: number): T | undefined {
    return this.#values[slot]
  }

  /** Puts another value into a slot that is taken. */
  replace(slot: number, value: T): void {
    this.#values[slot] = value
  }

  /** Once removed, its slot may be another's: that one stays. */
  remove(slot: number, value: T): void {
    if (this.#values[slot] !== value) return
    this.#values[slot] = undefined
    this.#free.push(slot)
  }

  /** All that are here now; they may be removed meanwhile. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined)
  }
}

/** A map by a number or a text. In no order. */
export class SlotMap<K extends string | number, V extends object> {
  readonly #slotOf = new Map<K, number>()
  readonly #slots = new Slots<V>()

  get size(): number {
    return this.#slots.size
  }

  has(key: K): boolean {
    return this.#slotOf.has(key)
  }

  get(key: K): V | undefined {
    const slot = this.#slotOf.get(key)
    return slot === undefined ? undefined : this.#slots.get(slot)
  }

  set(key: K, value: V): void {
    const slot = this.#slotOf.get(key)
    if (slot === undefined) this.#slotOf.set(key, this.#slots.add(value))
    else this.#slots.replace(slot, value)
  }

  /** Whether it was here. */
  delete(key: K): boolean {
    const slot = this.#slotOf.get(key)
    if (slot === undefined) return false
    this.#slotOf.delete(key)
    this.#slots.remove(slot, this.#slots.get(slot)!)
    return true
  }

  /** All that are here now; they may be deleted meanwhile. */
  values(): V[] {
    return this.#slots.values()
  }
}
