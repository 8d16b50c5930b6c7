/**
 * Audit events to a collector of yours, over HTTP: in batches, in order, without anybody's request
 * waiting for it. What the collector does not take is told to the cloud's `onError`.
 */
import { identifiedAudit, queuedAudit, toOcsf, type AuditSink } from 'app-proxy/cloud'

export interface Collected {
  readonly sink: AuditSink
  /** Before the process ends. */
  flush(): Promise<void>
}

export function collectorAudit(url: string): Collected {
  const queue = queuedAudit(async (events) => {
    const body = events.map((event) => `${JSON.stringify(toOcsf(event))}\n`).join('')
    const headers = { 'content-type': 'application/x-ndjson' }
    const answer = await fetch(url, { method: 'POST', headers, body })
    if (!answer.ok) throw new Error(`the collector answered ${answer.status}`)
  })
  // An id before the queue: what is sent twice is recognised by it.
  return { sink: identifiedAudit(queue), flush: () => queue.flush() }
}
