/**
 * The keys that sign assertions: their own purpose, and their own pace.
 *
 * Whoever verifies remembers what is published. So a key is published a day before it signs, twice
 * as long as a published set may be remembered, and stays until no assertion of it can live, and
 * then as long as a set may be remembered. In between it signs. What is published and what signs
 * follows from the keys and the time alone: instances that share a store agree without a word.
 *
 * @see docs/single-sign-on/assertion.md
 * @module
 */
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import {
  ASSERTION_ALGORITHM,
  ASSERTION_SECONDS,
  ASSERTION_TYPE,
  type AssertionKeySet,
} from '../../assertion/assertion-claims.ts'
import { ApiMisuse } from '../../protocol/wire/errors.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { systemClocks } from '../../runtime/clocks.ts'
import type { OnError } from '../../runtime/containment.ts'
import { KeptKeys, type KeptKey, type KeyStore } from '../session/kept-keys.ts'
import type { AssertionSigner } from './assertion-signer.ts'

/** A key of P-256: base64url of 32 octets each, as in a JSON Web Key. */
export interface AssertionKey extends KeptKey {
  /** The public point. */
  readonly x: string
  readonly y: string
  /** The private key. */
  readonly d: string
}

/** Where the keys are kept. Instances that sign for the same applications share them. */
export type AssertionKeyStore = KeyStore<AssertionKey>

/** Options of {@link AssertionKeys.open}. */
export interface AssertionKeysOptions {
  /**
   * Default: keys live in this process alone. After a restart there are others, which applications
   * learn when they meet them.
   */
  readonly store?: AssertionKeyStore
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly wallClock?: () => number
  /**
   * Told when keys that changed could not be taken up: those of before stay in use. Default: nobody
   * is.
   */
  readonly onError?: OnError | undefined
}

/** How long a published set may be remembered. Milliseconds. */
export const KEYS_MAX_AGE_MS = 12 * 3_600_000
/** How long a key is published before it signs. Milliseconds. */
export const PUBLISHED_BEFORE_MS = 2 * KEYS_MAX_AGE_MS
/** How long it stays when another one signs: clocks of instances may be a minute apart. */
const PUBLISHED_AFTER_MS = KEYS_MAX_AGE_MS + ASSERTION_SECONDS * 1000 + 60_000

/**
 * Keys that sign assertions, and the set that applications verify them with.
 *
 *     const assertionSigner = await AssertionKeys.open({ store: assertionKeyFile(path) })
 *     createCloud({ …, assertionSigner })
 */
export class AssertionKeys implements AssertionSigner {
  readonly #wallClock: () => number
  readonly #keys: KeptKeys<AssertionKey>
  /** By name. */
  readonly #imported = new Map<string, Promise<CryptoKey>>()

  private constructor(options: AssertionKeysOptions, keys: readonly AssertionKey[]) {
    this.#wallClock = options.wallClock ?? systemClocks.wallClock
    this.#keys = new KeptKeys('assertionKeys', options.store, keys, () => this.#imported.clear())
  }

  /** Loads the keys; where there are none, the first is made, and signs at once. */
  static async open(options: AssertionKeysOptions = {}): Promise<AssertionKeys> {
    const keys = new AssertionKeys(options, (await options.store?.load()) ?? [])
    await keys.#keys.change(
      () => keys.#keys.all.length === 0,
      async () => [await keys.#freshKey()],
    )
    keys.#keys.watch(options.onError)
    return keys
  }

  /** Ends the watch on the store; the keys stay in use. */
  close(): void {
    this.#keys.close()
  }

  /** Names the key that signs now. */
  get signing(): string {
    return this.#signing().id
  }

  /** A signed JWT of these claims. */
  async sign(claims: Readonly<Record<string, unknown>>): Promise<string> {
    const key = this.#signing()
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ASSERTION_ALGORITHM, typ: ASSERTION_TYPE, kid: key.id })
      .sign(await this.#privateKey(key))
  }

  /** What is to be published now, for {@link KEYS_MAX_AGE_MS} at the most. */
  publicKeys(): AssertionKeySet {
    const common = { kty: 'EC', crv: 'P-256', alg: ASSERTION_ALGORITHM, use: 'sig' }
    const keys = this.#published(this.#keys.all)
    return { keys: keys.map(({ id, x, y }) => ({ ...common, kid: id, x, y })) }
  }

  /**
   * Publishes a new key, which signs a day later. `false`: another one waits to sign already, and
   * nothing was done.
   */
  rotate(): Promise<boolean> {
    return this.#rotateWhile(() => true)
  }

  /**
   * A {@link rotate} when the newest key is older than `ageMs`; for a daily clock. On instances
   * that share a store, one does it.
   */
  rotateIfOlder(ageMs: number): Promise<boolean> {
    return this.#rotateWhile((now) => now - this.#keys.all.at(-1)!.createdAt > ageMs)
  }

  /**
   * Takes a key away at once, because somebody else has it. Another one signs from now on, which
   * applications may have to look up.
   *
   * @throws ApiMisuse when there is no such key
   */
  async remove(id: string): Promise<void> {
    const isThere = () => this.#keys.all.some((key) => key.id === id)
    if (!isThere()) throw new ApiMisuse('there is no such key')
    await this.#keys.change(isThere, async (keys) => {
      const others = keys.filter((key) => key.id !== id)
      return others.length > 0 ? others : [await this.#freshKey()]
    })
  }

  /** Takes up what another instance saved. Called by itself where the store can be watched. */
  reload(): Promise<void> {
    return this.#keys.reload()
  }

  async #rotateWhile(isWanted: (now: number) => boolean): Promise<boolean> {
    let isAdded = false
    const isDue = (): boolean => {
      const now = this.#wallClock()
      return !isAdded && !isWaiting(this.#keys.all, now) && isWanted(now)
    }
    const withOneMore = async (keys: readonly AssertionKey[]) => [
      ...this.#published(keys),
      await this.#freshKey(),
    ]
    await this.#keys.change(isDue, withOneMore, () => (isAdded = true))
    return isAdded
  }

  #signing(): AssertionKey {
    const keys = this.#keys.all
    return keys[signingIndex(keys, this.#wallClock())]!
  }

  /** Those that somebody may still need. */
  #published(keys: readonly AssertionKey[]): readonly AssertionKey[] {
    const now = this.#wallClock()
    // The one behind it took over then; the oldest that are over are those that are dropped.
    return keys.filter((_, i) => {
      const next = keys[i + 1]
      return next === undefined || now < signsFrom(next) + PUBLISHED_AFTER_MS
    })
  }

  #privateKey({ id, x, y, d }: AssertionKey): Promise<CryptoKey> {
    let key = this.#imported.get(id)
    if (key === undefined) {
      const jwk = { kty: 'EC', crv: 'P-256', x, y, d }
      key = importJWK(jwk, ASSERTION_ALGORITHM) as Promise<CryptoKey>
      this.#imported.set(id, key)
    }
    return key
  }

  async #freshKey(): Promise<AssertionKey> {
    const pair = await generateKeyPair(ASSERTION_ALGORITHM, { extractable: true })
    const { x, y, d } = await exportJWK(pair.privateKey)
    const id = hexadecimal(crypto.getRandomValues(new Uint8Array(6)))
    return { id, x: x!, y: y!, d: d!, createdAt: this.#wallClock() }
  }
}

const signsFrom = ({ createdAt }: AssertionKey) => createdAt + PUBLISHED_BEFORE_MS

/** The newest that everybody has seen; where there is none, the oldest. */
function signingIndex(keys: readonly AssertionKey[], now: number): number {
  return Math.max(
    0,
    keys.findLastIndex((key) => signsFrom(key) <= now),
  )
}

/** Whether the newest is published and does not sign yet. */
const isWaiting = (keys: readonly AssertionKey[], now: number) =>
  keys.length > 1 && signsFrom(keys.at(-1)!) > now
