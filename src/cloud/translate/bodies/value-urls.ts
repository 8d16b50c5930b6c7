/**
 * Where the URLs are in values that hold more than one URL alone.
 *
 * @module
 */
import { isBlank, type Span } from './edits.ts'

/**
 * The URLs of `srcset` and `imagesrcset`.
 *
 * @see https://html.spec.whatwg.org/multipage/images.html#parse-a-srcset-attribute
 */
export function srcsetUrls(text: string): Span[] {
  const urls: Span[] = []
  let at = 0
  for (;;) {
    while (at < text.length && (isBlank(text.charCodeAt(at)) || text[at] === ',')) at++
    if (at >= text.length) return urls
    const start = at
    while (at < text.length && !isBlank(text.charCodeAt(at))) at++
    let end = at
    while (text[end - 1] === ',') end--
    urls.push({ start, end })
    if (end === at) at = behindDescriptors(text, at)
  }
}

/** A comma between parentheses separates nothing. */
function behindDescriptors(text: string, from: number): number {
  let isInParentheses = false
  for (let at = from; at < text.length; at++) {
    const character = text[at]
    if (character === '(') isInParentheses = true
    else if (character === ')') isInParentheses = false
    else if (character === ',' && !isInParentheses) return at
  }
  return text.length
}

/** Each of several that blanks separate, as in `ping`. */
export function listedUrls(text: string): Span[] {
  return Array.from(text.matchAll(/[^ \t\n\f\r]+/g), ({ index, 0: url }) => ({
    start: index,
    end: index + url.length,
  }))
}

/**
 * The URL of a refresh, as a `meta` element or a `Refresh` field says it.
 *
 * @see https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps
 */
export function refreshUrl(text: string): Span | undefined {
  const time = /^[ \t\n\f\r]*(?:[0-9]+[0-9.]*|\.[0-9.]*)([;, \t\n\f\r][^]*)$/.exec(text)
  if (time === null) return undefined
  const rest = time[1]!
  const before = /^[ \t\n\f\r]*[;,]?[ \t\n\f\r]*/.exec(rest)![0]
  const named = /^[uU][rR][lL][ \t\n\f\r]*=[ \t\n\f\r]*/.exec(rest.slice(before.length))?.[0] ?? ''
  let start = text.length - rest.length + before.length + named.length
  let end = text.length
  const quote = text[start]
  if (quote === '"' || quote === "'") {
    start += 1
    const closing = text.indexOf(quote, start)
    if (closing !== -1) end = closing
  }
  return start < end ? { start, end } : undefined
}
