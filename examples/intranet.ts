/**
 * A small private site, to be published: what it shows is what reached it.
 *
 *     node --import tsx examples/intranet.ts [--port N]
 *
 * One line of JSON on stdout says that it is ready: `{"url":"…"}`.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
) => void | Promise<void>

const ROUTES: Readonly<Record<string, Handler>> = {
  'GET /': frontPage,
  'GET /headers': headers,
  'POST /upload': upload,
  'PUT /upload': upload,
  'POST /form': form,
  'GET /download': download,
  'GET /slow': slow,
  'GET /die': die,
}

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } })
const server = createServer({ requestTimeout: 0 }, (request, response) => {
  const [path, query] = splitTarget(request.url!)
  const method = request.method === 'HEAD' ? 'GET' : request.method!
  const handler = path === '/headers' ? headers : ROUTES[`${method} ${path}`]
  if (handler === undefined) return void sendText(response, 404, 'There is no such page.\n')
  Promise.resolve(handler(request, response, new URLSearchParams(query))).catch((error: Error) => {
    console.error(error.message)
    response.destroy()
  })
})
server.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}` }))
})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    server.close(() => process.exit(0))
    server.closeAllConnections()
  })

/** What arrived, as a page: who the proxy says is there, and which cookies came along. */
function frontPage(request: IncomingMessage, response: ServerResponse): void {
  const cookies = pairsOf(request).filter(([name]) => name.toLowerCase() === 'cookie')
  const rows = pairsOf(request).map(
    ([name, value]) => `<tr><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`,
  )
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Intranet</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1.5rem }
h1 { font-size: 1.75rem; margin: 0 }
h2 { font-size: 1.125rem; margin: 2rem 0 .5rem }
p { margin: .5rem 0 }
input, button { font: inherit; padding: .25rem .5rem }
table { font-size: .875rem; border-collapse: collapse }
tr { border-top: 1px solid #8884 }
th, td { padding-block: .25rem }
th { text-align: left; vertical-align: top; padding-right: 1rem; font-weight: 500 }
td { overflow-wrap: anywhere }
</style>
</head>
<body>
<main>
<h1>Intranet</h1>
<p>This page lives on a private address. You asked for <code id="target">${escape(request.url!)}</code>.</p>
<h2>Cookies that reached it</h2>
<p id="cookies">${cookies.length === 0 ? 'none' : cookies.map(([, value]) => escape(value)).join('<br>')}</p>
<h2>Send a form</h2>
<form method="post" action="form">
<label>Note <input name="note" required></label> <button>Send</button>
</form>
<h2>Upload a file</h2>
<form method="post" action="upload" enctype="multipart/form-data">
<label>File <input type="file" name="file" required></label> <button>Upload</button>
</form>
<p><a href="headers">Header fields as JSON</a> · <a href="download?bytes=1048576" download="one-mebibyte.bin">Download 1 MiB</a></p>
<h2>Header fields that reached it</h2>
<table id="headers">${rows.join('\n')}</table>
</main>
</body>
</html>
`
  send(response, 200, 'text/html; charset=utf-8', html)
}

/** Method, target and raw header fields, octet for octet as they came; any method. */
function headers(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  const { method, url: target } = request
  sendJson(response, { method, target, rawHeaders: pairsOf(request) })
}

/** Counts and hashes the body while it streams in. */
async function upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    hash.update(chunk)
  }
  sendJson(response, { bytes, sha256: hash.digest('hex') })
}

async function form(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) parts.push(chunk)
  const fields = new URLSearchParams(
    Buffer.concat(parts)
      .toString('utf8')
      .slice(0, 64 * 1024),
  )
  sendJson(response, Object.fromEntries(fields))
}

/** `bytes` octets, always the same ones, with their digest in front. */
async function download(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): Promise<void> {
  const bytes = countOf(query, 'bytes')
  if (bytes === undefined) return sendText(response, 400, 'bytes=N is needed.\n')
  const digest = await digestOf(bytes)
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': bytes,
    'Repr-Digest': `sha-256=:${digest}:`,
  })
  if (request.method === 'HEAD') return void response.end()
  for (const chunk of content(bytes)) {
    if (response.destroyed) return
    if (!response.write(chunk)) await drained(response)
  }
  response.end()
}

/** Says nothing for `ms` milliseconds. */
async function slow(_: IncomingMessage, response: ServerResponse, query: URLSearchParams) {
  const ms = countOf(query, 'ms') ?? 1000
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  await sleep(ms, undefined, { signal: gone.signal }).catch(() => undefined)
  if (!response.destroyed) sendText(response, 200, `after ${ms} ms\n`)
}

/** Promises twice as much as it sends, then drops the connection. */
async function die(request: IncomingMessage, response: ServerResponse, query: URLSearchParams) {
  const bytes = countOf(query, 'bytes') ?? 0
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': 2 * bytes + 1,
  })
  response.flushHeaders()
  for (const chunk of content(bytes)) if (!response.write(chunk)) await drained(response)
  setImmediate(() => request.socket.destroy())
}

/** A block that does not repeat within itself, over and over. */
const BLOCK = (() => {
  const block = Buffer.alloc(64 * 1024)
  for (let i = 0; i < block.length; i += 32)
    createHash('sha256').update(String(i)).digest().copy(block, i)
  return block
})()

function* content(bytes: number): Generator<Buffer> {
  let left = bytes
  for (; left > BLOCK.length; left -= BLOCK.length) yield BLOCK
  if (left > 0) yield BLOCK.subarray(0, left)
}

/** The digests of lengths asked for before, the latest last. */
const digests = new Map<number, string>()

async function digestOf(bytes: number): Promise<string> {
  const known = digests.get(bytes)
  if (known !== undefined) return known
  const hash = createHash('sha256')
  let done = 0
  for (const chunk of content(bytes)) {
    hash.update(chunk)
    // Every 8 MiB somebody else may have a turn.
    if (++done % 128 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const digest = hash.digest('base64')
  digests.set(bytes, digest)
  if (digests.size > 100) digests.delete(digests.keys().next().value!)
  return digest
}

function drained(response: ServerResponse): Promise<unknown> {
  const over = new AbortController()
  const options = { signal: over.signal }
  return Promise.race([once(response, 'drain', options), once(response, 'close', options)]).finally(
    () => over.abort(),
  )
}

function countOf(query: URLSearchParams, name: string): number | undefined {
  const count = Number(query.get(name) ?? NaN)
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

function splitTarget(target: string): [string, string] {
  const mark = target.indexOf('?')
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}

function pairsOf({ rawHeaders }: IncomingMessage): [string, string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i < rawHeaders.length; i += 2) pairs.push([rawHeaders[i]!, rawHeaders[i + 1]!])
  return pairs
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text)
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length }).end(body)
}

const sendJson = (response: ServerResponse, value: object) =>
  send(response, 200, 'application/json', JSON.stringify(value))
const sendText = (response: ServerResponse, status: number, text: string) =>
  send(response, status, 'text/plain; charset=utf-8', text)

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escape = (text: string) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]!)
