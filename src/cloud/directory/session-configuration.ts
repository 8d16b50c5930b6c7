/**
 * How long sessions last, as an operator writes it: for a tenant, or for one application.
 *
 * @see docs/sessions.md
 * @module
 */
import * as v from 'valibot'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import type { Application } from './directory-port.ts'

/** No session lasts longer. Milliseconds. */
export const LONGEST_SESSION_MS = 24 * 3_600_000

/** A policy for sessions that outlive the ID token. */
export interface SessionLifetime {
  /** From the first authentication at the issuer. Milliseconds, at most 24 hours. */
  readonly absoluteMs: number
  /** Without a request for so long it ends. Milliseconds. Default: it does not. */
  readonly idleMs?: number | undefined
}

const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(1_000))

export const SessionLifetimeConfiguration = v.exactOptional(
  v.strictObject({
    absoluteMs: v.pipe(milliseconds, v.maxValue(LONGEST_SESSION_MS)),
    idleMs: v.exactOptional(v.pipe(milliseconds, v.maxValue(LONGEST_SESSION_MS))),
  }),
)

/** Tells what a schema cannot say. `at`: the path of the lifetime. */
export function tellSessionLifetime(
  lifetime: SessionLifetime | undefined,
  at: string,
  tell: TellMistake,
): void {
  if (lifetime?.idleMs !== undefined && lifetime.idleMs > lifetime.absoluteMs)
    tell(`${at}.idleMs`, 'must be at most absoluteMs')
}

/** The application with its tenant's policy, where users sign in and it has none of its own. */
export function withTenantLifetime(
  application: Application,
  lifetime: SessionLifetime | undefined,
): Application {
  const { client, session } = application
  if (lifetime === undefined || client === undefined || session?.lifetime !== undefined)
    return application
  return { ...application, session: { sameSite: session?.sameSite ?? 'lax', lifetime } }
}
