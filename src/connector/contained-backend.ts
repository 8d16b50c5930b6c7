/**
 * A backend of the embedder's, contained: whatever it throws, rejects with or tells out of turn
 * fails the one exchange that it was called for.
 *
 * @module
 */
import {
  isNotSentCause,
  Machine,
  PeerViolation,
  ResetCode,
  type ResponseHead,
} from '../protocol/internal.ts'
import { atOnce, unrejected, type Containment } from '../runtime/containment.ts'
import { BACKEND_ORDER, type BackendState, type CallerEvent } from './backend-order.ts'
import type { Backend, BackendCall, BackendEvents, BackendRequest } from './backend.ts'
import {
  ForwardingBackendCall,
  type BackendCommand,
  type BackendEvent,
} from './forwarding-backend.ts'

/**
 * The same backend; `call` throws PortFailed where it cannot be called, and what it gives never
 * throws.
 */
export function containedBackend(backend: Backend, containment: Containment): Backend {
  const call = containment.demand('backend.call', (...args: Parameters<Backend['call']>) =>
    backend.call(...args),
  )
  const close = containment.await('backend.close', () => backend.close())
  // It is told; there is nothing else to be done about it.
  const safe: Backend = { call, close: () => close().catch(() => undefined) }
  return {
    features: backend.features,
    call: (request, events) => new ContainedCall(events, containment).start(safe, request),
    close: () => safe.close(),
  }
}

/** Stands between one call of the backend's and whoever made it. */
class ContainedCall extends ForwardingBackendCall {
  readonly #containment: Containment
  readonly #order = new Machine<BackendState, CallerEvent | BackendEvent>(BACKEND_ORDER, 'calling')

  constructor(events: BackendEvents, containment: Containment) {
    super(events)
    this.#containment = containment
  }

  override start(backend: Backend, request: BackendRequest): this {
    super.start(backend, request)
    if (!this.#order.step('begun')) this.#abort()
    return this
  }

  override write(bytes: Uint8Array): boolean {
    return this.tell('write', bytes) !== false
  }

  override abort(): void {
    this.tell('abort')
    this.#order.step('broken')
  }

  protected override tell<C extends BackendCommand>(
    command: C,
    ...args: Parameters<BackendCall[C]>
  ): unknown {
    if (this.#isOver) return undefined
    try {
      const answer = super.tell(command, ...args)
      if (command === 'write') return atOnce(answer)
      unrejected(answer, (error) => this.#fail(`backend.call.${command}`, error))
    } catch (error) {
      this.#fail(`backend.call.${command}`, error)
    }
    return undefined
  }

  /**
   * What it says out of turn, or in no form of ours, is no answer: at once, for nothing else would
   * end the exchange.
   */
  protected override hear<E extends BackendEvent>(
    event: E,
    ...args: Parameters<BackendEvents[E]>
  ): void {
    if (this.#isOver) return
    try {
      if (!isWellFormed(event, args))
        throw new PeerViolation('MALFORMED_MESSAGE', `what "${event}" was given is malformed`)
      this.#order.step(event)
    } catch (error) {
      return this.#fail('backend.call.events', error, ResetCode.APPLICATION_MALFORMED)
    }
    try {
      super.hear(event, ...args)
    } catch (error) {
      this.#fail('backend.call.events', error)
    }
  }

  /** It has failed, or was broken off: nothing passes any more. */
  get #isOver(): boolean {
    return this.#order.state === 'over'
  }

  #fail(port: string, error: unknown, code: ResetCode = ResetCode.INTERNAL): void {
    if (this.#isOver) return
    this.#order.step('broken')
    this.#containment.tell(port, error, false)
    this.#abort()
    // Never from inside: whoever made it is in the midst of something.
    queueMicrotask(() =>
      this.#containment.notify('backend.call.events', () => this.events.failed(code, error))(),
    )
  }

  #abort(): void {
    this.#containment.notify('backend.call.abort', () => super.tell('abort'))()
  }
}

const CODES: ReadonlySet<unknown> = new Set(Object.values(ResetCode))

/** Whether an event was given what its type says. */
function isWellFormed(event: BackendEvent, args: readonly unknown[]): boolean {
  const [first] = args
  switch (event) {
    case 'informational':
      return isInterim(first as ResponseHead)
    case 'responded':
      return isHead(first as ResponseHead)
    case 'upgraded':
      return isHead(first as ResponseHead) && (first as ResponseHead).status === 101
    case 'data':
      return first instanceof Uint8Array
    case 'ended':
      return first === undefined || isHeaderList(first)
    case 'drained':
      return true
    case 'failed':
      return CODES.has(first)
    case 'notSent':
      return isNotSentCause(first)
  }
}

// What an embedder without types may say, and a frame cannot. Fields and ranges are looked at where
// they are passed on.

function isHead(head: ResponseHead | undefined): boolean {
  try {
    return Number.isInteger(head?.status) && isHeaderList(head?.headers)
  } catch {
    // A proxy, or a getter.
    return false
  }
}

function isInterim(head: ResponseHead): boolean {
  return isHead(head) && head.status >= 100 && head.status < 200 && head.status !== 101
}

function isHeaderList(list: unknown): boolean {
  return Array.isArray(list) && list.every((text) => typeof text === 'string')
}
