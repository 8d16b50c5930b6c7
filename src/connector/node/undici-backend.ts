/**
 * Private applications over `undici`: `dispatch` with raw header handlers, paused and resumed by credit.
 *
 * @module
 */
import { Readable } from 'node:stream'
import { Agent, type Dispatcher } from 'undici'
import { ResetCode, type ApplicationDetails, type HeaderList } from '../../protocol/index.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from '../backend.ts'

/** Options of {@link UndiciBackend}. */
export interface UndiciBackendOptions {
  /** PEM: authorities that private https applications may be certified by, besides the system's. */
  readonly ca?: string
  /** Milliseconds to connect. Default 10 000. */
  readonly connectMs?: number
  /** Milliseconds that an unused connection is kept. Default 4 000. */
  readonly keepAliveMs?: number
}

/** Calls private applications. The only time limits are the exchange's own; undici's are off. */
export class UndiciBackend implements Backend {
  readonly #verifying: Agent
  readonly #trusting: Agent

  constructor(options: UndiciBackendOptions = {}) {
    const agent = (rejectUnauthorized: boolean) =>
      new Agent({
        headersTimeout: 0,
        bodyTimeout: 0,
        keepAliveTimeout: options.keepAliveMs ?? 4_000,
        pipelining: 1,
        maxRedirections: 0,
        connect: {
          timeout: options.connectMs ?? 10_000,
          rejectUnauthorized,
          // A resumed session would skip what the application's certificate is checked for.
          maxCachedSessions: 0,
          ...(options.ca !== undefined && { ca: options.ca }),
        },
      } as Agent.Options)
    this.#verifying = agent(true)
    this.#trusting = agent(false)
  }

  call(request: BackendRequest, events: BackendEvents): BackendCall {
    const call = new UndiciCall(this.#agent(request.application), request, events)
    // Not from inside call(): whoever calls must have what it returns first.
    queueMicrotask(() => call.start())
    return call
  }

  async close(): Promise<void> {
    await Promise.all([this.#verifying.destroy(), this.#trusting.destroy()])
  }

  #agent(application: ApplicationDetails): Agent {
    return application.verifyCertificate ? this.#verifying : this.#trusting
  }
}

class UndiciCall implements BackendCall {
  readonly #agent: Agent
  readonly #request: BackendRequest
  readonly #events: BackendEvents
  readonly #body: RequestBody | null
  #abort: ((error?: Error) => void) | undefined
  #resume: (() => void) | undefined
  #paused = false
  #over = false
  #responded = false
  #retried = false

  constructor(agent: Agent, request: BackendRequest, events: BackendEvents) {
    this.#agent = agent
    this.#request = request
    this.#events = events
    this.#body = request.body.kind === 'none' ? null : new RequestBody(() => events.drained())
  }

  start(): void {
    if (this.#over) return
    const { application, method, target, headers } = this.#request
    const options: Dispatcher.DispatchOptions = {
      origin: new URL(application.internalUrl).origin,
      path: target,
      method: method as Dispatcher.HttpMethod,
      headers: headers as string[],
      body: this.#body,
    }
    try {
      this.#agent.dispatch(options, this.#handler)
    } catch (error) {
      this.#fail(error)
    }
  }

  write(bytes: Uint8Array): boolean {
    return this.#over || this.#body!.push(bytes)
  }

  end(): void {
    if (!this.#over) this.#body?.push(null)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#resume?.()
  }

  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#abort?.(new Error('the exchange is over'))
    this.#body?.destroy()
  }

  readonly #handler: Dispatcher.DispatchHandler = {
    onConnect: (abort) => {
      this.#abort = abort
      if (this.#over) abort()
    },
    onHeaders: (status, raw, resume) => {
      if (this.#over) return true
      const head = { status, headers: text(raw) }
      if (status < 200) {
        this.#events.informational(head)
        return true
      }
      this.#responded = true
      this.#resume = resume
      this.#events.responded(head)
      return !this.#paused
    },
    onData: (bytes) => {
      if (!this.#over) this.#events.data(bytes)
      return !this.#paused
    },
    onComplete: (trailers) => {
      if (this.#over) return
      this.#over = true
      this.#events.ended(
        trailers !== null && trailers.length > 0 ? text(trailers as never) : undefined,
      )
    },
    onError: (error) => this.#fail(error),
  }

  #fail(error: unknown): void {
    if (this.#over) return
    if (this.#mayRetry(error)) {
      this.#retried = true
      return this.start()
    }
    this.#over = true
    this.#body?.destroy()
    this.#events.failed(codeOf(error, this.#responded), error)
  }

  /** A connection that the application closed while we reached for it (RFC 9110 §9.2.2). */
  #mayRetry(error: unknown): boolean {
    const code = (error as NodeJS.ErrnoException).code
    const stale = code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
    return stale && this.#request.replayable && !this.#responded && !this.#retried
  }
}

/** The request body as undici wants it: fed from outside, telling when it was taken. */
class RequestBody extends Readable {
  readonly #drained: () => void

  constructor(drained: () => void) {
    super({ highWaterMark: 64 * 1024 })
    this.#drained = drained
    this.on('error', () => undefined) // undici reports it
  }

  override _read(): void {
    this.#drained()
  }
}

function codeOf(error: unknown, responded: boolean): ResetCode {
  const { code = '' } = error as NodeJS.ErrnoException
  if (code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW')
    return ResetCode.APPLICATION_MALFORMED
  if (responded) return ResetCode.APPLICATION_ABORTED
  return ResetCode.UNREACHABLE
}

/** Octets as code points. */
function text(raw: readonly (Buffer | string)[]): HeaderList {
  return raw.map((item) => (typeof item === 'string' ? item : item.toString('latin1')))
}
