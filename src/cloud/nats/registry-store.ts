/**
 * The tables of a connector registry, as a shared log says them: one entry is one transaction.
 *
 * While the broker cannot be asked, some changes are made here alone: they lie over the tables, and
 * are decided again on what the others did meanwhile, as soon as that is known.
 *
 * @module
 */
import type { RegistryChange } from '../connectors/connector-registry.ts'
import type { LinksFate } from '../../protocol/internal.ts'
import type { ConnectorRecord, ConnectorStanding } from '../connectors/connector-records.ts'
import type {
  RegistryStore,
  RegistryTable,
  RegistryTables,
} from '../connectors/transactional-registry.ts'
import { changeStanding, forgetConnector } from '../connectors/connector-changes.ts'
import type { DeploymentKeys } from './deployment-keys.ts'
import type { NatsConnection } from './nats-connection.ts'
import { SharedLog } from './shared-log.ts'
import { UnsaidChanges, type UnsaidChangesStore } from './unsaid-changes.ts'

/** A row as it is from now on; without one it is gone. Of a longer list, what follows `kept`. */
interface RowChange {
  readonly table: RegistryTable
  readonly key: string
  readonly row?: unknown
  readonly kept?: number
}

/** What a transaction did. */
export interface RegistryEntry {
  readonly changes: readonly RowChange[]
  readonly told: readonly RegistryChange[]
}

/** Table and key → row; one that is `undefined` is gone. */
type Layer = Map<string, Map<string, unknown>>
type Reading = Pick<RegistryTables, 'get' | 'entries'>

/** What an instance may change by itself, as it is kept until the broker has it. */
export type OwnChange =
  | {
      readonly kind: 'standing'
      readonly connectorId: string
      readonly standing: Exclude<ConnectorStanding, 'pending' | 'active'>
      readonly now: number
    }
  | { readonly kind: 'forget'; readonly connectorId: string; readonly now: number }

/** Entries between two bases, and rows in a part of one: some 100 KB. */
const BASE_EVERY = 2_000
const ROWS_IN_PART = 100

/** @internal */
export class NatsRegistryStore implements RegistryStore {
  readonly #nats: NatsConnection
  /** By table and key: what the log says. */
  readonly #rows: Layer = new Map()
  /** By table and key: what was changed here alone. */
  readonly #local: Layer = new Map()
  readonly #listeners: ((change: RegistryChange) => void)[] = []
  #log!: SharedLog<RegistryEntry>
  #unsaid!: UnsaidChanges<OwnChange>
  #isMerging = false
  #endWatch: () => void = () => undefined

  private constructor(nats: NatsConnection) {
    this.#nats = nats
  }

  static async open(
    nats: NatsConnection,
    keys: DeploymentKeys,
    unsaid: UnsaidChangesStore | undefined,
  ): Promise<NatsRegistryStore> {
    const store = new NatsRegistryStore(nats)
    store.#unsaid = await UnsaidChanges.open(unsaid, isOwnChange)
    store.#log = await SharedLog.open<RegistryEntry>(nats, {
      ...{ name: 'registry', keys },
      apply: (entry) => store.#apply(entry),
      base: {
        parts: () => store.#parts(),
        restore: (parts) => store.#restore(parts as [string, string, unknown][][]),
        every: BASE_EVERY,
      },
    })
    for (const change of store.#unsaid.all) store.#repeatHere(change)
    store.#endWatch = nats.onChange(() => void store.#merge())
    void store.#merge()
    return store
  }

  read<T>(action: (tables: Reading) => T): T {
    return action(this.#view([this.#local, this.#rows]))
  }

  /** @throws Refused `unavailable` when it changes something, and the broker cannot be asked */
  transact<T>(action: (tables: RegistryTables) => T): Promise<T> {
    return this.#log.append(() => {
      const { result, entry } = this.#tried(action, [this.#rows])
      return { result, ...(entry.changes.length + entry.told.length > 0 && { entry }) }
    })
  }

  /**
   * In effect here at once; everywhere, by `change`, as soon as the broker can be asked.
   *
   * @throws what the store of unsaid changes threw: it is in effect as long as this process runs
   */
  async transactHere<T>(action: (tables: RegistryTables) => T, change: OwnChange): Promise<T> {
    const result = this.#doHere(action)
    await this.#unsaid.add(change)
    void this.#merge()
    return result
  }

  subscribe(listener: (change: RegistryChange) => void): void {
    this.#listeners.push(listener)
  }

  close(): void {
    this.#endWatch()
    this.#log.close()
  }

  /** Decides again what was decided here alone, in its order; what is not possible is not done. */
  async #merge(): Promise<void> {
    const { all } = this.#unsaid
    if (this.#isMerging || all.length === 0) return
    this.#isMerging = true
    try {
      while (all.length > 0 && this.#nats.isFresh) {
        const change = all[0]!
        try {
          await this.transact((tables) => repeat(tables, change))
        } catch (error) {
          if (isUnavailable(error)) return
        }
        // What stays in the store is said again: that changes nothing.
        await this.#unsaid.remove(change).catch(() => undefined)
      }
      if (all.length === 0) this.#local.clear()
    } finally {
      this.#isMerging = false
    }
  }

  #repeatHere(change: OwnChange): void {
    try {
      this.#doHere((tables) => repeat(tables, change))
    } catch {
      // Others did more meanwhile: it is not possible any more.
    }
  }

  #doHere<T>(action: (tables: RegistryTables) => T): T {
    const { result, entry } = this.#tried(action, [this.#local, this.#rows])
    for (const change of entry.changes) put(this.#local, this.#whole(change, this.#local))
    for (const change of entry.told) this.#tell(change)
    return result
  }

  #tried<T>(
    action: (tables: RegistryTables) => T,
    layers: readonly Layer[],
  ): { readonly result: T; readonly entry: RegistryEntry } {
    const changed: Layer = new Map()
    const told: RegistryChange[] = []
    const view = this.#view([changed, ...layers])
    const before = this.#view(layers)
    const result = action({
      ...view,
      put: (table, key, row) => put(changed, { table, key, row }),
      remove: (table, key) => put(changed, { table, key }),
      tell: (change) => void told.push(change),
    })
    const changes = [...changed].flatMap(([table, rows]) =>
      [...rows].map(([key, row]) => {
        const name = table as RegistryTable
        return { table: name, key, ...shortened(before.get(name, key), row) }
      }),
    )
    return { result, entry: { changes, told } }
  }

  #apply({ changes, told }: RegistryEntry): void {
    for (const change of changes) put(this.#rows, this.#whole(change))
    for (const change of told) this.#tell(change)
  }

  /** @param over what lies over the rows, if anything does */
  #whole(change: RowChange, over: Layer = new Map()): RowChange {
    if (change.kept === undefined) return change
    const { table, key } = change
    const rows = over.get(table)?.has(key) ? over : this.#rows
    const before = (rows.get(table)?.get(key) ?? []) as readonly unknown[]
    const row = [...before.slice(0, change.kept), ...(change.row as readonly unknown[])]
    return { ...change, row }
  }

  #tell(change: RegistryChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  #view(layers: readonly Layer[]): Reading {
    return {
      get: (table, key) => {
        const layer = layers.find((rows) => rows.get(table)?.has(key))
        return layer?.get(table)?.get(key) as never
      },
      entries: (table) => {
        const merged = new Map<string, unknown>()
        for (const layer of layers.toReversed())
          for (const [key, row] of layer.get(table) ?? []) merged.set(key, row)
        return [...merged].filter(([, row]) => row !== undefined) as never
      },
    }
  }

  #parts(): unknown[] {
    const rows: (readonly [table: string, key: string, row: unknown])[] = []
    for (const [table, of] of this.#rows)
      for (const [key, row] of of) if (row !== undefined) rows.push([table, key, row])
    const parts: unknown[] = []
    for (let i = 0; i < rows.length || parts.length === 0; i += ROWS_IN_PART)
      parts.push(rows.slice(i, i + ROWS_IN_PART))
    return parts
  }

  /** What changed meanwhile nobody says any more: every connector may have. */
  #restore(parts: readonly [string, string, unknown][][]): void {
    this.#rows.clear()
    const all = parts.flat()
    for (const [table, key, row] of all)
      put(this.#rows, { table: table as RegistryTable, key, row })
    for (const connector of (this.#rows.get('connectors')?.values() ?? []) as ConnectorRecord[])
      this.#tell({ type: 'changed', connector, links: MISSED[connector.standing] })
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

const isOwnChange = ({ kind, connectorId, now }: Partial<OwnChange>): boolean =>
  (kind === 'standing' || kind === 'forget') &&
  typeof connectorId === 'string' &&
  typeof now === 'number'

/** What somebody ordered later stays, but where this one takes away more. */
function repeat(tables: RegistryTables, change: OwnChange): unknown {
  const { connectorId, now } = change
  if (change.kind === 'forget') return forgetConnector(tables, connectorId, now, {})
  const { standing } = change
  const row = tables.get('connectors', connectorId)
  const isMore = standing === 'revoked' || (standing === 'disabled' && row?.standing === 'draining')
  if (row !== undefined && (row.standingSince ?? 0) > now && !isMore) return row
  return changeStanding(tables, connectorId, standing, now, {})
}

function put(layer: Layer, { table, key, row }: RowChange): void {
  const rows = layer.get(table) ?? new Map<string, unknown>()
  layer.set(table, rows)
  rows.set(key, row)
}

/** A list that grew at its end is said as what was added: the members of a tenant are many. */
function shortened(before: unknown, row: unknown): Pick<RowChange, 'row' | 'kept'> {
  if (row === undefined) return {}
  if (!Array.isArray(before) || !Array.isArray(row)) return { row }
  let kept = 0
  while (kept < before.length && kept < row.length && before[kept] === row[kept]) kept += 1
  return { row: row.slice(kept), kept }
}

/** Whether it was refused only because the broker cannot be asked. @internal */
export function isUnavailable(error: unknown): boolean {
  return (error as { reason?: unknown }).reason === 'unavailable'
}
