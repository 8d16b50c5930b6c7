/**
 * Revoked sessions, which all instances of a cloud share in NATS: a log that each keeps in memory,
 * where requests are judged.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import type { Application } from '../directory/directory-port.ts'
import type { Caller } from '../identity/caller.ts'
import {
  MemoryRevocations,
  type MemoryRevocationsOptions,
  type Revocation,
  type SessionRevocations,
} from '../session/session-revocations.ts'
import type { NatsConnection } from './nats-connection.ts'
import type { NatsEngineOptions } from './nats-registry.ts'
import { SharedLog } from './shared-log.ts'
import { UnsaidChanges, type UnsaidChangesStore } from './unsaid-changes.ts'

/** Options of {@link openNatsRevocations}. */
export interface NatsRevocationsOptions
  extends NatsEngineOptions, Omit<MemoryRevocationsOptions, 'onError'> {
  /**
   * What other instances revoked may be unheard of for so long; then nobody new is let in. 0: as
   * soon as it is stale. Milliseconds, default 900 000.
   */
  readonly staleLimitMs?: number | undefined
  /**
   * Where this instance keeps what it revoked while the broker could not be asked, until the others
   * know it. Default: nowhere, it is lost with the process.
   *
   * @see {@link unsaidChangesFile}
   */
  readonly unsaid?: UnsaidChangesStore | undefined
}

interface Entry {
  /** Whoever wrote it knows it by this. */
  readonly id: string
  readonly revocation: Revocation
}

const isEntry = ({ id, revocation }: Partial<Entry>): boolean =>
  typeof id === 'string' && typeof revocation?.kind === 'string'

const DAY_MS = 24 * 3_600_000
const STALE_LIMIT_MS = 15 * 60_000

/**
 * A revocation is in effect here before anything else is done. Where the broker cannot be asked,
 * the other instances learn of it when it is back.
 */
export class NatsRevocations implements SessionRevocations {
  readonly #nats: NatsConnection
  readonly #memory: MemoryRevocations
  readonly #staleLimitMs: number
  /** Said, and not yet heard. */
  readonly #own = new Set<string>()
  #log!: SharedLog<Entry>
  /** In effect here, and not yet known to the others. */
  #unsaid!: UnsaidChanges<Entry>
  #endWatch: () => void = () => undefined
  #isSaying = false

  private constructor(given: NatsRevocationsOptions) {
    const { connection, onError, staleLimitMs = STALE_LIMIT_MS, unsaid: _, ...options } = given
    this.#nats = connection
    this.#staleLimitMs = staleLimitMs
    this.#memory = new MemoryRevocations({ ...options, ...(onError && { onError }) })
  }

  /** @internal */
  static async open(options: NatsRevocationsOptions): Promise<NatsRevocations> {
    const { connection, deploymentKeys: keys, keepMs = DAY_MS, unsaid } = options
    const revocations = new NatsRevocations(options)
    revocations.#unsaid = await UnsaidChanges.open(unsaid, isEntry)
    for (const { id, revocation } of revocations.#unsaid.all) {
      revocations.#own.add(id)
      await revocations.#memory.revoke(revocation)
    }
    revocations.#log = await SharedLog.open<Entry>(connection, {
      ...{ name: 'revocations', keys, keepMs },
      apply: (entry) => revocations.#apply(entry),
    })
    revocations.#endWatch = connection.onChange(() => void revocations.#sayAll())
    void revocations.#sayAll()
    return revocations
  }

  get version(): number {
    return this.#memory.version
  }

  get isStale(): boolean {
    const { state, sinceMs } = this.#nats.freshness()
    return state !== 'fresh' && sinceMs > this.#staleLimitMs
  }

  /** @throws what the store of unsaid changes threw: it is in effect as long as this runs */
  async revoke(revocation: Revocation): Promise<void> {
    const entry = { id: randomUUID(), revocation }
    await this.#memory.revoke(revocation)
    this.#own.add(entry.id)
    try {
      await this.#say(entry)
    } catch {
      await this.#unsaid.add(entry)
      // The broker may be back since.
      void this.#sayAll()
    }
  }

  isRevoked(caller: Caller, application: Application): boolean {
    return this.#memory.isRevoked(caller, application)
  }

  subscribe(listener: (revocation: Revocation) => void): () => void {
    return this.#memory.subscribe(listener)
  }

  /** Ends the watch on the log. The connection stays. */
  async close(): Promise<void> {
    this.#endWatch()
    this.#log.close()
  }

  async #say(entry: Entry): Promise<void> {
    await this.#log.append(() => ({ entry, result: undefined }))
    // What stays in the store is said again: that changes nothing.
    await this.#unsaid.remove(entry).catch(() => undefined)
  }

  async #sayAll(): Promise<void> {
    const { all } = this.#unsaid
    if (this.#isSaying || all.length === 0 || !this.#nats.isFresh) return
    this.#isSaying = true
    try {
      while (all.length > 0) await this.#say(all[0]!)
    } catch {
      // As soon as the connection says that it is fresh again.
    } finally {
      this.#isSaying = false
    }
  }

  #apply({ id, revocation }: Entry): void {
    if (!this.#own.delete(id)) void this.#memory.revoke(revocation)
  }
}

/**
 * Opens the revocations, and makes their log if there is none; the broker forgets each after
 * `keepMs`, which is fixed when the log is made.
 *
 * @throws PortFailed `nats` when they cannot be read, or were sealed under other keys
 */
export function openNatsRevocations(options: NatsRevocationsOptions): Promise<NatsRevocations> {
  return NatsRevocations.open(options)
}
