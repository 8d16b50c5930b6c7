/**
 * The HTTP/2 connections of users, and the limits one of them may not pass.
 *
 * What nghttp2 and Node bound by themselves: floods of PING and SETTINGS acknowledgements (1 000
 * waiting), of CONTINUATION and of invalid frames, and 1 000 resets at once. What is bounded here:
 * resets in relation to requests (CVE-2023-44487, CVE-2025-8671), idle time, streams, header fields
 * and bytes, memory.
 *
 * @module
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { headerValue, type FailureReason, type HeaderList } from '../../protocol/internal.ts'
import { MAX_TARGET } from '../edge/request-limits.ts'
import type {
  AcceptedConnections,
  ConnectionOwner,
} from '../../runtime/node/accepted-connections.ts'
import { isGrpc } from '../pages/grpc-answer.ts'
import { prefersHtml } from '../pages/negotiation.ts'
import { fieldsOf } from '../../runtime/node/http2-fields.ts'
import { Http2UserExchange, http2RequestHead } from './http2-user-exchange.ts'
import { Http2Windows, type UploadLimits } from './http2-windows.ts'
import { refusal, type Numbered } from './refused-requests.ts'

/** Limits of one HTTP/2 connection. */
export interface Http2Limits extends UploadLimits {
  /** Streams at a time. Default 100. */
  readonly maxConcurrentStreams?: number
  /**
   * Streams the user may have reset, or made us reset by an error of its own, within 10 seconds.
   * When there are more, and they are more than half of its streams, the connection ends with
   * ENHANCE_YOUR_CALM. Default 200.
   */
  readonly maxResets?: number
  /** MiB that one connection may hold in Node's buffers; a stream beyond is refused. Default 10. */
  readonly maxSessionMemoryMiB?: number
}

/** What the listener sets besides. */
export interface Http2SessionOptions extends Http2Limits {
  readonly maxHeadBytes: number
  readonly maxHeaders: number
  /** Milliseconds without a request after which a connection is closed. */
  readonly idleMs: number
  /** Milliseconds a closed connection waits for the user to close it too. */
  readonly lingerMs: number
  /** Milliseconds until the user has begun to speak HTTP/2. */
  readonly prefaceMs: number
  readonly numbered: Numbered
  /** Looks after each connection. */
  readonly connections: AcceptedConnections
}

/** Fields of a head that is read; cookies may come in many, and count as one. */
const MAX_FIELDS = 4_000
/** Octets of a head that is read, if only to say that it is too large. */
const MAX_HEAD_READ = 256 * 1024
/** The greatest number of a stream; and how long after it was named the last one is said. */
const LAST_STREAM = 2 ** 31 - 1
const NOTICE_MS = 1_000
/** Resets are counted over this time. */
const RESET_WINDOW_MS = 10_000

/** Serves streams of HTTP/2 connections. */
export class Http2Sessions {
  readonly #serve: (exchange: Http2UserExchange) => void
  readonly #options: Http2SessionOptions
  readonly #sessions = new Set<Http2Connection>()
  #isDraining = false

  constructor(serve: (exchange: Http2UserExchange) => void, options: Http2SessionOptions) {
    this.#serve = serve
    this.#options = options
  }

  /** Takes a connection on which `h2` was agreed. */
  accept(socket: TLSSocket): void {
    const connection = new Http2Connection(socket, this.#serve, this.#options)
    this.#options.connections.keep(socket, connection)
    this.#sessions.add(connection)
    if (this.#isDraining) connection.drain()
    socket.once('close', () => this.#sessions.delete(connection))
  }

  /**
   * Streams that are on their way are still served, then no more; a connection ends with its last
   * one.
   */
  drain(): void {
    this.#isDraining = true
    for (const connection of this.#sessions) connection.drain()
  }

  closeIdle(): void {
    for (const connection of this.#sessions) if (connection.open === 0) connection.close()
  }

  destroy(): void {
    for (const connection of this.#sessions) connection.destroy()
  }
}

class Http2Connection implements ConnectionOwner {
  readonly #serve: (exchange: Http2UserExchange) => void
  readonly #options: Http2SessionOptions
  readonly #socket: TLSSocket
  readonly #session: ServerHttp2Session
  readonly #remoteAddress: string
  readonly #windows: Http2Windows
  readonly #open = new Set<ServerHttp2Stream>()
  #hasBegun = false
  #isDraining = false
  #timer: NodeJS.Timeout | undefined
  #windowStart = performance.now()
  #streams = 0
  #resets = 0

  constructor(
    socket: TLSSocket,
    serve: (exchange: Http2UserExchange) => void,
    options: Http2SessionOptions,
  ) {
    const { maxConcurrentStreams = 100, maxSessionMemoryMiB = 10 } = options
    this.#serve = serve
    this.#options = options
    this.#socket = socket
    this.#remoteAddress = socket.remoteAddress ?? ''
    this.#session = performServerHandshake(socket, {
      maxSessionMemory: maxSessionMemoryMiB,
      maxSessionInvalidFrames: 100,
      // What is beyond, nghttp2 resets without a word; whoever is a little over the limits is told.
      maxHeaderListPairs: MAX_FIELDS,
      settings: { maxConcurrentStreams, maxHeaderListSize: MAX_HEAD_READ },
    })
    const tooMuch = (): void => this.#calmDown('too much was sent ahead')
    this.#windows = new Http2Windows(this.#session, options, tooMuch)
    this.#session.on('error', () => undefined)
    this.#session.once('remoteSettings', () => {
      this.#hasBegun = true
      if (this.open === 0) this.#idle()
    })
    // The declared types leave out the fourth: the fields as they came.
    this.#session.on('stream', ((
      stream: ServerHttp2Stream,
      ...[, , raw]: [object, number, string[]]
    ) => this.#accept(stream, raw)) as (stream: ServerHttp2Stream) => void)
    // Nobody closes half of such a connection and waits.
    socket.once('end', () => this.destroy())
    socket.once('close', () => clearTimeout(this.#timer))
    this.#idle()
  }

  /** Streams under way. */
  get open(): number {
    return this.#open.size
  }

  /**
   * Of a session that died Node says nothing: its streams stay open, and its user is read no more.
   */
  get isServing(): boolean {
    for (const stream of this.#open) if (!stream.writableEnded) return true
    return false
  }

  /** Whoever is there answers a PING (RFC 9113 §6.7). */
  probe(): void {
    if (this.#session.destroyed) return
    this.#session.ping(() => undefined)
  }

  drain(): void {
    const { closed, destroyed } = this.#session
    if (closed || destroyed || this.#isDraining) return
    this.#isDraining = true
    // Streams that the user opens before it has read this are served (RFC 9113 §6.8).
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM)
    setTimeout(() => this.close(), NOTICE_MS).unref()
  }

  /** Opens no stream any more, and ends with the last one. */
  close(): void {
    if (this.#session.closed || this.#session.destroyed) return
    this.#session.close()
    if (this.#open.size === 0) this.#idle()
  }

  destroy(): void {
    this.#session.destroy()
    this.#socket.destroy()
  }

  #accept(stream: ServerHttp2Stream, raw: HeaderList): void {
    this.#streams += 1
    // Reset before anybody was told of it.
    if (stream.destroyed || stream.closed) return this.#reset()
    clearTimeout(this.#timer)
    this.#open.add(stream)
    const head =
      octetsOf(raw) > this.#options.maxHeadBytes
        ? whatIsTooMuch(raw)
        : http2RequestHead(raw, this.#remoteAddress, stream.endAfterHeaders, this.#socket)
    const exchange =
      typeof head === 'string' ? undefined : new Http2UserExchange(stream, head, this.#windows)
    if (!stream.endAfterHeaders) this.#windows.opened(stream)
    stream.once('close', () => {
      this.#open.delete(stream)
      this.#windows.closed(stream)
      if (this.#open.size === 0) this.#idle()
      const isClean = stream.rstCode === constants.NGHTTP2_NO_ERROR
      if (!isClean && exchange?.isAborted !== true) this.#reset()
    })
    if (exchange !== undefined) return this.#serve(exchange)
    stream.on('error', () => undefined)
    const accept = isGrpc(raw) ? 'grpc' : prefersHtml(raw) ? 'html' : 'problem'
    const reason = head as FailureReason
    const requestId = this.#options.numbered({ reason, address: this.#remoteAddress })
    const { status, headers, body } = refusal(reason, requestId, undefined, accept)
    stream.respond({ ':status': status, ...fieldsOf(headers) }, { endStream: body.length === 0 })
    // Node has ended the answer to a HEAD already.
    if (!stream.writableEnded) stream.end(body)
  }

  #idle(): void {
    clearTimeout(this.#timer)
    const { idleMs, lingerMs, prefaceMs } = this.#options
    const close = (): void => {
      this.#session.close()
      this.#timer = setTimeout(() => this.destroy(), lingerMs)
    }
    if (this.#session.closed) close()
    else this.#timer = setTimeout(close, this.#hasBegun ? idleMs : Math.min(idleMs, prefaceMs))
  }

  #reset(): void {
    const now = performance.now()
    if (now - this.#windowStart > RESET_WINDOW_MS) {
      this.#windowStart = now
      this.#resets = 0
      this.#streams = this.#open.size + 1
    }
    this.#resets += 1
    const { maxResets = 200 } = this.#options
    if (this.#resets <= maxResets || this.#resets * 2 <= this.#streams) return
    this.#calmDown('too many streams were reset')
  }

  #calmDown(why: string): void {
    if (this.#session.destroyed) return
    // Without an error, Node sends the code of none.
    this.#session.destroy(new Error(why), constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }
}

/** As many as the head would take in HTTP/1.1, about. */
function octetsOf(raw: HeaderList): number {
  let octets = 2 * raw.length
  for (const text of raw) octets += text.length
  return octets
}

function whatIsTooMuch(raw: HeaderList): FailureReason {
  const { length } = headerValue(raw, ':path') ?? ''
  return length > MAX_TARGET ? 'target-too-long' : 'head-too-large'
}
