/**
 * Finds the machines: every exported total table of `src/protocol/machines`, with what its source says of it.
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

const MACHINES = new URL('../../src/protocol/machines/', import.meta.url)
const REFUSALS = ['ignored', 'misuse', 'violation']

/** Every machine, by name. */
export async function machines(): Promise<readonly MachineTable[]> {
  const files = (await readdir(MACHINES)).filter((file) => /^[a-z0-9-]+\.ts$/.test(file))
  const found: MachineTable[] = []
  for (const file of files) {
    const exported = (await import(new URL(file, MACHINES).href)) as Record<string, unknown>
    for (const [name, table] of Object.entries(exported)) {
      if (!/^[A-Z][A-Z_]*$/.test(name) || !isTable(table)) continue
      const source = await sourceOf(file)
      const title = name.toLowerCase().replaceAll('_', ' ')
      const { doc, peer } = describe(source, name)
      found.push({ name, title, file, doc, table, peer })
    }
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
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
