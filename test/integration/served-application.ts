/** One application, by each protocol that applications speak; what switches protocols comes by HTTP/1.1 to all of them. */
import {
  createServer as createHttp1Server,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import {
  constants,
  createSecureServer,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2Session,
} from 'node:http2'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export const APPLICATION_PROTOCOLS = ['http1', 'h2c', 'h2'] as const
export type ApplicationProtocol = (typeof APPLICATION_PROTOCOLS)[number]

export interface ServedOptions {
  readonly listener: RequestListener
  readonly upgrade?: ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) | undefined
  /** What it does with what its parser would not read. Default: what Node does. */
  readonly unparsed?: ((error: Error, socket: Duplex) => void) | undefined
  /** PEM; needed for `h2`. */
  readonly tls: { readonly key: string; readonly cert: string }
}

/** The connection of each session, which `node:http2` keeps to itself. */
const sockets = new WeakMap<Http2Session, Duplex>()

/** Every connection, by its two ports: below a tunnel by TLS there is one that can be reset. */
const raw = new Map<string, Socket>()
const lineOf = ({ localPort, remotePort }: Socket) => `${localPort} ${remotePort}`

/** A server of an application: to be listened with, and closed. */
export interface ServedApplication {
  readonly server: Server
  close(): Promise<void>
}

export function serveApplication(
  protocol: ApplicationProtocol,
  options: ServedOptions,
): ServedApplication {
  const open = new Set<Socket>()
  const server =
    protocol === 'http1'
      ? whole(options)
      : protocol === 'h2c'
        ? inTheClear(options)
        : byTls(options, { ...options.tls, allowHTTP1: true })
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    raw.set(lineOf(socket), socket)
    socket.on('close', () => open.delete(socket))
  })
  return {
    server,
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}

/** What a request came on. */
export function connectionOf(request: IncomingMessage): Duplex {
  const { stream } = request as unknown as Partial<Http2ServerRequest>
  return stream === undefined ? request.socket : sockets.get(stream.session!)!
}

/** Cuts a tunnel, or a connection. */
export function reset(connection: Duplex): void {
  raw.get(lineOf(connection as Socket))!.resetAndDestroy()
}

let broken = 0

/** Breaks a request off: its connection over HTTP/1.1, else its stream, or now and then all of them. */
export function breakOff(request: IncomingMessage): void {
  const { stream } = request as unknown as Partial<Http2ServerRequest>
  broken += 1
  if (stream === undefined) request.socket.destroy()
  else if (broken % 16 === 0 && stream.session) connectionOf(request).destroy()
  else stream.close([constants.NGHTTP2_INTERNAL_ERROR, constants.NGHTTP2_CANCEL][broken % 2])
}

/** Calls back when whoever asked has gone before its answer was whole. */
export function onCancelled(request: IncomingMessage, response: ServerResponse, then: () => void) {
  const { stream } = request as unknown as Partial<Http2ServerRequest>
  if (stream !== undefined) stream.on('aborted', then)
  else response.on('close', () => response.writableFinished || then())
}

/** An interim answer that `node:http` has no word for. */
export function inform(response: ServerResponse, status: number, name: string, value: string) {
  const { stream } = response as unknown as Partial<Http2ServerRequest>
  if (stream === undefined)
    response.socket!.write(`HTTP/1.1 ${status} Odd\r\n${name}: ${value}\r\n\r\n`)
  else stream.additionalHeaders({ ':status': status, [name]: value })
}

function whole({ listener, upgrade, unparsed }: ServedOptions) {
  const server = createHttp1Server({ requestTimeout: 0 }, listener)
  if (upgrade !== undefined) server.on('upgrade', upgrade)
  if (unparsed !== undefined) server.on('clientError', unparsed)
  return server
}

/** Both protocols on one port: whoever begins with the preface of HTTP/2 is served by it. */
function inTheClear(options: ServedOptions): Server {
  const http1 = whole(options)
  const http2 = createHttp2Server(options.listener as never)
  let current: Socket
  http2.on('session', (session) => sockets.set(session, current))
  return createTcpServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (octets) => {
      socket.pause()
      socket.unshift(octets)
      current = socket
      // It reads what is there by itself.
      if (octets.subarray(0, 3).toString() === 'PRI') return http2.emit('connection', socket)
      http1.emit('connection', socket)
      return socket.resume()
    })
  })
}

/** Both protocols by TLS, as its client wants it. */
function byTls(options: ServedOptions, tls: Parameters<typeof createSecureServer>[0]): Server {
  const server = createSecureServer(tls!, options.listener as never)
  let current: Duplex
  server.prependListener('secureConnection', (socket) => (current = socket))
  server.on('session', (session) => sockets.set(session, current))
  if (options.upgrade !== undefined) server.on('upgrade', options.upgrade)
  if (options.unparsed !== undefined) server.on('clientError', options.unparsed)
  return server
}
