/**
 * One-time codes that were used, in an LMDB file: of all processes that share it, one takes a code.
 *
 * @module
 */
import { open, type Database, type RootDatabase } from 'lmdb'
import { systemClocks } from '../../runtime/clocks.ts'
import { timerOf } from '../../runtime/scheduler.ts'
import type { SpentCodes } from '../session/spent-codes.ts'
import { checkSoundFile, openedValue, sealedValue } from './sound-file.ts'

/** How often what is over is removed. Milliseconds. */
const SWEEP_MS = 60_000

/** Options of {@link openLmdbSpentCodes}. */
export interface LmdbSpentCodesOptions {
  /**
   * The file; a `-lock` file appears beside it. Its directory must exist and be private to the
   * service.
   */
  readonly path: string
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly wallClock?: () => number
}

/** Codes that are closed when the service stops. */
export class LmdbSpentCodes implements SpentCodes {
  readonly #root: RootDatabase
  readonly #path: string
  readonly #spent: Database<Buffer, string>
  readonly #wallClock: () => number
  readonly #stopSweeping: () => void

  constructor({ path, wallClock = systemClocks.wallClock }: LmdbSpentCodesOptions) {
    checkSoundFile(path)
    this.#path = path
    // Overlapping flushes would answer before the disk has it.
    this.#root = open({ path, noSubdir: true, overlappingSync: false, maxDbs: 2 })
    this.#spent = this.#root.openDB({ name: 'spent', encoding: 'binary' })
    this.#wallClock = wallClock
    this.#sweep()
    this.#stopSweeping = timerOf().every(SWEEP_MS, () => this.#sweep())
  }

  /** On disk before the promise settles. */
  async spend(id: string, until: number): Promise<boolean> {
    return this.#root.transactionSync(() => {
      if (this.#spent.doesExist(id)) return false
      this.#spent.putSync(id, sealedValue(until))
      return true
    })
  }

  async close(): Promise<void> {
    this.#stopSweeping()
    await this.#root.close()
  }

  #sweep(): void {
    const now = this.#wallClock()
    this.#root.transactionSync(() => {
      for (const { key, value } of [...this.#spent.getRange()])
        if ((openedValue(this.#path, value) as number) <= now) this.#spent.removeSync(key)
    })
  }
}

/** Opens the codes, and makes the file if there is none. */
export function openLmdbSpentCodes(options: LmdbSpentCodesOptions): LmdbSpentCodes {
  return new LmdbSpentCodes(options)
}
