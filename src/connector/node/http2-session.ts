/**
 * One connection of HTTP/2 to an application: made, used by many requests at once, and let go.
 *
 * What an application can do to it is bounded: it pushes nothing, its heads are limited in fields
 * and octets, and nghttp2 ends a connection with floods of SETTINGS, PING and CONTINUATION.
 *
 * @see RFC 9113
 * @module
 */
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { Machine, MAX_ANSWER_FIELDS, MAX_HEAD_BYTES } from '../../protocol/internal.ts'
import {
  HTTP2_SESSION,
  type Http2SessionNews,
  type Http2SessionState,
  type Http2SessionUse,
} from '../http2-session.ts'
import { CONNECT_TIMEOUT, fault } from './application-faults.ts'
import { NO_HTTP2 } from './http2-faults.ts'

/** Where a connection leads, and how it is made. */
export interface Http2Target {
  readonly hostname: string
  readonly port: number
  /** Absent: in the clear. `ALPNProtocols` says what is offered. */
  readonly tls: ConnectionOptions | undefined
  /** Milliseconds that it may take, TLS and SETTINGS included. */
  readonly connectMs: number
  /** Silence, while requests wait, until a PING is sent. Milliseconds, as the next two. */
  readonly silentMs: number
  /** Between two PINGs. */
  readonly pingMs: number
  /** A PING that is not answered by then ends the connection. */
  readonly pingAnswerMs: number
}

/** What becomes of a connection. */
export interface Http2SessionEvents {
  /** It takes requests, or takes more of them than before. */
  hasRoom(session: Http2Session): void
  /** TLS agreed on HTTP/1.1, so it was closed. */
  isHttp1(session: Http2Session): void
  /** It is over. `error`: it never stood, and this is why. */
  gone(session: Http2Session, error: Error | undefined): void
}

/** Requests at once on one connection, however many more its application allows. */
export const MAX_STREAMS = 100
/** MiB of Node's own buffers for one connection. */
const MEMORY_MIB = 32
/** So much may be under way to us on one connection; a single answer stays bounded by 64 KiB. */
const CONNECTION_WINDOW = 1024 * 1024
/** Where the path is dead, the kernel notices. Milliseconds without a segment. */
const TCP_KEEP_ALIVE_MS = 60_000

/** How long an application may take to close its end. */
const CLOSING_MS = 2_000

/** One connection. */
export class Http2Session {
  readonly madeAt = performance.now()
  /** When it was last without a request. */
  unusedSince = performance.now()
  /** Requests on it. */
  open = 0
  /** What broke it. */
  error: Error | undefined
  readonly #machine = new Machine<Http2SessionState, Http2SessionUse | Http2SessionNews>(
    HTTP2_SESSION,
    'opening',
  )
  readonly #target: Http2Target
  readonly #events: Http2SessionEvents
  readonly #timer: NodeJS.Timeout
  #socket: Socket | undefined
  #session: ClientHttp2Session | undefined
  /** What the application allows at once. */
  #allowed = 0
  /** The last request that it may have looked at, once it said so. */
  #lastStream = Infinity
  #isHeard = false
  #silentSince = performance.now()
  #pingedAt = -Infinity
  #isAwaitingPing = false

  constructor(target: Http2Target, events: Http2SessionEvents) {
    this.#target = target
    this.#events = events
    this.#timer = setTimeout(
      () => this.#broke(fault(CONNECT_TIMEOUT, `no connection within ${target.connectMs} ms`)),
      target.connectMs,
    )
    this.#open()
  }

  get state(): Http2SessionState {
    return this.#machine.state
  }

  /** Requests that it takes now. */
  get room(): number {
    // Of one that may be dead nobody is put on.
    return this.#isUsable && !this.#isAwaitingPing ? Math.max(0, this.#allowed - this.open) : 0
  }

  /** Its application allows no request at all, for now. */
  get isHeldBack(): boolean {
    return this.#isUsable && this.#allowed === 0
  }

  /** Node knows of a GOAWAY, or of an end, before it says so. */
  get #isUsable(): boolean {
    return this.state === 'open' && !this.#session!.closed && !this.#session!.destroyed
  }

  /** Whether the application has said that it did not look at this request. */
  hasRefused({ id = Infinity }: ClientHttp2Stream): boolean {
    return id > this.#lastStream
  }

  /** @throws what `node:http2` throws for a request that it cannot make */
  request(headers: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream {
    const stream = this.#session!.request(headers, options)
    this.#machine.step('take')
    this.open += 1
    stream.once('close', () => this.#freed())
    return stream
  }

  /** Takes no more requests, and ends with the last that it has. */
  retire(): void {
    if (!this.#machine.step('retire')) return
    if (this.open === 0 && this.state === 'leaving') this.#machine.step('emptied')
    this.#left()
  }

  /** Cuts it. */
  end(): void {
    if (this.#machine.step('end')) this.#left()
  }

  /** Something of an answer came. */
  heard(): void {
    this.#isHeard = true
  }

  /**
   * Looks whether the application is still there: after a silence in which requests wait. A session
   * that nghttp2 has ended over what came is found so, too: Node says nothing of it.
   */
  probe(now: number): void {
    if (this.#isHeard || this.open === 0) {
      this.#isHeard = false
      this.#silentSince = now
    }
    if (now - this.#silentSince >= this.#target.silentMs) this.doubt(now)
  }

  /** It refuses requests, or is silent: one PING, and no more than one in `pingMs`. */
  doubt(now: number): void {
    const { pingMs, pingAnswerMs } = this.#target
    if (this.#session === undefined || this.#session.destroyed || this.#isAwaitingPing) return
    if (now - this.#pingedAt < pingMs) return
    this.#pingedAt = now
    const late = setTimeout(
      () => this.#broke(fault('ETIMEDOUT', 'the application does not answer a PING')),
      pingAnswerMs,
    )
    late.unref()
    this.#isAwaitingPing = this.#session!.ping((error) => {
      clearTimeout(late)
      this.#isAwaitingPing = false
      if (error === null && this.room > 0) this.#events.hasRoom(this)
    })
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #open(): void {
    try {
      this.#connect()
    } catch (error) {
      // Later: whoever asked for it must have it first.
      queueMicrotask(() => this.#broke(error as Error))
    }
  }

  #connect(): void {
    const { hostname: host, port, tls } = this.#target
    const socket =
      tls === undefined ? connectTcp({ host, port }) : connectTls({ ...tls, host, port })
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS)
    socket.on('error', (error) => this.#broke(error))
    socket.once('close', () => this.#broke(fault('ECONNRESET', 'the connection was closed')))
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => this.#connected(socket))
  }

  #connected(socket: Socket): void {
    if (this.state !== 'opening') return
    if (this.#target.tls !== undefined && (socket as TLSSocket).alpnProtocol !== 'h2') {
      if (!this.#machine.step('closed')) return
      this.#clear()
      this.#events.isHttp1(this)
      return this.#events.gone(this, fault(NO_HTTP2, 'TLS did not agree on HTTP/2'))
    }
    const session = connectHttp2('http://application', {
      createConnection: () => socket,
      maxSessionMemory: MEMORY_MIB,
      // The relay counts what it passes on; beyond that, a head is not even read.
      maxHeaderListPairs: 2 * MAX_ANSWER_FIELDS,
      settings: { enablePush: false, maxHeaderListSize: 2 * MAX_HEAD_BYTES },
    })
    this.#session = session
    session.on('error', (error) => this.#broke(error))
    session.on('goaway', (_code, lastStream) => this.#leaves(lastStream))
    session.on('close', () => this.#broke(undefined))
    session.on('remoteSettings', ({ maxConcurrentStreams = Infinity }) => {
      this.#allowed = Math.min(MAX_STREAMS, maxConcurrentStreams)
      if (this.#machine.step('settings')) {
        clearTimeout(this.#timer)
        session.setLocalWindowSize(CONNECTION_WINDOW)
        this.unusedSince = performance.now()
      }
      if (this.room > 0) this.#events.hasRoom(this)
    })
  }

  #freed(): void {
    this.open -= 1
    if (this.open === 0) this.unusedSince = performance.now()
    if (this.#machine.step(this.open === 0 ? 'emptied' : 'freed')) this.#left()
    if (this.room > 0) this.#events.hasRoom(this)
  }

  #leaves(lastStream: number): void {
    this.#lastStream = Math.min(this.#lastStream, lastStream)
    if (!this.#machine.step('goaway')) return
    if (this.open === 0 && this.state === 'leaving') this.#machine.step('emptied')
    this.#left()
  }

  /** Before its streams close, so that each of them can say why. */
  #broke(error: Error | undefined): void {
    this.error ??= error
    const hasStood = this.state !== 'opening'
    if (!this.#machine.step('closed')) return
    this.#clear()
    this.#events.gone(this, hasStood ? undefined : this.#unmade(error))
  }

  /** What speaks HTTP/2 says so by SETTINGS, before anything else. */
  #unmade(error = closed()): Error {
    const { code = '' } = error as NodeJS.ErrnoException
    if (this.#session === undefined || code === CONNECT_TIMEOUT) return error
    return Object.assign(fault(NO_HTTP2, 'what answers does not speak HTTP/2'), { cause: error })
  }

  /** After a step of ours: when that was its last, it is closed. */
  #left(): void {
    if (this.state !== 'gone') return
    this.#clear()
    this.#events.gone(this, this.#session === undefined ? closed() : undefined)
  }

  #clear(): void {
    clearTimeout(this.#timer)
    const [session, socket] = [this.#session, this.#socket]
    if (this.open > 0 || session === undefined || session.destroyed) {
      session?.destroy()
      return void socket?.destroy()
    }
    // By a GOAWAY, and whether the application closes its end or not.
    session.close()
    setTimeout(() => socket?.destroy(), CLOSING_MS).unref()
  }
}

const closed = () => fault('ECONNRESET', 'the connection was given up before it stood')
