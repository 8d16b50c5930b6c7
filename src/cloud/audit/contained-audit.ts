/**
 * An audit sink, contained: an event that it does not take is lost there and nowhere else, and it
 * is told.
 *
 * A sink that is made of others, as {@link teeAudit} makes one, is asked to contain each of them.
 *
 * @module
 */
import { PortFailed } from '../../protocol/internal.ts'
import { Containment } from '../../runtime/containment.ts'
import type { AuditSink } from './audit-sink.ts'

/** How a sink of ours contains what it is made of. */
const CONTAINED = Symbol('contained')

interface Composed extends AuditSink {
  readonly [CONTAINED]: (containment: Containment) => AuditSink
}

/** The same sink; it never throws, and what fails is told to `containment`. */
export function containedAudit(sink: AuditSink, containment: Containment): AuditSink {
  if (CONTAINED in sink) return (sink as Composed)[CONTAINED](containment)
  return { write: containment.notify('audit.write', (event) => sink.write(event)) }
}

/**
 * The same sink, for what must not be done unless it is written down: it throws where the sink, or
 * one of those that it is made of, throws. What a sink rejects with later is told as ever.
 *
 * @throws PortFailed
 */
export function strictAudit(sink: AuditSink, containment: Containment): AuditSink {
  let failure: { readonly error: unknown } | undefined
  const noted = new Containment(({ port, error, contained }) => {
    failure = { error }
    containment.tell(port, error, contained)
  })
  const contained = containedAudit(sink, noted)
  return {
    write(event) {
      failure = undefined
      contained.write(event)
      const failed = failure as { readonly error: unknown } | undefined
      if (failed !== undefined) throw new PortFailed('audit.write', { cause: failed.error })
    },
  }
}

/**
 * A sink made of others: it never throws. By itself it tells nobody what failed; in a cloud it
 * tells `onError`.
 */
export function composed(make: (containment: Containment) => AuditSink): AuditSink {
  const sink: Composed = { ...make(new Containment()), [CONTAINED]: make }
  return sink
}

/** A sink that never throws by itself, and learns where to tell what it could not do. */
export function toldTo<S extends AuditSink>(sink: S, tell: (to: Containment) => void): S {
  return Object.assign(sink, {
    [CONTAINED]: (containment: Containment) => {
      tell(containment)
      return sink
    },
  })
}
