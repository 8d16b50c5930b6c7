/**
 * The issuers of all tenants, each known once.
 *
 * @module
 */
import { TIME_LIMITS } from '../../protocol/wire/limits.ts'
import type { Fetch } from './bounded-fetch.ts'
import { Issuer } from './issuer.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { timerOf, type Scheduler } from '../../runtime/scheduler.ts'
import type { Tenant } from '../directory/directory-port.ts'

export interface IssuersOptions {
  readonly clocks: Clocks
  /** Default: the runtime's timers. */
  readonly scheduler?: Scheduler | undefined
  /** Asks the issuer. Default: the runtime's `fetch`. */
  readonly fetch?: Fetch
  /** How long each step at the issuer may take. Milliseconds, default 15 000. */
  readonly stepMs?: number
  /** How long an issuer's metadata and keys are used. Milliseconds, default 600 000. */
  readonly metadataMs?: number
  /** How far our clock and the issuer's may differ. Milliseconds, default 60 000. */
  readonly leewayMs?: number
}

export class Issuers {
  readonly #options: IssuersOptions
  readonly #known = new Map<string, Issuer>()

  constructor(options: IssuersOptions) {
    this.#options = options
  }

  /** How far clocks may differ. Milliseconds. */
  get leewayMs(): number {
    return this.#options.leewayMs ?? 60_000
  }

  of({ issuer }: Tenant): Issuer {
    let known = this.#known.get(issuer)
    if (known === undefined) {
      const { fetch, clocks, scheduler, stepMs, metadataMs } = this.#options
      known = new Issuer({
        issuer,
        ...(fetch && { fetch }),
        wallClock: () => clocks.wallClock(),
        now: () => clocks.now(),
        timer: timerOf({ clocks, scheduler }),
        timeoutMs: stepMs ?? TIME_LIMITS.controlCallMs,
        metadataMs: metadataMs ?? 600_000,
        leewayMs: this.leewayMs,
      })
      this.#known.set(issuer, known)
    }
    return known
  }
}
