/**
 * Users as rules name them: each name says of which kind it is, and is compared with that kind
 * alone.
 *
 * - `sub:` the subject, at the tenant's issuer; letter case: exactly
 * - `email:` the e-mail address, where the issuer verified it or no user can choose theirs; letter
 *   case: ASCII is folded
 * - `upn:` the claim that the issuer's configuration names as assigned by it, and no other; letter
 *   case: ASCII is folded
 *
 * What users may choose for themselves (`preferred_username`, `name`, `nickname`) is nobody's name
 * here: another user may choose the same.
 *
 * @see docs/names.md
 * @module
 */

/** What a name may be compared with. */
export const USER_NAME_KINDS = ['sub', 'email', 'upn'] as const
export type UserNameKind = (typeof USER_NAME_KINDS)[number]

/** A name and its kind; the value is folded as its kind is. */
export interface UserName {
  readonly kind: UserNameKind
  readonly value: string
}

/**
 * Claims that users may choose: never compared with the names of users, wherever they come from.
 */
export const CHOSEN_CLAIMS: ReadonlySet<string> = new Set([
  ...['preferred_username', 'name', 'nickname', 'given_name', 'middle_name', 'family_name'],
  ...['profile', 'picture', 'website'],
])

/** Reads a name. `undefined`: it does not say of which kind it is, or is no such name. */
export function parseUserName(text: string): UserName | undefined {
  const colon = text.indexOf(':')
  const kind = USER_NAME_KINDS.find((one) => one === text.slice(0, colon))
  const value = text.slice(colon + 1)
  // Refuse blanks at the edges: such a name matches nobody, and a deny rule would do nothing.
  if (kind === undefined || value === '' || value !== value.trim()) return undefined
  if (kind === 'email' && !/^[^@\s]+@[^@\s]+$/.test(value)) return undefined
  return { kind, value: foldUserName(kind, value) }
}

/**
 * A value as it is compared: of addresses and assigned names the ASCII letters are folded, and no
 * others. Unicode folds letters into ASCII ones, and a stranger's address into a user's.
 */
export function foldUserName(kind: UserNameKind, value: string): string {
  return kind === 'sub' ? value : value.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/**
 * What is wrong with a name in a configuration, in words that quote nothing; `assignsNames`:
 * whether the issuer's configuration has `claims.upn`.
 */
export function userNameFault(text: string, assignsNames: boolean): string | undefined {
  const name = parseUserName(text)
  if (name !== undefined)
    return name.kind === 'upn' && !assignsNames
      ? "needs the claim that the issuer assigns: `claims.upn` of the tenant's `issuer`"
      : undefined
  if (/^(?:sub|email|upn):/.test(text))
    return 'must have a value of its kind behind the colon, without blanks at its edges'
  const meanings = [
    ...(text.includes('@') ? ['"email:…" (their verified e-mail address)'] : []),
    '"upn:…" (the name that the issuer assigns to them)',
    '"sub:…" (their subject at the issuer)',
  ]
  return `could mean more than one user: write ${meanings.slice(0, -1).join(', ')} or ${meanings.at(-1)}`
}
