/**
 * Whether a user is one of those that a rule names. What is not known of the user is not known of
 * the answer: an absent list is no empty one.
 *
 * @module
 */
import { foldUserName, parseUserName, USER_NAME_KINDS, type UserNameKind } from './user-names.ts'

/** True, false, or not known. */
export type Truth = boolean | undefined

/** What of a user policies and assignment look at; what is absent is not known. */
export interface PolicyUser {
  readonly subject: string
  /** Verified, or assigned by the issuer. */
  readonly email?: string | undefined
  /** The name that the issuer assigns. */
  readonly upn?: string | undefined
  /** The name of their account at the application. */
  readonly account?: string | undefined
  readonly groups?: readonly string[] | undefined
  readonly roles?: readonly string[] | undefined
  /**
   * Groups or roles may be missing from the lists: whoever is not found in them may still be a
   * member.
   */
  readonly isPartial?: boolean | undefined
}

/** Users by typed names, see {@link parseUserName}; groups, roles and accounts by name. */
export interface Among {
  readonly users?: readonly string[] | undefined
  readonly groups?: readonly string[] | undefined
  readonly roles?: readonly string[] | undefined
  readonly accounts?: readonly string[] | undefined
}

/**
 * Whether the user is one of those. Where that is not known, `unknown` is told which claims would
 * say.
 */
export function isAmong(among: Among, user: PolicyUser, unknown?: Set<string>): Truth {
  const { names, groups, roles, accounts, isUntyped } = read(among)
  const missing: string[] = []
  for (const kind of USER_NAME_KINDS) {
    if (names[kind].size === 0) continue
    const value = kind === 'sub' ? user.subject : user[kind]
    if (value === undefined) missing.push(kind)
    else if (names[kind].has(foldUserName(kind, value))) return true
  }
  for (const [claim, named] of [
    ['groups', groups],
    ['roles', roles],
  ] as const) {
    if (named.size === 0) continue
    const held = user[claim]
    if (held?.some((one) => named.has(one)) === true) return true
    if (held === undefined || user.isPartial === true) missing.push(claim)
  }
  if (accounts.size > 0) {
    const { account } = user
    if (account !== undefined && among.accounts!.includes(account)) return true
    // In another letter case it is the same account to one directory, and another's to the next.
    if (account === undefined || accounts.has(foldUserName('upn', account))) missing.push('account')
  }
  // Cannot happen in a checked configuration: such a name is refused there.
  if (isUntyped) missing.push('users')
  if (missing.length === 0) return false
  for (const claim of missing) unknown?.add(claim)
  return undefined
}

interface ReadNames {
  readonly names: Readonly<Record<UserNameKind, ReadonlySet<string>>>
  readonly groups: ReadonlySet<string>
  readonly roles: ReadonlySet<string>
  /** Folded. */
  readonly accounts: ReadonlySet<string>
  readonly isUntyped: boolean
}

const known = new WeakMap<Among, ReadNames>()

/** Read once for each object: other rules are another object. */
function read(among: Among): ReadNames {
  let names = known.get(among)
  if (names === undefined) {
    const parsed = among.users?.map(parseUserName) ?? []
    const of = (kind: UserNameKind) =>
      new Set(parsed.flatMap((name) => (name?.kind === kind ? [name.value] : [])))
    names = {
      names: { sub: of('sub'), email: of('email'), upn: of('upn') },
      groups: new Set(among.groups),
      roles: new Set(among.roles),
      accounts: new Set(among.accounts?.map((name) => foldUserName('upn', name))),
      isUntyped: parsed.includes(undefined),
    }
    known.set(among, names)
  }
  return names
}
