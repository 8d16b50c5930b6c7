/**
 * The keys of one purpose: what instances of a service share, and change one after the other.
 *
 * @module
 */
import { PortFailed } from '../../protocol/wire/errors.ts'
import { Containment, type OnError } from '../../runtime/containment.ts'

/** What every key has, whatever it is for. */
export interface KeptKey {
  /** Names the key; 1–32 characters of the base64url alphabet. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** Where the keys of one purpose are kept. Instances that share users share the keys. */
export interface KeyStore<Key extends KeptKey> {
  /** Every key, oldest first; none on first start. */
  load(): Promise<readonly Key[]>
  /**
   * Replaces them all, durably and atomically, if those that are kept still are `before`, by their
   * ids. `false`: another instance was first, and nothing is written.
   */
  save(keys: readonly Key[], before: readonly Key[]): Promise<boolean>
  /**
   * Calls `changed` when the keys may be others, whoever changed them; returns the end of it.
   * Absent: what another instance saved is taken up by `reload` alone.
   */
  watch?(changed: () => void): () => void
}

/** Of instances that change them at once one is first; the others look again, so many times. */
const MOST_TRIES = 16

/** The keys, as this instance knows them. */
export class KeptKeys<Key extends KeptKey> {
  readonly #store: KeyStore<Key> | undefined
  /** What its failures are told as: `keyRing`. */
  readonly #port: string
  readonly #taken: () => void
  #keys: readonly Key[]
  #version = 0
  /**
   * What is loaded or saved, one after the other: what was loaded is not older than what is held.
   */
  #turn: Promise<unknown> = Promise.resolve()
  #unwatch: () => void = () => undefined

  /** @param taken called when they are others */
  constructor(
    port: string,
    store: KeyStore<Key> | undefined,
    keys: readonly Key[],
    taken: () => void = () => undefined,
  ) {
    this.#port = port
    this.#store = store
    this.#keys = keys
    this.#taken = taken
  }

  /** The oldest first. */
  get all(): readonly Key[] {
    return this.#keys
  }

  /** Changes with the keys. */
  get version(): number {
    return this.#version
  }

  /** Ends the watch on the store; the keys stay in use. */
  close(): void {
    this.#unwatch()
  }

  /** Takes up what another instance saved. */
  reload(): Promise<void> {
    return this.#inTurn(() => this.#load())
  }

  watch(onError: OnError | undefined): void {
    const changed = new Containment(onError).notify(`${this.#port}.reload`, () => this.reload())
    this.#unwatch = this.#store?.watch?.(changed) ?? this.#unwatch
  }

  /**
   * Replaces them while that is due, which is asked again whenever another instance was first: what
   * it did may do as well. Whether it was done here.
   */
  change(
    isDue: () => boolean,
    replaced: (keys: readonly Key[]) => readonly Key[] | Promise<readonly Key[]>,
    done: () => void = () => undefined,
  ): Promise<boolean> {
    return this.#inTurn(async () => {
      let isDone = false
      for (let tries = 0; isDue() && tries < MOST_TRIES; tries++) {
        if (await this.#replace(await replaced(this.#keys))) {
          isDone = true
          done()
        } else await this.#load()
      }
      if (isDue()) throw new PortFailed(`${this.#port}.store.save`)
      return isDone
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #replace(keys: readonly Key[]): Promise<boolean> {
    if ((await this.#store?.save(keys, this.#keys)) === false) return false
    this.#take(keys)
    return true
  }

  async #load(): Promise<void> {
    const keys = (await this.#store?.load()) ?? []
    const isSame = keys.every(({ id }, i) => id === this.#keys[i]?.id)
    if (keys.length === 0 || (isSame && keys.length === this.#keys.length)) return
    this.#take(keys)
  }

  #take(keys: readonly Key[]): void {
    this.#keys = keys
    this.#version += 1
    this.#taken()
  }
}
