import type { AnyTable } from '../../src/protocol/machines/table.ts'

/** A Mermaid state diagram of a table. Refusals and moves that stay are left out; a state that nothing leaves is final. */
export function diagram(table: AnyTable): string {
  const states = Object.keys(table)
  const lines = ['stateDiagram-v2']
  // Mermaid reads a hyphen in an identifier as the start of an arrow.
  for (const state of states.filter((state) => state.includes('-')))
    lines.push(`  state "${state}" as ${identifier(state)}`)
  lines.push(`  [*] --> ${identifier(states[0]!)}`)
  for (const state of states) {
    const edges = edgesFrom(table, state)
    for (const [next, events] of edges)
      lines.push(`  ${identifier(state)} --> ${identifier(next)}: ${events.join(', ')}`)
    if (edges.size === 0) lines.push(`  ${identifier(state)} --> [*]`)
  }
  return lines.join('\n')
}

/** Where `state` leads, and on which events. */
function edgesFrom(table: AnyTable, state: string): Map<string, string[]> {
  const edges = new Map<string, string[]>()
  for (const [event, next] of Object.entries(table[state]!)) {
    if (!(next in table) || next === state) continue
    edges.set(next, [...(edges.get(next) ?? []), event])
  }
  return edges
}

const identifier = (state: string) => state.replaceAll('-', '_')
