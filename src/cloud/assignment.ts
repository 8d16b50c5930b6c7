/**
 * Is the user assigned to the application (access 1.1)?
 *
 * @module
 */
import type { SignInIdentity } from '../protocol/sign-in.ts'
import type { Application } from './ports.ts'

/**
 * True when the application is assigned to everyone, to one of the user's groups, or to the user by subject, e-mail address or user name; names are compared
 * exactly, except for the letter case of e-mail addresses.
 */
export function isAssigned(application: Application, user: SignInIdentity): boolean {
  const { assigned } = application
  if (assigned === undefined) return true
  const email = user.email?.toLowerCase()
  return (
    assigned.users.some(
      (name) => name === user.subject || name === user.username || name.toLowerCase() === email,
    ) ||
    (user.groups?.some((group) => assigned.groups.includes(group)) ?? false)
  )
}
