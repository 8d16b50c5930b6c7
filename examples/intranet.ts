/**
 * A small private site, to be published: what it shows is what reached it.
 *
 *     node --import tsx examples/intranet.ts [--port N] [--assertions URL --issuer URL --assertion-keys FILE]
 *
 * One line of JSON on stdout says that it is ready: `{"url":"…"}`.
 *
 * - intranet/pages.ts     the front page, and the live page that opens the two below
 * - intranet/asserted.ts  who is there, where it is told by signed assertions
 * - intranet/handbook.ts  a handbook whose links are whole addresses of the inside
 * - intranet/echo.ts      a WebSocket that sends back what it receives
 * - intranet/ticker.ts    server-sent events, one after the other
 * - intranet/requests.ts  header fields, uploads and downloads, slow and broken answers
 */
import { createServer } from 'node:http'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { sendJson, sendText, type Handler } from './intranet/answers.ts'
import { assertedSite, nobodyAsserted, type WhoIsAsserted } from './intranet/asserted.ts'
import { Echo } from './intranet/echo.ts'
import { handbook, HANDBOOK_PATH } from './intranet/handbook.ts'
import { frontPage, livePage } from './intranet/pages.ts'
import { die, download, form, headers, slow, upload } from './intranet/requests.ts'
import { Ticker } from './intranet/ticker.ts'
import { readFlags, readPort, type FlagValues } from '#program/flags'
import { listen } from '#program/listen'
import { aborted, runAs, type Surroundings } from '#program/program'

const echo = new Echo()
const ticker = new Ticker()
const ROUTES: Readonly<Record<string, Handler>> = {
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

const FLAGS = {
  port: { value: 'N', text: 'the port it listens on (default: a free one)' },
  assertions: { value: 'URL', text: 'take assertions for this external URL (default: take none)' },
  issuer: { value: 'URL', text: 'the service that signs them' },
  'assertion-keys': { value: 'FILE', text: 'its public keys' },
} as const

/** Resolves with the exit code, when it has ended. */
export async function main(surroundings: Surroundings): Promise<number> {
  const { say, log, signal } = surroundings
  const flags = readFlags(surroundings, 'node --import tsx examples/intranet.ts', FLAGS)
  if (flags === undefined) return 0
  const who = readAsserted(flags)
  const routes: typeof ROUTES = {
    ...ROUTES,
    'GET /': (request, response) => frontPage(request, response, who),
  }
  const wanted = flags.port === undefined ? 0 : readPort(flags.port)
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const [path, query] = splitTarget(request.url!)
    const method = request.method === 'HEAD' ? 'GET' : request.method!
    if (path.startsWith(HANDBOOK_PATH)) return handbook(request, response)
    const handler = path === '/headers' ? headers : routes[`${method} ${path}`]
    if (handler === undefined) return void sendText(response, 404, 'There is no such page.\n')
    const parameters = new URLSearchParams(query)
    Promise.resolve(handler(request, response, parameters)).catch((error: Error) => {
      log(error.message)
      response.destroy()
    })
  })
  server.on('upgrade', (request, socket, head) => {
    const [path, query] = splitTarget(request.url!)
    if (path === '/echo') return echo.accept(request, socket, head, new URLSearchParams(query))
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  })
  const port = await listen(server, { port: wanted, host: '127.0.0.1', at: '--' })
  say(JSON.stringify({ url: `http://127.0.0.1:${port}` }))
  await aborted(signal)
  await new Promise((closed) => {
    server.close(closed)
    echo.close()
    server.closeAllConnections()
  })
  return 0
}

/** All three, or none. */
function readAsserted({
  assertions,
  issuer,
  'assertion-keys': keysFile,
}: FlagValues<typeof FLAGS>): WhoIsAsserted {
  if (assertions === undefined && issuer === undefined && keysFile === undefined)
    return nobodyAsserted
  for (const [name, value] of Object.entries({ assertions, issuer, 'assertion-keys': keysFile }))
    if (value === undefined) throw new ConfigurationInvalid(`--${name}`, 'is missing')
  return assertedSite({ audience: assertions!, issuer: issuer!, keysFile: keysFile! })
}

function splitTarget(target: string): [string, string] {
  const mark = target.indexOf('?')
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}

await runAs('intranet', main, import.meta.url)
