import { diagram } from './diagram.ts'
import type { MachineTable } from './machines.ts'

/** All machines as a chapter: what each is, its diagram, its table. */
export function machineReference(machines: readonly MachineTable[]): string {
  return machines.map(section).join('\n\n')
}

function section({ title, file, doc, table, peer }: MachineTable): string {
  return [
    `### ${title[0]!.toUpperCase()}${title.slice(1)}`,
    `${doc} Source: \`src/protocol/machines/${file}\`.`,
    `\`\`\`mermaid\n${diagram(table)}\n\`\`\``,
    transposed(table, peer),
  ].join('\n\n')
}

/** States across, events down: a table has few states and many events. */
function transposed(table: MachineTable['table'], peer: readonly string[]): string {
  const states = Object.keys(table)
  const events = Object.keys(table[states[0]!]!)
  const rows = events.map((event) => [
    peer.includes(event) ? `\`${event}\` (peer)` : `\`${event}\``,
    ...states.map((state) => cell(state, table[state]![event]!)),
  ])
  return markdownTable(['event', ...states.map((state) => `\`${state}\``)], rows)
}

function cell(state: string, next: string): string {
  if (next === 'ignored') return '·'
  if (next === 'misuse' || next === 'violation') return `_${next}_`
  return next === state ? '↺' : next
}

export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
