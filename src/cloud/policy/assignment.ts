/**
 * Is the user assigned to the application (access 1.1)?
 *
 * @module
 */
import { isAmong, type PolicyUser } from '../rules/among.ts'
import type { Application } from '../directory/directory-port.ts'

/**
 * True when the application is assigned to everyone, to one of the user's groups or roles, or to
 * the user by a typed name. Nobody is assigned by what is not known of them; `unknown` is told
 * which claims would say.
 *
 * @see docs/names.md
 */
export function isAssigned(
  { assigned }: Application,
  user: PolicyUser,
  unknown?: Set<string>,
): boolean {
  return assigned === undefined || isAmong(assigned, user, unknown) === true
}
