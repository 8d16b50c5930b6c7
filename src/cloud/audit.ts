/**
 * Embedded places for audit events.
 *
 * @module
 */
import type { AuditEvent, AuditSink } from './ports.ts'

/** One JSON object a line, without the line's end: `write` adds it. */
export function jsonLinesAudit(write: (line: string) => void): AuditSink {
  return { write: (event) => write(JSON.stringify(event)) }
}

/** Keeps the last `limit` events (default 10 000), oldest first: for tests and for looking around. */
export function memoryAudit(
  limit = 10_000,
): AuditSink & { readonly events: readonly AuditEvent[] } {
  const events: AuditEvent[] = []
  return {
    events,
    write(event) {
      events.push(event)
      if (events.length > limit) events.shift()
    },
  }
}
