/**
 * Bars of ratios, as SVG: for each column, each contender against the reference.
 *
 * @module
 */
import type { Row } from './results.ts'
import { COLUMNS, REFERENCE, summarise } from './statistics.ts'

const LABEL_WIDTH = 190
const BAR_WIDTH = 360
const VALUE_WIDTH = 70
const ROW_HEIGHT = 18
const GAP = 34
/** A bar of so much or more fills its space. */
const MOST = 4

export function plotRatios(rows: readonly Row[]): string {
  const shown = rows.filter(({ rounds }) => rounds.length > 0)
  let y = 28
  const parts: string[] = []
  for (const column of COLUMNS) {
    const { title, better } = column
    parts.push(text(10, y, `${title}: × ${REFERENCE}, ${better} is better`, 'head'))
    const top = y
    for (const row of shown) {
      const ratio = summarise(row, column, rows)?.ratio
      if (ratio === undefined) continue
      y += ROW_HEIGHT
      const width = (Math.min(ratio, MOST) / MOST) * BAR_WIDTH
      const isBetter = better === 'more' ? ratio >= 1 : ratio <= 1
      const kind = row.name === REFERENCE ? 'reference' : isBetter ? 'better' : 'worse'
      parts.push(
        text(LABEL_WIDTH - 8, y, row.title, 'label'),
        `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y - 11}" width="${width.toFixed(1)}" height="13"/>`,
        text(LABEL_WIDTH + width + 5, y, `${ratio.toFixed(2)}${ratio > MOST ? ' →' : ''}`, 'value'),
      )
    }
    const one = LABEL_WIDTH + BAR_WIDTH / MOST
    parts.push(`<line x1="${one}" y1="${top + 5}" x2="${one}" y2="${y + 4}"/>`)
    y += GAP
  }
  const width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img">
<title>Ratios to ${escaped(REFERENCE)}</title>
<style>
text { font: 12px sans-serif; fill: #222 } .head { font-weight: bold } .label { text-anchor: end }
.reference { fill: #999 } .better { fill: #2a7f62 } .worse { fill: #c2572b } line { stroke: #222; stroke-dasharray: 2 2 }
rect.paper { fill: #fff }
</style>
<rect class="paper" width="${width}" height="${y}"/>
${parts.join('\n')}
</svg>
`
}

function text(x: number, y: number, content: string, kind: string): string {
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y}">${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
