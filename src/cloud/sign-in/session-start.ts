/**
 * The session of a user who has signed in, and what is kept for it.
 *
 * @module
 */
import type { SignInAttempt, SignInIdentity } from '../../protocol/machines/sign-in.ts'
import type { SessionRenewals } from '../session/session-renewals.ts'
import type { Session, Sessions, StartedSession } from '../session/session.ts'
import type { Callback } from './callback-visit.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'

/**
 * Starts the session, or continues `before`. A refresh token is kept where a policy lets sessions
 * outlive the ID token.
 *
 * @throws SignInDenied `authentication-too-old`
 */
export async function startSession(
  { sessions, renewals }: { readonly sessions: Sessions; readonly renewals: SessionRenewals },
  { application, host, cameAt, refreshToken }: Callback,
  { nonce }: SignInAttempt,
  identity: SignInIdentity,
  before: Session | undefined,
): Promise<StartedSession> {
  const hasGrant = refreshToken !== undefined && application.session?.lifetime !== undefined
  const started = await sessions.start(application, host, identity, before, cameAt, hasGrant)
  // The lifetime counts from the authentication, so the issuer was asked for a recent one.
  if (started.session.expiresAt <= cameAt) throw new SignInDenied('authentication-too-old')
  if (hasGrant) {
    const grant = { refreshToken, nonce, identity, renewedAt: cameAt }
    await renewals.keep(application, started.session, grant)
  }
  return started
}
