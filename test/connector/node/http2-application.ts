/**
 * Applications that speak HTTP/2: one on `node:http2`, and one that says exactly what a test tells it to, frame for frame.
 */
import type { IncomingMessage } from 'node:http'
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2'
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net'
import type { SecureServerOptions } from 'node:http2'
import { until } from '../../until.ts'

/** One request as the application saw it. */
export interface SeenStream {
  readonly stream: ServerHttp2Stream
  readonly headers: IncomingHttpHeaders
  readonly raw: readonly string[]
  /** The connection's number, from 0. */
  readonly session: number
  body: string
  trailers: Readonly<Record<string, unknown>> | undefined
  isEnded: boolean
  /** How it was closed; undefined: it is open. */
  code: number | undefined
}

export type ServeStream = (seen: SeenStream) => void

/** Echoes whatever it is sent. */
export const echo: ServeStream = ({ stream }) => {
  stream.respond({ ':status': 200 })
  stream.pipe(stream)
}

/** A real one. */
export class Http2Application {
  readonly seen: SeenStream[] = []
  readonly sessions: Http2Session[] = []
  /** Requests of HTTP/1.1, where it takes them (`allowHTTP1`): their bodies come back. */
  readonly byHttp1: IncomingMessage[] = []
  readonly #server: Http2Server
  readonly #sockets = new Set<Socket>()

  static async listen(
    serve: ServeStream = echo,
    settings: Settings = {},
    tls?: SecureServerOptions,
  ): Promise<Http2Application> {
    const application = new Http2Application(serve, settings, tls)
    await new Promise<void>((ready) => application.#server.listen(0, '127.0.0.1', ready))
    return application
  }

  private constructor(serve: ServeStream, settings: Settings, tls?: SecureServerOptions) {
    this.#server =
      tls === undefined
        ? createServer({ settings })
        : (createSecureServer({ ...tls, settings }) as unknown as Http2Server)
    if (tls?.allowHTTP1 === true)
      this.#server.on('request', (request, response) => {
        if (request.httpVersionMajor !== 1) return
        this.byHttp1.push(request as unknown as IncomingMessage)
        request.pipe(response)
      })
    this.#server.on('connection', (socket: Socket) => this.#sockets.add(socket))
    this.#server.on('session', (session) => {
      this.sessions.push(session)
      session.on('error', () => undefined)
    })
    this.#server.on('stream', ((
      stream: ServerHttp2Stream,
      headers: IncomingHttpHeaders,
      _flags: number,
      raw: string[],
    ) => {
      const session = this.sessions.indexOf(stream.session!)
      const seen: SeenStream = {
        ...{ stream, headers, raw, session, body: '' },
        ...{ trailers: undefined, isEnded: false, code: undefined },
      }
      this.seen.push(seen)
      stream.on('data', (bytes: Buffer) => (seen.body += bytes.toString('latin1')))
      stream.on(
        'trailers',
        (fields) => (seen.trailers = Object.fromEntries(Object.entries(fields))),
      )
      // Of a stream that was reset Node tells an end as well.
      const push = stream.push.bind(stream)
      stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
        seen.isEnded ||= chunk === null && !stream.closed && !stream.destroyed
        return push(chunk, encoding)
      }
      seen.isEnded = stream.endAfterHeaders
      stream.on('error', () => undefined)
      stream.on('close', () => (seen.code = stream.rstCode))
      serve(seen)
    }) as (stream: ServerHttp2Stream) => void)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The n-th request, once it is there. */
  async request(n = 0): Promise<SeenStream> {
    await until(() => this.seen.length > n)
    return this.seen[n]!
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((closed) => this.#server.close(closed))
  }
}

/** A frame that came. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export const FRAMES = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const

export const END_STREAM = 1
const ACK = 1
export const END_HEADERS = 4

/** A connection of HTTP/2 whose server side is written by hand. */
export class RawHttp2Connection {
  readonly socket: Socket
  readonly frames: Frame[] = []
  #rest = Buffer.alloc(0)
  #hasPreface = false

  constructor(socket: Socket, arrived: (frame: Frame, connection: RawHttp2Connection) => void) {
    this.socket = socket
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, bytes])
      if (!this.#hasPreface) {
        if (this.#rest.length < 24) return
        this.#rest = this.#rest.subarray(24)
        this.#hasPreface = true
      }
      while (this.#rest.length >= 9) {
        const length = this.#rest.readUIntBE(0, 3)
        if (this.#rest.length < 9 + length) return
        const frame: Frame = {
          type: this.#rest[3]!,
          flags: this.#rest[4]!,
          stream: this.#rest.readUInt32BE(5) & 0x7fff_ffff,
          payload: this.#rest.subarray(9, 9 + length),
        }
        this.#rest = this.#rest.subarray(9 + length)
        this.frames.push(frame)
        if (frame.type === FRAMES.SETTINGS && (frame.flags & ACK) === 0)
          this.send(FRAMES.SETTINGS, ACK, 0)
        arrived(frame, this)
      }
    })
  }

  send(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): void {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.length, 0, 3)
    head[3] = type
    head[4] = flags
    head.writeUInt32BE(stream, 5)
    this.socket.write(Buffer.concat([head, payload]))
  }

  reset(stream: number, code: number): void {
    this.send(FRAMES.RST_STREAM, 0, stream, number32(code))
  }

  goaway(lastStream: number, code: number): void {
    this.send(FRAMES.GOAWAY, 0, 0, Buffer.concat([number32(lastStream), number32(code)]))
  }

  /** Fields without Huffman codes and outside of the table; `:status` too. */
  head(stream: number, flags: number, fields: readonly (readonly [string, string])[]): void {
    this.send(FRAMES.HEADERS, flags, stream, fieldBlock(fields))
  }
}

/** Listens, and says no more than SETTINGS by itself. */
export class RawHttp2Application {
  readonly connections: RawHttp2Connection[] = []
  readonly #server: Server

  /** @param arrived called for each frame */
  static async listen(
    arrived: (frame: Frame, connection: RawHttp2Connection) => void,
    settings: Buffer = Buffer.alloc(0),
  ): Promise<RawHttp2Application> {
    const application = new RawHttp2Application(arrived, settings)
    await new Promise<void>((ready) => application.#server.listen(0, '127.0.0.1', ready))
    return application
  }

  private constructor(
    arrived: (frame: Frame, connection: RawHttp2Connection) => void,
    settings: Buffer,
  ) {
    this.#server = createTcpServer((socket) => {
      const connection = new RawHttp2Connection(socket, arrived)
      this.connections.push(connection)
      connection.send(FRAMES.SETTINGS, 0, 0, settings)
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    await new Promise((closed) => this.#server.close(closed))
  }
}

export function number32(value: number): Buffer {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(value)
  return octets
}

/** SETTINGS_MAX_CONCURRENT_STREAMS. */
export function maxStreams(value: number): Buffer {
  return Buffer.concat([Buffer.from([0, 3]), number32(value)])
}

export function fieldBlock(fields: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string) => {
    const octets = Buffer.from(value, 'latin1')
    if (octets.length < 127) return Buffer.concat([Buffer.from([octets.length]), octets])
    const rest: number[] = []
    let left = octets.length - 127
    for (; left >= 128; left >>= 7) rest.push((left & 127) | 128)
    return Buffer.concat([Buffer.from([127, ...rest, left]), octets])
  }
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  )
}
