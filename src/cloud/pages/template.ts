/**
 * The one template of all pages.
 *
 * It loads nothing: the style is in it, a logo is a `data:` URI in an `<img>` (so an SVG runs
 * nothing), and a page with a script names the script's hash. All text is escaped, wherever it
 * comes from.
 *
 * @module
 */
import { SOURCES, type Action, type Branding, type Failure } from './answer.ts'
import { PASSED_ON } from './delivery-words.ts'
import { STYLE, STYLE_HASH } from './style.ts'

/** All that a page shows. */
export interface Page extends Failure {
  readonly actions: readonly Action[]
  /** The name of the application that is asked for. */
  readonly application?: string
  readonly branding?: Branding
  /** Origins whose pages may show it in a frame. Default none. */
  readonly ancestors?: readonly string[]
}

/** A page, and what it may do. */
export interface RenderedPage {
  readonly html: string
  /** Value of `Content-Security-Policy`. */
  readonly contentSecurityPolicy: string
}

/** The page of an answer, as it is unless a {@link PageRenderer} has its own. */
export function renderPage(page: Page): RenderedPage {
  return { html: document(page), contentSecurityPolicy: policy(page) }
}

function policy({ actions, branding, script, ancestors = [] }: Page): string {
  const posts = actions.filter((action) => 'post' in action)
  // A page with a button must not lie under another site's page (clickjacking).
  const mayFrame = posts.length === 0 && ancestors.length > 0
  const isFree = posts.some(({ leavesHost }) => leavesHost)
  return [
    "default-src 'none'",
    `style-src '${STYLE_HASH}'`,
    ...(branding?.logo === undefined ? [] : ['img-src data:']),
    ...(script === undefined ? [] : [`script-src '${script.hash}'`]),
    "base-uri 'none'",
    ...(isFree ? [] : [`form-action '${posts.length > 0 ? 'self' : 'none'}'`]),
    `frame-ancestors ${mayFrame ? ancestors.join(' ') : "'none'"}`,
  ].join('; ')
}

function document(page: Page): string {
  const { title, detail, actions, application, branding, script, language = 'en' } = page
  const names = [title, application, branding?.name].filter((one) => one !== undefined)
  return `<!doctype html>
<html lang="${escape(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escape(names.join(' · '))}</title>
<style>${STYLE}</style>
</head>
<body>
${header(branding)}<main>
${application === undefined ? '' : `<p class="app">${escape(application)}</p>\n`}<h1>${escape(title)}</h1>
<p>${escape(detail)}</p>
${next(actions)}${way(page)}</main>
${footer(page)}${script === undefined ? '' : `<script>${script.text}</script>\n`}</body>
</html>
`
}

function header(branding: Branding | undefined): string {
  const { name, logo } = branding ?? {}
  if (name === undefined && logo === undefined) return ''
  // The name stands beside the logo: its alternative text is empty.
  const image = logo === undefined ? '' : `<img src="${escape(logo)}" alt="">`
  return `<header>${image}${name === undefined ? '' : `<span>${escape(name)}</span>`}</header>\n`
}

function next(actions: readonly Action[]): string {
  const items = actions.map(item).filter((one) => one !== '')
  return items.length === 0 ? '' : `<ul class="next">\n${items.join('\n')}\n</ul>\n`
}

function item(action: Action): string {
  const label = escape(action.label)
  if ('href' in action) {
    if (!isLink(action.href)) return ''
    const id = action.id === undefined ? '' : ` id="${escape(action.id)}"`
    const window = action.opensWindow ? ' target="_blank" rel="noopener"' : ''
    return `<li><a href="${escape(action.href)}"${id}${window}>${label}</a></li>`
  }
  if (!isPath(action.post)) return ''
  const fields = Object.entries(action.fields ?? {}).map(
    ([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`,
  )
  const form = `<form method="post" action="${escape(action.post)}">`
  return `<li>${form}${fields.join('')}<button>${label}</button></form></li>`
}

/** One slash and no second, no backslash, nothing that a URL parser would drop. */
const isPath = (target: string) => /^\/(?![/\\])[!-[\]-~]*$/.test(target)
const isLink = (href: string) => isPath(href) || /^https?:\/\/[!-[\]-~]+$/i.test(href)

const HOPS = ['Your browser', 'This service', 'Connector', 'Application']
const SIGN_IN_HOPS = ['Your browser', 'This service', 'Sign-in service']
/** The way a request goes, and the place on it where each source is. */
const PLACES: Readonly<Record<Failure['source'], readonly [readonly string[], number]>> = {
  user: [HOPS, 0],
  cloud: [HOPS, 1],
  connector: [HOPS, 2],
  application: [HOPS, 3],
  'sign-in': [SIGN_IN_HOPS, 1],
  issuer: [SIGN_IN_HOPS, 2],
  policy: [SIGN_IN_HOPS, 1],
}

/** Where on its way a request met a fault. A refusal is a decision, and has no such place. */
function way({ status, source, code, delivery = 'none' }: Page): string {
  if (status < 500 || code === 'maintenance') return ''
  const [hops, at] = PLACES[source]
  // A lost connector may have passed the request on.
  const beyond = delivery === 'none' || hops === SIGN_IN_HOPS ? 'Not reached' : 'Not known'
  const items = hops.map((hop, i) => {
    const [kind, mark, text] =
      i < at
        ? ['before', '✓', 'Reached']
        : i === at
          ? ['here', '✕', 'Problem here']
          : ['after', beyond === 'Not known' ? '?' : '', beyond]
    return `<li class="${kind}"><i aria-hidden="true">${mark}</i><b>${hop}</b><span>${text}</span></li>`
  })
  return `<h2 id="way">Where it stopped</h2>\n<ol class="way" aria-labelledby="way">\n${items.join('\n')}\n</ol>\n`
}

function footer({ status, code, source, requestId, application, delivery = 'none' }: Page): string {
  if (status < 400) return ''
  return `<footer>
<dl>
${application === undefined ? '' : `<dt>Application</dt><dd>${escape(application)}</dd>\n`}<dt>Source</dt><dd>${escape(SOURCES[source])}</dd>
<dt>Status</dt><dd>${status} <code>${escape(code)}</code></dd>
<dt>Passed on</dt><dd>${PASSED_ON[delivery]}</dd>
<dt>Request</dt><dd><code>${escape(requestId)}</code></dd>
</dl>
<p>If you ask for help, quote the request number.</p>
</footer>
`
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  // HTML parsers change a raw carriage return, and a NUL.
  '\r': '&#13;',
  '\0': '\ufffd',
}

/** Text as HTML, between tags and in quoted attributes alike. */
export function escape(text: string): string {
  return text.replace(/[&<>"'\r\0]/g, (character) => ESCAPES[character]!)
}
