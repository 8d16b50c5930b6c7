/**
 * Versions of the configuration in an LMDB file: what was added is on disk before it is answered.
 *
 * Several processes may share the file; each hears of what the others added. Each value has a
 * checksum beside it, and a damaged file is refused before it is mapped. It has secrets of clients,
 * as the configuration file has.
 *
 * @module
 */
import { open, type Database, type RootDatabase } from 'lmdb'
import { Containment, type OnError } from '../../runtime/containment.ts'
import { timerOf } from '../../runtime/scheduler.ts'
import {
  checkSize,
  keptVersions,
  type ConfigurationStore,
  type VersionHead,
} from '../versions/configuration-store.ts'
import { checkSoundFile, openedValue, sealedValue } from './sound-file.ts'

/** Options of {@link openLmdbConfigurationStore}. */
export interface LmdbConfigurationStoreOptions {
  /**
   * The file, mode 0600; a `-lock` file appears beside it. Its directory must exist and be private
   * to the service.
   */
  readonly path: string
  /** How often the file is read for what other processes added. Milliseconds, default 250. */
  readonly readEveryMs?: number | undefined
  /** Told of listeners that fail, and of a file that could not be read. Default: nobody is. */
  readonly onError?: OnError | undefined
}

/** Versions that are closed when the service stops. */
export interface LmdbConfigurationStore extends ConfigurationStore {
  close(): Promise<void>
}

/**
 * Opens the versions, and makes the file if there is none. One that is there is read once by a
 * child process first, whole: a damaged one is refused, and ends nobody.
 *
 * @throws ConfigurationInvalid with the file's name and what to do, when it is damaged or something
 *   else
 */
export function openLmdbConfigurationStore(
  options: LmdbConfigurationStoreOptions,
): LmdbConfigurationStore {
  return new LmdbVersions(options)
}

class LmdbVersions implements LmdbConfigurationStore {
  readonly #path: string
  readonly #root: RootDatabase
  readonly #heads: Database<Buffer, number>
  readonly #contents: Database<Buffer, number>
  readonly #containment: Containment
  readonly #listeners = new Set<() => void>()
  readonly #stopReading: () => void
  /** The newest that listeners were told of. */
  #told: number

  constructor({ path, readEveryMs = 250, onError }: LmdbConfigurationStoreOptions) {
    checkSoundFile(path)
    this.#path = path
    this.#containment = new Containment(onError)
    // Overlapping flushes would answer before the disk has it.
    this.#root = open({ path, noSubdir: true, overlappingSync: false, maxDbs: 3, ...PRIVATE })
    this.#heads = this.#root.openDB({ name: 'heads', encoding: 'binary' })
    this.#contents = this.#root.openDB({ name: 'contents', encoding: 'binary' })
    this.#told = this.#newest()
    const readOn = this.#containment.notify('versions.readOn', () => this.#readOn())
    this.#stopReading = timerOf().every(readEveryMs, readOn)
  }

  async heads(): Promise<readonly VersionHead[]> {
    this.#root.resetReadTxn()
    return this.#allHeads()
  }

  async read(number: number): Promise<string | undefined> {
    this.#root.resetReadTxn()
    const value = this.#contents.get(number)
    return value && (openedValue(this.#path, value) as string)
  }

  async append(head: VersionHead, content: string): Promise<boolean> {
    checkSize(head)
    const isAdded = this.#root.transactionSync(() => {
      if (head.number !== this.#newest() + 1) return false
      const before = this.#allHeads()
      const kept = new Set(keptVersions([head, ...before]).map(({ number }) => number))
      this.#heads.putSync(head.number, sealedValue(head))
      this.#contents.putSync(head.number, sealedValue(content))
      for (const { number } of before)
        if (!kept.has(number))
          for (const table of [this.#heads, this.#contents]) table.removeSync(number)
      return true
    })
    this.#readOn()
    return isAdded
  }

  watch(changed: () => void): () => void {
    const listener = this.#containment.notify('versions.watch', changed)
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  close(): Promise<void> {
    this.#stopReading()
    return this.#root.close()
  }

  #readOn(): void {
    this.#root.resetReadTxn()
    const newest = this.#newest()
    if (newest === this.#told) return
    this.#told = newest
    for (const listener of this.#listeners) listener()
  }

  #newest(): number {
    const [newest = 0] = this.#heads.getKeys({ reverse: true, limit: 1 })
    return newest
  }

  #allHeads(): readonly VersionHead[] {
    return [...this.#heads.getRange({ reverse: true })].map(
      ({ value }) => openedValue(this.#path, value) as VersionHead,
    )
  }
}

/** Not among the types of the library's options. */
const PRIVATE: object = { permissionsMode: 0o600 }
