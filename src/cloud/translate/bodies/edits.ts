/**
 * What changes in a piece of a body: as little as can be, so that all else stays octet for octet.
 *
 * @module
 */
import type { UrlTranslation } from './body-translator.ts'
import type { PlacedText } from './character-references.ts'
import type { OctetsOut } from './octets-out.ts'

/** The octets `from` to `to` of a buffer become a text. */
export interface Edit {
  readonly from: number
  readonly to: number
  readonly text: string
}

/** How a text is said where it goes. */
export type Escape = (text: string) => string

/** Part of a text. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Says the octets `from` to `to` of a buffer with edits, which are in order. */
export function addEdited(
  out: OctetsOut,
  bytes: Uint8Array,
  from: number,
  to: number,
  edits: readonly Edit[],
): void {
  let at = from
  for (const edit of edits) {
    out.add(bytes, at, edit.from)
    out.addText(edit.text)
    at = edit.to
  }
  out.add(bytes, at, to)
}

/**
 * The edit of one URL in a text; undefined: it stays as it is.
 *
 * Only its beginning changes: from where the translated one ends as the other does, both are the
 * same, and its octets stay in the spelling they have.
 */
export function urlEdit(
  placed: PlacedText,
  { start, end }: Span,
  urls: UrlTranslation,
  escape: Escape,
): Edit | undefined {
  const url = placed.text.slice(start, end)
  const translated = urls.outward(url)
  if (translated === undefined || translated === url) return undefined
  const same = commonEnd(url, translated)
  const changed = url.slice(0, url.length - same)
  const text = translated.slice(0, translated.length - same)
  // What is not ASCII was not read, so it cannot be said in other words.
  if (!isAscii(changed) || !isAscii(text)) return undefined
  return { from: placed.place(start), to: placed.place(end - same), text: escape(text) }
}

/** Without blanks at both ends, as HTML and CSS take a URL. */
export function trimmed(text: string, { start, end }: Span): Span {
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return { start, end }
}

/** Space, tab, line feed, form feed and carriage return. */
export function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d && code !== 0x0b)
}

function commonEnd(a: string, b: string): number {
  const most = Math.min(a.length, b.length)
  let same = 0
  while (same < most && a.charCodeAt(a.length - 1 - same) === b.charCodeAt(b.length - 1 - same))
    same++
  return same
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text)
}
