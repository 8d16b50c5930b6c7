/**
 * What a decorator of a backend is built from: everything passes, and it says only what it changes.
 *
 * @example
 *   class Named extends ForwardingBackend {
 *     override call(request: BackendRequest, events: BackendEvents): BackendCall {
 *       const headers = [...request.headers, 'X-Request-Number', request.requestNumber]
 *       return super.call({ ...request, headers }, events)
 *     }
 *   }
 *
 * @see docs/backends.md
 * @module
 */
import type { HeaderList, NotSentCause, ResetCode, ResponseHead } from '../protocol/internal.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from './backend.ts'

/** A backend in front of another. */
export class ForwardingBackend implements Backend {
  protected readonly inner: Backend

  constructor(inner: Backend) {
    this.inner = inner
  }

  /** Those of the other: a decorator that passes requests on whole takes nothing from them. */
  get features(): readonly string[] | undefined {
    return this.inner.features
  }

  call(request: BackendRequest, events: BackendEvents): BackendCall {
    return this.inner.call(request, events)
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}

/** The name of what a call is told. */
export type BackendCommand = keyof BackendCall
/** The name of what it tells. */
export type BackendEvent = keyof BackendEvents

/**
 * Stands between one call and whoever made it. Override the commands and events that concern the
 * decorator, or {@link ForwardingBackendCall.tell} and {@link ForwardingBackendCall.hear}, which
 * all of them pass through.
 */
export class ForwardingBackendCall implements BackendCall, BackendEvents {
  protected readonly events: BackendEvents
  #call: BackendCall | undefined

  /** @param events who made the call */
  constructor(events: BackendEvents) {
    this.events = events
  }

  /** Makes the call that this one stands before. */
  start(backend: Backend, request: BackendRequest): this {
    this.#call = backend.call(request, this)
    return this
  }

  // ── what the call is told ─────────────────────────────────────────────────────────────────

  write(bytes: Uint8Array): boolean {
    return this.tell('write', bytes) as boolean
  }

  end(trailers?: HeaderList): void {
    this.tell('end', trailers)
  }

  pause(): void {
    this.tell('pause')
  }

  resume(): void {
    this.tell('resume')
  }

  abort(): void {
    this.tell('abort')
  }

  // ── what it tells ─────────────────────────────────────────────────────────────────────────

  informational(head: ResponseHead): void {
    this.hear('informational', head)
  }

  responded(head: ResponseHead): void {
    this.hear('responded', head)
  }

  upgraded(head: ResponseHead): void {
    this.hear('upgraded', head)
  }

  data(bytes: Uint8Array): void {
    this.hear('data', bytes)
  }

  ended(trailers: HeaderList | undefined): void {
    this.hear('ended', trailers)
  }

  drained(): void {
    this.hear('drained')
  }

  failed(code: ResetCode, cause: unknown): void {
    this.hear('failed', code, cause)
  }

  notSent(cause: NotSentCause, error: unknown): void {
    this.hear('notSent', cause, error)
  }

  // ── where all of it passes ────────────────────────────────────────────────────────────────

  /** A command goes on to the call, once there is one; gives what that returns. */
  protected tell<C extends BackendCommand>(
    command: C,
    ...args: Parameters<BackendCall[C]>
  ): unknown {
    const call = this.#call as unknown as Anything | undefined
    return call?.[command]!(...args)
  }

  /** An event goes on to whoever made the call. */
  protected hear<E extends BackendEvent>(event: E, ...args: Parameters<BackendEvents[E]>): void {
    const events = this.events as unknown as Anything
    events[event]!(...args)
  }
}

type Anything = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>
