/**
 * Maintenance of an application, as an operator writes it: nobody is let in, and everybody is told.
 *
 * @see docs/publishing.md
 * @module
 */
import * as v from 'valibot'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'

export const MaintenanceConfiguration = v.strictObject({
  message: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(500))),
  until: v.optional(v.string()),
  endsOpen: v.optional(v.boolean(), false),
})

/** An application is being worked on. */
export interface Maintenance {
  /** What its users are told, in the place of our words. Default: ours. */
  readonly message?: string | undefined
  /** When it is expected back: an RFC 3339 time with its zone. Default: nobody knows. */
  readonly until?: string | undefined
  /** Whether what is open ends. */
  readonly endsOpen: boolean
}

/** Tells what a schema cannot say. `at`: the path of the maintenance. */
export function tellMaintenance(
  maintenance: Partial<Maintenance> | undefined,
  at: string,
  tell: TellMistake,
): void {
  const { until } = maintenance ?? {}
  if (until !== undefined && timeOf(until) === undefined)
    tell(`${at}.until`, 'must be a time with its zone, such as "2026-12-01T06:00:00Z"')
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

/** A time with its zone, as milliseconds since 1970; `undefined`: it is none. */
export function timeOf(text: string): number | undefined {
  if (!INSTANT.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
