/**
 * What was used lately, bounded: two generations, and whatever was not used while one filled up is
 * forgotten. Every look-up and every change takes the same time, however much is kept.
 *
 * For what can be found out again. What must be remembered, such as a token that was spent, is kept
 * until its end elsewhere.
 *
 * @module
 */
export class BoundedCache<V> {
  readonly #most: number
  #now = new Map<string, V>()
  #before = new Map<string, V>()

  /** `most`: entries kept at most; half as many are kept in any case. */
  constructor(most: number) {
    this.#most = most
  }

  get(key: string): V | undefined {
    const value = this.#now.get(key)
    if (value !== undefined) return value
    const older = this.#before.get(key)
    if (older !== undefined) {
      this.#before.delete(key)
      this.set(key, older)
    }
    return older
  }

  set(key: string, value: V): void {
    if (this.#now.size >= Math.ceil(this.#most / 2) && !this.#now.has(key)) {
      this.#before = this.#most > 1 ? this.#now : new Map()
      this.#now = new Map()
    }
    this.#now.set(key, value)
  }

  delete(key: string): void {
    this.#now.delete(key)
    this.#before.delete(key)
  }

  clear(): void {
    this.#now.clear()
    this.#before.clear()
  }
}
