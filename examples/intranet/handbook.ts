/**
 * A handbook as older systems write it: each link is the whole address of this server. Published
 * with `translate: { bodies: 'links' }` it leads its users through the cloud all the same.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { escape } from '../html.ts'

/** Under this path everything is the handbook's. */
export const HANDBOOK_PATH = '/handbook/'

const CHAPTERS = ['Welcome', 'Where things are', 'Holidays', 'Expenses', 'Whom to ask'] as const

/** Answers whatever is asked for under {@link HANDBOOK_PATH}. */
export function handbook(request: IncomingMessage, response: ServerResponse): void {
  const self = `http://${escape(request.headers.host ?? '')}${HANDBOOK_PATH}`
  const path = request.url!.slice(HANDBOOK_PATH.length).replace(/\?.*$/, '')
  if (path === 'latest') return void response.writeHead(302, { Location: `${self}chapter/5` }).end()
  const content = contentOf(path, self)
  if (content === undefined) return send(request, response, 404, 'text/html', missing(self))
  send(request, response, 200, content.type, content.text)
}

function contentOf(path: string, self: string): { type: string; text: string } | undefined {
  if (path === '') return { type: 'text/html', text: page(self, 'Handbook', contents(self)) }
  if (path === 'style.css') return { type: 'text/css', text: style(self) }
  if (path === 'print.css')
    return { type: 'text/css', text: '@media print { nav { display: none } }\n' }
  if (path === 'logo.svg') return { type: 'image/svg+xml', text: LOGO }
  const number = Number(/^chapter\/([1-9])$/.exec(path)?.[1])
  const title = CHAPTERS[number - 1]
  return title && { type: 'text/html', text: page(self, title, chapter(self, number)) }
}

function page(self: string, title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
    <title>${escape(title)}</title>
    <base href="${self}" />
    <link rel="stylesheet" href="${self}style.css" />
    <link rel="canonical" href="${self}" />
    <body style="background: url(${self}logo.svg) no-repeat right top">
      <nav>
        <img src="${self}logo.svg" srcset="${self}logo.svg 2x" alt="" />
        <a href="${self}">Handbook</a>
      </nav>
      <h1>${escape(title)}</h1>
      ${body}
    </body>
  </html>
`
}

function contents(self: string): string {
  const links = CHAPTERS.map(
    (title, i) => `<li><a href="${self}chapter/${i + 1}">${escape(title)}</a></li>`,
  )
  return `<ol>
      ${links.join('')}
    </ol>
    <p>
      <a href="${self}latest">The latest</a>, or <a href="${HANDBOOK_PATH}chapter/1">the first</a>.
    </p>`
}

function chapter(self: string, number: number): string {
  const next = (number % CHAPTERS.length) + 1
  return `<p>The address that this server knows is ${self}; its links lead here by yours.</p>
    <form action="${self}chapter/${next}">
      <button formaction="${self}chapter/${next}">Next</button>
    </form>`
}

function missing(self: string): string {
  return page(self, 'No such chapter', `<p><a href="${self}">All chapters</a></p>`)
}

const style = (self: string) => `@import "${self}print.css";
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto }
nav { background: url("${self}logo.svg") no-repeat; padding-left: 2rem }
`

const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"><circle cx="12" cy="12" r="10"/></svg>'

/** Coded as the browser takes it: what passes on the way has to open that. */
function send(
  { headers, method }: IncomingMessage,
  response: ServerResponse,
  status: number,
  type: string,
  text: string,
): void {
  const accepted = headers['accept-encoding'] ?? ''
  const [coding, body] = /\bbr\b/.test(accepted)
    ? ['br', brotliCompressSync(text)]
    : /\bgzip\b/.test(accepted)
      ? ['gzip', gzipSync(text)]
      : [undefined, Buffer.from(text)]
  response.writeHead(status, {
    'Content-Type': `${type}; charset=utf-8`,
    'Content-Length': body.length,
    Vary: 'Accept-Encoding',
    ...(coding !== undefined && { 'Content-Encoding': coding }),
  })
  response.end(method === 'HEAD' ? undefined : body)
}
