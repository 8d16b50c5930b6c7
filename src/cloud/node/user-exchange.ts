/**
 * One user request on `node:http`, as the edge's port wants it.
 *
 * @module
 */
import {
  STATUS_CODES,
  validateHeaderName,
  validateHeaderValue,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  ApiMisuse,
  CONNECTION_TIME_LIMITS,
  headerValue,
  withoutHeaders,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/internal.ts'
import type { UserEvents, UserExchange, UserRequestHead } from '../request/user-exchange.ts'
import type { EndOfTurn } from './end-of-turn.ts'
import { lingerAtClose, type LingerLimits } from './lingering-close.ts'
import { hasOthersBehind } from '../../runtime/node/request-turns.ts'
import { isMisdirected } from './user-certificates.ts'
import { connectionOf, type OnConnection, type UserConnection } from './user-connection.ts'

/** Options of {@link NodeUserExchange}. */
export interface NodeUserExchangeOptions extends LingerLimits {
  /**
   * Milliseconds without a byte of the answer after which a user who closed its direction (FIN)
   * counts as gone: for handshakes, and on servers whose `httpAllowHalfOpen` is true; on others it
   * is gone at once. One who has left altogether looks the same until something is sent to it, and
   * must not hold a connector for long. Default 2 000.
   */
  readonly halfClosedMs?: number
  /** The user waits for `100 Continue` before it sends its body. Default false. */
  readonly expectsContinue?: boolean
  /** Whether connections end with the last answer that is due on them. Default: they do not. */
  readonly isDraining?: () => boolean
  /**
   * The server is ours: nothing was set on its responses.
   *
   * @internal
   */
  readonly isOwnServer?: boolean
  /**
   * Shared by the exchanges of one server. Default: each waits for the end of a turn by itself.
   *
   * @internal
   */
  readonly turn?: EndOfTurn
}

/** Binds a request and its response to the {@link UserExchange} port. */
export class NodeUserExchange implements UserExchange {
  readonly head: UserRequestHead
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #options: NodeUserExchangeOptions
  #events: UserEvents | undefined
  /** What its connection tells. */
  readonly #onConnection: OnConnection = {
    halfClosed: () => this.#halfClosed(),
    gone: () => this.#gone(),
  }
  /** Once somebody listens. */
  #connection: UserConnection | undefined
  #isGone = false
  #hasWritten = false
  #patience: NodeJS.Timeout | undefined
  /** Somebody waits for room. */
  #awaitsDrain = false

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    options: NodeUserExchangeOptions = {},
  ) {
    this.#request = request
    this.#response = response
    this.#options = options
    this.head = requestHead(request, undefined)
  }

  get connection(): Socket {
    return this.#request.socket
  }

  listen(events: UserEvents): void {
    if (this.#events !== undefined) throw new ApiMisuse('listen() was called before')
    this.#events = events
    const response = this.#response
    // A broken connection is told once, by the response's close; its error event says nothing more,
    // and a request that nobody listens to has none.
    response.on('error', nothing)
    response.on('close', this.#onConnection.gone)
    // A pipelined answer that waits behind another has no close of its own when the user leaves.
    this.#connection = connectionOf(this.#request.socket)
    this.#connection.add(this.#onConnection)
  }

  /** Lets go of the connection without a word. */
  release(): void {
    this.#isGone = true
    this.#connection?.remove(this.#onConnection)
    clearInterval(this.#patience)
  }

  startBody(): void {
    const events = this.#events!
    if (this.#options.expectsContinue) this.#response.writeContinue()
    this.#request.on('data', (bytes: Uint8Array) => events.data(bytes))
    this.#request.on('end', () => {
      const trailers = this.#request.rawTrailers
      events.ended(trailers.length > 0 ? trailers : undefined)
    })
  }

  pauseBody(): void {
    this.#request.pause()
  }

  resumeBody(): void {
    this.#request.resume()
  }

  /**
   * Every 1xx as it is, besides 100, which {@link startBody} answers, and 101. Not for HTTP/1.0,
   * nor for a pipelined answer that waits behind another.
   */
  inform({ status, headers }: ResponseHead): void {
    if (this.head.httpVersion === '1.0' || !isInterim(status)) return
    // Node's own writeEarlyHints() refuses legal Link values; of an answer that was not begun, the
    // socket has no byte yet.
    if (!this.#response.headersSent)
      this.#response.socket?.write(rawHead(status, headers), 'latin1')
  }

  respond({ status, headers }: ResponseHead, close: boolean): void {
    if (this.#isGone) return
    // In trailers it is no `Connection` field (RFC 9110 §6.5.1), and Node's parser reads it as one:
    // nothing more is read here.
    const isLast =
      close ||
      (this.#options.isDraining?.() === true && !hasOthersBehind(this.#response)) ||
      headerValue(this.#request.rawTrailers, 'connection') !== undefined
    if (isLast) {
      this.#response.shouldKeepAlive = false
      // Node would destroy the socket right after the answer, with the user's body still coming.
      lingerAtClose(this.#request.socket, this.#request, this.#options)
    }
    // Node throws for a `Trailer` field on an answer that will not be chunked.
    const isPlain = headerValue(headers, 'trailer') === undefined || this.#mayTrail(status, headers)
    const list = isPlain ? headers : withoutHeaders(headers, 'trailer')
    this.#writeHead(status, this.#withConnection(status, list))
    // With what comes of the body in this turn, be it in the next TLS record; an answer that keeps
    // its user waiting for it shows its head.
    this.#atEndOfTurn(() => this.#flushHead())
  }

  upgrade(): void {
    throw new ApiMisuse('this request was not handed over: head.upgrade is undefined')
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isGone) return true
    // A link's bytes come in the pieces that TLS makes of them: what one turn brings leaves
    // together.
    if (this.#hasWritten) this.#cork()
    this.#hasWritten = true
    const hasRoom = this.#response.write(bytes)
    if (!hasRoom) this.#awaitDrain()
    return hasRoom
  }

  /**
   * Trailers go out with a chunked body only; HTTP/1.0 and an answer of known length have no place
   * for them.
   */
  end(trailers?: HeaderList): void {
    if (this.#isGone) return
    if (trailers !== undefined) this.#response.addTrailers(pairs(trailers))
    this.#response.end()
  }

  abort(): void {
    breakOff(this.#request.socket, this.head)
    this.#response.destroy()
  }

  /** The user closed its direction; a body that broke off so was refused by now, in this turn. */
  #halfClosed(): void {
    if (this.#isGone) return
    const { halfClosedMs } = this.#options
    this.#patience = leaveWhenSilent(this.#request.socket, this.#response, halfClosedMs)
  }

  /** Its connection is gone, or its answer is over. */
  #gone(): void {
    if (this.#isGone) return
    this.release()
    this.#events!.gone(this.#response.writableFinished)
  }

  #awaitDrain(): void {
    if (this.#awaitsDrain) return
    this.#awaitsDrain = true
    this.#response.once('drain', () => {
      this.#awaitsDrain = false
      this.#events!.drained()
    })
  }

  #cork(): void {
    const { socket } = this.#response
    if (socket === null || socket.writableCorked > 0) return
    socket.cork()
    this.#atEndOfTurn(() => socket.uncork())
  }

  #atEndOfTurn(run: () => void): void {
    const { turn } = this.#options
    if (turn === undefined) setImmediate(run)
    else turn.then(run)
  }

  /** Who says what it would have to be upgraded to says so of the connection (RFC 9110 §7.8). */
  #withConnection(status: number, headers: HeaderList): HeaderList {
    if (status !== 426 || headerValue(headers, 'upgrade') === undefined) return headers
    const { shouldKeepAlive } = this.#response
    return [...headers, 'Connection', shouldKeepAlive ? 'Upgrade' : 'Upgrade, close']
  }

  /**
   * The fields of the answer, and no others: what a middleware set on the response before is taken
   * off, besides `Connection`, which is its server's to say. Once anything was set, even if it was
   * taken off, `writeHead` of Node 20 keeps only the last of several fields of one name.
   */
  #writeHead(status: number, headers: HeaderList): void {
    const response = this.#response
    const others = response.getHeaderNames()
    const { sendDate } = response
    for (const name of others) if (name !== 'connection') response.removeHeader(name)
    // To Node, who takes a date off wants none.
    response.sendDate = sendDate
    const isFresh = this.#options.isOwnServer === true && others.length === 0
    if (isFresh || !hasRepeated(headers)) {
      response.writeHead(status, headers as string[])
      return
    }
    for (const [name, value] of pairs(headers)) response.appendHeader(name, value)
    response.writeHead(status)
  }

  #flushHead(): void {
    const response = this.#response
    if (!this.#isGone && !this.#hasWritten && !response.writableEnded) response.flushHeaders()
  }

  #mayTrail(status: number, headers: HeaderList): boolean {
    const { method, httpVersion } = this.head
    if (httpVersion === '1.0' || method === 'HEAD' || status === 204 || status === 304) return false
    return headerValue(headers, 'content-length') === undefined
  }
}

/** The head of a request on `node:http`. */
export function requestHead(
  request: IncomingMessage,
  upgrade: string | undefined,
): UserRequestHead {
  return new RequestHead(request, upgrade)
}

/** A class, since V8 may take what one literal makes for long-lived, and what it refers to. */
class RequestHead implements UserRequestHead {
  declare readonly method: string
  declare readonly target: string
  declare readonly headers: HeaderList
  declare readonly authority: string
  declare readonly secure: boolean
  declare readonly httpVersion: string
  declare readonly remoteAddress: string
  declare readonly upgrade: string | undefined
  declare readonly isMisdirected: boolean

  constructor(request: IncomingMessage, upgrade: string | undefined) {
    const { socket } = request
    this.method = request.method ?? ''
    this.target = requestTarget(request)
    this.headers = request.rawHeaders
    this.authority = request.headers.host ?? ''
    this.secure = (socket as TLSSocket).encrypted === true
    this.httpVersion = request.httpVersion
    this.remoteAddress = socket.remoteAddress ?? ''
    this.upgrade = upgrade
    this.isMisdirected = isMisdirected(socket, this.authority)
  }
}

/** The target as it came: Express takes off the path that a handler is mounted at. */
export function requestTarget(
  request: IncomingMessage & { readonly baseUrl?: unknown; readonly originalUrl?: unknown },
): string {
  const { baseUrl = '', originalUrl, url = '' } = request
  return baseUrl !== '' && typeof originalUrl === 'string' ? originalUrl : url
}

/**
 * Whether an application's interim answer concerns the user: its 100 answers us, and a 101 is no
 * interim answer.
 */
export function isInterim(status: number): boolean {
  return status > 101 && status < 200
}

/**
 * A status line and its fields, as they are, for a socket.
 *
 * @throws {TypeError} For a name or value that could end its line.
 */
export function rawHead(status: number, headers: HeaderList): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  for (const [name, value] of pairs(headers)) {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    text += `${name}: ${value}\r\n`
  }
  return `${text}\r\n`
}

/**
 * A reset, not a FIN: the user must not take a body without length for complete. Over TLS a FIN
 * without a closing alert says the same (RFC 9112, section 9.8). Only TCP can be reset: Node throws
 * for TLS and for Unix sockets.
 */
export function breakOff(socket: Socket, { secure, remoteAddress }: UserRequestHead): void {
  if (!secure && remoteAddress !== '') socket.resetAndDestroy()
  else socket.destroy()
}

function hasRepeated(headers: HeaderList): boolean {
  const names = new Set(pairs(headers).map(([name]) => name.toLowerCase()))
  return names.size < headers.length / 2
}

/**
 * A user who only closed its direction reads on; one who left is noticed when something is sent, or
 * by this.
 */
function leaveWhenSilent(
  socket: Socket,
  response: ServerResponse,
  halfClosedMs = CONNECTION_TIME_LIMITS.halfClosedMs,
): NodeJS.Timeout {
  let written = socket.bytesWritten
  return setInterval(() => {
    // With bytes under way, TCP finds out whether anybody takes them.
    if (socket.bytesWritten === written && response.writableLength === 0) socket.destroy()
    written = socket.bytesWritten
  }, halfClosedMs)
}

function nothing(): void {
  // nobody to tell
}

/** Header fields one by one. */
export function pairs(list: HeaderList): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!])
}
