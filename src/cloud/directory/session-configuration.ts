/**
 * How long sessions last, as an operator writes it: for a tenant, or for one application.
 *
 * @see docs/sessions.md
 * @module
 */
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
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

export const SessionLifetimeConfiguration = v.pipe(
  v.exactOptional(
    v.strictObject({
      absoluteMs: v.pipe(
        milliseconds,
        v.maxValue(LONGEST_SESSION_MS),
        v.description(
          'Milliseconds from the first authentication at the issuer, at most 24 hours. The user signs in again then.',
        ),
      ),
      idleMs: v.pipe(
        v.exactOptional(v.pipe(milliseconds, v.maxValue(LONGEST_SESSION_MS))),
        v.description('Milliseconds without a request. Default: a session need not be used.'),
      ),
    }),
  ),
  v.description(
    'Sessions that outlive the ID token: renewed by a refresh token where the issuer gives one. Default: a session ends with its ID token.',
  ),
)

/** @throws ConfigurationInvalid with `at`, the path of the lifetime */
export function checkSessionLifetime(lifetime: SessionLifetime | undefined, at: string): void {
  if (lifetime?.idleMs !== undefined && lifetime.idleMs > lifetime.absoluteMs)
    throw new ConfigurationInvalid(`${at}.idleMs`, 'must be at most absoluteMs')
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
