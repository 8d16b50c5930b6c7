/**
 * Audit events into a file or a stream of Node's, one line of JSON each: what cannot be written
 * ends no process, and is told once.
 *
 * @module
 */
import type { Writable } from 'node:stream'
import { Containment } from '../../runtime/containment.ts'
import { LineFile } from '../../runtime/node/line-file.ts'
import { jsonLinesAudit, type JsonLinesOptions } from '../audit/audit.ts'
import { toldTo } from '../audit/contained-audit.ts'
import type { AuditSink } from '../audit/audit-sink.ts'

/** Options of {@link auditFile}. */
export interface AuditFileOptions extends JsonLinesOptions {
  /**
   * Events that may wait while the file cannot be written; the oldest of more are dropped. Default
   * 10 000.
   */
  readonly limit?: number
  /**
   * How often a file that cannot be written is tried again, and the path looked at. Milliseconds,
   * default 1 000.
   */
  readonly retryMs?: number
}

/** A sink that writes to a file. */
export interface AuditFile extends AuditSink {
  /** Events dropped so far: the file could not be written for too long. */
  readonly dropped: number
  /**
   * Opens the path anew, for whoever has renamed the file away and does not want to wait for a
   * second.
   */
  reopen(): void
  /** Resolves when nothing waits, or what waits cannot be written now. Never rejects. */
  flush(): Promise<void>
  /** As `flush`, then the file is closed. For the end of a service. */
  close(): Promise<void>
}

/**
 * Appends to a file of mode 0600, which is made if there is none; its directory is not.
 *
 * A full disk, a missing directory or a file that may not be written lose nothing while no more
 * than `limit` events wait: it is tried again, and goes on when there is room. A cloud that was
 * given it tells its `onError` once, as `audit.file`. When the file at the path is renamed,
 * replaced or removed, the next event (at most a second later) goes to the new one: rotate it by
 * renaming, without copying.
 */
export function auditFile(path: string, options: AuditFileOptions = {}): AuditFile {
  let containment = new Containment()
  const { limit, retryMs } = options
  const failed = (error: unknown) => containment.tell('audit.file', error, true)
  const file = new LineFile(path, { limit, retryMs, failed })
  const { write } = jsonLinesAudit((line) => file.write(line), options)
  const sink: AuditFile = {
    write,
    get dropped() {
      return file.dropped
    },
    reopen: () => file.reopen(),
    flush: () => file.flush(),
    close: () => file.close(),
  }
  return toldTo(sink, (to) => (containment = to))
}

/** Octets that may wait in a stream; what comes while there are more is dropped. */
const MAX_WAITING = 16 * 1024 * 1024

/**
 * Writes to a stream, such as `process.stdout`. A reader that went away, or does not read, loses
 * events and nothing else; a cloud tells its `onError` once, as `audit.stream`.
 */
export function auditStream(stream: Writable, options: JsonLinesOptions = {}): AuditSink {
  let containment = new Containment()
  let isTold = false
  const failed = (error: unknown) => {
    if (!isTold) containment.tell('audit.stream', error, true)
    isTold = true
  }
  stream.on('error', failed)
  const { write } = jsonLinesAudit((line) => {
    if (stream.writableLength < MAX_WAITING) stream.write(`${line}\n`)
    else failed(new Error('nobody reads the stream'))
  }, options)
  return toldTo({ write }, (to) => (containment = to))
}
