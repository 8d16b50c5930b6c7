import type { AuditEvent } from './audit-events.ts'

/**
 * Where audit events go. It must not take long: it is called where they happen. One that throws, or
 * gives a promise that rejects, loses the event; what happens goes on.
 *
 * @see audit-events.ts
 */
export interface AuditSink {
  write(event: AuditEvent): void
}
