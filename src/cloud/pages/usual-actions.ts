/**
 * What the user can do next, where an answer does not say.
 *
 * @module
 */
import { OTHER_ACCOUNT_PATH } from './return-target.ts'
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
/** Whoever the issuer says they are, somebody else may be let in. */
const DECIDED: ReadonlySet<string> = new Set([
  'not-assigned',
  'policy-denies',
  'no-policy-allows',
  'step-up-unmet',
  'step-up-contradiction',
  'access-denied',
  'issuer-refused',
])

/** The same account gets the same answer, until somebody changes the rules. */
const SAME_AGAIN: ReadonlySet<string> = new Set(['not-assigned', 'policy-denies'])
/** Inside another page nobody signs in: a window of its own helps. */
const FRAMED: ReadonlySet<string> = new Set(['sign-in-framed', 'session-not-kept', 'sign-in-loop'])

/**
 * “Try again” where that may help and the request can be made by a link, then the application's
 * front page.
 *
 * A sign-in that went wrong is tried again by opening the page the user wanted, or the front page
 * where nobody knows which that was.
 */
export function usualActions(
  { status, code, source }: Failure,
  { target, start }: { readonly target?: string; readonly start?: string },
): readonly Action[] {
  if (status < 400) return []
  const isSignIn = source === 'sign-in' || source === 'issuer' || source === 'policy'
  const again = FINAL.has(code) ? undefined : (target ?? (isSignIn ? start : undefined))
  if (FRAMED.has(code))
    return again === undefined
      ? []
      : [{ label: 'Open in a new window', href: again, opensWindow: true }]
  const actions: Action[] = []
  if (again !== undefined) actions.push({ label: 'Try again', href: again })
  if (DECIDED.has(code) && start !== undefined) {
    const fields = { to: target ?? start }
    const label = 'Use another account'
    const other: Action = { label, post: OTHER_ACCOUNT_PATH, fields, leavesHost: true }
    if (SAME_AGAIN.has(code)) actions.unshift(other)
    else actions.push(other)
  }
  if (start !== undefined && start !== again)
    actions.push({ label: 'Go to the start page', href: start })
  return actions
}
