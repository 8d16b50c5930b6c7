/**
 * A tenant's issuer as an operator writes it: its URL alone, or an object that says what is
 * particular about it.
 *
 * @see docs/issuers/ for what to write for the issuers that many have
 * @module
 */
import type { ContextsParameter } from '../rules/step-up.ts'
import * as v from 'valibot'
import { refuseMistake, type TellMistake } from '../../runtime/configuration-mistakes.ts'
import { isIdentityClaim } from '../rules/identity-claims.ts'
import { CHOSEN_CLAIMS } from '../rules/user-names.ts'
import { text } from './configuration-values.ts'

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(256))

/** Where a claim is, as it is written. @see claimPath */
export const ClaimPathConfiguration = v.union([
  name,
  v.pipe(v.array(name), v.minLength(1), v.maxLength(8)),
])

const at = v.exactOptional(ClaimPathConfiguration)

const Claims = v.strictObject({
  groups: at,
  roles: at,
  email: at,
  name: at,
  upn: at,
  tenant: at,
})

const IssuerObject = v.strictObject({
  url: text,
  scopes: v.exactOptional(
    v.array(v.pipe(v.string(), v.regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'is no scope'))),
  ),
  claims: v.exactOptional(Claims),
  tenantValue: v.exactOptional(text),
  emailsAreAssigned: v.exactOptional(v.boolean()),
  assignedClaims: v.exactOptional(v.pipe(v.array(name), v.maxLength(64))),
  tokenType: v.exactOptional(v.picklist(['at+jwt', 'any'])),
  userInfo: v.exactOptional(v.picklist(['when-needed', 'never'])),
  authenticationContexts: v.exactOptional(v.picklist(['acr_values', 'acr', 'acrs'])),
})

export const IssuerConfiguration = v.union([text, IssuerObject])
type Written = v.InferOutput<typeof IssuerConfiguration>

/** Names of members, from the outermost in. */
export type ClaimPath = readonly string[]

/** What is particular about a tenant's issuer. */
export interface IssuerProfile {
  /** The scopes asked for. */
  readonly scopes: readonly string[]
  /** Where its claims are. */
  readonly claims: {
    readonly groups: ClaimPath
    readonly roles: ClaimPath
    readonly email: ClaimPath
    readonly name: ClaimPath
    readonly tenant: ClaimPath
    /** Absent: the issuer assigns no name that could be compared. */
    readonly upn?: ClaimPath
  }
  /**
   * What the tenant claim must say. Absent: the tenant's id, or nothing where the issuer has one
   * tenant.
   */
  readonly tenantValue?: string
  /** An e-mail address counts without `email_verified`. */
  readonly emailsAreAssigned: boolean
  /** Other claims that it assigns, and users cannot choose: names of accounts are made of them. */
  readonly assignedClaims?: readonly string[]
  /** The `typ` of its access tokens. */
  readonly tokenType: 'at+jwt' | 'any'
  /** Whether UserInfo is asked for claims that rules name and the ID token has not. */
  readonly userInfo: 'when-needed' | 'never'
  /** How a stronger sign-in is asked for, and which claim of the answer tells it. */
  readonly authenticationContexts: ContextsParameter
}

/** An issuer of which nothing particular is said. */
export const USUAL_ISSUER: IssuerProfile = {
  scopes: ['openid', 'profile', 'email'],
  claims: {
    groups: ['groups'],
    roles: ['roles'],
    email: ['email'],
    name: ['name'],
    tenant: ['tid'],
  },
  emailsAreAssigned: false,
  tokenType: 'at+jwt',
  userInfo: 'when-needed',
  authenticationContexts: 'acr_values',
}

/** The issuer identifier, as it is written. */
export const issuerUrlOf = (written: Written) =>
  typeof written === 'string' ? written : written.url

/** An issuer's configuration, completed with the usual values. `at`: the path of the issuer. */
export function readIssuerProfile(
  written: Written,
  at: string,
  tell: TellMistake = refuseMistake,
): IssuerProfile {
  if (typeof written === 'string') return USUAL_ISSUER
  const { url: _url, claims = {}, ...rest } = written
  if (rest.scopes?.includes('openid') === false)
    tell(`${at}.scopes`, 'must have "openid" among them')
  const paths = Object.entries(claims).map(([claim, written]) => {
    const path = claimPath(written, `${at}.claims.${claim}`, tell)
    if (claim !== 'name' && CHOSEN_CLAIMS.has(path.join('.')))
      tell(
        `${at}.claims.${claim}`,
        'is a claim that users may choose: let the issuer send what it assigns in a claim of its own',
      )
    return [claim, path]
  })
  rest.assignedClaims?.forEach((claim, i) => {
    if (isIdentityClaim(claim) || CHOSEN_CLAIMS.has(claim))
      tell(`${at}.assignedClaims[${i}]`, assignedFault(claim))
  })
  return {
    ...USUAL_ISSUER,
    ...rest,
    claims: { ...USUAL_ISSUER.claims, ...(Object.fromEntries(paths) as object) },
  }
}

function assignedFault(claim: string): string {
  if (claim === 'email') return 'is said by `emailsAreAssigned`'
  if (claim === 'upn') return 'is said by `claims.upn`'
  if (CHOSEN_CLAIMS.has(claim))
    return 'is a claim that users may choose: let the issuer send what it assigns in a claim of its own'
  return 'is a word of the service: nothing has to be said of it'
}

/** A path in names; `at`: where it is written. */
export function claimPath(
  written: v.InferOutput<typeof ClaimPathConfiguration>,
  at: string,
  tell: TellMistake = refuseMistake,
): ClaimPath {
  if (typeof written !== 'string') return written
  // A URL has dots: as a path it would be cut at each of them.
  if (/[:/]/.test(written)) tell(at, `must be a list, because the name is a URL: ["…"]`)
  const path = written.split('.')
  if (path.includes('')) tell(at, 'must have a name beside each dot')
  return path
}

/** The claim at a path; `undefined`: it is absent, or `null`, which says the same. */
export function claimAt(claims: unknown, path: ClaimPath): unknown {
  let value = claims
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    value = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
  }
  return value ?? undefined
}

/** What is particular about the issuer of a tenant. */
export const profileOf = ({
  issuerProfile = USUAL_ISSUER,
}: {
  readonly issuerProfile?: IssuerProfile
}) => issuerProfile
