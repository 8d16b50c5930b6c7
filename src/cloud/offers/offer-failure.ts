/**
 * What a failed attempt, and a request that nobody took, are told as.
 *
 * @module
 */
import {
  ExchangeFailed,
  type AttemptOutcome,
  type FailureReason,
  type FailureSource,
} from '../../protocol/internal.ts'

/** When to try again what the way to other instances was missing for. Milliseconds. */
export const SOON_MS = 1_000

/** Of what was not sent, what the dispatcher is told apart. */
export const NOT_SENT_OUTCOMES: Partial<Record<FailureReason, AttemptOutcome>> = {
  'sign-on-failed': 'not-signed-on',
  'pin-lost': 'pin-lost',
}

const SOURCES: Partial<Record<FailureReason, FailureSource>> = {
  'instances-unreachable': 'cloud',
  'queue-full': 'cloud',
  'application-share': 'cloud',
  'user-share': 'user',
  internal: 'cloud',
  'application-unreachable': 'application',
  'application-certificate': 'application',
  'application-timeout': 'application',
  'pin-lost': 'application',
}

/** The failure of a request that nobody took. */
export function failed(reason: FailureReason, retryAfterMs?: number): ExchangeFailed {
  return new ExchangeFailed(SOURCES[reason] ?? 'connector', reason, { retryAfterMs })
}
