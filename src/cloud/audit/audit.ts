/**
 * Embedded places for audit events, and ways to join them.
 *
 *     teeAudit(
 *       jsonLinesAudit((line) => file.write(`${line}\n`)),
 *       filterAudit(({ outcome }) => outcome !== 'success', queuedAudit(postToSiem)),
 *     )
 *
 * @see spec/PROTOCOL.md, "Audit events"
 * @module
 */
import { AUDIT_VERSION, type AuditEvent, type AuditRecord } from './audit-events.ts'
import { toOcsf } from './audit-ocsf.ts'
import type { AuditSink, CryptoProvider } from '../ports.ts'

/** Options of {@link jsonLinesAudit}. */
export interface JsonLinesOptions {
  /** `native`: the fields of audit-events.ts after `version` and `id`. `ocsf`: the names of the Open Cybersecurity Schema Framework. Default `native`. */
  readonly format?: 'native' | 'ocsf'
}

/** One JSON object a line, without the line's end: `write` adds it. An event without an id is given one, as {@link identifiedAudit} does. */
export function jsonLinesAudit(
  write: (line: string) => void,
  { format = 'native' }: JsonLinesOptions = {},
): AuditSink {
  return identifiedAudit({
    write: (event) =>
      write(
        JSON.stringify(
          // Twice `id`: its place is that of the first.
          format === 'ocsf' ? toOcsf(event) : { version: AUDIT_VERSION, id: event.id, ...event },
        ),
      ),
  })
}

/**
 * Gives each event without one an `id`, so that a reader who is sent it twice, or by two ways, can tell.
 *
 * It is 64 random bits for this sink, a dash, and the event's place among those of this sink: a gap in the numbers is a lost event.
 */
export function identifiedAudit(
  to: AuditSink,
  crypto: CryptoProvider = globalThis.crypto,
): AuditSink {
  let run: string | undefined
  let count = 0
  return {
    write(event) {
      if (event.id !== undefined) return to.write(event)
      run ??= hexadecimal(crypto.getRandomValues(new Uint8Array(8)))
      to.write({ ...event, id: `${run}-${++count}` })
    },
  }
}

/** Writes to each, in order, whatever becomes of the others: a sink that throws is passed over. Give ids before it. @see identifiedAudit */
export function teeAudit(...sinks: readonly AuditSink[]): AuditSink {
  return {
    write(event) {
      for (const sink of sinks)
        try {
          sink.write(event)
        } catch {
          // A sink must not throw; if one does, the others still get theirs.
        }
    },
  }
}

/** Passes on what `takes` says yes to. */
export function filterAudit(takes: (event: AuditEvent) => boolean, to: AuditSink): AuditSink {
  return {
    write(event) {
      if (takes(event)) to.write(event)
    },
  }
}

/** Options of {@link queuedAudit}. */
export interface QueuedAuditOptions {
  /** Events that may wait; the oldest of more are dropped. Default 10 000. */
  readonly limit?: number
  /** Events given to `send` at once. Default 100. */
  readonly batch?: number
  /** How often `send` is asked to take one batch before it is dropped. Default 3. */
  readonly attempts?: number
}

/** A sink that sends later. */
export interface QueuedAudit extends AuditSink {
  /** Events dropped so far: nobody took them, or there were too many. */
  readonly dropped: number
  /** Resolves when nothing waits any more. Never rejects. */
  flush(): Promise<void>
}

/**
 * Sends events, in order and in batches, to a place that takes its time: one `send` at a time, the rest waits, bounded.
 *
 * `write` never throws nor waits. A batch that `send` rejects is sent again, at once: a pause between attempts is `send`'s own to make. So a receiver may see an event
 * twice; put {@link identifiedAudit} before it.
 */
export function queuedAudit(
  send: (events: readonly AuditEvent[]) => Promise<void>,
  { limit = 10_000, batch = 100, attempts = 3 }: QueuedAuditOptions = {},
): QueuedAudit {
  let waiting: AuditEvent[] = []
  let dropped = 0
  let sending: Promise<void> | undefined

  const deliver = async (events: readonly AuditEvent[]): Promise<void> => {
    for (let attempt = 1; attempt <= attempts; attempt++)
      try {
        return await send(events)
      } catch {
        // Its own errors may quote what they were given.
      }
    dropped += events.length
  }
  const drain = async (): Promise<void> => {
    // Events of one turn go together.
    await Promise.resolve()
    while (waiting.length > 0) {
      const events = waiting.slice(0, batch)
      waiting = waiting.slice(batch)
      await deliver(events)
    }
    sending = undefined
  }
  return {
    get dropped() {
      return dropped
    },
    write(event) {
      if (waiting.length >= limit) {
        waiting.shift()
        dropped += 1
      }
      waiting.push(event)
      sending ??= drain()
    },
    async flush() {
      while (sending !== undefined) await sending
    },
  }
}

/** Keeps the last `limit` events (default 10 000), oldest first: for tests and for looking around. */
export function memoryAudit(
  limit = 10_000,
): AuditSink & { readonly events: readonly AuditRecord[] } {
  const events: AuditRecord[] = []
  return {
    events,
    write(event) {
      events.push(event)
      if (events.length > limit) events.shift()
    },
  }
}

const hexadecimal = (octets: Uint8Array) =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('')
