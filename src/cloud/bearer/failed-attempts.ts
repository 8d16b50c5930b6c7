/**
 * How often an address may show tokens that are not good. Looking at one costs processor time, and
 * who guesses passwords does not stop by himself.
 *
 * @see spec/PROTOCOL.md, "Bearer tokens"
 * @module
 */
import { clientNetwork } from '../policy/network.ts'
import { Recent } from '../recent.ts'

/** Options of {@link FailedAttempts}. */
export interface FailedAttemptsOptions {
  /** Monotonic milliseconds. */
  now(): number
  /** Failures of one address that are looked at in {@link windowMs}. Default 20. */
  readonly most?: number
  /** Milliseconds from an address's first failure until it has none. Default 60 000. */
  readonly windowMs?: number
  /** Addresses remembered. Default 4096. */
  readonly remembered?: number
}

/** Counted are IPv4 addresses, and networks of 64 bits of IPv6: who has one address has them all. */
export class FailedAttempts {
  readonly #options: FailedAttemptsOptions
  readonly #windows: Recent<{ readonly endsAt: number; failures: number }>

  constructor(options: FailedAttemptsOptions) {
    this.#options = options
    this.#windows = new Recent(options.remembered ?? 4096)
  }

  /** Milliseconds until another token of this address is looked at; 0: one is now. */
  waitMs(address: string): number {
    const window = this.#windows.get(clientNetwork(address))
    if (window === undefined || window.failures < (this.#options.most ?? 20)) return 0
    return Math.max(0, window.endsAt - this.#options.now())
  }

  /** A token of this address was not good. */
  failed(address: string): void {
    const key = clientNetwork(address)
    const now = this.#options.now()
    const window = this.#windows.get(key)
    if (window !== undefined && now < window.endsAt) window.failures += 1
    else this.#windows.set(key, { endsAt: now + (this.#options.windowMs ?? 60_000), failures: 1 })
  }
}
