/**
 * The URL in a `Refresh` field, or in what a page says in its place.
 *
 * @see WHATWG HTML, "shared declarative refresh steps"
 * @module
 */

/** A time, then what stands before the URL. */
const BEFORE =
  /^[\t\n\f\r ]*(?:\d[\d.]*|\.[\d.]*)(?:[\t\n\f\r ]*[;,][\t\n\f\r ]*|[\t\n\f\r ]+)(?:url[\t\n\f\r ]*=[\t\n\f\r ]*)?/i

/**
 * The value with its URL translated; `undefined`: it stays as it is.
 *
 * @param translated gives `undefined` for what stays
 */
export function translateRefresh(
  value: string,
  translated: (url: string) => string | undefined,
): string | undefined {
  let start = BEFORE.exec(value)?.[0].length
  if (start === undefined) return undefined
  const quote = value[start]
  const isQuoted = quote === '"' || quote === "'"
  if (isQuoted) start += 1
  const close = isQuoted ? value.indexOf(quote, start) : -1
  const end = close === -1 ? value.trimEnd().length : close
  const url = end > start ? translated(value.slice(start, end)) : undefined
  // A URL that has the quote in it would end there.
  if (url === undefined || (isQuoted && url.includes(quote))) return undefined
  return value.slice(0, start) + url + value.slice(end)
}
