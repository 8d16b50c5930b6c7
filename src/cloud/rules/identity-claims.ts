/**
 * What of a user an application may be told: what the service knows by a word of its own, wherever
 * the issuer has it; and any other claim of the ID token or of UserInfo, by the issuer's name for
 * it.
 *
 * @module
 */
import { isTypedClaim, type TypedClaim } from '../../protocol/internal.ts'

/** What the service knows of users by words of its own. */
export const IDENTITY_CLAIMS = [
  ...(['subject', 'issuer', 'name', 'email', 'upn', 'groups', 'roles'] as const),
] as const
/** A word of the service for what it knows of a user: one of {@link IDENTITY_CLAIMS}. */
export type IdentityClaim = (typeof IDENTITY_CLAIMS)[number]

/** How what is not ASCII, or what a field cannot hold, is written. */
export const HEADER_ENCODINGS = [
  ...(['utf-8', 'percent', 'quoted-printable', 'rfc8187', 'base64url'] as const),
] as const
/** One of {@link HEADER_ENCODINGS}. */
export type HeaderEncoding = (typeof HEADER_ENCODINGS)[number]

/** A header: a claim that it tells; or the claim and how it is written; or a fixed value. */
export type IdentityHeader = string | IdentityHeaderForm

/** What a header tells, and how. It has either a claim or a value. */
export interface IdentityHeaderForm {
  /** One of {@link IDENTITY_CLAIMS}, or the issuer's name of another one. */
  readonly claim?: string
  /** Default: `separated` for groups and roles, and where there is a separator; else no list. */
  readonly list?: 'separated' | 'json'
  /** Default `,`. */
  readonly separator?: string
  /** Default `utf-8`. */
  readonly encoding?: HeaderEncoding
  /** It is always this. */
  readonly value?: string
}

/** Which claim a header tells; `undefined`: none. */
export const claimOfHeader = (header: IdentityHeader): string | undefined =>
  typeof header === 'string' ? header : header.claim

/** Whether the service has a word for it. */
export const isIdentityClaim = (claim: string): claim is IdentityClaim =>
  (IDENTITY_CLAIMS as readonly string[]).includes(claim)

/**
 * The name of the user's account at the application, where its `signOn` has a mapping: a word for
 * what applications are told, and no claim of the issuer's.
 */
export const ACCOUNT = 'account'

/** Those that are lists, whatever an issuer sends. */
export const isListClaim = (claim: string) => claim === 'groups' || claim === 'roles'

/** Of whom claims are told: a session, or whoever a token speaks for. */
export interface ClaimedUser {
  readonly user?:
    | {
        readonly subject: string
        readonly issuer: string
        readonly name?: string
        readonly email?: string
        readonly groups?: readonly string[]
        readonly roles?: readonly string[]
      }
    | undefined
  readonly upn?: string | undefined
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

/** A claim of a user by its name; `undefined`: it is not known. */
export function claimOf(
  { user, upn, claims = {} }: ClaimedUser,
  claim: string,
): TypedClaim | undefined {
  if (isIdentityClaim(claim)) return claim === 'upn' ? upn : user?.[claim]
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined
  return isTypedClaim(value) ? value : undefined
}

/** What of an application's sign-on names claims: its mapping, or a list of a kind of one's own. */
export interface ClaimingSignOn {
  readonly kind?: string
  readonly user?: { readonly claim: string }
  readonly claims?: readonly string[]
}

/** The claims that an application's sign-on names, each once. */
export function claimsOfSignOn(signOn: object | undefined): readonly string[] {
  const { kind, user, claims = [] } = (signOn ?? {}) as ClaimingSignOn
  const told = kind === 'assertion' ? claims.filter((claim) => claim !== ACCOUNT) : claims
  return [...new Set([...(user ? [user.claim] : []), ...told])]
}
