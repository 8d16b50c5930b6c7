/**
 * Is the user assigned to the application (access 1.1)?
 *
 * @module
 */
import { isAmong, type PolicyUser } from '../policy/conditions.ts'
import type { Application } from '../ports.ts'

/**
 * True when the application is assigned to everyone, to one of the user's groups or roles, or to the user by subject, e-mail address or user name; names are compared
 * exactly, except for the letter case of e-mail addresses.
 */
export function isAssigned({ assigned }: Application, user: PolicyUser): boolean {
  return assigned === undefined || isAmong(assigned, user) === true
}
