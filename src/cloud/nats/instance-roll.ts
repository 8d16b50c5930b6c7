/**
 * Which other instances are there: those that were heard lately. A process that is killed says
 * nothing, so silence is all there is to go by.
 *
 * @module
 */

/** Each instance says so often that it is there. Milliseconds. */
export const HELLO_MS = 1_000
/** One that was not heard for so long is gone. Milliseconds. */
export const SILENT_MS = 4_000

/** Those that were heard, and when. */
export class InstanceRoll {
  /** By instance id: of the service, no tenant's. Monotonic milliseconds. */
  readonly #heard = new Map<string, number>()

  /** `true`: it was not known before. */
  heard(instance: string, now: number): boolean {
    const isNew = !this.#heard.has(instance)
    this.#heard.set(instance, now)
    return isNew
  }

  has(instance: string): boolean {
    return this.#heard.has(instance)
  }

  /** It has said goodbye. `false`: it was not known. */
  left(instance: string): boolean {
    return this.#heard.delete(instance)
  }

  /** Those that have fallen silent; they are forgotten. */
  silent(now: number): readonly string[] {
    const silent = [...this.#heard].filter(([, at]) => now - at > SILENT_MS)
    for (const [instance] of silent) this.#heard.delete(instance)
    return silent.map(([instance]) => instance)
  }

  /** Nobody can be heard: none of them is silent because of that. */
  clear(): void {
    this.#heard.clear()
  }
}
