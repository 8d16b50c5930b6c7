/**
 * A small private site, to be published: what it shows is what reached it.
 *
 *     node --import tsx examples/intranet.ts [--port N]
 *
 * One line of JSON on stdout says that it is ready: `{"url":"…"}`.
 *
 * - intranet/pages.ts     the front page, and the live page that opens the two below
 * - intranet/echo.ts      a WebSocket that sends back what it receives
 * - intranet/ticker.ts    server-sent events, one after the other
 * - intranet/requests.ts  header fields, uploads and downloads, slow and broken answers
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { sendJson, sendText, type Handler } from './intranet/answers.ts'
import { Echo } from './intranet/echo.ts'
import { frontPage, livePage } from './intranet/pages.ts'
import { die, download, form, headers, slow, upload } from './intranet/requests.ts'
import { Ticker } from './intranet/ticker.ts'

const echo = new Echo()
const ticker = new Ticker()
const ROUTES: Readonly<Record<string, Handler>> = {
  'GET /': frontPage,
  'GET /live': livePage,
  'GET /ticks': (request, response, query) => ticker.answer(request, response, query),
  'GET /connected': (_, response) =>
    sendJson(response, { echo: echo.connected, ticks: ticker.connected }),
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
server.on('upgrade', (request, socket, head) => {
  const [path, query] = splitTarget(request.url!)
  if (path === '/echo') return echo.accept(request, socket, head, new URLSearchParams(query))
  socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
})
server.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}` }))
})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    server.close(() => process.exit(0))
    echo.close()
    server.closeAllConnections()
  })

function splitTarget(target: string): [string, string] {
  const mark = target.indexOf('?')
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}
