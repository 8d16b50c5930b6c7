/**
 * What was used lately, bounded: two generations, and whatever was not used while one filled up is
 * forgotten.
 */
export class Recent<V> {
  readonly #most: number
  #now = new Map<string, V>()
  #before = new Map<string, V>()

  /** `most`: entries kept. */
  constructor(most: number) {
    this.#most = most
  }

  get(key: string): V | undefined {
    const value = this.#now.get(key)
    if (value !== undefined) return value
    const older = this.#before.get(key)
    if (older !== undefined) this.set(key, older)
    return older
  }

  set(key: string, value: V): void {
    if (this.#now.size >= Math.ceil(this.#most / 2)) {
      this.#before = this.#now
      this.#now = new Map()
    }
    this.#now.set(key, value)
  }

  delete(key: string): void {
    this.#now.delete(key)
    this.#before.delete(key)
  }
}
