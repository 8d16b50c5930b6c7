/**
 * Limits of an application's own, as an operator writes them.
 *
 * @see docs/publishing.md
 * @module
 */
import * as v from 'valibot'
import { IDLE_LIMITS } from '../../protocol/internal.ts'

const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(86_400_000))

export const ApplicationLimitsConfiguration = v.strictObject({
  requestBodyBytes: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER)),
  ),
  requestIdleMs: v.optional(milliseconds),
  responseIdleMs: v.optional(milliseconds),
})

/** Limits of an application's own; what is absent is as for every other. */
export interface ApplicationLimits {
  /** Octets of a request's body. */
  readonly requestBodyBytes?: number | undefined
  /** Milliseconds that a request's body may stand still because of its user. */
  readonly requestIdleMs?: number | undefined
  /** Milliseconds that an answer may stand still because of the application. */
  readonly responseIdleMs?: number | undefined
}

/** What a connector must have named, where it has waits to keep as well. */
export function limitsNeed({ requestIdleMs, responseIdleMs }: ApplicationLimits) {
  return requestIdleMs === undefined && responseIdleMs === undefined ? [] : [IDLE_LIMITS]
}
