import type { Application } from '../directory/directory-port.ts'
import type { LiveExchange } from '../request/live-exchanges.ts'
import type { SessionView } from './admin-views.ts'

/** The session in whose name something is open; `undefined`: nobody is signed in. */
export function sessionView(
  { id: applicationId, tenantId }: Application,
  { id: sessionId, user, startedAt, expiresAt }: LiveExchange['caller'],
): SessionView | undefined {
  if (user === undefined) return undefined
  return {
    ...(sessionId !== undefined && { sessionId }),
    ...{ tenantId, applicationId, issuer: user.issuer, subject: user.subject },
    ...(startedAt !== undefined && { startedAt }),
    ...(expiresAt !== undefined && { expiresAt }),
    open: 0,
  }
}
