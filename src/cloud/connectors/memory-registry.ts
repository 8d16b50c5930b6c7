import type { ConnectorRegistry, RegistryChange } from './connector-registry.ts'
import {
  TransactionalRegistry,
  type RegistryRows,
  type RegistryStore,
  type RegistryTables,
} from './transactional-registry.ts'

/** A registry that lasts as long as the process: for tests, and for trying things out. */
export function createMemoryRegistry(): ConnectorRegistry {
  return new TransactionalRegistry(memoryStore())
}

function memoryStore(): RegistryStore {
  const rows = new Map<string, Map<string, unknown>>()
  const tableOf = (name: string) => {
    const table = rows.get(name) ?? new Map<string, unknown>()
    rows.set(name, table)
    return table
  }
  const reading = {
    get: <T extends keyof RegistryRows>(table: T, key: string) =>
      tableOf(table).get(key) as RegistryRows[T] | undefined,
    entries: <T extends keyof RegistryRows>(table: T) =>
      tableOf(table) as Map<string, RegistryRows[T]>,
  }
  const listeners: ((change: RegistryChange) => void)[] = []
  return {
    subscribe: (listener) => void listeners.push(listener),
    read: (action) => action(reading),
    async transact(action) {
      // Nothing is written before the action is through: one that throws has done nothing.
      const changes: [table: string, key: string, row: unknown][] = []
      const told: RegistryChange[] = []
      const tables: RegistryTables = {
        get: (table, key) => {
          const change = changes.findLast(([t, k]) => t === table && k === key)
          return change === undefined ? reading.get(table, key) : (change[2] as never)
        },
        put: (table, key, row) => void changes.push([table, key, row]),
        remove: (table, key) => void changes.push([table, key, undefined]),
        entries: reading.entries,
        tell: (change) => void told.push(change),
      }
      const result = action(tables)
      for (const [table, key, row] of changes) {
        if (row === undefined) tableOf(table).delete(key)
        else tableOf(table).set(key, row)
      }
      for (const change of told) for (const listener of listeners) listener(change)
      return result
    },
  }
}
