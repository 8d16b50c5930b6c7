/**
 * Faults of old devices' answers that may be mended, by name, as RFC 9112 says how.
 *
 * @see docs/publishing.md
 * @module
 */
import { trimBlanks } from './header-list.ts'

/**
 * One of them, in the head of an answer:
 *
 * - `repeated-content-length`: the same length said more than once (RFC 9112, section 6.3)
 * - `space-before-colon`: blanks between a field's name and its colon (section 5.1)
 * - `folded-fields`: a field that goes on in the next line (section 5.2)
 * - `bare-line-feed`: lines that end with LF alone (section 2.2)
 */
export type AnswerFault =
  'repeated-content-length' | 'space-before-colon' | 'folded-fields' | 'bare-line-feed'

/** All of them. */
export const ANSWER_FAULTS = [
  'repeated-content-length',
  'space-before-colon',
  'folded-fields',
  'bare-line-feed',
] as const satisfies readonly AnswerFault[]

export const isAnswerFault = (name: string): name is AnswerFault =>
  (ANSWER_FAULTS as readonly string[]).includes(name)

/** Whether what has come of a head is all of it. */
export function headEnd(text: string, faults: ReadonlySet<AnswerFault>, from: number): number {
  const border = faults.has('bare-line-feed') ? /\n\r?\n/g : /\r\n\r\n/g
  border.lastIndex = from
  return border.test(text) ? border.lastIndex : -1
}

/**
 * A head, its octets as code points, with what may be mended mended. What is faulty otherwise stays
 * as it is: whoever parses it refuses it.
 */
export function mendedHead(head: string, faults: ReadonlySet<AnswerFault>): string {
  let lines = linesOf(head, faults.has('bare-line-feed'))
  if (faults.has('folded-fields')) lines = unfolded(lines)
  if (faults.has('space-before-colon'))
    lines = lines.map((line, i) => (i === 0 ? line : line.replace(SPACED_NAME, '$1:')))
  if (faults.has('repeated-content-length')) lines = oneLength(lines)
  return lines.join('')
}

/** A token (RFC 9110, section 5.6.2), blanks and the colon. */
const SPACED_NAME = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]+:/

/** Each with its end. */
function linesOf(head: string, isMended: boolean): string[] {
  const lines = head.split(/(?<=\n)/)
  return isMended ? lines.map((line) => withoutEnd(line) + (endOf(line) && '\r\n')) : lines
}

function unfolded(lines: readonly string[]): string[] {
  const fields: string[][] = []
  for (const line of lines) {
    // The first line is the status, which nothing continues.
    const continues = fields.length > 1 && /^[ \t]/.test(line)
    if (continues) fields.at(-1)!.push(line)
    else fields.push([line])
  }
  return fields.map((parts) => (parts.length === 1 ? parts[0]! : joined(parts)))
}

function joined(parts: readonly string[]): string {
  const said = parts.map((part) => trimBlanks(withoutEnd(part))).filter((text) => text !== '')
  return said.join(' ') + endOf(parts.at(-1)!)
}

/** What ends a line: nothing, where there is no more of the head. */
const endOf = (line: string) => (line.endsWith('\r\n') ? '\r\n' : line.endsWith('\n') ? '\n' : '')
const withoutEnd = (line: string) => line.slice(0, line.length - endOf(line).length)

/** The value of a `Content-Length`; undefined: the line is another field. */
function lengthIn(line: string): string | undefined {
  const colon = line.indexOf(':')
  if (colon !== 14 || line.slice(0, colon).toLowerCase() !== 'content-length') return undefined
  return withoutEnd(line.slice(colon + 1))
}

/** Lengths that are all the same number, as one. Others stay: nobody can know which holds. */
function oneLength(lines: readonly string[]): string[] {
  const lengths = lines.map((line, i) => (i === 0 ? undefined : lengthIn(line)))
  const said = lengths.flatMap((value) => value?.split(',').map(trimBlanks) ?? [])
  const [first] = said
  const isOne = first !== undefined && /^\d{1,15}$/.test(first)
  if (!isOne || said.length < 2 || said.some((value) => value !== first)) return [...lines]
  const kept = lengths.findIndex((value) => value !== undefined)
  return lines.flatMap((line, i) => {
    if (lengths[i] === undefined) return [line]
    return i === kept ? [`Content-Length: ${first}${endOf(line)}`] : []
  })
}
