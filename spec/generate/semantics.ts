/**
 * The table of what each binding carries.
 *
 * @module
 */
import { BINDINGS, carried, SEMANTICS } from '../semantics.ts'
import { markdownTable } from './tables.ts'

export function semantics(): string {
  const rows = SEMANTICS.map((semantic) => [
    semantic.name,
    ...BINDINGS.map((binding) => (carried(semantic, binding) === 'yes' ? 'yes' : '501, says so')),
  ])
  return markdownTable(['', ...BINDINGS], rows)
}
