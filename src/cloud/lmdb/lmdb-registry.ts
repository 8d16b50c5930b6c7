/**
 * A connector registry in an LMDB file: what it has answered survives the process and the machine.
 *
 * Several processes may share the file. Each change stands in a journal in the same transaction;
 * every process reads on in it, and tells its listeners what the others changed.
 *
 * @module
 */
import { open, type Database, type RootDatabase } from 'lmdb'
import { timerOf } from '../../runtime/scheduler.ts'
import { Containment, type OnError } from '../../runtime/containment.ts'
import { checkSoundFile, openedValue, sealedValue } from './sound-file.ts'
import type { ConnectorStanding } from '../connectors/connector-records.ts'
import type { ConnectorRegistry, RegistryChange } from '../connectors/connector-registry.ts'
import type { LinksFate } from '../../protocol/internal.ts'
import {
  TransactionalRegistry,
  type RegistryRows,
  type RegistryStore,
  type RegistryTables,
} from '../connectors/transactional-registry.ts'

/** Options of {@link openLmdbRegistry}. */
export interface LmdbRegistryOptions {
  /**
   * The file; a `-lock` file appears beside it. Its directory must exist and be private to the
   * service.
   */
  readonly path: string
  /** How often the file is read for what other processes changed. Milliseconds, default 250. */
  readonly readEveryMs?: number | undefined
  /**
   * Told of listeners that fail, and of a file that could not be read: it is tried again after
   * `readEveryMs`. Default: nobody is.
   */
  readonly onError?: OnError | undefined
}

/** A registry that is closed when the service stops. */
export interface LmdbRegistry extends ConnectorRegistry {
  close(): Promise<void>
}

/**
 * Opens a registry, and makes the file if there is none. A file that is there is read once by a
 * child process first, whole: a damaged one is refused, and ends nobody. A change is flushed to
 * disk before it is answered. Several processes may share the file; each hears of all changes, of
 * the others' within `readEveryMs`.
 *
 * @throws ConfigurationInvalid with the file's name and what to do, when it is damaged or something
 *   else
 */
export function openLmdbRegistry(options: LmdbRegistryOptions): LmdbRegistry {
  const { path, readEveryMs = 250, onError } = options
  checkSoundFile(path)
  // Overlapping flushes would answer before the disk has it.
  const root = open({ path, noSubdir: true, overlappingSync: false, maxDbs: TABLES.length + 2 })
  const store = new LmdbStore(root, path)
  const registry = new TransactionalRegistry(store, onError)
  const readOn = new Containment(onError).notify('registry.readOn', () => store.readOn())
  const stopReading = timerOf().every(readEveryMs, readOn)
  return Object.assign(registry, {
    close: () => {
      stopReading()
      return root.close()
    },
  })
}

const TABLES = [
  'connectors',
  'certificates',
  'serials',
  'members',
  'spent',
  'tickets',
  'terms',
] as const
const JOURNAL = 'changes'
/** Changes kept in the journal: a process that was stopped for longer has missed some. */
const KEPT_CHANGES = 1_000

class LmdbStore implements RegistryStore {
  readonly #root: RootDatabase
  readonly #path: string
  readonly #tables: Record<keyof RegistryRows, Database<Buffer, string>>
  /** Changes by number, each one more than the one before. */
  readonly #journal: Database<Buffer, number>
  readonly #view: RegistryTables
  readonly #listeners: ((change: RegistryChange) => void)[] = []
  /** The last change that listeners were told. */
  #last: number

  constructor(root: RootDatabase, path: string) {
    this.#root = root
    this.#path = path
    this.#tables = Object.fromEntries(
      TABLES.map((name) => [name, root.openDB({ name, encoding: 'binary' })]),
    ) as Record<keyof RegistryRows, Database<Buffer, string>>
    this.#journal = root.openDB({ name: JOURNAL, encoding: 'binary' })
    this.#last = this.#newest()
    this.#view = this.#viewOf(this.#tables)
  }

  read<T>(action: (tables: Pick<RegistryTables, 'get' | 'entries'>) => T): T {
    return action(this.#view)
  }

  async transact<T>(action: (tables: RegistryTables) => T): Promise<T> {
    const result = this.#root.transactionSync(() => action(this.#view))
    this.readOn()
    return result
  }

  subscribe(listener: (change: RegistryChange) => void): void {
    this.#listeners.push(listener)
  }

  /** Tells of what was committed since it was told last, whoever did it. */
  readOn(): void {
    const changes = [...this.#journal.getRange({ start: this.#last + 1 })]
    if (changes.length === 0) return
    const isWhole = changes[0]!.key === this.#last + 1
    this.#last = changes.at(-1)!.key
    const told = isWhole
      ? changes.map(({ value }) => this.#opened(value) as RegistryChange)
      : this.#missed()
    for (const change of told) for (const listener of this.#listeners) listener(change)
  }

  /** What changed, nobody knows any more: every connector may have. */
  #missed(): RegistryChange[] {
    return [...this.#view.entries('connectors')].map(([, connector]) => ({
      type: 'changed',
      connector,
      links: connector.forgotten ? 'cut' : MISSED[connector.standing],
    }))
  }

  #newest(): number {
    const [last = 0] = this.#journal.getKeys({ reverse: true, limit: 1 })
    return last
  }

  #opened(value: Uint8Array): unknown {
    return plain(openedValue(this.#path, value))
  }

  #viewOf(tables: Record<keyof RegistryRows, Database<Buffer, string>>): RegistryTables {
    const opened = (value: Uint8Array) => this.#opened(value)
    return {
      get: (table, key) => {
        const stored = tables[table].get(key)
        return (stored && opened(stored)) as never
      },
      put: (table, key, row) => tables[table].putSync(key, sealedValue(row)),
      remove: (table, key) => void tables[table].removeSync(key),
      *entries(table) {
        for (const { key, value } of tables[table].getRange()) yield [key, opened(value) as never]
      },
      tell: (change) => {
        const number = this.#newest() + 1
        this.#journal.putSync(number, sealedValue(change))
        this.#journal.removeSync(number - KEPT_CHANGES)
      },
    }
  }
}

/** Links that were made before a change that was missed: an active connector dials new ones. */
const MISSED: Readonly<Record<ConnectorStanding, LinksFate>> = {
  pending: 'cut',
  active: 'drain',
  draining: 'drain',
  disabled: 'cut',
  revoked: 'cut',
}

/** Octets come back as a `Buffer`: give them out as what was put in. */
function plain(row: unknown): unknown {
  if (typeof row !== 'object' || row === null) return row
  if ('der' in row) return { ...row, der: new Uint8Array(row.der as Uint8Array) }
  if ('certificate' in row) return { ...row, certificate: plain(row.certificate) }
  return row
}
