/**
 * The user listener: plain or TLS HTTP/1.1 in front of an edge.
 *
 * @module
 */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Edge } from '../edge.ts'
import { NodeUserExchange } from './user-exchange.ts'

/** Options of {@link createUserListener}. */
export interface UserListenerOptions {
  /** PEM key and certificate chain: users come by TLS. Default: plain HTTP, for localhost or behind a TLS terminator. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Milliseconds for the whole head of a request. Default 15 000. */
  readonly requestHeadMs?: number
  /** Bytes of a request head. Default 32 KiB; an OFFER, which carries it, holds 64 KiB. */
  readonly maxHeadBytes?: number
  /** Header fields of a request. Default 200. */
  readonly maxHeaders?: number
}

/**
 * The handler to mount in a `node:http` server of your own: `createServer(userHandler(cloud.edge))`. To leave
 * `Expect: 100-continue` to the edge, add it on `checkContinue` as well.
 */
export function userHandler(
  edge: Edge,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => edge.handle(new NodeUserExchange(request, response))
}

/** A server for users. Nobody listens until you call `listen`. */
export function createUserListener(edge: Edge, options: UserListenerOptions = {}): Server {
  const { requestHeadMs = 15_000, maxHeadBytes = 32 * 1024, maxHeaders = 200 } = options
  const settings = {
    // Bodies have deadlines of their own, per exchange.
    requestTimeout: 0,
    headersTimeout: requestHeadMs,
    keepAliveTimeout: 65_000,
    maxHeaderSize: maxHeadBytes,
    connectionsCheckingInterval: 1_000,
    insecureHTTPParser: false,
  }
  const server =
    options.tls === undefined
      ? createHttpServer(settings)
      : createHttpsServer({
          ...settings,
          ...options.tls,
          minVersion: 'TLSv1.2',
          ALPNProtocols: ['http/1.1'],
        })
  // Node drops what is beyond silently; the edge must see it to refuse it.
  server.maxHeadersCount = 0
  const handle = (
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): void => {
    edge.handle(new NodeUserExchange(request, response, expectsContinue), { maxHeaders })
  }
  server.on('request', (request, response) => handle(request, response, false))
  server.on('checkContinue', (request, response) => handle(request, response, true))
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy()
    const status =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : '400 Bad Request'
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    return undefined
  })
  return server as Server
}
