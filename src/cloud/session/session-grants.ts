/**
 * Where refresh tokens are kept: at the server, sealed, for as long as their session may last.
 *
 * @module
 */
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { systemClocks } from '../../runtime/clocks.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

/** What is kept of one session. Stores look at nothing of what is sealed. */
export interface KeptGrant {
  /** Opened with the key ring and the session's id only. @see sealed-grant.ts */
  readonly sealed: string
  /** Somebody is renewing it. */
  readonly lease?: string | undefined
  /** Digests of what revocations may name; see {@link labelOf}. */
  readonly labels: readonly string[]
  /** When the session began: milliseconds since 1970. */
  readonly startedAt: number
  /** It is of no use to anybody then: milliseconds since 1970. */
  readonly endsAt: number
}

/** The port: instances that share users share it. */
export interface SessionGrants {
  /** `undefined`: none is kept for this session. */
  read(sessionId: string): Promise<VersionedGrant | undefined>
  /**
   * Writes if the version is still `version`, and answers the new version, which is unique for this
   * session. `undefined`: the version was another, or the grant is gone, and nothing was written.
   * Without `version` it always writes.
   */
  write(sessionId: string, kept: KeptGrant, version?: number): Promise<number | undefined>
  /** Another end; it changes no version. Nothing where there is no grant. */
  endAt(sessionId: string, endsAt: number): Promise<void>
  remove(sessionId: string): Promise<void>
  /** Removes what bears the label and began up to then: milliseconds since 1970. */
  removeLabelled(label: string, startedUpTo: number): Promise<void>
}

/** What is kept, and the version that a write must name. */
export interface VersionedGrant {
  readonly kept: KeptGrant
  readonly version: number
}

/** Options of {@link MemorySessionGrants}. */
export interface MemorySessionGrantsOptions {
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly wallClock?: () => number
  /**
   * Grants kept; beyond it the oldest go, and their sessions end with the ID token. Default 20 000,
   * some 60 MB.
   */
  readonly limit?: number
}

/** How often grants are looked through for those that have ended. Milliseconds. */
export const SWEEP_MS = 60_000

/** Grants in this process's memory: after a restart sessions end with the ID token. */
export class MemorySessionGrants implements SessionGrants {
  /** By session id, which is random and names one session of one user at one application. */
  readonly #grants = new Map<string, VersionedGrant>()
  readonly #wallClock: () => number
  readonly #limit: number
  #lastVersion = 0
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor(options: MemorySessionGrantsOptions = {}) {
    this.#wallClock = options.wallClock ?? systemClocks.wallClock
    this.#limit = options.limit ?? 20_000
  }

  get size(): number {
    return this.#grants.size
  }

  read(sessionId: string): Promise<VersionedGrant | undefined> {
    this.#sweep()
    return Promise.resolve(this.#grants.get(sessionId))
  }

  write(sessionId: string, kept: KeptGrant, version?: number): Promise<number | undefined> {
    this.#sweep()
    const before = this.#grants.get(sessionId)
    if (version !== undefined && before?.version !== version) return Promise.resolve(undefined)
    const next = (this.#lastVersion += 1)
    this.#grants.set(sessionId, { kept, version: next })
    if (this.#grants.size > this.#limit) this.#grants.delete(this.#grants.keys().next().value!)
    return Promise.resolve(next)
  }

  endAt(sessionId: string, endsAt: number): Promise<void> {
    const before = this.#grants.get(sessionId)
    if (before !== undefined)
      this.#grants.set(sessionId, { ...before, kept: { ...before.kept, endsAt } })
    return Promise.resolve()
  }

  remove(sessionId: string): Promise<void> {
    this.#grants.delete(sessionId)
    return Promise.resolve()
  }

  removeLabelled(label: string, startedUpTo: number): Promise<void> {
    for (const [id, { kept }] of this.#grants)
      if (kept.startedAt <= startedUpTo && kept.labels.includes(label)) this.#grants.delete(id)
    return Promise.resolve()
  }

  #sweep(): void {
    const now = this.#wallClock()
    if (Math.abs(now - this.#sweptAt) < SWEEP_MS) return
    this.#sweptAt = now
    for (const [id, { kept }] of this.#grants) if (kept.endsAt <= now) this.#grants.delete(id)
  }
}

/** The digest of what a revocation names: no name of a user lies in a store. */
export async function labelOf(
  { subtle }: Pick<CryptoProvider, 'subtle'>,
  name: string,
): Promise<string> {
  const digest = new Uint8Array(await subtle.digest('SHA-256', new TextEncoder().encode(name)))
  return hexadecimal(digest)
}
