/**
 * The connections of one identity to the cloud's instances: one kind for calls that are streams, a
 * cheaper one for calls that are said whole.
 *
 * @module
 */
import type { ClientRequest } from 'node:http'
import { request as httpsRequest, type Agent as HttpsAgent } from 'node:https'
import { Agent, type Dispatcher } from 'undici'
import { CONNECTION_TIME_LIMITS } from '../../protocol/internal.ts'
import { cloudAgent, TlsOverDial, type Dial } from './own-dial.ts'
import type { ConnectorTlsOptions } from './tls-options.ts'

/** What a whole call is told; exactly one of the two, once. */
export interface WholeCall {
  answered(status: number): void
  /** It broke before its answer was whole. */
  failed(error: unknown): void
}

/** Connections with one certificate. */
export class CloudConnections {
  /** For calls that become something else: the upgrade to a link. */
  readonly agent: HttpsAgent
  readonly #calls: Agent
  readonly #over: TlsOverDial | undefined

  /**
   * @param tls without it nobody is to be called: there is no identity yet
   * @param dial makes the connections, below TLS. Default: TCP
   */
  constructor(
    tls: ConnectorTlsOptions = { minVersion: 'TLSv1.2', rejectUnauthorized: true },
    dial?: Dial,
  ) {
    this.#over = dial && new TlsOverDial(dial)
    this.agent = cloudAgent(tls, this.#over)
    this.#calls = new Agent({
      connect: connectorOf(tls, this.#over),
      // Exchanges and links have deadlines of their own.
      headersTimeout: 0,
      bodyTimeout: 0,
      // The cloud says how long it keeps one.
      keepAliveMaxTimeout: CONNECTION_TIME_LIMITS.connectorKeepAliveMs,
    })
  }

  /** A call whose body, or whose answer, is a stream. */
  stream(
    method: 'GET' | 'POST',
    url: string,
    headers: Readonly<Record<string, string>> = {},
  ): ClientRequest {
    const call = httpsRequest(url, { method, agent: this.agent, headers })
    // Node's agents leave TLS sockets to gather small writes for as long as the other end delays
    // its acknowledgement.
    call.setNoDelay(true)
    return call
  }

  /** A POST that is said whole, and whose answer says no more than its status. */
  post({ origin, path, headers }: PostTarget, body: Uint8Array | undefined, call: WholeCall): void {
    const options = { origin, path, method: 'POST', headers, body } as const
    this.#calls.dispatch(options as Dispatcher.DispatchOptions, new StatusHandler(call))
  }

  /** What is under way goes on; nothing is kept for another call. */
  retire(): void {
    ;(this.agent as HttpsAgent & { keepAlive: boolean }).keepAlive = false
    for (const sockets of Object.values(this.agent.freeSockets))
      sockets?.forEach((socket) => socket.destroy())
    // It fails nothing that is under way, and ends.
    this.#calls.close().catch(() => undefined)
  }

  /** Ends all of them. */
  destroy(): void {
    this.#over?.end()
    this.agent.destroy()
    this.#calls.destroy().catch(() => undefined)
  }
}

/** How undici connects. */
function connectorOf(
  tls: ConnectorTlsOptions,
  over: TlsOverDial | undefined,
): NonNullable<Agent.Options['connect']> {
  if (over !== undefined)
    return ({ hostname, port }, done) =>
      over.connect(tls, { host: hostname, port: Number(port) || 443 }, (error, socket) =>
        error === null ? done(null, socket!) : done(error, null),
      )
  return {
    ...tls,
    // No TLS session is ever resumed: a resumed one would skip the checks of both ends.
    maxCachedSessions: 0,
    timeout: CONNECTION_TIME_LIMITS.connectMs,
  }
}

/** Where a whole call goes. */
export interface PostTarget {
  /** Scheme, host and port. */
  readonly origin: string
  readonly path: string
  /** Names and values, in turn. */
  readonly headers: string[]
}

/** Tells the status once the answer is whole. */
class StatusHandler implements Dispatcher.DispatchHandler {
  readonly #call: WholeCall
  #status = 0

  constructor(call: WholeCall) {
    this.#call = call
  }

  onConnect(): void {
    // It is never aborted: what became of it must be known.
  }

  onHeaders(status: number): boolean {
    this.#status = status
    return true
  }

  onData(): boolean {
    return true
  }

  onComplete(): void {
    this.#call.answered(this.#status)
  }

  onError(error: Error): void {
    this.#call.failed(error)
  }
}
