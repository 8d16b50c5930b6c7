/**
 * How a URL is said in CSS, and how it is said there instead.
 *
 * @module
 */
import type { UrlTranslation } from './body-translator.ts'
import type { PlacedText } from './character-references.ts'
import type { Delimiter, VisitCssUrl } from './css.ts'
import { trimmed, urlEdit, type Escape } from './edits.ts'
import { latin1 } from './octets-out.ts'
import { isSpace } from './tag-reader.ts'

/** Visits the URLs of a style sheet that is in nothing else. */
export function cssUrls(urls: UrlTranslation, escape: Escape = (text) => text): VisitCssUrl {
  return (bytes, from, to, delimiter) => {
    if (!mayBeAbsolute(bytes, from, to)) return undefined
    const placed = cssText(bytes, from, to)
    const span = trimmed(placed.text, { start: 0, end: placed.text.length })
    return urlEdit(placed, span, urls, (text) => escape(cssEscaped(text, delimiter)))
  }
}

/** What is relative, as most are, is told by its first octet. */
function mayBeAbsolute(bytes: Uint8Array, from: number, to: number): boolean {
  if (from >= to) return false
  const first = bytes[from]! | 0x20
  return (
    first === 0x68 || bytes[from] === SLASH || bytes[from] === BACKSLASH || isSpace(bytes[from]!)
  )
}

/** A value without its escapes. */
function cssText(bytes: Uint8Array, from: number, to: number): PlacedText {
  const raw = latin1(bytes, from, to)
  const places: number[] = []
  let text = ''
  for (let at = 0; at < raw.length;) {
    ESCAPE.lastIndex = at
    const match = raw.charCodeAt(at) === BACKSLASH ? ESCAPE.exec(raw) : null
    const character = match === null ? raw[at]! : unescaped(match)
    if (character !== '') places.push(from + at)
    text += character
    at += match?.[0].length ?? 1
  }
  places.push(to)
  return { text, place: (index) => places[index]! }
}

/** A line's end that is escaped is nothing. */
function unescaped([, hexadecimal, other]: RegExpExecArray): string {
  if (hexadecimal === undefined) return other ?? ''
  const code = parseInt(hexadecimal, 16)
  return code > 0 && code < 0x80 ? String.fromCharCode(code) : '\u{FFFD}'
}

function cssEscaped(text: string, delimiter: Delimiter): string {
  return text.replace(delimiter === 0 ? /["'()\\\s]/g : /["'\\]/g, (character) => `\\${character}`)
}

const SLASH = 0x2f
const BACKSLASH = 0x5c
const ESCAPE = /\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\f\r])?|\r\n|[\n\f\r]|([^]))/y
