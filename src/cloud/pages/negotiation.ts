/**
 * Whether a person or a program asks.
 *
 * @module
 */
import type { HeaderList } from '../../protocol/wire/frame-types.ts'

/**
 * Whether a request's `Accept` fields ask for a page: `text/html` is named with a weight above
 * zero, and `application/problem+json` and `application/json` are not named with a higher one.
 * Browsers name it; `*`/`*`, which curl and most programs send, and no `Accept` at all do not.
 *
 * @see RFC 9110 section 12.5.1
 */
export function prefersHtml(headers: HeaderList): boolean {
  let html = 0
  let json = 0
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== 'accept') continue
    for (const range of headers[i + 1]!.split(',')) {
      const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
      const q = parameters.find((parameter) => /^q\s*=/.test(parameter))
      const weight = q === undefined ? 1 : Number(q.slice(q.indexOf('=') + 1))
      if (type === 'text/html') html = Math.max(html, weight || 0)
      if (type === 'application/problem+json' || type === 'application/json')
        json = Math.max(json, weight || 0)
    }
  }
  return html > 0 && html >= json
}
