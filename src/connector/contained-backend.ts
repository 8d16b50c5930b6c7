/**
 * A backend of the embedder's, contained: whatever it throws, rejects with or tells out of turn
 * fails the one exchange that it was called for.
 *
 * @module
 */
import { Machine, PeerViolation, ResetCode } from '../protocol/index.ts'
import { atOnce, unrejected, type Containment } from '../runtime/containment.ts'
import { BACKEND_ORDER, type BackendState, type CallerEvent } from './backend-order.ts'
import type { Backend, BackendCall, BackendEvents } from './backend.ts'

/**
 * The same backend; `call` throws PortFailed where it cannot be called, and what it gives never
 * throws.
 */
export function containedBackend(backend: Backend, containment: Containment): Backend {
  const call = containment.demand('backend.call', (...args: Parameters<Backend['call']>) =>
    backend.call(...args),
  )
  const close = containment.await('backend.close', () => backend.close())
  return {
    call(request, events) {
      const contained = new ContainedCall(events, containment)
      contained.begun(call(request, contained))
      return contained
    },
    // It is told; there is nothing else to be done about it.
    close: () => close().catch(() => undefined),
  }
}

/** Stands between one call of the backend's and whoever made it. */
class ContainedCall implements BackendCall, BackendEvents {
  #call: BackendCall | undefined
  readonly #events: BackendEvents
  readonly #containment: Containment
  readonly #order = new Machine<BackendState, CallerEvent | keyof BackendEvents>(
    BACKEND_ORDER,
    'calling',
  )

  constructor(events: BackendEvents, containment: Containment) {
    this.#events = events
    this.#containment = containment
  }

  begun(call: BackendCall): void {
    this.#call = call
    if (!this.#order.step('begun')) this.#abort()
  }

  // ── what the backend is told ──────────────────────────────────────────────────────────────

  write(bytes: Uint8Array): boolean {
    if (this.#isOver) return true
    try {
      return atOnce(this.#call!.write(bytes)) !== false
    } catch (error) {
      this.#fail('backend.call.write', error)
      return true
    }
  }

  end(...trailers: Parameters<BackendCall['end']>): void {
    this.#tell('end', (call) => call.end(...trailers))
  }

  pause(): void {
    this.#tell('pause', (call) => call.pause())
  }

  resume(): void {
    this.#tell('resume', (call) => call.resume())
  }

  abort(): void {
    this.#tell('abort', (call) => call.abort())
    this.#order.step('broken')
  }

  /** It has failed, or was broken off: nothing passes any more. */
  get #isOver(): boolean {
    return this.#order.state === 'over'
  }

  // ── what the backend says ─────────────────────────────────────────────────────────────────

  informational(...head: Parameters<BackendEvents['informational']>): void {
    this.#pass('informational', isInterim(...head), (events) => events.informational(...head))
  }

  responded(...head: Parameters<BackendEvents['responded']>): void {
    this.#pass('responded', isHead(...head), (events) => events.responded(...head))
  }

  upgraded(...head: Parameters<BackendEvents['upgraded']>): void {
    this.#pass('upgraded', isHead(...head) && head[0].status === 101, (events) =>
      events.upgraded(...head),
    )
  }

  data(bytes: Uint8Array): void {
    this.#pass('data', bytes instanceof Uint8Array, (events) => events.data(bytes))
  }

  ended(...trailers: Parameters<BackendEvents['ended']>): void {
    const isWhole = trailers[0] === undefined || isHeaderList(trailers[0])
    this.#pass('ended', isWhole, (events) => events.ended(...trailers))
  }

  drained(): void {
    this.#pass('drained', true, (events) => events.drained())
  }

  failed(code: ResetCode, cause: unknown): void {
    this.#pass('failed', CODES.has(code), (events) => events.failed(code, cause))
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #tell(name: keyof BackendCall, tell: (call: BackendCall) => unknown): void {
    if (this.#isOver) return
    try {
      unrejected(tell(this.#call!), (error) => this.#fail(`backend.call.${name}`, error))
    } catch (error) {
      this.#fail(`backend.call.${name}`, error)
    }
  }

  /**
   * What it says out of turn, or in no form of ours, is no answer: at once, for nothing else would
   * end the exchange.
   */
  #pass(
    event: keyof BackendEvents,
    isWellFormed: boolean,
    pass: (events: BackendEvents) => void,
  ): void {
    if (this.#isOver) return
    try {
      if (!isWellFormed)
        throw new PeerViolation('MALFORMED_MESSAGE', `what "${event}" was given is malformed`)
      this.#order.step(event)
    } catch (error) {
      return this.#fail('backend.call.events', error, ResetCode.APPLICATION_MALFORMED)
    }
    try {
      pass(this.#events)
    } catch (error) {
      this.#fail('backend.call.events', error)
    }
  }

  #fail(port: string, error: unknown, code: ResetCode = ResetCode.INTERNAL): void {
    if (this.#isOver) return
    this.#order.step('broken')
    this.#containment.tell(port, error, false)
    this.#abort()
    // Never from inside: whoever made it is in the midst of something.
    queueMicrotask(() =>
      this.#containment.notify('backend.call.events', () => this.#events.failed(code, error))(),
    )
  }

  #abort(): void {
    this.#containment.notify('backend.call.abort', () => this.#call?.abort())()
  }
}

const CODES: ReadonlySet<unknown> = new Set(Object.values(ResetCode))

// What an embedder without types may say, and a frame cannot. Fields and ranges are looked at where
// they are passed on.

function isHead(head: Parameters<BackendEvents['responded']>[0] | undefined): boolean {
  try {
    return Number.isInteger(head?.status) && isHeaderList(head?.headers)
  } catch {
    // A proxy, or a getter.
    return false
  }
}

function isInterim(head: Parameters<BackendEvents['informational']>[0]): boolean {
  return isHead(head) && head.status >= 100 && head.status < 200 && head.status !== 101
}

function isHeaderList(list: unknown): boolean {
  return Array.isArray(list) && list.every((text) => typeof text === 'string')
}
