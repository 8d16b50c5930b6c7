/**
 * What the user sees when a request fails: `application/problem+json` for programs, one plain page for browsers; both say whose doing it was and carry the
 * request id, and neither names anything of the inside.
 *
 * @see RFC 9457 (problem details), RFC 9209 (Proxy-Status)
 * @module
 */
import type { FailureSource } from '../protocol/errors.ts'
import type { HeaderList } from '../protocol/frame-types.ts'
import type { SignInSource } from '../protocol/sign-in-denials.ts'

/** One failure, in words for the user. */
export interface Failure {
  /** HTTP status, 400–599. */
  readonly status: number
  /** Stable: programs may switch on it. */
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly requestId: string
  /** Whose doing it was. */
  readonly source: FailureSource | SignInSource
  /** Proxy error type of RFC 9209. Default: `http_request_denied` below 500, else `proxy_internal_error`. */
  readonly error?: string
  /** Sent as `Retry-After`, rounded up to seconds. */
  readonly retryAfterMs?: number
}

export interface FailureResponse {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Uint8Array
}

const SOURCES: Readonly<Record<Failure['source'], string>> = {
  user: 'The request',
  cloud: 'This service',
  connector: 'The connector',
  application: 'The application',
  'sign-in': 'Sign-in',
  issuer: 'The sign-in service',
}

const STYLE =
  ':root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}' +
  'body{max-width:36rem;margin:15vh auto;padding:0 1.5rem}' +
  'h1{font-size:1.5rem;line-height:1.25}' +
  'dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;font-size:.875rem}' +
  'dd{margin:0;overflow-wrap:anywhere}'
/** The hash of {@link STYLE}: nothing else may style the page, and nothing at all may load or run. */
const STYLE_HASH = 'sha256-pth1k0uJaaAARR1yXtI1vZVAd//tqf+0GhfUe1AePX4='
const POLICY = `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

/** The answer to a failed request. */
export function failureResponse(failure: Failure, accept: 'html' | 'problem'): FailureResponse {
  const { status, code, retryAfterMs } = failure
  const error = failure.error ?? (status < 500 ? 'http_request_denied' : 'proxy_internal_error')
  const text = accept === 'html' ? page(failure) : problem(failure)
  const body = new TextEncoder().encode(text)
  const headers = [
    ...[
      'Content-Type',
      accept === 'html' ? 'text/html; charset=utf-8' : 'application/problem+json',
    ],
    ...['Content-Length', String(body.length)],
    ...['Cache-Control', 'no-store'],
    ...['Proxy-Status', `app-proxy; error=${error}; details="${code}"`],
    ...['X-Content-Type-Options', 'nosniff'],
  ]
  if (accept === 'html')
    headers.push('Content-Security-Policy', POLICY, 'Referrer-Policy', 'no-referrer')
  if (retryAfterMs !== undefined)
    headers.push('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))))
  return { status, headers, body }
}

function problem({ status, code, title, detail, source, requestId }: Failure): string {
  return JSON.stringify({ type: 'about:blank', title, status, detail, code, source, requestId })
}

function page({ status, code, title, detail, source, requestId }: Failure): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p>${escape(detail)}</p>
<dl>
<dt>Source</dt><dd>${escape(SOURCES[source])}</dd>
<dt>Status</dt><dd>${status} <code>${escape(code)}</code></dd>
<dt>Request</dt><dd><code>${escape(requestId)}</code></dd>
</dl>
</main>
</body>
</html>
`
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escape = (text: string) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]!)

/**
 * Whether a request's `Accept` fields ask for a page: `text/html` is named with a weight above zero, and `application/problem+json` and `application/json` are not named
 * with a higher one. Browsers name it; `*`/`*`, which curl and most programs send, and no `Accept` at all do not.
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
