/**
 * The results as text: aligned for a terminal, or as Markdown for the README.
 *
 * @module
 */
import { goalCells } from './goals.ts'
import type { MicroFigure, Results, Row, SlowReaderFigures } from './results.ts'
import { COLUMNS, median, REFERENCE, summarise, type Column } from './statistics.ts'

export type Style = 'text' | 'markdown'

export function report(results: Results, style: Style): string {
  const { machine, load, slowReader, micro } = results
  const heading = style === 'markdown' ? '### ' : ''
  const parts = [
    `${results.date}, ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}, Node ${machine.node}, ${programs(results)}`,
    `Command: \`${results.command}\``,
  ]
  if (load !== undefined) {
    const rounds = Math.max(...load.map((row) => row.rounds.length))
    parts.push(
      `${heading}Load: ${rounds} rounds, median (worst) ×ratio to ${REFERENCE}`,
      `Application: ${results.backend}. Load generator: ${results.loadGenerator}.`,
      table(loadCells(load), style),
      ...load
        .filter(({ failure }) => failure !== undefined)
        .map(({ title, failure }) => `${title}: not measured to the end: ${failure}`),
    )
  }
  const goals = goalCells(load ?? [])
  if (goals.length > 0) parts.push(`${heading}Goals`, table(goals, style))
  if (slowReader !== undefined) {
    parts.push(
      `${heading}Quick requests beside a reader at 10 KiB/s on a 1 GiB download`,
      table(slowCells(slowReader), style),
    )
  }
  for (const [name, figures] of Object.entries(micro ?? {})) {
    parts.push(`${heading}${name}`, table(microCells(figures), style))
  }
  return parts.join('\n\n')
}

const programs = ({ machine }: Results) =>
  Object.entries(machine.programs)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')

function loadCells(rows: readonly Row[]): string[][] {
  const head = ['', ...COLUMNS.map(({ title, unit }) => `${title}, ${unit}`)]
  return [
    head,
    ...rows.map((row) => [row.title, ...COLUMNS.map((column) => cell(row, column, rows))]),
  ]
}

function cell(row: Row, column: Column, rows: readonly Row[]): string {
  const summary = summarise(row, column, rows)
  if (summary === undefined) return '–'
  const show = (value: number) => grouped(value, column.digits)
  const ratio = summary.ratio === undefined ? '' : ` ×${summary.ratio.toFixed(2)}`
  return `${show(summary.median)} (${show(summary.worst)})${ratio}`
}

function slowCells(all: readonly SlowReaderFigures[]): string[][] {
  const head = ['', 'p50 idle → beside, ms', 'p99 idle → beside, ms', 'p99 ratio (worst phase)']
  return [
    [...head, 'cloud grew, MiB', 'connector grew, MiB'],
    ...all.map(
      ({ binding, failure, phases, all: together, cloudGrowthMiB, connectorGrowthMiB }) => {
        if (failure !== undefined) return [binding, `not measured: ${failure}`, '', '', '', '']
        const pair = (of: 'p50Ms' | 'p99Ms') =>
          (['idle', 'slow'] as const)
            .map((phase) => together?.[phase][of] ?? median(phases.map((one) => one[phase][of])))
            .map((ms) => ms.toFixed(2))
            .join(' → ')
        const ratios = phases.map(({ idle, slow }) => slow.p99Ms / idle.p99Ms)
        const typical =
          together === undefined ? median(ratios) : together.slow.p99Ms / together.idle.p99Ms
        const ratio = `×${typical.toFixed(2)} (×${Math.max(...ratios).toFixed(2)})`
        const growth = [cloudGrowthMiB, connectorGrowthMiB].map((value) => value?.toFixed(1) ?? '–')
        return [`app-proxy, ${binding}`, pair('p50Ms'), pair('p99Ms'), ratio, ...growth]
      },
    ),
  ]
}

function microCells(figures: readonly MicroFigure[]): string[][] {
  const rows = figures.map(({ name, nanoseconds, bytes, note = '' }) => [
    ...[name, shown(nanoseconds), shown(bytes), note],
  ])
  // A column that nobody has anything to say in is left out.
  const kept = ['', 'ns', 'bytes', ''].flatMap((head, at) =>
    rows.some((row) => !EMPTY.has(row[at]!)) ? [{ head, at }] : [],
  )
  return [kept.map(({ head }) => head), ...rows.map((row) => kept.map(({ at }) => row[at]!))]
}

const EMPTY: ReadonlySet<string> = new Set(['', '–'])

const shown = (value: number | undefined) =>
  value === undefined ? '–' : grouped(value, value < 100 ? 1 : 0)

/** 13 400.5: thin groups of three, and no sign for what rounds to nothing. */
function grouped(value: number, digits: number): string {
  const [whole, fraction] = value
    .toFixed(digits)
    .replace(/^-(0(?:\.0+)?)$/, '$1')
    .split('.')
  const groups = whole!.replace(/\B(?=(\d{3})+$)/g, ' ')
  return fraction === undefined ? groups : `${groups}.${fraction}`
}

/** The first row is the head. */
export function table(rows: readonly (readonly string[])[], style: Style): string {
  const least = style === 'markdown' ? 3 : 0
  const widths = rows[0]!.map((_, at) => Math.max(least, ...rows.map((row) => row[at]!.length)))
  const lines = rows.map((row) =>
    row.map((text, at) => (at === 0 ? text.padEnd(widths[at]!) : text.padStart(widths[at]!))),
  )
  if (style === 'text') return lines.map((line) => line.join('  ').trimEnd()).join('\n')
  const rule = widths.map((width, at) =>
    at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  const [head, ...body] = lines
  return [head!, rule, ...body].map((line) => `| ${line.join(' | ')} |`).join('\n')
}
