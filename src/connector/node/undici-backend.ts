/**
 * Private applications over `undici`: `dispatch` with raw header handlers, paused and resumed by
 * credit.
 *
 * The short path. It has no upgrades, no request trailers and no patience with a `100 Continue`
 * (what may be repeated is asked again by another backend then), and an application that answers
 * before it has read the request body is not always heard: {@link NodeBackend} takes it for safe
 * requests without a body.
 *
 * @module
 */
import { Readable } from 'node:stream'
import {
  ApiMisuse,
  bindsConnection,
  type ApplicationDetails,
  type HeaderList,
} from '../../protocol/internal.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from '../backend.ts'
import { ForwardingBackendCall } from '../forwarding-backend.ts'
import type { ApplicationConnectionOptions } from './application-connections.ts'
import { endsWithConnection, isBodiless, isCodedForTransfer } from './answer-end.ts'
import {
  CONNECTION_RESET,
  fault,
  faultOf,
  insideAnswer,
  isStale,
  notSentCauseOf,
  TRANSFER_CODING,
  UNUSABLE_STATUS,
} from './application-faults.ts'
import { ConnectLimit } from './connect-limit.ts'
import {
  UndiciConnections,
  type ApplicationConnection,
  type ConnectionHandler,
} from './undici-connections.ts'

/** Calls private applications. The only time limits are the exchange's own; undici's are off. */
export class UndiciBackend implements Backend {
  readonly #connections: UndiciConnections
  readonly #patient: Backend | undefined
  /** Applications that said `100 Continue` where nobody waited for it. */
  readonly #hasty = new WeakSet<ApplicationDetails>()
  #hasHasty = false

  /**
   * @param patient serves what may be repeated, for applications that say `100 Continue` unasked.
   *   Default: their answer is malformed
   */
  constructor(options: ApplicationConnectionOptions = {}, patient?: Backend) {
    this.#connections = new UndiciConnections(options)
    this.#patient = patient
  }

  /** @throws ApiMisuse for an upgrade */
  call(request: BackendRequest, events: BackendEvents): BackendCall {
    if (request.upgrade !== undefined || request.method === 'CONNECT')
      throw new ApiMisuse('undici switches no protocols here')
    const { application, replayable } = request
    if (this.#hasHasty && replayable && this.#hasty.has(application))
      return this.#patient!.call(request, events)
    const call = new UndiciCall(this, this.#connections, request, events)
    call.start()
    return call
  }

  /**
   * For calls: the application said `100 Continue`, which undici takes no answer after. Who asks it
   * instead, from now on too.
   */
  patientWith(application: ApplicationDetails): Backend | undefined {
    if (this.#patient === undefined) return undefined
    this.#hasty.add(application)
    this.#hasHasty = true
    return this.#patient
  }

  async close(): Promise<void> {
    await this.#connections.close()
  }
}

class UndiciCall implements BackendCall, ConnectionHandler {
  /** What it comes on, from the dispatch on. */
  connection: ApplicationConnection | undefined
  readonly #backend: UndiciBackend
  readonly #connections: UndiciConnections
  readonly #request: BackendRequest
  readonly #events: BackendEvents
  readonly #body: RequestBody | null
  readonly #limit: ConnectLimit
  /**
   * A connection was taken for it: octets may have left. For good, whatever becomes of that one.
   */
  #isSent = false
  /** Who writes waits for the connection. */
  #isAwaited = false
  #abort: ((error?: Error) => void) | undefined
  #resume: (() => void) | undefined
  #paused = false
  /** undici's parser is paused, or will be in a moment. */
  #isHeld = false
  #over = false
  #status = 0
  #headers: HeaderList = []
  /** The answer shows authentication that is bound to the connection. */
  #isBound = false
  #retried = false
  /** The call that took this one's place. */
  #instead: BackendCall | undefined
  /** Inside `dispatch`: what it reports now must wait until the caller has the call. */
  #starting = false

  constructor(
    backend: UndiciBackend,
    connections: UndiciConnections,
    request: BackendRequest,
    events: BackendEvents,
  ) {
    this.#backend = backend
    this.#connections = connections
    this.#request = request
    this.#events = events
    this.#body = request.body.kind === 'none' ? null : new RequestBody(() => this.#drained())
    this.#limit = new ConnectLimit(request.answerMs, connections.connectMs, (error) =>
      this.#fail(error),
    )
  }

  start(): void {
    if (this.#over) return
    this.#starting = true
    try {
      this.#connections.dispatch(this.#request, this.#body, this)
    } catch (error) {
      this.#fail(error)
    }
    this.#starting = false
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over || this.#body === null) return true
    const isTaken = this.#body.push(bytes)
    this.#isAwaited = !this.#isSent
    return isTaken && this.#isSent
  }

  end(): void {
    if (!this.#over) this.#body?.push(null)
  }

  pause(): void {
    this.#paused = true
    this.#instead?.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#instead !== undefined) return this.#instead.resume()
    if (!this.#isHeld) return
    this.#isHeld = false
    const end = this.connection?.end
    end?.resumed()
    this.#resume?.()
    end?.settled()
  }

  abort(): void {
    this.#instead?.abort()
    if (this.#over) return
    this.#finish()
    this.#abort?.(new Error('the exchange is over'))
    this.#body?.destroy()
  }

  // ── what undici says ──────────────────────────────────────────────────────────────────────

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort
    // Before it has written anything.
    if (this.#over) return abort()
    this.#isSent = true
    this.#limit.clear()
    if (this.#isAwaited && this.#body?.hasRoom === true) this.#drained()
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void): boolean {
    if (this.#over) return true
    const headers = text(raw)
    this.#isBound ||= bindsConnection(headers)
    if (status < 200) return this.#informed(status, headers)
    if (isCodedForTransfer(this.#request.method, status, headers)) {
      const error = fault(TRANSFER_CODING, 'a transfer coding that nobody asked for')
      this.#fail(error)
      this.#abort?.(error)
      return true
    }
    this.#status = status
    this.#headers = headers
    this.#resume = resume
    this.#events.responded({ status, headers })
    return this.#goesOn()
  }

  onData(bytes: Buffer): boolean {
    // A resumed parser begins with a piece of nothing.
    if (!this.#over && bytes.length > 0) this.#events.data(bytes)
    return this.#goesOn()
  }

  onComplete(raw: string[] | null): void {
    if (this.#over) return
    if (this.connection?.isCut === true && this.#endsWithConnection)
      return this.#fail(fault(CONNECTION_RESET, 'reset inside its answer'))
    this.#finish()
    // What is left of an unfinished request nobody reads.
    this.#body?.destroy()
    const trailers = raw !== null && raw.length > 0 ? text(raw as unknown as Buffer[]) : undefined
    const isBound = this.#isBound || (trailers !== undefined && bindsConnection(trailers))
    if (isBound || this.connection?.isOld === true) this.connection?.retire()
    this.#events.ended(trailers)
  }

  onError(error: unknown): void {
    this.#fail(error)
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** What undici's parser is told: whether it is not to be paused. */
  #goesOn(): boolean {
    if (!this.#paused) return true
    this.#isHeld = true
    this.connection?.end?.paused()
    return false
  }

  #informed(status: number, headers: HeaderList): boolean {
    if (status === 101 || status < 100) {
      const error = fault(UNUSABLE_STATUS, `a ${status}, which answers nothing`)
      this.#fail(error)
      this.#abort?.(error)
    } else this.#events.informational({ status, headers })
    return true
  }

  get #endsWithConnection(): boolean {
    return endsWithConnection(this.#request.method, this.#status, this.#headers)
  }

  #fail(error: unknown): void {
    if (this.#over) return
    // A 304 tells the length that a 200 would have, and a 204 should tell none (RFC 9110 §8.6);
    // undici misses the body.
    const { code } = error as NodeJS.ErrnoException
    const isMissed = code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'
    if (isMissed && isBodiless(this.#request.method, this.#status)) return this.onComplete(null)
    if (this.#starting) return queueMicrotask(() => this.#fail(error))
    if (this.#mayRetry(error)) {
      this.#retried = true
      return this.start()
    }
    this.#finish()
    const patient = this.#mayAskAgain(error)
      ? this.#backend.patientWith(this.#request.application)
      : undefined
    if (patient !== undefined) {
      this.#instead = new AskedAgain(this.#events).start(patient, this.#request)
      return
    }
    this.#body?.destroy()
    const cause = this.#isSent ? undefined : notSentCauseOf(error)
    if (cause !== undefined) return this.#events.notSent(cause, error)
    const responded = this.#status > 0
    this.#events.failed(faultOf(error, responded), insideAnswer(error, responded))
  }

  #drained(): void {
    if (this.#isSent && !this.#over) this.#events.drained()
  }

  /** Nothing of it is told any more. */
  #finish(): void {
    this.#over = true
    this.#limit.clear()
  }

  /** A connection that the application closed while we reached for it. */
  #mayRetry(error: unknown): boolean {
    return this.#request.replayable && this.#status === 0 && !this.#retried && isStale(error)
  }

  /** undici's word for a `100 Continue` that it did not ask for. */
  #mayAskAgain(error: unknown): boolean {
    const { code, message } = error as NodeJS.ErrnoException
    const isContinue = code === 'UND_ERR_SOCKET' && message === 'bad response'
    return this.#request.replayable && this.#status === 0 && isContinue
  }
}

/** The second of two askings: that it was not sent says nothing of the first. */
class AskedAgain extends ForwardingBackendCall {
  override notSent(...[cause, error]: Parameters<BackendEvents['notSent']>): void {
    this.failed(cause, error)
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

  get hasRoom(): boolean {
    return this.readableLength < this.readableHighWaterMark
  }

  override _read(): void {
    this.#drained()
  }
}

/** Octets as code points. */
function text(raw: readonly Buffer[]): HeaderList {
  const list: string[] = []
  for (let i = 0; i < raw.length; i++) list.push(raw[i]!.toString('latin1'))
  return list
}
