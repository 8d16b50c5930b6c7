/**
 * One user request on `node:http2`, as the edge's port wants it.
 *
 * @see RFC 9113 §8
 * @module
 */
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import {
  ApiMisuse,
  headerValue,
  headerValues,
  isToken,
  type FailureReason,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/internal.ts'
import { fieldsOf, joinedWhereNeeded } from '../../runtime/node/http2-fields.ts'
import { grpcTrailers, isGrpc } from '../pages/grpc-answer.ts'
import type {
  BrokenOff,
  UserEvents,
  UserExchange,
  UserRequestHead,
} from '../request/user-exchange.ts'
import { isMisdirected } from './user-certificates.ts'
import { isInterim, pairs } from './user-exchange.ts'

/** The head of a request on a stream, or why there is none. */
export function http2RequestHead(
  rawHeaders: HeaderList,
  remoteAddress: string,
  endsAfterHead: boolean,
  socket: object,
): UserRequestHead | FailureReason {
  const headers: string[] = []
  const cookies: string[] = []
  const pseudo: Record<string, string> = {}
  for (const [name, value] of pairs(rawHeaders)) {
    if (name.startsWith(':')) pseudo[name] = value
    else if (name === 'cookie') cookies.push(value)
    else headers.push(name, value)
  }
  const { ':method': method = '', ':path': target, ':authority': authority } = pseudo
  // HTTP/1.1 has them in a line that its parser reads; nghttp2 lets through what is none.
  if (!isToken(method) || !/^https?$/i.test(pseudo[':scheme'] ?? 'https')) return 'user-malformed'
  // CONNECT alone has no path.
  if (target === undefined) return 'method-unsupported'
  const hosts = headerValues(headers, 'host')
  const isAmbiguous =
    authority !== undefined && hosts.some((host) => host.toLowerCase() !== authority.toLowerCase())
  if (isAmbiguous) return 'user-malformed'
  // RFC 9113 §8.2.3: split for compression only.
  if (cookies.length > 0) headers.push('cookie', cookies.join('; '))
  // Edges read framing in HTTP/1.1's words; a length that was declared, nghttp2 has checked or
  // will.
  if (!endsAfterHead && headerValue(headers, 'content-length') === undefined)
    headers.push('transfer-encoding', 'chunked')
  const host = authority ?? hosts[0] ?? ''
  const head = {
    method,
    target,
    headers,
    authority: host,
    secure: true,
    httpVersion: '2',
    remoteAddress,
    upgrade: undefined,
  }
  return isMisdirected(socket, host) ? { ...head, isMisdirected: true } : head
}

/** Octets of a request that nobody wants, and how long they are awaited. Milliseconds. */
const MAX_REST = 64 * 1024
const REST_MS = 250

/**
 * Binds a stream to the {@link UserExchange} port. The connection is never closed over one
 * exchange.
 */
export class Http2UserExchange implements UserExchange {
  readonly head: UserRequestHead
  readonly #stream: ServerHttp2Stream
  readonly #uploads: { taken(bytes: number): void } | undefined
  #events: UserEvents | undefined
  /** The user has sent all of its request. */
  #isRequestComplete: boolean
  #bodyStarted = false
  #requestTrailers: HeaderList | undefined
  /** The answer's head leaves no room for a body. */
  #isBodyless = false
  #isEnded = false
  /** What the answer ends with. */
  #trailers: HeaderList = []
  #isGone = false
  #isAborted = false
  /** Its end says that it is not complete. */
  #isCutShort = false

  /** @param uploads is told of body bytes that were taken */
  constructor(
    stream: ServerHttp2Stream,
    head: UserRequestHead,
    uploads?: { taken(bytes: number): void },
  ) {
    this.#stream = stream
    this.head = head
    this.#uploads = uploads
    this.#isRequestComplete = stream.endAfterHeaders
  }

  /** We broke it off, not the user. */
  get isAborted(): boolean {
    return this.#isAborted
  }

  listen(events: UserEvents): void {
    if (this.#events !== undefined) throw new ApiMisuse('listen() was called before')
    this.#events = events
    const stream = this.#stream
    // The close that follows says it.
    stream.on('error', () => undefined)
    stream.on('drain', () => events.drained())
    stream.on('trailers', (_fields, _flags, raw: string[] = []) => (this.#requestTrailers = raw))
    stream.on('end', () => this.#ended())
    stream.on('wantTrailers', () => this.#sendTrailers())
    stream.on('finish', () => this.#finished())
    stream.on('close', () => this.#closed())
  }

  startBody(): void {
    const events = this.#events!
    const stream = this.#stream
    if (this.#isGone) return
    if (/^100-continue$/i.test(headerValue(this.head.headers, 'expect') ?? '')) this.#inform(100)
    this.#bodyStarted = true
    // An empty body has ended before anybody asked for it.
    if (stream.readableEnded) return this.#ended()
    stream.on('data', (bytes: Uint8Array) => {
      this.#uploads?.taken(bytes.length)
      events.data(bytes)
    })
  }

  pauseBody(): void {
    this.#stream.pause()
  }

  resumeBody(): void {
    this.#stream.resume()
  }

  /**
   * Every 1xx as it is, besides 100, which {@link startBody} answers, and 101, which HTTP/2 does
   * not know.
   */
  inform({ status, headers }: ResponseHead): void {
    if (isInterim(status)) this.#inform(status, headers)
  }

  respond({ status, headers }: ResponseHead): void {
    if (!this.#canRespond) return
    const { method } = this.head
    const fields = { ':status': status, ...fieldsOf(headers) }
    const isAllHead = isTrailersOnly(fields)
    this.#isBodyless = isAllHead || method === 'HEAD' || [204, 205, 304].includes(status)
    // Waiting for trailers costs an empty frame; an answer that says its length has none in
    // HTTP/1.1 either.
    const waitForTrailers =
      !this.#isBodyless && headerValue(headers, 'content-length') === undefined
    joinedWhereNeeded(fields, (these) =>
      this.#stream.respond(these, { endStream: isAllHead, waitForTrailers }),
    )
  }

  upgrade(): void {
    throw new ApiMisuse('a stream of HTTP/2 has no connection to hand over')
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isGone || this.#isBodyless || this.#stream.writableEnded) return true
    return this.#stream.write(bytes)
  }

  end(trailers: HeaderList = []): void {
    if (this.#isGone || this.#isEnded) return
    this.#isEnded = true
    this.#trailers = trailers
    if (this.#stream.writableFinished) this.#finished()
    else this.#stream.end()
  }

  /** They may ask again: nothing of an answer was sent. */
  requireHttp1(): boolean {
    if (!this.#canRespond) return false
    this.#breakOff(constants.NGHTTP2_HTTP_1_1_REQUIRED)
    return true
  }

  abort(why?: BrokenOff): void {
    if (why !== undefined && this.#canBeTold) {
      this.#isCutShort = true
      return this.end(grpcTrailers(why))
    }
    this.#breakOff(constants.NGHTTP2_INTERNAL_ERROR)
  }

  /** Whoever reads an answer of gRPC looks for its status at the end, and they are reading. */
  get #canBeTold(): boolean {
    const { headersSent, writableNeedDrain, sentHeaders } = this.#stream
    if (!headersSent || writableNeedDrain || this.#isEnded || this.#isGone) return false
    const type = (sentHeaders as OutgoingHttpHeaders)['content-type']
    return !this.#isBodyless && this.#waits && isGrpc(['content-type', String(type)])
  }

  #breakOff(code: number): void {
    this.#isAborted = true
    const stream = this.#stream
    // Node ends what it resets, and an END_STREAM before the reset would be a clean end to who does
    // not count.
    stream.end = () => stream
    stream.close(code)
  }

  #ended(): void {
    const stream = this.#stream
    // A stream that was reset ends as well.
    if (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return
    this.#isRequestComplete = true
    if (this.#bodyStarted) this.#events!.ended(this.#requestTrailers)
  }

  get #canRespond(): boolean {
    const { destroyed, closed, headersSent } = this.#stream
    return !this.#isGone && !destroyed && !closed && !headersSent
  }

  #inform(status: number, headers: HeaderList = []): void {
    if (!this.#canRespond) return
    const fields = { ':status': status, ...fieldsOf(headers) }
    joinedWhereNeeded(fields, (these) => this.#stream.additionalHeaders(these))
  }

  #sendTrailers(): void {
    const stream = this.#stream
    if (stream.destroyed || stream.closed) return
    // With none, Node ends the stream by an empty DATA frame.
    joinedWhereNeeded(fieldsOf(this.#trailers), (fields) => stream.sendTrailers(fields))
    if (!this.#isRequestComplete) this.#refuseRest()
  }

  #finished(): void {
    if (!this.#isEnded || this.#isRequestComplete) return
    const isTrailed = this.#stream.headersSent && !this.#isBodyless && this.#waits
    if (!isTrailed) this.#refuseRest()
  }

  get #waits(): boolean {
    const sent = this.#stream.sentHeaders as OutgoingHttpHeaders | undefined
    return sent?.['content-length'] === undefined
  }

  /**
   * RFC 9113 §8.1: the answer is whole, the rest of the request is not wanted, and the connection
   * goes on. A reset would overtake what of the answer has not left, of which Node says nothing: so
   * it comes a little later, unless the request has ended by itself.
   */
  #refuseRest(): void {
    const stream = this.#stream
    if (stream.destroyed || stream.closed) return
    let left = MAX_REST
    stream.removeAllListeners('data')
    stream.on('data', (bytes: Uint8Array) => {
      left -= bytes.length
      if (left < 0) stream.pause()
    })
    stream.resume()
    setTimeout(() => {
      if (stream.destroyed || stream.closed) return
      stream.removeAllListeners('data')
      stream.resume()
      stream.close(constants.NGHTTP2_NO_ERROR)
    }, REST_MS).unref()
  }

  #closed(): void {
    if (this.#isGone) return
    this.#isGone = true
    const { rstCode, aborted, writableFinished } = this.#stream
    const isWhole = this.#isEnded && !this.#isCutShort && writableFinished && !aborted
    this.#events!.gone(isWhole && rstCode === constants.NGHTTP2_NO_ERROR)
  }
}

/** An answer of gRPC that has its status in its head has nothing else (Trailers-Only). */
function isTrailersOnly(fields: OutgoingHttpHeaders): boolean {
  return (
    fields['grpc-status'] !== undefined && isGrpc(['content-type', String(fields['content-type'])])
  )
}
