/**
 * A request to a private application over HTTP/2, and its answer.
 *
 * What an application has certainly not looked at (`REFUSED_STREAM`, or a GOAWAY below it) is put
 * on another connection, as long as all that was sent of it is at hand; then the cloud is told that
 * nothing was sent, and offers it to another connector.
 *
 * @see RFC 9113, sections 8.1 and 8.7
 * @module
 */
import { constants, type ClientHttp2Stream } from 'node:http2'
import {
  bindsConnection,
  FIRST_CREDIT_BYTES,
  headersFault,
  Machine,
  ResetCode,
  type HeaderList,
} from '../../protocol/internal.ts'
import { fieldsOf, joinedWhereNeeded } from '../../runtime/node/http2-fields.ts'
import type { BackendCall, BackendEvents, BackendRequest } from '../backend.ts'
import {
  HTTP2_STREAM,
  type Http2StreamNews,
  type Http2StreamState,
  type Http2StreamUse,
} from '../http2-stream.ts'
import {
  BODY_LENGTH,
  CONNECT_TIMEOUT,
  fault,
  faultOf,
  notSentCauseOf,
  UNUSABLE_STATUS,
} from './application-faults.ts'
import type { Http2Destination, Waiter } from './http2-destination.ts'
import { faultOfReset, resetError } from './http2-faults.ts'
import { headOf, requestFields } from './http2-heads.ts'
import type { Http2Session } from './http2-session.ts'

/** How often one request is put on another connection, before the cloud is asked. */
const MOST_REPEATS = 2

/** Calls an application over HTTP/1.1. */
export type CallHttp1 = (request: BackendRequest, events: BackendEvents) => BackendCall

/** One request. */
export class Http2Call implements BackendCall, Waiter {
  readonly #destination: Http2Destination
  readonly #connectMs: number
  readonly #wanted: BackendRequest
  readonly #events: BackendEvents
  readonly #callHttp1: CallHttp1
  readonly #isAlone: boolean
  readonly #machine = new Machine<Http2StreamState, Http2StreamUse | Http2StreamNews>(
    HTTP2_STREAM,
    'waiting',
  )
  #session: Http2Session | undefined
  #stream: ClientHttp2Stream | undefined
  /** The body so far; undefined: it is not all at hand, or needs to be no more. */
  #kept: Uint8Array[] | undefined = []
  #keptBytes = 0
  #end: { readonly trailers: HeaderList | undefined } | undefined
  /**
   * Bytes of the announced body still to be written; the application would take another number for
   * an error of its own peer.
   */
  #left: number
  #isPaused = false
  /** Its answer ended with END_STREAM, and was not cut. */
  #isWhole = false
  #trailers: HeaderList | undefined
  #repeats = 0
  /** Of a safe request: its connection died before an answer, and that was once. */
  #isRetried = false
  #limit: NodeJS.Timeout | undefined
  /** Then its answer comes too late. */
  readonly #answerBy: number
  #instead: BackendCall | undefined

  constructor(
    destination: Http2Destination,
    connectMs: number,
    wanted: BackendRequest,
    events: BackendEvents,
    callHttp1: CallHttp1,
  ) {
    this.#destination = destination
    this.#connectMs = connectMs
    this.#wanted = wanted
    this.#events = events
    this.#callHttp1 = callHttp1
    this.#isAlone = bindsConnection(wanted.headers)
    this.#left = wanted.body.kind === 'length' ? wanted.body.bytes : Infinity
    this.#answerBy = performance.now() + wanted.answerMs
    const invalid = headersFault(wanted.headers)
    if (invalid !== undefined) throw fault('ERR_INVALID_HTTP_TOKEN', invalid)
    this.#ask()
  }

  // ── what it is told ───────────────────────────────────────────────────────────────────────

  write(bytes: Uint8Array): boolean {
    const { state } = this.#machine
    if (state === 'elsewhere') return this.#instead!.write(bytes)
    if (state === 'over') return true
    this.#left -= bytes.length
    if (this.#left < 0) return this.#misframed()
    this.#keep(bytes)
    return state !== 'waiting' && this.#stream!.write(bytes)
  }

  end(trailers?: HeaderList): void {
    const { state } = this.#machine
    if (state === 'elsewhere') return this.#instead!.end(trailers)
    if (state === 'over' || this.#wanted.body.kind === 'none') return
    if (this.#left !== 0 && this.#left !== Infinity) return void this.#misframed()
    this.#end = { trailers }
    if (state !== 'waiting') this.#stream!.end()
  }

  pause(): void {
    this.#isPaused = true
    this.#stream?.pause()
    this.#instead?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#stream?.resume()
    this.#instead?.resume()
  }

  abort(): void {
    this.#instead?.abort()
    if (this.#machine.step('breakOff')) this.#leave(constants.NGHTTP2_CANCEL)
  }

  // ── what its destination says ─────────────────────────────────────────────────────────────

  serve(session: Http2Session): void {
    if (this.#machine.state !== 'waiting') return
    clearTimeout(this.#limit)
    const isLater = this.#limit !== undefined
    try {
      this.#begin(session, isLater)
    } catch (error) {
      // Whoever calls is told by the throw, who waits by an event.
      if (!isLater) throw error
      if (this.#machine.step('unserved')) this.#events.failed(ResetCode.INTERNAL, error)
    }
  }

  move(): void {
    if (!this.#machine.step('move')) return
    clearTimeout(this.#limit)
    const answerMs = Math.max(0, this.#answerBy - performance.now())
    const request = { ...this.#wanted, answerMs }
    try {
      this.#instead = this.#callHttp1(request, this.#events)
    } catch (error) {
      // Nothing of it is passed on any more.
      this.#machine.step('breakOff')
      return this.#events.failed(ResetCode.INTERNAL, error)
    }
    if (this.#isPaused) this.#instead.pause()
    for (const bytes of this.#kept!) this.#instead.write(bytes)
    if (this.#end !== undefined) this.#instead.end(this.#end.trailers)
    this.#kept = undefined
  }

  unserved(error: Error): void {
    if (!this.#machine.step('unserved')) return
    clearTimeout(this.#limit)
    this.#destination.forget(this)
    const cause = notSentCauseOf(error)
    if (cause !== undefined) this.#events.notSent(cause, error)
    else this.#events.failed(faultOf(error, false), error)
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** A connection is there at once, or is waited for. */
  #ask(not?: Http2Session): void {
    if (this.#isAlone) this.#destination.serveAlone(this)
    else this.#destination.serve(this, not)
    if (this.#machine.state !== 'waiting') return
    const restMs = Math.max(0, Math.min(this.#answerBy - performance.now(), this.#connectMs))
    const late = () => fault(CONNECT_TIMEOUT, `no connection within ${Math.round(restMs)} ms`)
    this.#limit = setTimeout(() => this.unserved(late()), restMs)
  }

  #begin(session: Http2Session, isLater: boolean): void {
    const { body } = this.#wanted
    const stream = joinedWhereNeeded(requestFields(this.#wanted), (fields) =>
      session.request(fields, {
        endStream: body.kind === 'none',
        waitForTrailers: body.kind === 'streamed',
      }),
    )
    this.#machine.step('begin')
    this.#session = session
    this.#stream = stream
    this.#listen(stream)
    if (this.#isPaused) stream.pause()
    let isTaken = true
    for (const bytes of this.#kept ?? []) isTaken = stream.write(bytes)
    if (this.#end !== undefined) stream.end()
    // What was written meanwhile has been taken by now.
    if (isLater && isTaken && body.kind !== 'none') this.#events.drained()
  }

  #listen(stream: ClientHttp2Stream): void {
    /** What an earlier stream of it says, nobody hears. */
    const on = <A extends unknown[]>(event: string, tell: (...args: A) => void): void => {
      stream.on(event, (...args: unknown[]) => {
        if (stream === this.#stream) tell(...(args as A))
      })
    }
    // The close that follows says it.
    stream.on('error', () => undefined)
    on('headers', (...[, , raw]: RawHead) => this.#informed(raw))
    on('response', (...[, , raw]: RawHead) => this.#responded(raw))
    on('trailers', (...[, , raw]: RawHead) => (this.#trailers = raw))
    on('data', (bytes: Uint8Array) => {
      this.#session!.heard()
      if (this.#machine.step('data')) this.#events.data(bytes)
    })
    on('drain', () => this.#events.drained())
    on('end', () => this.#ended(stream))
    on('close', () => this.#closed(stream))
    stream.on('wantTrailers', () => this.#sendTrailers(stream))
    // Of a stream that was reset Node tells an end as well; only END_STREAM comes while it is open.
    const push = stream.push.bind(stream)
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !stream.closed && !stream.destroyed) this.#isWhole = true
      return push(chunk, encoding)
    }
  }

  #informed(raw: HeaderList): void {
    const { status, headers } = headOf(raw)
    if (status === 101) return this.#unusable('a 101, which HTTP/2 does not know')
    if (!this.#machine.step('interim')) return
    this.#session!.heard()
    this.#kept = undefined
    this.#heedBinding(headers)
    // Nobody downstream asked for a 100.
    if (status !== 100) this.#events.informational({ status, headers })
  }

  #responded(raw: HeaderList): void {
    if (!this.#machine.step('head')) return
    this.#session!.heard()
    this.#kept = undefined
    const head = headOf(raw)
    this.#heedBinding(head.headers)
    this.#events.responded(head)
  }

  #ended(stream: ClientHttp2Stream): void {
    if (!this.#isWhole || !this.#machine.step('end')) return
    const isRequestWhole = stream.writableEnded
    // RFC 9113 §8.1: the rest of the request is not wanted.
    if (!isRequestWhole) this.#leave(constants.NGHTTP2_NO_ERROR)
    if (this.#trailers !== undefined) this.#heedBinding(this.#trailers)
    this.#events.ended(this.#trailers)
  }

  #closed(stream: ClientHttp2Stream): void {
    const { state } = this.#machine
    if (state === 'over' || state === 'elsewhere') return
    const session = this.#session!
    const { rstCode = constants.NGHTTP2_NO_ERROR } = stream
    const isRefused = rstCode === constants.NGHTTP2_REFUSED_STREAM || session.hasRefused(stream)
    if (rstCode === constants.NGHTTP2_HTTP_1_1_REQUIRED && this.#isUntouched) {
      this.#destination.learnHttp1()
      this.#stream = undefined
      return this.move()
    }
    if (isRefused) session.doubt(performance.now())
    if (isRefused && this.#mayRepeat) return this.#again(session)
    const isLost = session.error !== undefined || session.state === 'gone'
    const error = isLost
      ? (session.error ?? fault('ECONNRESET', 'its connection was lost'))
      : resetError(rstCode)
    if (isLost && !isRefused && this.#mayRetry) {
      this.#isRetried = true
      return this.#again(session)
    }
    this.#machine.step(isRefused ? 'refused' : 'broken')
    this.#stream = undefined
    // Of one that was informed, the beginning is known to have been looked at.
    if (isRefused && state === 'asked') return this.#events.notSent(ResetCode.UNREACHABLE, error)
    const code = isLost ? ResetCode.APPLICATION_ABORTED : faultOfReset(rstCode)
    this.#events.failed(isMalformed(error) ? ResetCode.APPLICATION_MALFORMED : code, error)
  }

  #again(not: Http2Session): void {
    this.#machine.step('again')
    this.#repeats += 1
    this.#stream = undefined
    this.#session = undefined
    this.#isWhole = false
    this.#trailers = undefined
    try {
      this.#ask(not)
    } catch (error) {
      if (this.#machine.step('unserved')) this.#events.failed(ResetCode.INTERNAL, error)
    }
  }

  /** Nothing of an answer came, and all of the request that was sent is at hand. */
  get #isUntouched(): boolean {
    return this.#machine.state === 'asked' && this.#kept !== undefined
  }

  /** What shows credentials of its own connection may be good for one time only. */
  get #mayRepeat(): boolean {
    return this.#isUntouched && !this.#isAlone && this.#repeats < MOST_REPEATS
  }

  /** A connection that the application closed while we reached for it. */
  get #mayRetry(): boolean {
    return this.#wanted.replayable && this.#isUntouched && !this.#isRetried
  }

  /** What shows authentication that is bound to the connection is the last that is put on it. */
  #heedBinding(headers: HeaderList): void {
    if (bindsConnection(headers)) this.#session!.retire()
  }

  #keep(bytes: Uint8Array): void {
    if (this.#kept === undefined) return
    this.#keptBytes += bytes.length
    if (this.#keptBytes > FIRST_CREDIT_BYTES && this.#machine.state !== 'waiting')
      this.#kept = undefined
    else this.#kept.push(bytes)
  }

  #sendTrailers(stream: ClientHttp2Stream): void {
    if (stream.destroyed || stream.closed) return
    // With none, Node ends the stream by an empty DATA frame.
    joinedWhereNeeded(fieldsOf(this.#end?.trailers ?? []), (fields) => stream.sendTrailers(fields))
  }

  #misframed(): true {
    // Later: who writes must be through with it first.
    queueMicrotask(() =>
      this.#break(BODY_LENGTH, 'a request body of another length than announced'),
    )
    return true
  }

  #unusable(detail: string): void {
    this.#break(UNUSABLE_STATUS, detail)
  }

  #break(code: string, detail: string): void {
    if (!this.#machine.step('breakOff')) return
    this.#leave(constants.NGHTTP2_CANCEL)
    const error = fault(code, detail)
    this.#events.failed(faultOf(error, false), error)
  }

  /** Its stream says nothing more, and is reset if it is not over. */
  #leave(code: number): void {
    clearTimeout(this.#limit)
    this.#destination.forget(this)
    const stream = this.#stream
    this.#stream = undefined
    this.#kept = undefined
    if (stream === undefined || stream.destroyed || stream.closed) return
    // Node ends what it resets, and an END_STREAM before the reset would be a clean end.
    stream.end = () => stream
    stream.resume()
    stream.close(code)
  }
}

type RawHead = [fields: object, flags: number, raw: HeaderList]

/** An error of the connection that comes of what the application wrote. */
function isMalformed(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_HTTP2_ERROR'
}
