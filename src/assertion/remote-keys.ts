/**
 * The keys of a service, fetched from where it publishes them, and when they are fetched again.
 *
 * A key is published a day before it signs, and these are fetched again within minutes: so a
 * rotation is never noticed. Nobody who makes up names of keys can cause more than one look-up each
 * time the cooldown has passed, and a service that cannot be reached for a while is not missed.
 *
 * @see docs/single-sign-on/assertion.md
 * @module
 */
import { ApiMisuse } from '../protocol/wire/errors.ts'
import { systemClocks, type Clocks } from '../runtime/clocks.ts'
import { abortedAfter, timerOf, type Scheduler } from '../runtime/scheduler.ts'
import { AssertionRefused } from './assertion-refused.ts'
import { PublicKeys, readKeySet } from './public-keys.ts'

/** Options of {@link remoteKeys}. */
export interface RemoteKeysOptions {
  /** Default: the runtime's. */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
  /** Head and body together. Milliseconds, default 5 000. */
  readonly timeoutMs?: number | undefined
  /** A longer answer is none. Octets, default 65 536. */
  readonly maxBytes?: number | undefined
  /**
   * Older keys are fetched again, while they are still used. Milliseconds, default 600 000; the
   * service counts on 43 200 000 at the most.
   */
  readonly maxAgeMs?: number | undefined
  /**
   * How long keys are used while the service cannot be reached. Milliseconds, default 43 200 000.
   */
  readonly usableMs?: number | undefined
  /** No look-up follows another sooner, whatever is shown. Milliseconds, default 10 000. */
  readonly cooldownMs?: number | undefined
  /** Default: the runtime's; what is read of it is `now`. */
  readonly clocks?: Pick<Clocks, 'now'> | undefined
  /** Default: the runtime's timers. */
  readonly scheduler?: Scheduler | undefined
}

/** Finds a key by its name. */
export type FindAssertionKey = (kid: string) => Promise<CryptoKey | undefined>

const DEFAULTS = {
  ...{ timeoutMs: 5_000, maxBytes: 65_536 },
  ...{ maxAgeMs: 600_000, usableMs: 43_200_000, cooldownMs: 10_000 },
} as const

/** After a look-up that failed, while there are no keys. */
const NO_KEYS_REST_MS = 1_000

/**
 * The keys at that address, which is https, or http at this machine. Keep what it returns: it holds
 * what was fetched.
 *
 *     const keys = remoteKeys(new URL('https://wiki.example/.app-proxy/assertion-keys'))
 *
 * @throws ApiMisuse for any other address
 */
export function remoteKeys(address: URL, options: RemoteKeysOptions = {}): FindAssertionKey {
  const set = new RemoteKeySet(address, options)
  return (kid) => set.find(kid)
}

class RemoteKeySet {
  readonly #address: string
  readonly #options: RemoteKeysOptions
  readonly #now: () => number
  #keys: PublicKeys | undefined
  #fetchedAt = -Infinity
  #askedAt = -Infinity
  #asking: Promise<void> | undefined
  #failure: unknown

  constructor(address: URL, options: RemoteKeysOptions) {
    if (address.protocol !== 'https:' && !isOwnMachine(address))
      throw new ApiMisuse('keys are fetched by https, or from this machine')
    const { clocks = systemClocks } = options
    this.#address = address.href
    this.#options = options
    this.#now = () => clocks.now()
  }

  async find(kid: string): Promise<CryptoKey | undefined> {
    const { maxAgeMs = DEFAULTS.maxAgeMs } = this.#options
    if (!this.#isUsable) await this.#ask()
    else if (this.#now() - this.#fetchedAt >= maxAgeMs) void this.#ask()
    if (!this.#isUsable) throw unavailable(this.#failure)
    const found = this.#keys!.find(kid)
    if (found !== undefined) return found
    await this.#ask()
    return this.#keys!.find(kid)
  }

  get #isUsable(): boolean {
    const { usableMs = DEFAULTS.usableMs } = this.#options
    return this.#keys !== undefined && this.#now() - this.#fetchedAt < usableMs
  }

  /** Once for all who ask at the same time, and not sooner than it may. Never rejects. */
  #ask(): Promise<void> {
    const { cooldownMs = DEFAULTS.cooldownMs } = this.#options
    // Who has no keys at all is not kept from them for long.
    const restMs = this.#isUsable ? cooldownMs : Math.min(cooldownMs, NO_KEYS_REST_MS)
    if (this.#asking === undefined && this.#now() - this.#askedAt < restMs) return Promise.resolve()
    return (this.#asking ??= this.#fetchKeys().finally(() => (this.#asking = undefined)))
  }

  async #fetchKeys(): Promise<void> {
    const { timeoutMs = DEFAULTS.timeoutMs } = this.#options
    const timer = timerOf(this.#options)
    this.#askedAt = this.#now()
    try {
      const keys = await abortedAfter(timer, timeoutMs, (signal) => this.#download(signal))
      this.#keys = keys
      this.#fetchedAt = this.#now()
      this.#failure = undefined
    } catch (error) {
      this.#failure = error
    }
  }

  async #download(signal: AbortSignal): Promise<PublicKeys> {
    const { fetch: ask = fetch, maxBytes = DEFAULTS.maxBytes } = this.#options
    const headers = { accept: 'application/json' }
    const response = await ask(this.#address, { headers, redirect: 'manual', signal })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw unavailable(`status ${response.status}`)
    }
    const set = readKeySet(await bodyOf(response, maxBytes))
    const keys = set && new PublicKeys(set)
    if (keys === undefined || keys.size === 0) throw unavailable('an answer without keys')
    return keys
  }
}

const unavailable = (cause: unknown) => new AssertionRefused('keys-unavailable', '', { cause })

function isOwnMachine({ protocol, hostname }: URL): boolean {
  return (
    protocol === 'http:' && /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)
  )
}

async function bodyOf({ body }: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  if (body === null) return ''
  const reader = body.getReader()
  let [text, length] = ['', 0]
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    length += value.length
    if (length > maxBytes) {
      await reader.cancel()
      throw unavailable('an answer that is too long')
    }
    text += decoder.decode(value, { stream: true })
  }
}
