/**
 * What the user can do next, where an answer does not say.
 *
 * @module
 */
import { OWN_PATH } from '../edge/return-target.ts'
import type { Action, Failure } from './answer.ts'

/** Trying again changes nothing there. */
const FINAL: ReadonlySet<string> = new Set([
  'unknown-application',
  'not-found',
  'user-malformed',
  'upgrade-unsupported',
  'method-unsupported',
  'origin-refused',
  'client-refused',
])
/** A decision about the user, which holds for the whole application. */
const DECIDED: ReadonlySet<string> = new Set([
  'not-assigned',
  'policy-denies',
  'no-policy-allows',
  'policy-broken',
])

/** With a session, another account may do; before there is one, there is nothing to sign out of. */
const SIGN_OUT: Action = { label: 'Sign out', href: `${OWN_PATH}sign-out` }

/**
 * “Try again” where that may help and the request can be made by a link, then the application's front page.
 *
 * A sign-in that went wrong is tried again by opening the front page: where the user wanted to go is known to nobody then.
 */
export function usualActions(
  { status, code, source }: Failure,
  { target, start }: { readonly target?: string; readonly start?: string },
): readonly Action[] {
  if (status < 400) return []
  if (DECIDED.has(code)) return target === undefined ? [] : [SIGN_OUT]
  const isSignIn = source === 'sign-in' || source === 'issuer'
  const again = FINAL.has(code) ? undefined : (target ?? (isSignIn ? start : undefined))
  const actions: Action[] = []
  if (again !== undefined) actions.push({ label: 'Try again', href: again })
  if (start !== undefined && start !== again)
    actions.push({ label: 'Go to the start page', href: start })
  return actions
}
