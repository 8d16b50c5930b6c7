/**
 * The number on a page of ours is found in the audit, whether requests are audited or not.
 *
 * @module
 */
import { failureStatus, type FailureReason } from '../../protocol/internal.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { EdgeRequest, OwnAnswer } from '../request/edge-request.ts'
import { accountOf, segmentOf } from './recorded-user.ts'

/** Where it is written, and when. */
export interface FailureAuditOptions {
  readonly audit: AuditSink
  readonly clocks: Clocks
}

/** A refusal or failure that is about to be sent. */
export function writeFailure(
  { audit, clocks }: FailureAuditOptions,
  request: EdgeRequest,
  { status, code, source, delivery }: OwnAnswer,
): void {
  audit.write({
    time: clocks.wallClock(),
    type: 'access.failure',
    outcome: status < 500 ? 'refused' : 'failed',
    reason: code,
    tenantId: request.site?.tenantId,
    applicationId: request.asked?.id,
    subject: request.caller.user?.subject,
    account: accountOf(request),
    sessionId: request.caller.id,
    requestId: request.id,
    address: request.address,
    detail: {
      ...{ method: request.user.head.method, status, source, delivery: delivery ?? 'none' },
      ...segmentOf(request),
    },
  })
}

/** One that nobody could read as a request. */
export function writeUnread(
  { audit, clocks }: FailureAuditOptions,
  { requestId, reason, status, address }: UnreadRequest & { readonly requestId: string },
): void {
  audit.write({
    time: clocks.wallClock(),
    type: 'access.failure',
    outcome: 'refused',
    reason,
    requestId,
    address,
    detail: { status: status ?? failureStatus(reason).status, source: 'user', delivery: 'none' },
  })
}

/** What a listener refused before there was a request. */
export interface UnreadRequest {
  readonly reason: FailureReason
  readonly status?: number
  readonly address?: string
}
