/**
 * A tenant's issuer as an operator writes it: its URL alone, or an object that says what is
 * particular about it.
 *
 * @see docs/issuers/ for what to write for the issuers that many have
 * @module
 */
import type { ContextsParameter } from '../rules/step-up.ts'
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { CHOSEN_CLAIMS } from '../rules/user-names.ts'
import { text } from './configuration-values.ts'

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(256))

/** Where a claim is, as it is written. @see claimPath */
export const ClaimPathConfiguration = v.pipe(
  v.union([name, v.pipe(v.array(name), v.minLength(1), v.maxLength(8))]),
  v.description(
    'Where a claim is: `groups`; `realm_access.roles` for a member of a member; or a list of names, which may have dots themselves: `["https://company.example/groups"]`.',
  ),
)

const at = (description: string) =>
  v.pipe(v.exactOptional(ClaimPathConfiguration), v.description(description))

const Claims = v.strictObject({
  groups: at('Lists the groups. Default: `groups`.'),
  roles: at('Lists the roles. Default: `roles`.'),
  email: at('The e-mail address. Default: `email`.'),
  name: at('What people call the user; shown, and never compared. Default: `name`.'),
  upn: at(
    'The name that the issuer assigns to the user and that users cannot choose: what `upn:` is compared with. Default: there is none, and `upn:` is not known.',
  ),
  tenant: at(
    'Names the tenant. It may be absent, where nothing is said of `tenantValue`: an issuer has one tenant here. Default: `tid`.',
  ),
})

const issuerUrl = v.pipe(text, v.description('The issuer identifier: what `iss` of its tokens is.'))

const IssuerObject = v.strictObject({
  url: issuerUrl,
  scopes: v.pipe(
    v.exactOptional(v.array(v.pipe(v.string(), v.regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/)))),
    v.description('The scopes asked for. Default: `openid`, `profile`, `email`.'),
  ),
  claims: v.pipe(v.exactOptional(Claims), v.description('Where its claims are.')),
  tenantValue: v.pipe(
    v.exactOptional(text),
    v.description(
      "What the tenant claim must say; it must be there then. Needed where an issuer signs in others' users as well. Default: the tenant's id, where the claim is there.",
    ),
  ),
  emailsAreAssigned: v.pipe(
    v.exactOptional(v.boolean()),
    v.description(
      'Whether no user can choose their e-mail address at this issuer. Default `false`: an address counts only beside `email_verified: true`.',
    ),
  ),
  tokenType: v.pipe(
    v.exactOptional(v.picklist(['at+jwt', 'any'])),
    v.description(
      "The `typ` of its access tokens, registrars' and programs': `at+jwt` (RFC 9068), or `any` for an issuer that does not mark them; then their audience alone tells them from its other tokens. Default: `at+jwt`.",
    ),
  ),
  userInfo: v.pipe(
    v.exactOptional(v.picklist(['when-needed', 'never'])),
    v.description(
      'Whether its UserInfo endpoint is asked for a claim that the rules of the application name and the ID token does not have. Default: `when-needed`.',
    ),
  ),
  authenticationContexts: v.pipe(
    v.exactOptional(v.picklist(['acr_values', 'acr', 'acrs'])),
    v.description(
      'How a stronger sign-in is asked for: by `acr_values`; or by the `claims` parameter, as an essential `acr`, or as an essential `acrs`, the list of authentication contexts that some issuers have. Default: `acr_values`.',
    ),
  ),
})

export const IssuerConfiguration = v.pipe(
  v.union([issuerUrl, IssuerObject]),
  v.description('The OpenID Connect issuer that authenticates users and registrars.'),
)
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

/**
 * The configuration of an issuer, completed with the usual values.
 *
 * @throws ConfigurationInvalid with `at`, the path of the issuer
 */
export function readIssuerProfile(written: Written, at: string): IssuerProfile {
  if (typeof written === 'string') return USUAL_ISSUER
  const { url: _url, claims = {}, ...rest } = written
  if (rest.scopes?.includes('openid') === false)
    throw new ConfigurationInvalid(`${at}.scopes`, 'must have "openid" among them')
  const paths = Object.entries(claims).map(([claim, written]) => {
    const path = claimPath(written, `${at}.claims.${claim}`)
    if (claim !== 'name' && CHOSEN_CLAIMS.has(path.join('.')))
      throw new ConfigurationInvalid(
        `${at}.claims.${claim}`,
        'is a claim that users may choose: let the issuer send what it assigns in a claim of its own',
      )
    return [claim, path]
  })
  return {
    ...USUAL_ISSUER,
    ...rest,
    claims: { ...USUAL_ISSUER.claims, ...(Object.fromEntries(paths) as object) },
  }
}

/** @throws ConfigurationInvalid with `at` */
export function claimPath(
  written: v.InferOutput<typeof ClaimPathConfiguration>,
  at: string,
): ClaimPath {
  if (typeof written !== 'string') return written
  // A URL has dots: as a path it would be cut at each of them.
  if (/[:/]/.test(written))
    throw new ConfigurationInvalid(at, `must be a list, because the name is a URL: ["…"]`)
  const path = written.split('.')
  if (path.includes('')) throw new ConfigurationInvalid(at, 'must have a name beside each dot')
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
