/**
 * The user listener: HTTP/1.1 in front of an edge, and with TLS HTTP/2 as well.
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
import { Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import {
  ApiMisuse,
  CONNECTION_TIME_LIMITS,
  requestNumberOf,
  TIME_LIMITS,
} from '../../protocol/internal.ts'
import type { Edge, RequestLimits } from '../edge/edge.ts'
import { serverCredentials, type ServerCredentials } from '../../runtime/node/server-credentials.ts'
import { AcceptedConnections } from '../../runtime/node/accepted-connections.ts'
import { EndOfTurn } from './end-of-turn.ts'
import { ExchangeIds } from '../offers/exchange-ids.ts'
import { HandshakeExchange } from './handshake-exchange.ts'
import { Http2Sessions, type Http2Limits } from './http2-sessions.ts'
import { readProxyHeaders, type ProxyProtocol } from './proxied-connections.ts'
import { answerRefused, refuseUnread, type Numbered } from './refused-requests.ts'
import {
  answerOn,
  keepDraining,
  serveInTurn,
  whenAnswered,
} from '../../runtime/node/request-turns.ts'
import { NodeUserExchange, requestTarget, type NodeUserExchangeOptions } from './user-exchange.ts'
import { certificateCallback, heedServerName, type CertificateFor } from './user-certificates.ts'
import { offeredProtocols, serveLater, serveWithoutUpgrade } from './user-upgrade.ts'

/**
 * What serves the requests: an {@link Edge}, or something in front of one, which passes `unread` on
 * as well.
 */
export type UserEdge = Pick<Edge, 'handle'> & Partial<Pick<Edge, 'unread' | 'publishes'>>

/** Options of {@link createUserListener}. */
export interface UserListenerOptions
  extends
    Omit<NodeUserExchangeOptions, 'expectsContinue' | 'isDraining' | 'isOwnServer'>,
    RequestLimits {
  /**
   * Key and certificate chain, PEM or DER: users come by TLS, and by HTTP/2 where they know it.
   * Default: plain HTTP/1.1, for localhost or behind a TLS terminator; HTTP/2 in clear text is not
   * served.
   */
  readonly tls?: ServerCredentials
  /**
   * Key and certificate by the server name that a user's connection asks for, as from {@link
   * openCertificateDirectory}; `tls` is for whoever asks for none, or for one that nothing is there
   * for. What is asked for a host that the shown certificate does not cover is answered with 421.
   * Default: `tls` is shown to everybody, and hosts are not compared.
   */
  readonly certificates?: CertificateFor
  /** Milliseconds for the whole head of a request, and for a TLS handshake. Default 15 000. */
  readonly requestHeadMs?: number
  /** Milliseconds a connection without a request is kept. Default 65 000. */
  readonly keepAliveMs?: number
  /**
   * Milliseconds from `close` until whatever connection is left is destroyed, its answers with it.
   * Default 30 000, the drain limit; `Infinity`: never.
   */
  readonly drainMs?: number
  /** Bytes of a request head. Default 32 KiB; an OFFER, which carries it, holds 64 KiB. */
  readonly maxHeadBytes?: number
  /**
   * Load balancers that say by the PROXY protocol whose a connection is; that is then the peer of
   * the connection, for policies, audit and shares, and for `trustedProxies`. Default: none, and
   * nothing is read before TLS or HTTP.
   */
  readonly proxyProtocol?: ProxyProtocol | undefined
  /** Limits of HTTP/2 connections. Default: those of each. */
  readonly http2?: Http2Limits
}

/**
 * The handler to mount in a `node:http` server of your own:
 * `createServer(userHandler(cloud.edge))`. For WebSockets and the like, add {@link
 * userUpgradeHandler}. To leave `Expect: 100-continue` to the edge, which answers it once a
 * connector asks for the body, add one for the event `checkContinue`:
 *
 *     server.on('checkContinue', userHandler(cloud.edge, {}, { expectsContinue: true }))
 *
 * It is a middleware of Express too: `app.use(userHandler(cloud.edge))`. With a third argument,
 * requests that are for no application go on to `next`. Mount it at the root: the service has paths
 * of its own, under `/.app-proxy/`.
 *
 * It reads bodies itself, octet for octet, and must come before whatever parses them. Fields that a
 * middleware set on the response before are no part of the answer.
 *
 * A request whose body was read before is an ApiMisuse: with a third argument the handler throws
 * it, at once; without, where it would end the process, it is told to `onError` of the cloud, and
 * the request is answered 500 in these words.
 */
export function userHandler(
  edge: UserEdge,
  limits: RequestLimits = {},
  options: NodeUserExchangeOptions = {},
): (request: IncomingMessage, response: ServerResponse, next?: () => void) => void {
  return (request, response, next) => {
    const isOurs = (): boolean =>
      edge.publishes?.(request.headers.host, requestTarget(request)) !== false
    if (next !== undefined && !isOurs()) return next()
    const wasRead = isBodyGone(request)
    if (wasRead && next !== undefined) throw new ApiMisuse(READ_BEFORE)
    const Exchange = wasRead ? ReadBefore : NodeUserExchange
    serveInTurn(request, response, () =>
      edge.handle(new Exchange(request, response, options), limits),
    )
  }
}

const READ_BEFORE = 'the body of this request was read before: mount userHandler before parsers'

/** What somebody has read of a body is gone, and its end would never come. */
function isBodyGone({ headers, readableDidRead }: IncomingMessage): boolean {
  if (!readableDidRead) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0
}

/** Tells the edge that it cannot be served. */
class ReadBefore extends NodeUserExchange {
  override listen(): never {
    throw new ApiMisuse(READ_BEFORE)
  }

  override abort(): void {
    const { length } = READ_BEFORE
    this.respond({ status: 500, headers: ['Content-Length', `${length}`] }, true)
    this.write(Buffer.from(READ_BEFORE))
    this.end()
  }
}

/**
 * The companion of {@link userHandler} for the event `upgrade`: `server.on('upgrade',
 * userUpgradeHandler(cloud.edge))`.
 *
 * Without a listener on it Node serves such requests as ordinary ones. With this one, what no
 * application could switch to (`h2c`, an offer with a body) is served as ordinary too; for that the
 * server emits `connection` or `secureConnection` a second time.
 */
export function userUpgradeHandler(
  edge: UserEdge,
  limits: RequestLimits = {},
  options: NodeUserExchangeOptions = {},
): (request: IncomingMessage, socket: Duplex, rest: Buffer) => void {
  return (request, socket, rest) => {
    if (answerOn(socket) !== undefined) return serveLater(request, socket as Socket, rest)
    const offered = offeredProtocols(request)
    if (offered === undefined) return serveWithoutUpgrade(request, socket, rest)
    edge.handle(new HandshakeExchange(request, socket as Socket, offered, rest, options), limits)
  }
}

/**
 * A server for users. Nobody listens until you call `listen`.
 *
 * `close` loses no request: a connection gets the answers that are due, then one more if it asks
 * within two seconds, and the last says `Connection: close`; HTTP/2 is told by GOAWAY. Whatever is
 * left after `drainMs`, a peer that is silent in the middle of its request say, is destroyed.
 *
 * `close`, `closeIdleConnections` and `closeAllConnections` reach everything that came by it:
 * HTTP/2 connections and switched ones included. WebSockets come by HTTP/1.1: extended CONNECT (RFC
 * 8441) is not offered, so browsers open a connection of their own.
 *
 * A user who closes its direction (FIN) before it has its answer has left, as nginx has it too, and
 * its request is cancelled. Who must answer such users sets `httpAllowHalfOpen` of the returned
 * server to true.
 */
export function createUserListener(edge: UserEdge, options: UserListenerOptions = {}): Server {
  const { userKeepAliveMs } = CONNECTION_TIME_LIMITS
  const { requestHeadMs = TIME_LIMITS.requestHeadMs, keepAliveMs = userKeepAliveMs } = options
  const { drainMs = TIME_LIMITS.drainMs } = options
  const { lingerMs = CONNECTION_TIME_LIMITS.lingerMs } = options
  const { maxHeadBytes = 32 * 1024, maxHeaders = 200, maxHeaderBytes, maxTarget } = options
  const limits: RequestLimits = {
    maxHeaders,
    ...(maxHeaderBytes !== undefined && { maxHeaderBytes }),
    ...(maxTarget !== undefined && { maxTarget }),
  }
  const settings = {
    // Bodies have deadlines of their own, per exchange.
    requestTimeout: 0,
    headersTimeout: requestHeadMs,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: maxHeadBytes,
    connectionsCheckingInterval: Math.min(1_000, requestHeadMs),
    insecureHTTPParser: false,
    // The edge refuses it in words.
    requireHostHeader: false,
  }
  const { certificates } = options
  const isSecure = options.tls !== undefined || certificates !== undefined
  const credentials = options.tls && serverCredentials(options.tls, 'tls')
  const server = !isSecure
    ? createHttpServer(settings)
    : createHttpsServer({
        ...settings,
        ...(credentials && { key: credentials.key, cert: credentials.cert }),
        ...(certificates && { SNICallback: certificateCallback(certificates) }),
        minVersion: 'TLSv1.2',
        handshakeTimeout: requestHeadMs,
        // As on node:http's own sockets: each direction ends by itself.
        allowHalfOpen: true,
        ALPNProtocols: ['h2', 'http/1.1'],
      })
  // Node drops what is beyond silently; the edge must see it to refuse it.
  server.maxHeadersCount = 0
  const connections = new AcceptedConnections(Math.max(keepAliveMs, requestHeadMs)).of(
    server,
    isSecure ? 'secureConnection' : 'connection',
  )
  const ordinary: NodeUserExchangeOptions = {
    ...options,
    isDraining: () => !server.listening,
    isOwnServer: true,
    turn: new EndOfTurn(),
  }
  const expecting: NodeUserExchangeOptions = { ...ordinary, expectsContinue: true }
  const handle = (
    request: IncomingMessage,
    response: ServerResponse,
    settings: NodeUserExchangeOptions,
  ): void => {
    // Our direction has ended: nothing can be answered here.
    if (!request.socket.writable) return void request.socket.destroy()
    edge.handle(new NodeUserExchange(request, response, settings), limits)
  }
  server.on('request', (request, response) =>
    serveInTurn(request, response, () => handle(request, response, ordinary)),
  )
  server.on('checkContinue', (request, response) =>
    serveInTurn(request, response, () => handle(request, response, expecting)),
  )
  server.on('upgrade', userUpgradeHandler(edge, limits, options))
  const spare = new ExchangeIds(crypto)
  const numbered: Numbered = (refused) => edge.unread?.(refused) ?? requestNumberOf(spare.next())
  server.on('clientError', (error, socket) =>
    refuseUnread(error, socket as Socket, options, numbered),
  )
  // Without a listener Node would close such a connection without a word.
  server.on('connect', (_request, stream) => {
    const socket = stream as Socket
    if (answerOn(socket) !== undefined) keepDraining(socket)
    whenAnswered(socket, () => {
      if (socket.writable) answerRefused(socket, 'method-unsupported', options, numbered)
    })
  })
  const sessions = new Http2Sessions((exchange) => edge.handle(exchange, limits), {
    ...options.http2,
    maxHeadBytes,
    maxHeaders,
    idleMs: keepAliveMs,
    lingerMs,
    numbered,
    prefaceMs: requestHeadMs,
    connections,
  })
  if (isSecure) routeByProtocol(server, sessions)
  const { proxyProtocol } = options
  if (proxyProtocol !== undefined)
    readProxyHeaders(server, proxyProtocol, {
      headerMs: requestHeadMs,
      refused: (address) => void numbered({ reason: 'user-malformed', address }),
    })
  if (certificates !== undefined) server.prependListener('secureConnection', heedServerName)
  return closingAll(server, sessions, connections, drainMs)
}

/** After the TLS handshake: HTTP/2 for whom agreed on it, HTTP/1.1 for everybody else. */
function routeByProtocol(server: Server, sessions: Http2Sessions): void {
  const serveHttp1 = server.listeners('secureConnection') as ((socket: TLSSocket) => void)[]
  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') return sessions.accept(socket)
    for (const serve of serveHttp1) serve.call(server, socket)
  })
}

/**
 * How long a connection may be silent, once its listener closes, before it is closed as well; and
 * how often that is looked at.
 */
const LAST_REQUEST_MS = 2_000
const CLOSE_IDLE_MS = 250
/**
 * Turns of the event loop in which a listener that closes accepts what has come, at the most: each
 * accepts one connection, and the kernel held 511 of them; whoever comes later was not there yet.
 */
const LAST_TURNS = 512

/**
 * Calls back when a whole turn of the event loop has brought no connection. The kernel completes
 * handshakes by itself, and resets what nobody has accepted when a listener is closed: such users
 * had asked already, and would have been heard by nobody.
 */
function whenAllAccepted(server: Server, done: () => void): void {
  let hasCome = true
  const came = (): void => void (hasCome = true)
  server.on('connection', came)
  const turn = (left: number): void => {
    if (hasCome && left > 0) {
      hasCome = false
      setImmediate(turn, left - 1)
      return
    }
    server.off('connection', came)
    done()
  }
  setImmediate(turn, LAST_TURNS)
}

/**
 * Node's server knows neither connections that it handed over nor those of HTTP/2, nor handshakes
 * under way.
 */
function closingAll(
  server: Server,
  sessions: Http2Sessions,
  connections: AcceptedConnections,
  drainMs: number,
): Server {
  let isClosing = false
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    if (sockets.has(socket)) return
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const close = server.close.bind(server)
  const closeIdle = server.closeIdleConnections.bind(server)
  const closeAll = server.closeAllConnections.bind(server)
  const destroyAll = (): void => {
    sessions.destroy()
    closeAll()
    for (const socket of sockets) socket.destroy()
  }
  return Object.assign(server, {
    close(closed?: (error?: Error) => void) {
      if (!server.listening) return close(closed)
      if (closed !== undefined) server.once('close', closed)
      if (isClosing) return server
      isClosing = true
      // Node's own would close idle connections at once, over a request that is on its way. Nobody
      // is sent away before: whoever is would come again, and wait in the queue that is emptied.
      whenAllAccepted(server, () => {
        NetServer.prototype.close.call(server)
        sessions.drain()
      })
      // Idle is to Node what has asked before; who never did is silent.
      const closeSilent = (): void => {
        closeIdle()
        connections.closeSilent(LAST_REQUEST_MS)
      }
      const closing = setTimeout(() => {
        closeSilent()
        idle = setInterval(closeSilent, CLOSE_IDLE_MS)
      }, LAST_REQUEST_MS)
      let idle: NodeJS.Timeout | undefined
      const late = Number.isFinite(drainMs) ? setTimeout(destroyAll, drainMs).unref() : undefined
      server.once('close', () => {
        clearTimeout(closing)
        clearInterval(idle)
        clearTimeout(late)
        // For what Node does besides: it looks after no connection any more.
        close(() => undefined)
      })
      return server
    },
    closeIdleConnections() {
      sessions.closeIdle()
      closeIdle()
    },
    closeAllConnections: destroyAll,
  })
}
