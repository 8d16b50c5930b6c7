/** A stock server of gRPC and stock clients of it: messages are octets, and no schema is needed. */
import {
  Client,
  credentials,
  makeGenericClientConstructor,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ChannelOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type CallOptions,
  type ServiceError,
} from '@grpc/grpc-js'

type Octets = Buffer

const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  ...{ requestStream, responseStream },
  requestSerialize: (octets: Octets) => octets,
  requestDeserialize: (octets: Octets) => octets,
  responseSerialize: (octets: Octets) => octets,
  responseDeserialize: (octets: Octets) => octets,
})

/** Every kind of call. */
export const ECHO = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  repeat: method('Repeat', false, true),
  chat: method('Chat', true, true),
  watch: method('Watch', false, true),
  brood: method('Brood', true, true),
}

/** What the server saw. */
export interface SeenCall {
  readonly method: string
  readonly metadata: Metadata
  /** Milliseconds it was given; Infinity: no deadline. */
  readonly leftMs: number
  isCancelled: boolean
}

/** Its clients, as `@grpc/grpc-js` makes them. */
export interface EchoClient extends Client {
  unary(
    message: Octets,
    metadata: Metadata,
    options: CallOptions,
    done: (error: ServiceError | null, answer?: Octets) => void,
  ): ClientUnaryCall
  collect(
    metadata: Metadata,
    options: CallOptions,
    done: (error: ServiceError | null, answer?: Octets) => void,
  ): ClientWritableStream<Octets>
  repeat(message: Octets, metadata?: Metadata, options?: CallOptions): ClientReadableStream<Octets>
  chat(metadata?: Metadata, options?: CallOptions): ClientDuplexStream<Octets, Octets>
  watch(message: Octets, metadata?: Metadata, options?: CallOptions): ClientReadableStream<Octets>
  brood(metadata?: Metadata, options?: CallOptions): ClientDuplexStream<Octets, Octets>
}

/** Listens on loopback, in the clear unless it is given a key. */
export class EchoServer {
  readonly seen: SeenCall[] = []
  /** Of calls that are held. */
  open = 0
  most = 0
  port = 0
  readonly #server: Server

  static async listen(
    tls?: { readonly key: string; readonly cert: string },
    options: ChannelOptions = {},
  ): Promise<EchoServer> {
    const server = new EchoServer(options)
    const credentials =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [
            { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) },
          ])
    server.port = await new Promise<number>((ready, failed) =>
      server.#server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
        error === null ? ready(port) : failed(error),
      ),
    )
    return server
  }

  private constructor(options: ChannelOptions) {
    this.#server = new Server({ 'grpc.max_receive_message_length': -1, ...options })
    this.#server.addService(ECHO, {
      unary: this.#unary,
      collect: this.#collect,
      repeat: this.#repeat,
      chat: this.#chat,
      watch: this.#watch,
      brood: this.#brood,
    })
  }

  /** Cuts every connection, and goes on listening. */
  cut(): void {
    this.#server.drain(`127.0.0.1:${this.port}`, 0)
  }

  close(): void {
    this.#server.forceShutdown()
  }

  readonly #unary: handleUnaryCall<Octets, Octets> = (call, done) => {
    this.#see('unary', call)
    const asked = call.metadata.get('x-fail')[0]
    const trailing = new Metadata()
    trailing.set('x-trailing', 'behind')
    trailing.set('x-trailing-bin', Buffer.from([0, 255, 10]))
    if (asked !== undefined)
      return done({
        code: Number(asked),
        details: 'as it was asked: 100 % über',
        metadata: trailing,
      })
    const initial = new Metadata()
    for (const value of call.metadata.get('x-text')) initial.add('x-text', value)
    for (const value of call.metadata.get('x-octets-bin')) initial.add('x-octets-bin', value)
    call.sendMetadata(initial)
    done(null, call.request, trailing)
  }

  readonly #collect: handleClientStreamingCall<Octets, Octets> = (call, done) => {
    this.#see('collect', call)
    let octets = 0
    call.on('data', (message: Octets) => (octets += message.length))
    call.on('end', () => done(null, Buffer.from(String(octets))))
  }

  readonly #repeat: handleServerStreamingCall<Octets, Octets> = (call) => {
    this.#see('repeat', call)
    const [times, size] = call.request.toString().split(' ').map(Number)
    let left = times!
    const more = (): void => {
      while (left > 0) {
        left -= 1
        if (!call.write(Buffer.alloc(size!, left % 251))) return void call.once('drain', more)
      }
      call.end()
    }
    more()
  }

  readonly #chat: handleBidiStreamingCall<Octets, Octets> = (call) => {
    this.#see('chat', call)
    call.on('data', (message: Octets) => call.write(message))
    call.on('end', () => call.end())
  }

  /** Says hello, and is silent until it is cancelled. */
  readonly #watch: handleServerStreamingCall<Octets, Octets> = (call) => {
    this.#see('watch', call)
    this.open += 1
    this.most = Math.max(this.most, this.open)
    call.on('cancelled', () => (this.open -= 1))
    call.write(Buffer.from('hello'))
  }

  /** Says nothing, not even a head, until it is told to speak. */
  readonly #brood: handleBidiStreamingCall<Octets, Octets> = (call) => {
    this.#see('brood', call)
    call.on('data', () => undefined)
    this.speak = () => {
      call.write(Buffer.from('at last'))
      call.end()
    }
  }

  /** To the latest call that broods. */
  speak = (): void => undefined

  #see(
    name: string,
    call: {
      metadata: Metadata
      getDeadline(): Date | number
      on(event: 'cancelled', f: () => void): unknown
    },
  ): void {
    const leftMs = Number(call.getDeadline()) - Date.now()
    const seen: SeenCall = { method: name, metadata: call.metadata, leftMs, isCancelled: false }
    this.seen.push(seen)
    call.on('cancelled', () => (seen.isCancelled = true))
  }
}

const Echo = makeGenericClientConstructor(ECHO, 'test.Echo')

/** A client that comes to `authority` by TLS, and shows what `token` gives with each call. */
export function echoClient(
  port: number,
  authority: string,
  ca: string,
  token?: () => Promise<string>,
  options: ChannelOptions = {},
): EchoClient {
  const channel = credentials.createSsl(Buffer.from(ca), null, null, {
    checkServerIdentity: () => undefined,
  })
  const shown =
    token === undefined
      ? channel
      : credentials.combineChannelCredentials(
          channel,
          credentials.createFromMetadataGenerator((_, done) => {
            token().then((value) => {
              const metadata = new Metadata()
              metadata.set('authorization', `Bearer ${value}`)
              done(null, metadata)
            }, done)
          }),
        )
  return new Echo(`127.0.0.1:${port}`, shown, {
    'grpc.default_authority': authority,
    'grpc.max_receive_message_length': -1,
    ...{ 'grpc.enable_retries': 0, 'grpc.ssl_target_name_override': 'localhost' },
    ...options,
  }) as unknown as EchoClient
}

export interface Told {
  readonly answer: Octets | undefined
  readonly error: ServiceError | undefined
  readonly initial: Metadata | undefined
  readonly code: number
  readonly trailing: Metadata | undefined
}

/** One unary call, and all that came of it. */
export function unary(
  client: EchoClient,
  message: Octets,
  metadata = new Metadata(),
  options: CallOptions = {},
): Promise<Told> {
  return new Promise((over) => {
    let initial: Metadata | undefined
    let result: { error?: ServiceError | undefined; answer?: Octets | undefined } = {}
    const call = client.unary(message, metadata, options, (error, answer) => {
      result = { error: error ?? undefined, answer }
    })
    call.on('metadata', (fields) => (initial = fields))
    call.on('status', ({ code, metadata: trailing }) =>
      // The callback comes in the same turn.
      setImmediate(() =>
        over({ answer: result.answer, error: result.error, initial, code, trailing }),
      ),
    )
  })
}

export { Metadata, status }
