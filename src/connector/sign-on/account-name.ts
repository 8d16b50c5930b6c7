/**
 * The name of a user's account at the application, as this connector lets it be used: the mapping
 * comes with the application's details, the claim with the offer; what names are never used, and
 * the realm, this connector's own file says. A cloud that is taken over cannot name another realm,
 * nor an administrator.
 *
 * @module
 */
import { ApiMisuse } from '../../protocol/wire/errors.ts'
import {
  mappedAccount,
  type AccountMapping,
  type AccountName,
} from '../../protocol/wire/account-mapping.ts'
import type { TypedClaims } from '../../protocol/wire/typed-claims.ts'

/** Accounts that nobody is signed on as, whatever a connector's file says. */
export const DENIED_ACCOUNTS: readonly string[] = ['administrator', 'krbtgt', 'krbtgt_*', '*$']

/** What this connector's own file says of accounts. */
export interface LocalAccounts {
  /** The realm of every account, as `CORP.EXAMPLE`. Absent: accounts here have none. */
  readonly realm?: string | undefined
  /**
   * Accounts that nobody is signed on as, beside {@link DENIED_ACCOUNTS}. ASCII letters in any
   * case; `*` stands for any signs, at the beginning or the end. Default: none.
   */
  readonly denied?: readonly string[] | undefined
}

/** Whose account it is: the user of an offer. */
export interface AccountUser {
  readonly claims?: TypedClaims | undefined
}

/** The account of a user by a mapping. `name`: without the realm, which is `realm` alone. */
export type AccountOf = (user: AccountUser | undefined, mapping: AccountMapping) => AccountName

/**
 * What names accounts by a connector's own rules.
 *
 *     const account = accountNames({ realm: 'CORP.EXAMPLE' })
 *     const verdict = account(request.user, mapping)
 *     if ('refused' in verdict) throw new SignOnFailed(verdict.refused, …)
 *
 * @throws ApiMisuse when the realm, or a denied account, is none
 */
export function accountNames({ realm, denied = [] }: LocalAccounts = {}): AccountOf {
  if (realm !== undefined && !REALM.test(realm))
    throw new ApiMisuse('a realm is letters, digits, "." and "-", as CORP.EXAMPLE')
  const rules = [...DENIED_ACCOUNTS, ...denied].map(deniedBy)
  return (user, mapping) => {
    if (user === undefined) return { refused: 'user-unknown', detail: 'nobody is signed in' }
    const verdict = mappedAccount(mapping, user.claims)
    if ('refused' in verdict) return verdict
    const name = folded(verdict.name)
    return rules.some((isDenied) => isDenied(name))
      ? { refused: 'user-refused', detail: 'nobody may be signed on to this account' }
      : verdict
  }
}

/** The principal of an account: a name has neither `@`, `/` nor `\`, so that the realm is fixed. */
export const principalOf = (name: string, realm: string) => `${name}@${realm}`

const REALM = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$/

function deniedBy(rule: string): (name: string) => boolean {
  const [, before, middle, behind] = /^(\*?)([^*]+)(\*?)$/.exec(folded(rule)) ?? []
  if (middle === undefined)
    throw new ApiMisuse('a denied account is a name, with a star at its beginning or end alone')
  if (before && behind) return (name) => name.includes(middle)
  if (before) return (name) => name.endsWith(middle)
  return behind ? (name) => name.startsWith(middle) : (name) => name === middle
}

/** Names have ASCII letters alone, and directories do not tell their cases apart. */
const folded = (name: string) => name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
