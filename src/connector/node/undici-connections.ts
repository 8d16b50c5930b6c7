/**
 * Connections to private applications for `undici`: the one place where its requests are
 * dispatched.
 *
 * A connection is shared until it sees authentication that is bound to it. A request that carries
 * such credentials goes on a connection of its own; an answer that shows such a challenge is the
 * last on its connection.
 *
 * @module
 */
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Agent, buildConnector, Client, Pool, type Dispatcher } from 'undici'
import { bindsConnection, MAX_HEAD_BYTES } from '../../protocol/internal.ts'
import type { BackendRequest } from '../backend.ts'
import { internalAddress } from '../internal-request.ts'
import {
  authorities,
  CONNECT_MS,
  CONNECTION_AGE_MS,
  KEEP_ALIVE_MS,
  type ApplicationConnectionOptions,
} from './application-connections.ts'
import { CONNECTION_RESET } from './application-faults.ts'
import { heedReset, wasCut } from './cut-connections.ts'
import { HeldEnd } from './held-end.ts'
import { ownContext, OwnPools, type Pool as OwnPool } from './own-pools.ts'

/** Who is told of an answer, and of the connection that it comes on. */
export interface ConnectionHandler extends Dispatcher.DispatchHandler {
  connection: ApplicationConnection | undefined
}

/**
 * All connections of a backend. No limit on their number: the offers a connector grants are the
 * limit.
 */
export class UndiciConnections {
  /** Milliseconds that a connection may take. */
  readonly connectMs: number
  readonly #verifying: AgentPool
  readonly #trusting: AgentPool
  readonly #own: OwnPools<AgentPool>
  readonly #alone = new Set<Client>()

  constructor(options: ApplicationConnectionOptions) {
    this.connectMs = options.connectMs ?? CONNECT_MS
    const trusted = authorities(options.ca)
    const shared = (rejectUnauthorized: boolean) =>
      new AgentPool(clientOptions(options, { rejectUnauthorized, ...trusted }))
    this.#verifying = shared(true)
    this.#trusting = shared(false)
    this.#own = new OwnPools((tls) => {
      const context = ownContext(tls, trusted.ca)
      return new AgentPool(clientOptions(options, { rejectUnauthorized: true, ...context }))
    })
  }

  /**
   * @throws what undici throws for a request that it cannot make; ConfigurationInvalid when its
   *   `tls` is not what it must be
   */
  dispatch(
    { application, method, target, headers, tls }: BackendRequest,
    body: Dispatcher.DispatchOptions['body'],
    handler: ConnectionHandler,
  ): void {
    const { isSecure, origin, hostname } = internalAddress(application)
    const isAlone = bindsConnection(headers)
    const options = {
      origin,
      path: target,
      method: method as Dispatcher.HttpMethod,
      headers: headers as string[],
      body,
      // One for all requests of an origin, or their connections would not be shared.
      servername: hostname,
      // `Connection: close`
      reset: isAlone || undefined,
    } as Dispatcher.DispatchOptions
    const shared = application.verifyCertificate ? this.#verifying : this.#trusting
    const pool = (isSecure ? this.#own.of(origin, tls) : undefined) ?? shared
    if (isAlone) this.#dispatchAlone(origin, pool, options, handler)
    else pool.agent.dispatch(options, handler)
  }

  async close(): Promise<void> {
    const all = [this.#verifying, this.#trusting, this.#own, ...this.#alone]
    await Promise.all(all.map((one) => one.destroy()))
  }

  #dispatchAlone(
    origin: string,
    pool: AgentPool,
    options: Dispatcher.DispatchOptions,
    handler: ConnectionHandler,
  ): void {
    const connection = new ApplicationConnection(origin, pool.options)
    this.#alone.add(connection)
    connection.dispatch(options, handler)
    // It ends with its only request.
    connection.close(() => this.#alone.delete(connection))
  }
}

/** One connection to one application, for one request after the other. */
export class ApplicationConnection extends Client {
  readonly #current: { socket?: Socket; end?: HeldEnd; endsAt: number }

  constructor(origin: string | URL, options: ConnectionSettings) {
    const current: { socket?: Socket; end?: HeldEnd; endsAt: number } = { endsAt: Infinity }
    const connect = options.connect as buildConnector.connector
    super(origin, {
      ...options,
      connect: (to, done) =>
        connect(to, (...result) => {
          const [, socket] = result
          if (socket !== null) {
            current.end = new HeldEnd(socket)
            heedReset(socket)
            current.socket = socket
            current.endsAt = performance.now() + options.connectionAgeMs
          }
          done(...result)
        }),
    })
    this.#current = current
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    ;(handler as ConnectionHandler).connection = this
    return super.dispatch(options, handler)
  }

  /** Whether it was cut; what ended before is whole. */
  get isCut(): boolean {
    return this.#current.socket !== undefined && wasCut(this.#current.socket)
  }

  /** Whether it is too old for another request. */
  get isOld(): boolean {
    return performance.now() >= this.#current.endsAt
  }

  /** Its end, which must not be told while the parser of its answer is paused. */
  get end(): HeldEnd | undefined {
    return this.#current.end
  }

  /**
   * Closes it; the next request makes another. To be called before its answer's last event returns.
   */
  retire(): void {
    this.#current.socket?.destroy()
  }
}

/** How a connection is made, and how old it may become. */
type ConnectionSettings = Client.Options & { readonly connectionAgeMs: number }

/** Connections that are made in one way. */
class AgentPool implements OwnPool {
  readonly options: ConnectionSettings
  readonly agent: Agent
  isIdle = false

  constructor(options: ConnectionSettings) {
    const { connectionAgeMs } = options
    this.options = options
    const connection = (origin: URL, given: object) =>
      new ApplicationConnection(origin, { ...given, connectionAgeMs })
    this.agent = new Agent({
      ...options,
      factory: (origin, given) => new Pool(origin, { ...given, factory: connection }),
    })
  }

  retire(): void {
    const closed = (): void => void (this.isIdle = true)
    this.agent.close().then(closed, closed)
  }

  destroy(): Promise<void> {
    return this.agent.destroy()
  }
}

function clientOptions(
  options: ApplicationConnectionOptions,
  tls: Pick<ConnectionOptions, 'ca' | 'secureContext' | 'servername' | 'rejectUnauthorized'>,
): ConnectionSettings {
  const connect = buildConnector({
    timeout: options.connectMs ?? CONNECT_MS,
    // A resumed session would skip what the application's certificate is checked for.
    maxCachedSessions: 0,
    ...tls,
  })
  return {
    connectionAgeMs: options.connectionAgeMs ?? CONNECTION_AGE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: options.keepAliveMs ?? KEEP_ALIVE_MS,
    // The application's hint shortens it, and never lengthens it.
    keepAliveMaxTimeout: options.keepAliveMs ?? KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
    // No request waits on a connection that another has: it may turn out to be that other's alone.
    pipelining: 1,
    connect: ({ servername: _, ...to }, done) => {
      // The certificate is that of the internal URL, whatever `Host` is sent: undici would take the
      // name from there.
      connect(to as buildConnector.Options, (error, socket) => {
        socket?.once('error', renameReset)
        if (error === null) done(null, socket)
        else done(error, null)
      })
    },
  }
}

/** Heard before undici, which takes a reset after a body without length for the end of it. */
function renameReset(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = CONNECTION_RESET
}
