/**
 * A connector registry in an LMDB file: what it has answered survives the process and the machine.
 *
 * @module
 */
import { open, type Database, type RootDatabase } from 'lmdb'
import { checkSoundFile, openedValue, sealedValue } from './sound-file.ts'
import type { ConnectorRegistry } from '../connectors/connector-registry.ts'
import {
  TransactionalRegistry,
  type RegistryRows,
  type RegistryStore,
  type RegistryTables,
} from '../connectors/transactional-registry.ts'

export interface LmdbRegistryOptions {
  /**
   * The file; a `-lock` file appears beside it. Its directory must exist and be private to the
   * service.
   */
  readonly path: string
}

/** A registry that is closed when the service stops. */
export interface LmdbRegistry extends ConnectorRegistry {
  close(): Promise<void>
}

/**
 * Opens a registry, and makes the file if there is none. A file that is there is read once by a
 * child process first, whole: a damaged one is refused, and ends nobody. A change is flushed to
 * disk before it is answered. Several processes may share the file; each hears only of the changes
 * that it made itself, and finds the others' at the next call.
 *
 * @throws ConfigurationInvalid with the file's name and what to do, when it is damaged or something
 *   else
 */
export function openLmdbRegistry({ path }: LmdbRegistryOptions): LmdbRegistry {
  checkSoundFile(path, TABLES)
  // Overlapping flushes would answer before the disk has it.
  const root = open({ path, noSubdir: true, overlappingSync: false, maxDbs: TABLES.length + 1 })
  const registry = new TransactionalRegistry(lmdbStore(root, path))
  return Object.assign(registry, { close: () => root.close() })
}

const TABLES = ['connectors', 'certificates', 'serials', 'members', 'spent'] as const

function lmdbStore(root: RootDatabase, path: string): RegistryStore {
  const tables = Object.fromEntries(
    TABLES.map((name) => [name, root.openDB({ name, encoding: 'binary' })]),
  ) as Record<keyof RegistryRows, Database<Buffer, string>>

  const view: RegistryTables = {
    get: (table, key) => {
      const stored = tables[table].get(key)
      return (stored && plain(openedValue(path, stored))) as never
    },
    put: (table, key, row) => tables[table].putSync(key, sealedValue(row)),
    remove: (table, key) => void tables[table].removeSync(key),
    *entries(table) {
      for (const { key, value } of tables[table].getRange())
        yield [key, plain(openedValue(path, value)) as never]
    },
  }
  return {
    read: (action) => action(view),
    transact: async (action) => root.transactionSync(() => action(view)),
  }
}

/** Octets come back as a `Buffer`: give them out as what was put in. */
function plain(row: unknown): unknown {
  if (typeof row !== 'object' || row === null || !('der' in row)) return row
  return { ...row, der: new Uint8Array(row.der as Uint8Array) }
}
