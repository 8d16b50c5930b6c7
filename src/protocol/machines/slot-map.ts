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

/**
 * A map by a number or a text, in no order: one plain value, which a state may hold that is cloned
 * and saved. Changed by {@link slotSet} and {@link slotDelete} alone.
 */
export interface SlotMap<K extends string | number, V extends object> {
  /** Where each value lies. */
  readonly slotOf: Map<K, number>
  readonly values: (V | undefined)[]
  /** Slots without a value. */
  readonly free: number[]
}

export function slotMap<K extends string | number, V extends object>(): SlotMap<K, V> {
  return { slotOf: new Map(), values: [], free: [] }
}

export function slotGet<K extends string | number, V extends object>(
  { slotOf, values }: SlotMap<K, V>,
  key: K,
): V | undefined {
  const slot = slotOf.get(key)
  return slot === undefined ? undefined : values[slot]
}

export function slotSet<K extends string | number, V extends object>(
  { slotOf, values, free }: SlotMap<K, V>,
  key: K,
  value: V,
): void {
  const known = slotOf.get(key)
  const slot = known ?? free.pop() ?? values.length
  if (known === undefined) slotOf.set(key, slot)
  values[slot] = value
}

/** Whether it was there. */
export function slotDelete<K extends string | number, V extends object>(
  { slotOf, values, free }: SlotMap<K, V>,
  key: K,
): boolean {
  const slot = slotOf.get(key)
  if (slot === undefined) return false
  slotOf.delete(key)
  values[slot] = undefined
  free.push(slot)
  return true
}

/** All that are there now; they may be deleted meanwhile. */
export function slotValues<V extends object>({ values }: SlotMap<string | number, V>): V[] {
  return values.filter((value) => value !== undefined)
}
