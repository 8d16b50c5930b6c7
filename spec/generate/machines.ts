/**
 * Finds the machines: every exported total table of `src/protocol/machines`, with what its source says of it; and the tables of the other rooms.
 *
 * @module
 */
import { readdir, readFile } from 'node:fs/promises'
import ts from 'typescript'
import type { AnyTable } from '../../src/protocol/machines/table.ts'
import { docOf, literalsOf } from './source.ts'

export interface MachineTable {
  /** The export: `BODY_SENDER`. */
  readonly name: string
  /** As a sentence says it: `body sender`. */
  readonly title: string
  /** File name in `src/protocol/machines`. */
  readonly file: string
  readonly doc: string
  readonly table: AnyTable
  /** The events that come off the wire; all others are ours. */
  readonly peer: readonly string[]
}

/** A table of another room than the protocol's. */
export type OtherTable = Pick<MachineTable, 'name' | 'title' | 'file' | 'table'>

const SOURCES = new URL('../../src/', import.meta.url)
const MACHINES = new URL('protocol/machines/', SOURCES)
const REFUSALS = ['ignored', 'misuse', 'violation']

/** Every machine, by name. */
export async function machines(): Promise<readonly MachineTable[]> {
  const files = (await readdir(MACHINES)).filter((file) => /^[a-z0-9-]+\.ts$/.test(file))
  const found: MachineTable[] = []
  for (const file of files) {
    const exported = (await import(new URL(file, MACHINES).href)) as Record<string, unknown>
    for (const { name, table } of tablesOf(exported)) {
      const source = await sourceOf(file)
      const { doc, peer } = describe(source, name)
      found.push({ name, title: titleOf(name), file, doc, table, peer })
    }
  }
  return found.sort(byName)
}

/** Every total table outside of the protocol, by name; `file` is below `src`. */
export async function otherTables(): Promise<readonly OtherTable[]> {
  const files = (await readdir(SOURCES, { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('protocol/'),
  )
  const found: OtherTable[] = []
  for (const file of files) {
    const url = new URL(file, SOURCES)
    const text = await readFile(url, 'utf8')
    const declared = text.match(/as const satisfies Table</g)?.length ?? 0
    if (declared === 0) continue
    const tables = tablesOf((await import(url.href)) as Record<string, unknown>)
    if (tables.length !== declared) throw new Error(`${file}: a table is not exported`)
    for (const { name, table } of tables) found.push({ name, title: titleOf(name), file, table })
  }
  return found.sort(byName)
}

const titleOf = (name: string) => name.toLowerCase().replaceAll('_', ' ')
const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)

function tablesOf(exported: Readonly<Record<string, unknown>>) {
  return Object.entries(exported).flatMap(([name, table]) =>
    /^[A-Z][A-Z0-9_]*$/.test(name) && isTable(table) ? [{ name, table }] : [],
  )
}

/** Rows of equal events whose cells are states of the same table, or refusals. */
function isTable(value: unknown): value is AnyTable {
  if (typeof value !== 'object' || value === null) return false
  const rows = Object.values(value) as unknown[]
  if (rows.length < 2) return false
  return rows.every((row) => {
    if (typeof row !== 'object' || row === null) return false
    const cells = Object.values(row) as unknown[]
    const legal = (cell: unknown) =>
      typeof cell === 'string' && (cell in value || REFUSALS.includes(cell))
    return cells.length > 0 && cells.every(legal)
  })
}

async function sourceOf(file: string): Promise<ts.SourceFile> {
  const text = await readFile(new URL(file, MACHINES), 'utf8')
  return ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true)
}

/** What the types say and values do not: `satisfies Table<State, Local, Peer>` names the peer's events. */
function describe(source: ts.SourceFile, name: string): { doc: string; peer: readonly string[] } {
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue
    const declaration = statement.declarationList.declarations.find(
      (declaration) => declaration.name.getText() === name,
    )
    if (declaration === undefined) continue
    const type = declaration.initializer
    if (type === undefined || !ts.isSatisfiesExpression(type)) break
    if (!ts.isTypeReferenceNode(type.type) || type.type.typeName.getText() !== 'Table') break
    const peer = type.type.typeArguments?.[2]
    return { doc: docOf(statement), peer: peer === undefined ? [] : literalsOf(source, peer) }
  }
  throw new Error(`${source.fileName}: ${name} must be declared "as const satisfies Table<…>"`)
}
