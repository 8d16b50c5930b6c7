/**
 * How long a session lasts.
 *
 * By default it ends with the ID token. Where a tenant or an application has a policy of its own,
 * it lasts so long from the first authentication, and while it is used; what its ID token says is
 * fresh until that token ends.
 *
 * @see docs/sessions.md
 * @module
 */
import type { SignInIdentity } from '../../protocol/machines/sign-in.ts'
import type { Caller } from '../identity/caller.ts'
import type { SessionLifetime } from '../directory/session-configuration.ts'
import type { Session } from './session.ts'

/** When a session began and ends. Milliseconds since 1970. */
export interface SessionSpan {
  /** What revocations compare: with what is revoked up to then it ends. */
  readonly startedAt: number
  readonly expiresAt: number
  /** From when the policy counts. */
  readonly since?: number | undefined
  /** The end of the ID token, where the session may outlive it. */
  readonly freshUntil?: number | undefined
  /** When that token was asked for. */
  readonly renewedAt?: number | undefined
  /** When it was used last, as far as this cookie tells. */
  readonly activeAt?: number | undefined
  /** A refresh token is kept for it: it must be fresh to be of use. */
  readonly hasGrant?: true | undefined
}

export interface SpanOptions {
  readonly lifetime: SessionLifetime | undefined
  readonly identity: Pick<SignInIdentity, 'expiresAt' | 'authenticatedAt'>
  readonly startedAt: number
  /** The session that is continued. */
  readonly before?: Session | undefined
  readonly hasGrant?: boolean | undefined
  readonly longestMs: number
}

/** The span of a session that begins, or goes on, with a new ID token. */
export function spanOf(options: SpanOptions): SessionSpan {
  const { lifetime, identity, startedAt, before, longestMs } = options
  const { expiresAt: tokenEnd, authenticatedAt = startedAt } = identity
  if (lifetime === undefined)
    return { startedAt, expiresAt: Math.min(tokenEnd, startedAt + longestMs) }
  // An issuer's clock that is ahead prolongs nothing.
  const since = before?.since ?? Math.min(authenticatedAt, startedAt)
  return {
    startedAt,
    since,
    expiresAt: since + Math.min(lifetime.absoluteMs, longestMs),
    freshUntil: tokenEnd,
    renewedAt: startedAt,
    ...(lifetime.idleMs !== undefined && { activeAt: startedAt }),
    ...(options.hasGrant === true && { hasGrant: true }),
  }
}

/**
 * How often a cookie's time of last use moves: an eighth of `idleMs`, at most one minute.
 * Milliseconds.
 */
export const slideMs = (idleMs: number) => Math.min(60_000, idleMs / 8)

/**
 * Renewal begins so long before an ID token's end, or in the second half of a shorter one.
 * Milliseconds.
 */
export const RENEW_BEFORE_MS = 5 * 60_000

/**
 * When renewal is due. Milliseconds since 1970; `Infinity`: never. Costs a comparison or two: it is
 * asked with every request.
 */
export function renewalDueAt({ startedAt, expiresAt, freshUntil, renewedAt }: Caller): number {
  if (startedAt === undefined || expiresAt === undefined) return Infinity
  const end = freshUntil ?? expiresAt
  // The policy ends the session no later than the token does: renewal would gain nothing.
  if (freshUntil !== undefined && freshUntil >= expiresAt) return Infinity
  return end - Math.min(RENEW_BEFORE_MS, (end - (renewedAt ?? startedAt)) / 2)
}
