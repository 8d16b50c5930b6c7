/**
 * URLs in `Link` fields: targets, anchors, and the candidates of an image. Relations that are URLs
 * are names, and stay.
 *
 * @see RFC 8288, section 3
 * @module
 */

/**
 * The value with its URLs translated; `undefined`: it stays as it is. From where it is no longer a
 * list of links on, it stays.
 *
 * @param translated gives `undefined` for what stays
 */
export function translateLink(
  value: string,
  translated: (url: string) => string | undefined,
): string | undefined {
  let [result, copied] = ['', 0]
  const put = (start: number, end: number, text: string | undefined) => {
    if (text === undefined) return
    result += value.slice(copied, start) + text
    copied = end
  }
  for (let at = 0; at < value.length;) {
    const target = TARGET.exec(value.slice(at))
    if (target === null) break
    const start = at + target[1]!.length
    put(start, start + target[2]!.length, translated(target[2]!))
    at += target[0].length
    for (;;) {
      const found = PARAMETER.exec(value.slice(at))
      if (found === null) break
      const [whole, before = '', name = '', quoted, token] = found
      const from = at + before.length
      at += whole.length
      const text = quoted ?? token ?? ''
      // An escaped character would have to be escaped again.
      if (text === '' || text.includes('\\')) continue
      if (/^anchor$/i.test(name)) put(from, from + text.length, unquoted(translated(text)))
      if (/^imagesrcset$/i.test(name))
        put(from, from + text.length, unquoted(candidates(text, translated)))
    }
    const comma = /^[\t ]*,/.exec(value.slice(at))
    if (comma === null) break
    at += comma[0].length
  }
  return copied === 0 ? undefined : result + value.slice(copied)
}

/** Members of a list may be empty. */
const TARGET = /^([\t ,]*<[\t ]*)([^<>]*?)[\t ]*>/
const PARAMETER =
  /^([\t ]*;[\t ]*([^\s=;,"<>]*)[\t ]*(?:=[\t ]*"?)?)(?:(?<=")((?:[^"\\]|\\.)*)"|(?<!")([^\s;,"<>]*))/

function candidates(text: string, translated: (url: string) => string | undefined) {
  let isChanged = false
  const list = text.replace(/[^\s,]\S*[^\s,]/g, (url) => {
    const one = translated(url)
    isChanged ||= one !== undefined
    return one ?? url
  })
  return isChanged ? list : undefined
}

function unquoted(text: string | undefined): string | undefined {
  return text === undefined || /["\\]/.test(text) ? undefined : text
}
