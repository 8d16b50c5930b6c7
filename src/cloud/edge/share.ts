import type { UserClaims } from '../../protocol/internal.ts'
import type { Caller } from '../identity/caller.ts'
import { clientNetwork } from '../rules/network.ts'

/** Whose share a request takes: its user's wherever they are, else that of where it comes from. */
export function shareOf({ user }: Caller, address: string): string {
  if (user === undefined) return clientNetwork(address)
  // One text for all requests of a session: it is looked up by.
  let share = SHARES_OF.get(user)
  if (share === undefined) SHARES_OF.set(user, (share = `${user.issuer} ${user.subject}`))
  return share
}

const SHARES_OF = new WeakMap<UserClaims, string>()
