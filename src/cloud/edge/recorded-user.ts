/**
 * An audit event for each request, when it is over: who asked which application, and what became of
 * it. Only where a cloud is told to; it costs an object or two for each request.
 *
 * Neither path nor query is recorded: applications put secrets there.
 *
 * @module
 */
import type { HeaderList, ResponseHead } from '../../protocol/index.ts'
import type { EdgeRequest } from '../request/edge-request.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { UserEvents, UserExchange, UserRequestHead } from '../request/user-exchange.ts'

export interface RecordedUserOptions {
  readonly audit: AuditSink
  readonly clocks: Clocks
}

/** Stands before a user's connection and counts what passes. */
export class RecordedUser implements UserExchange, UserEvents {
  readonly head: UserRequestHead
  /** Knows more of the request than the connection does. */
  request: EdgeRequest | undefined
  readonly #user: UserExchange
  readonly #options: RecordedUserOptions
  readonly #startedAt: number
  #events: UserEvents | undefined
  #status: number | undefined
  #bytesIn = 0
  #bytesOut = 0

  constructor(user: UserExchange, options: RecordedUserOptions) {
    this.#user = user
    this.#options = options
    this.head = user.head
    this.#startedAt = options.clocks.now()
  }

  listen(events: UserEvents): void {
    this.#events = events
    this.#user.listen(this)
  }

  // ── what the user's connection says ───────────────────────────────────────────────────────

  data(bytes: Uint8Array): void {
    this.#bytesIn += bytes.length
    this.#events!.data(bytes)
  }

  ended(trailers: HeaderList | undefined): void {
    this.#events!.ended(trailers)
  }

  drained(): void {
    this.#events!.drained()
  }

  gone(complete: boolean): void {
    this.#events!.gone(complete)
    this.#record(complete)
  }

  // ── what it is told ───────────────────────────────────────────────────────────────────────

  startBody(): void {
    this.#user.startBody()
  }

  pauseBody(): void {
    this.#user.pauseBody()
  }

  resumeBody(): void {
    this.#user.resumeBody()
  }

  inform(head: ResponseHead): void {
    this.#user.inform(head)
  }

  respond(head: ResponseHead, close: boolean): void {
    this.#status = head.status
    this.#user.respond(head, close)
  }

  upgrade(head: ResponseHead): void {
    this.#status = head.status
    this.#user.upgrade(head)
  }

  write(bytes: Uint8Array): boolean {
    this.#bytesOut += bytes.length
    return this.#user.write(bytes)
  }

  end(trailers?: HeaderList): void {
    this.#user.end(trailers)
  }

  abort(): void {
    this.#user.abort()
  }

  #record(complete: boolean): void {
    const { audit, clocks } = this.#options
    const { request } = this
    const status = this.#status
    audit.write({
      time: clocks.wallClock(),
      type: 'access.request',
      ...outcomeOf(request?.code, status, complete),
      tenantId: request?.site?.tenantId,
      applicationId: request?.site?.id,
      subject: request?.caller.user?.subject,
      sessionId: request?.caller.id,
      requestId: request?.id,
      address: request?.address,
      detail: {
        method: this.head.method,
        status,
        durationMs: Math.round(clocks.now() - this.#startedAt),
        bytesIn: this.#bytesIn,
        bytesOut: this.#bytesOut,
      },
    })
  }
}

/** `code` is of an answer of ours; what an application answers, it answers successfully. */
function outcomeOf(code: string | undefined, status: number | undefined, complete: boolean) {
  if (status === undefined) return { outcome: 'failed', reason: code ?? 'user-aborted' } as const
  if (code !== undefined && status >= 500) return { outcome: 'failed', reason: code } as const
  if (code !== undefined && status >= 400) return { outcome: 'refused', reason: code } as const
  return complete
    ? ({ outcome: 'success' } as const)
    : ({ outcome: 'failed', reason: 'incomplete' } as const)
}
