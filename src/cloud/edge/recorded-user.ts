/**
 * An audit event for each request, when it is over: who asked which application, and what became of
 * it. Only where a cloud is told to; it costs an object or two for each request.
 *
 * Neither path nor query is recorded: applications put secrets there.
 *
 * @module
 */
import type { ResponseHead } from '../../protocol/internal.ts'
import { publishedOf } from '../directory/published.ts'
import type { EdgeRequest } from '../request/edge-request.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { ForwardingUserExchange } from '../request/forwarding-user-exchange.ts'
import type { UserExchange } from '../request/user-exchange.ts'

export interface RecordedUserOptions {
  readonly audit: AuditSink
  readonly clocks: Clocks
}

/** Stands before a user's connection and counts what passes. */
export class RecordedUser extends ForwardingUserExchange {
  /** Knows more of the request than the connection does. */
  request: EdgeRequest | undefined
  readonly #options: RecordedUserOptions
  readonly #startedAt: number
  #status: number | undefined
  #bytesIn = 0
  #bytesOut = 0

  constructor(user: UserExchange, options: RecordedUserOptions) {
    super(user)
    this.#options = options
    this.#startedAt = options.clocks.now()
  }

  override data(bytes: Uint8Array): void {
    this.#bytesIn += bytes.length
    super.data(bytes)
  }

  override gone(complete: boolean): void {
    super.gone(complete)
    this.#record(complete)
  }

  override respond(head: ResponseHead, close: boolean): void {
    this.#status = head.status
    super.respond(head, close)
  }

  override upgrade(head: ResponseHead): void {
    this.#status = head.status
    super.upgrade(head)
  }

  override write(bytes: Uint8Array): boolean {
    this.#bytesOut += bytes.length
    return super.write(bytes)
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
      account: request && accountOf(request),
      sessionId: request?.caller.id,
      requestId: request?.id,
      address: request?.address,
      detail: {
        method: this.head.method,
        status,
        durationMs: Math.round(clocks.now() - this.#startedAt),
        bytesIn: this.#bytesIn,
        bytesOut: this.#bytesOut,
        ...translatedBy(request),
        ...segmentOf(request),
      },
    })
  }
}

/** The user's account at what was asked for. */
export const accountOf = ({ asked, caller }: EdgeRequest): string | undefined =>
  asked && publishedOf(asked).account(caller)

/** The segment that was asked for, in an event. */
export const segmentOf = (request: EdgeRequest | undefined): { segment?: string } => {
  const segment = request?.asked?.segment
  return segment === undefined ? {} : { segment: segment.path }
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

function translatedBy(request: EdgeRequest | undefined): { translated?: string } {
  const rules = request?.translation?.rules ?? []
  return rules.length === 0 ? {} : { translated: rules.join(', ') }
}
