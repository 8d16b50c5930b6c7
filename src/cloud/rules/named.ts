/**
 * What the policies and the assignment of an application name of a user: what a session must keep,
 * when it cannot keep everything.
 *
 * @module
 */
import type { ClaimValue } from '../../protocol/machines/sign-in.ts'
import type { AccessRules } from './access-policy.ts'
import {
  ACCOUNT,
  claimOfHeader,
  claimsOfSignOn,
  isIdentityClaim,
  type IdentityHeader,
} from './identity-claims.ts'
import { parseUserName } from './user-names.ts'

/** Names that somebody looks at. */
export interface Named {
  readonly groups: ReadonlySet<string>
  readonly roles: ReadonlySet<string>
  /** What else of the user is compared, or told to the application. */
  readonly told: ReadonlySet<ToldClaim>
  /** Claims of the user's token that `device` conditions compare. */
  readonly claims: readonly string[]
  /** Claims by the issuer's names that the application is told, in order, each once. */
  readonly custom: readonly string[]
}

/** What of a user an application may be told, and rules may name users by. */
export type ToldClaim = 'email' | 'groups' | 'name' | 'roles' | 'upn'

/** What of an application, or of a segment of one, names users. */
interface NamingPart {
  readonly assigned?:
    | 'everyone'
    | {
        readonly users: readonly string[]
        readonly groups: readonly string[]
        readonly roles: readonly string[]
      }
    | undefined
  readonly access?: AccessRules | undefined
}

/** What of an application names users. */
export interface NamingApplication extends NamingPart {
  readonly segments?: readonly NamingPart[] | undefined
  /** Of a segment: one session serves all of them, so all of them count. */
  readonly segment?: { readonly of: NamingPart & { readonly segments?: readonly NamingPart[] } }
  readonly identityHeaders: Readonly<Record<string, IdentityHeader>>
  readonly signOn?: object | undefined
  readonly account?: { readonly claim: string } | undefined
}

/** What is named of a user for this application. */
export function namedBy(application: NamingApplication): Named {
  const { identityHeaders, signOn, account } = application
  const whole = application.segment?.of ?? application
  const parts = [whole, ...(whole.segments ?? [])]
  const groups = new Set<string>()
  const roles = new Set<string>()
  const told = new Set<ToldClaim>()
  const claims = new Set<string>()
  const custom = new Set<string>()
  const name = (users: readonly string[] = []) => {
    for (const text of users) {
      const kind = parseUserName(text)?.kind
      if (kind === 'email' || kind === 'upn') told.add(kind)
    }
  }
  for (const { assigned } of parts) {
    if (assigned === undefined || assigned === 'everyone') continue
    name(assigned.users)
    for (const group of assigned.groups) groups.add(group)
    for (const role of assigned.roles) roles.add(role)
  }
  const headers = Object.values(identityHeaders)
    .map(claimOfHeader)
    .filter((claim) => claim !== ACCOUNT)
  for (const claim of [...headers, ...claimsOfSignOn(signOn), account?.claim]) {
    if (claim === undefined) continue
    if (!isIdentityClaim(claim)) custom.add(claim)
    else if (claim !== 'subject' && claim !== 'issuer') told.add(claim)
  }
  const policies = parts.flatMap(({ access }) => access?.policies ?? [])
  for (const { when, unless = [] } of policies)
    for (const { who, device } of when ? [when, ...unless] : unless) {
      name(who?.users)
      for (const group of who?.groups ?? []) groups.add(group)
      for (const role of who?.roles ?? []) roles.add(role)
      for (const claim of Object.keys(device ?? {})) claims.add(claim)
    }
  return { groups, roles, told, claims: [...claims], custom: [...custom].sort() }
}

/** Claims as they are kept. */
export type KeptClaims = Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>

/** All of them together, as JSON: they travel in the session cookie. */
const MAX_OCTETS = 512

/**
 * Those of a token's claims, as far as they can be compared. One that has no room, or is no text,
 * number, truth value or list of them, is left out: then it is not known.
 */
export function keptClaims(
  claims: Readonly<Record<string, unknown>>,
  names: readonly string[],
): KeptClaims | undefined {
  let left = MAX_OCTETS
  const kept = names.flatMap((name) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    if (!(Array.isArray(value) ? value.every(isComparable) : isComparable(value))) return []
    const octets = new TextEncoder().encode(JSON.stringify([name, value])).length
    if (octets > left) return []
    left -= octets
    return [[name, value] as const]
  })
  return kept.length === 0 ? undefined : (Object.fromEntries(kept) as KeptClaims)
}

const isComparable = (value: unknown) => ['string', 'number', 'boolean'].includes(typeof value)
