/**
 * Embedded places for audit events, and ways to join them. None of them ever throws; what fails
 * within one that a cloud was given is told to the cloud's `onError`.
 *
 *     teeAudit(
 *       jsonLinesAudit((line) => file.write(`${line}\n`)),
 *       filterAudit(({ outcome }) => outcome !== 'success', queuedAudit(postToSiem)),
 *     )
 *
 * @see spec/PROTOCOL.md, "Audit events"
 * @module
 */
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { Containment } from '../../runtime/containment.ts'
import { composed, containedAudit, toldTo } from './contained-audit.ts'
import { AUDIT_VERSION, type AuditEvent, type AuditRecord } from './audit-events.ts'
import { toOcsf } from './audit-ocsf.ts'
import type { AuditSink } from './audit-sink.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'

/** Options of {@link jsonLinesAudit}. */
export interface JsonLinesOptions {
  /**
   * `native`: the fields of audit-events.ts after `version` and `id`. `ocsf`: the names of the Open
   * Cybersecurity Schema Framework. Default `native`.
   */
  readonly format?: 'native' | 'ocsf'
}

/**
 * One JSON object a line, without the line's end: `write` adds it. An event without an id is given
 * one, as {@link identifiedAudit} does.
 */
export function jsonLinesAudit(
  write: (line: string) => unknown,
  { format = 'native' }: JsonLinesOptions = {},
): AuditSink {
  return identifiedAudit({
    write: (event) =>
      write(
        JSON.stringify(
          // `id` is written twice to put it second; the spread does not move it.
          format === 'ocsf' ? toOcsf(event) : { version: AUDIT_VERSION, id: event.id, ...event },
        ),
      ),
  })
}

/**
 * Gives each event without one an `id`, so that a reader who is sent it twice, or by two ways, can
 * tell.
 *
 * It is 64 random bits for this sink, a dash, and the event's place among those of this sink: a gap
 * in the numbers is a lost event.
 */
export function identifiedAudit(
  to: AuditSink,
  crypto: CryptoProvider = globalThis.crypto,
): AuditSink {
  let run: string | undefined
  let count = 0
  const named = (event: AuditEvent): AuditEvent => {
    if (event.id !== undefined) return event
    run ??= hexadecimal(crypto.getRandomValues(new Uint8Array(8)))
    return { ...event, id: `${run}-${++count}` }
  }
  return composed((containment) => {
    const sink = containedAudit(to, containment)
    return { write: containment.notify('audit.write', (event) => sink.write(named(event))) }
  })
}

/**
 * Writes to each, in order, whatever becomes of the others: a sink that fails is passed over. Give
 * ids before it.
 *
 * @see identifiedAudit
 */
export function teeAudit(...sinks: readonly AuditSink[]): AuditSink {
  return composed((containment) => {
    const each = sinks.map((sink) => containedAudit(sink, containment))
    return {
      write(event) {
        for (const sink of each) sink.write(event)
      },
    }
  })
}

/** Passes on what `takes` says yes to, and what it cannot say anything of because it throws. */
export function filterAudit(takes: (event: AuditEvent) => boolean, to: AuditSink): AuditSink {
  return composed((containment) => {
    const passes = containment.lookUp('audit.filter', takes, true)
    const sink = containedAudit(to, containment)
    return {
      write(event) {
        if (passes(event)) sink.write(event)
      },
    }
  })
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
 * Sends events, in order and in batches, to a place that takes its time: one `send` at a time, the
 * rest waits, bounded.
 *
 * `write` never throws nor waits. A batch that `send` rejects is sent again, at once: a pause
 * between attempts is `send`'s own to make. So a receiver may see an event twice; put {@link
 * identifiedAudit} before it. In a cloud each batch that is given up is told to `onError`, as
 * `audit.send` with what `send` rejected with last.
 *
 *     const siem = queuedAudit((events) => post('https://siem.example', events))
 *     createCloud({ audit: teeAudit(auditFile(path), identifiedAudit(siem)), … })
 */
export function queuedAudit(
  send: (events: readonly AuditEvent[]) => Promise<void>,
  { limit = 10_000, batch = 100, attempts = 3 }: QueuedAuditOptions = {},
): QueuedAudit {
  let containment = new Containment()
  let waiting: AuditEvent[] = []
  let dropped = 0
  let sending: Promise<void> | undefined

  const deliver = async (events: readonly AuditEvent[]): Promise<void> => {
    let last: unknown
    for (let attempt = 1; attempt <= attempts; attempt++)
      try {
        return await send(events)
      } catch (error) {
        last = error
      }
    dropped += events.length
    containment.tell('audit.send', last, true)
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
  const queued: QueuedAudit = {
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
  return toldTo(queued, (to) => (containment = to))
}

/**
 * Keeps the last `limit` events (default 10 000), oldest first: for tests and for looking around.
 */
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
