/**
 * Refresh tokens in an LMDB file: sessions outlive a restart, and every process that shares the
 * file renews them.
 *
 * What is in the file is sealed under the key ring; without that it opens nothing. Each value has a
 * checksum beside it, and a damaged file is refused before it is mapped.
 *
 * @module
 */
import { systemClocks } from '../../runtime/clocks.ts'
import { timerOf } from '../../runtime/scheduler.ts'
import { open, type Database, type RootDatabase } from 'lmdb'
import {
  SWEEP_MS,
  type KeptGrant,
  type SessionGrants,
  type VersionedGrant,
} from '../session/session-grants.ts'
import { checkSoundFile, openedValue, sealedValue } from './sound-file.ts'

/** Options of {@link openLmdbSessionGrants}. */
export interface LmdbSessionGrantsOptions {
  /**
   * The file; a `-lock` file appears beside it. Its directory must exist and be private to the
   * service.
   */
  readonly path: string
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly wallClock?: () => number
}

/** Grants that are closed when the service stops. */
export class LmdbSessionGrants implements SessionGrants {
  readonly #path: string
  readonly #root: RootDatabase
  readonly #grants: Database<Buffer, string>
  /** Label and session, for each label of each grant. */
  readonly #labels: Database<Buffer, [string, string]>
  readonly #counters: Database<Buffer, string>
  readonly #wallClock: () => number
  readonly #stopSweeping: () => void

  constructor({ path, wallClock = systemClocks.wallClock }: LmdbSessionGrantsOptions) {
    checkSoundFile(path)
    this.#path = path
    // Overlapping flushes would answer before the disk has it: a rotated token is lost for good.
    this.#root = open({ path, noSubdir: true, overlappingSync: false, maxDbs: 4 })
    this.#grants = this.#root.openDB({ name: 'grants', encoding: 'binary' })
    this.#labels = this.#root.openDB({ name: 'labels', encoding: 'binary' })
    this.#counters = this.#root.openDB({ name: 'counters', encoding: 'binary' })
    this.#wallClock = wallClock
    this.#sweep()
    this.#stopSweeping = timerOf().every(SWEEP_MS, () => this.#sweep())
  }

  async read(sessionId: string): Promise<VersionedGrant | undefined> {
    // What another process wrote in this very turn counts.
    this.#root.resetReadTxn()
    return this.#grant(sessionId)
  }

  async write(sessionId: string, kept: KeptGrant, version?: number): Promise<number | undefined> {
    return this.#root.transactionSync(() => {
      const before = this.#grant(sessionId)
      if (version !== undefined && before?.version !== version) return undefined
      const next = this.#lastVersion() + 1
      this.#counters.putSync('version', sealedValue(next))
      this.#unlabel(sessionId, before)
      this.#grants.putSync(sessionId, sealedValue({ kept, version: next }))
      for (const label of kept.labels) this.#labels.putSync([label, sessionId], sealedValue(true))
      return next
    })
  }

  async endAt(sessionId: string, endsAt: number): Promise<void> {
    this.#root.transactionSync(() => {
      const before = this.#grant(sessionId)
      if (before === undefined) return
      const kept = { ...before.kept, endsAt }
      this.#grants.putSync(sessionId, sealedValue({ ...before, kept }))
    })
  }

  async remove(sessionId: string): Promise<void> {
    this.#root.transactionSync(() => this.#drop(sessionId))
  }

  async removeLabelled(label: string, startedUpTo: number): Promise<void> {
    this.#root.transactionSync(() => {
      const range = { start: [label, ''] as [string, string], end: [label, '\uffff'] as never }
      const ids = [...this.#labels.getKeys(range)].map(([, id]) => id)
      for (const id of ids)
        if ((this.#grant(id)?.kept.startedAt ?? 0) <= startedUpTo) this.#drop(id)
    })
  }

  async close(): Promise<void> {
    this.#stopSweeping()
    await this.#root.close()
  }

  #grant(sessionId: string): VersionedGrant | undefined {
    const value = this.#grants.get(sessionId)
    return value && this.#opened(value)
  }

  #opened(value: Buffer): VersionedGrant {
    return openedValue(this.#path, value) as VersionedGrant
  }

  #lastVersion(): number {
    const value = this.#counters.get('version')
    return value === undefined ? 0 : (openedValue(this.#path, value) as number)
  }

  #drop(sessionId: string): void {
    this.#unlabel(sessionId, this.#grant(sessionId))
    this.#grants.removeSync(sessionId)
  }

  #unlabel(sessionId: string, grant: VersionedGrant | undefined): void {
    for (const label of grant?.kept.labels ?? []) this.#labels.removeSync([label, sessionId])
  }

  /** Any process may remove an ended grant: it is of no use to anybody. */
  #sweep(): void {
    const now = this.#wallClock()
    this.#root.transactionSync(() => {
      for (const { key, value } of [...this.#grants.getRange()])
        if (this.#opened(value).kept.endsAt <= now) this.#drop(key)
    })
  }
}

/**
 * Opens the grants, and makes the file if there is none. One that is there is read once by a child
 * process first, whole: a damaged one is refused, and ends nobody.
 *
 * @throws ConfigurationInvalid with the file's name and what to do, when it is damaged or something
 *   else
 */
export function openLmdbSessionGrants(options: LmdbSessionGrantsOptions): LmdbSessionGrants {
  return new LmdbSessionGrants(options)
}
