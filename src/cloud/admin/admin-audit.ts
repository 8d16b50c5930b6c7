/**
 * Writes down who called the admin API for what: before it is done.
 *
 * @module
 */
import type { Clocks } from '../../runtime/clocks.ts'
import type { AuditEventOf } from '../audit/audit-events.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { SignInDenied } from '../identity/sign-in-errors.ts'
import type { AdminCaller } from './admin-caller.ts'
import type { AdminRequestInfo } from './admin-handler.ts'
import type { AdminProblem } from './admin-problems.ts'
import type { AdminCall } from './admin-routes.ts'

export interface AdminAuditOptions {
  /** Throws where it fails. */
  readonly audit: AuditSink
  readonly clocks: Pick<Clocks, 'wallClock'>
}

/** A call, as far as it is known. */
export interface AuditedCall {
  readonly caller: AdminCaller
  readonly info: AdminRequestInfo
  readonly method: string
  /** Absent: there is no such operation. */
  readonly operation?: string | undefined
  /** Absent: it was not read. */
  readonly call?: AdminCall | undefined
}

/** Never written down: what opens something, and what is too much. */
const UNTOLD: readonly string[] = ['registrarToken', 'configuration']

export class AdminAudit {
  readonly #options: AdminAuditOptions

  constructor(options: AdminAuditOptions) {
    this.#options = options
  }

  /** `false`: it could not be written, and must not be done. */
  begun(audited: AuditedCall): boolean {
    try {
      this.#write(audited, { outcome: 'success' })
      return true
    } catch {
      // Whoever keeps the audit has been told.
      return false
    }
  }

  /** It was written down before, and was not done. */
  failed(audited: AuditedCall, problem: AdminProblem): void {
    this.#quietly(() => this.#write(audited, outcomeOf(problem), problem.status))
  }

  refused(audited: AuditedCall, problem: AdminProblem): void {
    this.failed(audited, problem)
  }

  /** Somebody has shown a token that is not good. */
  unknown({ remoteAddress: address }: AdminRequestInfo, { reason }: SignInDenied): void {
    this.#quietly(() =>
      this.#options.audit.write({
        ...{ time: this.#options.clocks.wallClock(), type: 'admin.call' },
        ...{ outcome: 'refused', reason, address, detail: { status: 401 } },
      }),
    )
  }

  #write(
    { caller, info, method, operation, call }: AuditedCall,
    outcome: Pick<AuditEventOf<'admin.call'>, 'outcome' | 'reason'>,
    status?: number,
  ): void {
    const { name, by, roles, tenantId, issuer } = caller
    const change = told(call?.input)
    this.#options.audit.write({
      ...{ time: this.#options.clocks.wallClock(), type: 'admin.call', ...outcome },
      address: info.remoteAddress,
      ...(tenantId !== undefined && { tenantId }),
      ...(by === 'token' && { subject: name }),
      ...(operation?.endsWith('onnector') && call && { connectorId: call.id }),
      detail: {
        ...{ method, operation: operation ?? 'unknown', by, roles, issuer },
        ...(by !== 'token' && { operator: name }),
        ...(change !== undefined && { change }),
        ...(status !== undefined && { status }),
      },
    })
  }

  #quietly(write: () => void): void {
    try {
      write()
    } catch {
      // Whoever keeps the audit has been told; nothing is done here that would have to be written.
    }
  }
}

function outcomeOf({ status, code }: AdminProblem) {
  return { outcome: status >= 500 ? 'failed' : 'refused', reason: code } as const
}

function told(input: unknown): Readonly<Record<string, unknown>> | undefined {
  const entries = Object.entries(input ?? {}).filter(([name]) => !UNTOLD.includes(name))
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
