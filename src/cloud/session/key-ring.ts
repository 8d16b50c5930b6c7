/**
 * The keys that seal cookies: the newest seals, all of them open. Rotating adds a key and drops the
 * oldest; cookies under a dropped key are no session any more.
 *
 * @module
 */
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { systemClocks } from '../../runtime/clocks.ts'
import { ApiMisuse } from '../../protocol/wire/errors.ts'
import type { OnError } from '../../runtime/containment.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { KeptKeys, type KeptKey, type KeyStore } from './kept-keys.ts'

/** 256 bits of key material. Cookies are sealed under keys derived from it, never under itself. */
export interface SealingKey extends KeptKey {
  /** 32 octets. */
  readonly secret: Uint8Array
}

/** Where the keys are kept. Instances that share users share the keys. */
export type KeyRingStore = KeyStore<SealingKey>

/** Options of {@link KeyRing.open}. */
export interface KeyRingOptions {
  /** Default: keys live in this process alone, and sessions end with it. */
  readonly store?: KeyRingStore
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly wallClock?: () => number
  /** Keys kept after a rotation, the new one included. Default 3. */
  readonly keep?: number
  /**
   * Told when keys that changed could not be taken up: those of before stay in use. Default: nobody
   * is.
   */
  readonly onError?: OnError | undefined
}

const DERIVED_KEYS = 1024

/**
 * The keys that seal cookies: the newest seals, every one opens.
 *
 *     const keyRing = await KeyRing.open({ store: keyRingFile(path) })
 */
export class KeyRing {
  readonly #crypto: CryptoProvider
  readonly #wallClock: () => number
  readonly #keep: number
  /** By what the key is for, in which the tenant is named. */
  readonly #derived = new BoundedCache<Promise<Uint8Array>>(DERIVED_KEYS)
  readonly #keys: KeptKeys<SealingKey>

  private constructor(options: KeyRingOptions, keys: readonly SealingKey[]) {
    this.#crypto = options.crypto ?? crypto
    this.#wallClock = options.wallClock ?? systemClocks.wallClock
    this.#keep = options.keep ?? 3
    this.#keys = new KeptKeys('keyRing', options.store, keys, () => this.#derived.clear())
  }

  /** Loads the ring; an empty one gets its first key. */
  static async open(options: KeyRingOptions = {}): Promise<KeyRing> {
    const ring = new KeyRing(options, (await options.store?.load()) ?? [])
    await ring.#rotateWhile(() => ring.#keys.all.length === 0)
    ring.#keys.watch(options.onError)
    return ring
  }

  /** Ends the watch on the store; the keys stay in use. */
  close(): void {
    this.#keys.close()
  }

  /** The id of the key that seals. */
  get newest(): string {
    return this.#keys.all.at(-1)!.id
  }

  /** Changes with the keys. Whoever remembers what it opened must open it again. */
  get version(): number {
    return this.#keys.version
  }

  has(id: string): boolean {
    return this.#keys.all.some((key) => key.id === id)
  }

  /** Adds a key, which seals from now on, and drops the oldest above the number kept. */
  async rotate(): Promise<void> {
    let isDue = true
    await this.#rotateWhile(
      () => isDue,
      () => (isDue = false),
    )
  }

  /**
   * A {@link rotate} when the newest key is older than `ageMs`; for a daily clock. On instances
   * that share a store, one does it.
   */
  rotateIfOlder(ageMs: number): Promise<boolean> {
    return this.#rotateWhile(() => this.#wallClock() - this.#keys.all.at(-1)!.createdAt > ageMs)
  }

  /** Takes up what another instance saved. Called by itself where the store can be watched. */
  reload(): Promise<void> {
    return this.#keys.reload()
  }

  /** Whether a key was added. Another instance's key may do as well as ours: it is asked again. */
  #rotateWhile(isDue: () => boolean, added?: () => void): Promise<boolean> {
    const withOneMore = (keys: readonly SealingKey[]) =>
      [...keys, this.#freshKey()].slice(-this.#keep)
    return this.#keys.change(isDue, withOneMore, added)
  }

  #freshKey(): SealingKey {
    const random = this.#crypto.getRandomValues(new Uint8Array(32 + 6))
    return {
      id: hexadecimal(random.subarray(32)),
      secret: random.slice(0, 32),
      createdAt: this.#wallClock(),
    }
  }

  /**
   * The 256-bit key of one use, derived by HKDF-SHA-256 with the use as `info` (RFC 5869): a value
   * sealed for one use cannot be opened for another.
   *
   * @throws ApiMisuse when the ring holds no such key
   */
  derive(id: string, use: readonly string[]): Promise<Uint8Array> {
    const info = JSON.stringify(use) // unambiguous: no two lists of strings share a JSON text
    const name = `${id} ${info}`
    let derived = this.#derived.get(name)
    if (derived === undefined) {
      const key = this.#keys.all.find((candidate) => candidate.id === id)
      if (key === undefined) throw new ApiMisuse('the ring holds no such key')
      derived = this.#hkdf(key.secret, info)
      this.#derived.set(name, derived)
      derived.catch(() => this.#derived.delete(name))
    }
    return derived
  }

  async #hkdf(secret: Uint8Array, info: string): Promise<Uint8Array> {
    const { subtle } = this.#crypto
    const base = await subtle.importKey('raw', secret.slice(), 'HKDF', false, ['deriveBits'])
    const bits = await subtle.deriveBits(
      {
        name: 'HKDF',
        hash: 'SHA-256',
        salt: new Uint8Array(32),
        info: new TextEncoder().encode(info),
      },
      base,
      256,
    )
    return new Uint8Array(bits)
  }
}
