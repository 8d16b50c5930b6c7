/**
 * The private site's pages. Nothing on them comes from elsewhere.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { escape } from '../html.ts'
import { pairsOf, send } from './answers.ts'
import type { Asserted, WhoIsAsserted } from './asserted.ts'

const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8')
const STYLE = read('site.css')
const LIVE = read('live.js')
const SECRET = /^(?:authorization|x-app-proxy-assertion)$/i

/** What arrived, as a page: who the proxy says is there, and which cookies came along. */
export async function frontPage(
  request: IncomingMessage,
  response: ServerResponse,
  who: WhoIsAsserted,
): Promise<void> {
  const asserted = await who(request)
  const cookies = pairsOf(request).filter(([name]) => name.toLowerCase() === 'cookie')
  const rows = pairsOf(request).map(rowOf)
  const content = `<section class="card">
<h2>This page lives on a private address</h2>
<p>You asked for <code id="target">${escape(request.url!)}</code>.</p>
<h3>Cookies that reached it</h3>
<p id="cookies">${cookies.length === 0 ? 'none' : cookies.map(([, value]) => escape(value)).join('<br>')}</p>
<p><a class="button" href="live">WebSocket and event stream, live</a></p>
</section>
<section class="card">
<h2>Who this application thinks you are</h2>
<div class="wide"><table id="who">${whoRows(request, asserted).join('\n')}</table></div>
</section>
<div class="pair">
<section class="card">
<h2>Send a form</h2>
<form method="post" action="form">
<label for="note">Note</label>
<p class="line"><input id="note" name="note" required> <button>Send</button></p>
</form>
</section>
<section class="card">
<h2>Upload a file</h2>
<form method="post" action="upload" enctype="multipart/form-data">
<label for="file">File</label>
<p class="line"><input id="file" type="file" name="file" required> <button>Upload</button></p>
</form>
</section>
</div>
<section class="card">
<h2>Header fields that reached it</h2>
<div class="wide"><table id="headers">${rows.join('\n')}</table></div>
<p><a href="headers">The same as JSON</a> · <a href="download?bytes=1048576" download="one-mebibyte.bin">Download 1 MiB</a></p>
</section>`
  send(response, 200, 'text/html; charset=utf-8', page(siteOf(request), request, content, asserted))
}

/** A secret is for the application, and not for who looks at its pages; so is an assertion. */
const rowOf = ([name, value]: readonly [string, string]) => {
  const shown = SECRET.test(name) ? value.replace(/[ .].*/, ' …') : value
  return `<tr><th scope="row">${escape(name)}</th><td>${escape(shown)}</td></tr>`
}

/**
 * What it was told of its user: in fields that only the proxy writes, by an assertion that it
 * checked, or by a name of Basic's.
 */
function whoRows(request: IncomingMessage, asserted: Asserted | undefined): string[] {
  if (asserted !== undefined) return assertedRows(asserted)
  const told = pairsOf(request).filter(([name]) => /^x-user-/i.test(name))
  const [, basic] = /^Basic (.*)$/.exec(request.headers.authorization ?? '') ?? []
  const name = basic && Buffer.from(basic, 'base64').toString().replace(/:.*/s, '')
  const rows = name === undefined ? told : [...told, ['Basic', name] as const]
  return rows.length === 0 ? ['<tr><td>Nobody: it was told nothing</td></tr>'] : rows.map(rowOf)
}

const SHOWN = ['sub', 'sub_iss', 'name', 'email', 'groups', 'iss', 'aud']

function assertedRows(asserted: Asserted): string[] {
  if ('refused' in asserted) return [rowOf(['Assertion', `refused: ${asserted.refused}`])]
  const { claims } = asserted
  const shown = SHOWN.filter((claim) => claim in claims).map(
    (claim) => [claim, [claims[claim]].flat().join(', ')] as const,
  )
  return [['Assertion', 'signed by the service, checked by this page'] as const, ...shown].map(
    rowOf,
  )
}

/** Opens the WebSocket and the event stream beside it, and shows what comes. */
export function livePage(request: IncomingMessage, response: ServerResponse): void {
  const content = `<p><a href="./">← ${siteOf(request)}</a></p>
<div class="pair">
<section class="card">
<h2>Echo <small>WebSocket</small> <output id="echo-state" class="state">connecting</output></h2>
<p id="greeting" class="quiet">&nbsp;</p>
<p id="echo-ended" class="ended" role="status"></p>
<form id="say">
<p class="line"><select id="voice" aria-label="Sub-protocol"><option>echo<option>shout<option>reverse</select>
<input id="text" aria-label="Message" placeholder="Say something" maxlength="1000" autocomplete="off" required> <button>Send</button></p>
</form>
<p><button id="binary" type="button">Send 64 KiB of octets</button></p>
<ol id="messages" class="log" aria-live="polite"></ol>
</section>
<section class="card">
<h2>Ticks <small>server-sent events</small> <output id="ticks-state" class="state">connecting</output></h2>
<p class="quiet">The site ends the stream after ten. The browser comes back, and misses none.</p>
<p id="tick" class="big">–</p>
<p id="ticks-ended" class="ended" role="status"></p>
<ol id="ticks" class="log"></ol>
</section>
</div>
<script type="module">
${LIVE}</script>`
  send(
    response,
    200,
    'text/html; charset=utf-8',
    page(`Live · ${siteOf(request)}`, request, content),
  )
}

const page = (
  title: string,
  request: IncomingMessage,
  content: string,
  asserted?: Asserted,
) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>
${STYLE}</style>
</head>
<body>
<header>
<h1>${title.replace(/ · .*/, '')}</h1>
${visitor(request, asserted)}
</header>
<main>
${content}
</main>
</body>
</html>
`

/**
 * One site, published under several names: each calls itself by the name that its user asked for.
 */
function siteOf({ headers }: IncomingMessage): string {
  const host = headers['x-forwarded-host']
  const [, first, rest] = /^([a-z])([a-z0-9-]*)\.localhost/.exec(String(host ?? '')) ?? []
  return first === undefined ? 'Intranet' : first.toUpperCase() + rest
}

/** Names come from an assertion, or from the proxy's header fields: octets that are UTF-8. */
function visitor({ headers }: IncomingMessage, asserted: Asserted | undefined): string {
  const field = headers['x-user-name']
  const told = typeof field === 'string' ? readable(field) : undefined
  const name = asserted !== undefined && 'claims' in asserted ? asserted.claims.name : told
  if (name === undefined) return '<p id="visitor">Open to everyone</p>'
  return `<p id="visitor">Signed in as <strong>${escape(name)}</strong> · <a href="/.app-proxy/sign-out">Sign out</a></p>`
}

/** Octets that are UTF-8, and percent-encoded where the proxy was told to. */
function readable(field: string): string {
  const text = Buffer.from(field, 'latin1').toString()
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
