import type { ConnectorEnvironment } from '../../src/connector/ports.ts'
import type { CryptoProvider } from '../../src/runtime/crypto-provider.ts'

/** Where the monotonic clock starts: far from the wall clock, so that a test that confuses them fails. */
const START_NOW = 1_000

/**
 * Time that passes only when told to. Promises, and Web Crypto behind them, take real time; {@link settled} waits until
 * all of them are done, so that between two timers everything that can happen has happened.
 */
export class VirtualTime {
  readonly #timers = new Set<{ deadline: number; run: () => void }>()
  /** An issuer signs its tokens by the real clock. */
  readonly #startWall = Date.now()
  #now = START_NOW
  #inFlight = 0
  #seed = 1

  readonly environment: ConnectorEnvironment = {
    crypto: this.#observed(globalThis.crypto),
    clocks: { now: () => this.#now, wallClock: () => this.wallClock },
    scheduler: {
      at: (deadline, run) => {
        const timer = { deadline, run }
        this.#timers.add(timer)
        return () => this.#timers.delete(timer)
      },
    },
    random: () => {
      // A linear congruential generator: jitter that is the same in every run.
      this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2 ** 31
      return this.#seed / 2 ** 31
    },
  }

  get now(): number {
    return this.#now
  }

  get wallClock(): number {
    return Math.floor(this.#startWall + this.#now - START_NOW)
  }

  get timers(): number {
    return this.#timers.size
  }

  /** Counts `work` as going on until it ends. */
  async track<T>(work: Promise<T>): Promise<T> {
    this.#inFlight++
    try {
      return await work
    } finally {
      this.#inFlight--
    }
  }

  async settled(): Promise<void> {
    for (let quiet = 0; quiet < 2;) {
      await new Promise((resolve) => setImmediate(resolve))
      quiet = this.#inFlight === 0 ? quiet + 1 : 0
    }
  }

  /** Lets `ms` pass, timer by timer; stops early when `until` says so. */
  async pass(ms: number, until: () => boolean = () => false): Promise<void> {
    const end = this.#now + ms
    await this.settled()
    while (!until()) {
      const [next] = [...this.#timers].sort((a, b) => a.deadline - b.deadline)
      if (next === undefined || next.deadline > end) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.deadline)
      next.run()
      await this.settled()
    }
    if (!until()) this.#now = end
  }

  #observed({ subtle }: Crypto): CryptoProvider {
    const tracked = new Proxy(subtle, {
      get: (target, name: keyof SubtleCrypto) => {
        const method = target[name] as (...args: unknown[]) => Promise<unknown>
        return (...args: unknown[]) => this.track(method.apply(target, args))
      },
    })
    return {
      subtle: tracked,
      getRandomValues: (array) => globalThis.crypto.getRandomValues(array),
    }
  }
}
