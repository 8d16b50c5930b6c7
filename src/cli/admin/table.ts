/**
 * Answers of the admin API as text for a terminal.
 */

import { printable } from '../program/printable.ts'

/** Columns below their names; nothing behind the last. */
export function table(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = [columns, ...rows].map((row) => row.map((cell) => printable(String(cell))))
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)))
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** `2026-11-30 22:05:01Z`. `at`: milliseconds since 1970. */
export function time(at: number | undefined): string {
  return at === undefined ? '-' : `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}Z`
}
