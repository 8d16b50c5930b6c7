/**
 * A backend of the embedder's, contained: whatever it throws, rejects with or tells out of turn fails the one exchange that
 * it was called for.
 *
 * @module
 */
import { ResetCode } from '../protocol/frame-types.ts'
import { atOnce, unrejected, type Containment } from '../runtime/containment.ts'
import type { Backend, BackendCall, BackendEvents } from './backend.ts'

/** The same backend; `call` throws PortFailed where it cannot be called, and what it gives never throws. */
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
  /** It has failed, or was broken off: nothing passes any more. */
  #isOver = false

  constructor(events: BackendEvents, containment: Containment) {
    this.#events = events
    this.#containment = containment
  }

  begun(call: BackendCall): void {
    this.#call = call
    if (this.#isOver) this.#abort()
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
    if (this.#isOver) return
    this.#tell('abort', (call) => call.abort())
    this.#isOver = true
  }

  // ── what the backend says ─────────────────────────────────────────────────────────────────

  informational(...head: Parameters<BackendEvents['informational']>): void {
    this.#pass((events) => events.informational(...head))
  }

  responded(...head: Parameters<BackendEvents['responded']>): void {
    this.#pass((events) => events.responded(...head))
  }

  upgraded(...head: Parameters<BackendEvents['upgraded']>): void {
    this.#pass((events) => events.upgraded(...head))
  }

  data(bytes: Uint8Array): void {
    this.#pass((events) => events.data(bytes))
  }

  ended(...trailers: Parameters<BackendEvents['ended']>): void {
    this.#pass((events) => events.ended(...trailers))
  }

  drained(): void {
    this.#pass((events) => events.drained())
  }

  failed(code: ResetCode, cause: unknown): void {
    this.#pass((events) => events.failed(code, cause))
    this.#isOver = true
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

  /** What it says out of turn, an answer twice perhaps, is its own fault and not its caller's. */
  #pass(pass: (events: BackendEvents) => void): void {
    if (this.#isOver) return
    try {
      pass(this.#events)
    } catch (error) {
      this.#fail('backend.call.events', error)
    }
  }

  #fail(port: string, error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#containment.tell(port, error, false)
    this.#abort()
    // Never from inside: whoever made it is in the midst of something.
    queueMicrotask(() =>
      this.#containment.notify('backend.call.events', () =>
        this.#events.failed(ResetCode.INTERNAL, error),
      )(),
    )
  }

  #abort(): void {
    this.#containment.notify('backend.call.abort', () => this.#call?.abort())()
  }
}
