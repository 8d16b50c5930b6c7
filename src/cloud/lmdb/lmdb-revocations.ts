/**
 * Revoked sessions in an LMDB file: what was signed out stays so when the service starts again, and
 * in every process that shares the file.
 *
 * The file is a log; each process keeps what it says in memory, where requests are judged, and
 * reads on from where it was.
 *
 * @module
 */
import { systemClocks } from '../../runtime/clocks.ts'
import { open, type Database, type RootDatabase } from 'lmdb'
import { timerOf } from '../../runtime/scheduler.ts'
import { Containment } from '../../runtime/containment.ts'
import { checkSoundFile, openedValue, sealedValue } from './sound-file.ts'
import type { Caller } from '../identity/caller.ts'
import type { Application } from '../directory/directory-port.ts'
import {
  MemoryRevocations,
  type MemoryRevocationsOptions,
  type Revocation,
  type SessionRevocations,
} from '../session/session-revocations.ts'

/** Options of {@link openLmdbRevocations}. */
export interface LmdbRevocationsOptions extends MemoryRevocationsOptions {
  /**
   * The file; a `-lock` file appears beside it. Its directory must exist and be private to the
   * service.
   */
  readonly path: string
  /** How often the file is read for what other processes wrote. Milliseconds, default 250. */
  readonly readEveryMs?: number
  /**
   * Told when the file could not be read; it is tried again after `readEveryMs`. Default: nobody is
   * told.
   */
  readonly onReadFailed?: (error: unknown) => void
}

interface Entry {
  readonly revocation: Revocation
  /** Milliseconds since 1970. */
  readonly writtenAt: number
}

/** Revocations that are closed when the service stops. */
export class LmdbRevocations implements SessionRevocations {
  readonly #root: RootDatabase
  readonly #path: string
  readonly #log: Database<Buffer, number>
  readonly #memory: MemoryRevocations
  readonly #wallClock: () => number
  readonly #stopReading: () => void
  readonly #onReadFailed: (error: unknown) => void
  /** The last entry that {@link #memory} knows. */
  #last = 0

  constructor({ path, readEveryMs = 250, onReadFailed, ...options }: LmdbRevocationsOptions) {
    this.#onReadFailed = new Containment(options.onError).notify('onReadFailed', (error) =>
      onReadFailed?.(error),
    )
    checkSoundFile(path)
    this.#path = path
    // Overlapping flushes would answer before the disk has it.
    this.#root = open({ path, noSubdir: true, overlappingSync: false, maxDbs: 2 })
    this.#log = this.#root.openDB({ name: 'log', encoding: 'binary' })
    this.#memory = new MemoryRevocations(options)
    this.#wallClock = options.wallClock ?? systemClocks.wallClock
    this.#forgetBefore(this.#wallClock() - (options.keepMs ?? 24 * 3_600_000))
    this.#read()
    this.#stopReading = timerOf().every(readEveryMs, () => this.#readAgain())
  }

  get version(): number {
    return this.#memory.version
  }

  /** On disk, and in effect here, before the promise settles. */
  async revoke(revocation: Revocation): Promise<void> {
    this.#root.transactionSync(() => {
      const [last = 0] = this.#log.getKeys({ reverse: true, limit: 1 })
      this.#log.putSync(last + 1, sealedValue({ revocation, writtenAt: this.#wallClock() }))
    })
    this.#read()
  }

  isRevoked(caller: Caller, application: Application): boolean {
    return this.#memory.isRevoked(caller, application)
  }

  subscribe(listener: (revocation: Revocation) => void): () => void {
    return this.#memory.subscribe(listener)
  }

  async close(): Promise<void> {
    this.#stopReading()
    await this.#root.close()
  }

  #readAgain(): void {
    try {
      this.#read()
    } catch (error) {
      this.#onReadFailed(error)
    }
  }

  #read(): void {
    for (const { key, value } of this.#log.getRange({ start: this.#last + 1 })) {
      this.#last = key
      void this.#memory.revoke(this.#entry(value).revocation)
    }
  }

  #entry(value: Buffer): Entry {
    return openedValue(this.#path, value) as Entry
  }

  /**
   * The newest entry is kept at any age: numbers must not start again below what another process
   * has read.
   */
  #forgetBefore(time: number): void {
    this.#root.transactionSync(() => {
      const [last = 0] = this.#log.getKeys({ reverse: true, limit: 1 })
      for (const { key, value } of this.#log.getRange()) {
        if (this.#entry(value).writtenAt >= time || key === last) return
        this.#log.removeSync(key)
      }
    })
  }
}

/** Opens the revocations, and makes the file if there is none. */
export function openLmdbRevocations(options: LmdbRevocationsOptions): LmdbRevocations {
  return new LmdbRevocations(options)
}
