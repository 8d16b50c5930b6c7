/**
 * Who a user is, as verified claims tell it. A claim that is absent, `null`, or of a kind that
 * cannot be read says nothing: it is left out, and is not known from then on.
 *
 * @module
 */
import type { JWTPayload } from 'jose'
import type { SignInIdentity } from '../../protocol/machines/sign-in.ts'
import {
  claimAt,
  USUAL_ISSUER,
  type ClaimPath,
  type IssuerProfile,
} from '../directory/issuer-configuration.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import { isTypedClaim, MAX_SIGN_ON_CLAIM_BYTES } from '../../protocol/internal.ts'
import { keptClaims, type KeptClaims, type Named } from '../rules/named.ts'

/** A JSON object of claims. */
export type Claims = Readonly<Record<string, unknown>>

/** What goes into every cookie is kept short; no issuer is known to need more. */
export const MAX_CLAIM_CHARACTERS = 255
const MAX_METHODS = 16
/** Seconds, between the machines of one issuer. */
const CLOCKS_APART = 60

export interface IdentityOptions {
  /** Other claims to keep, as far as there is room: rules compare them. */
  readonly named?: readonly string[]
  /** Other claims to keep, whole: the application is told them. */
  readonly custom?: readonly string[]
  /** Default {@link USUAL_ISSUER}. */
  readonly profile?: IssuerProfile
  /**
   * What UserInfo says of the same subject: it fills what the token does not have, and replaces
   * nothing.
   */
  readonly userInfo?: Claims | undefined
}

/**
 * The identity that verified claims tell.
 *
 * @throws SignInDenied `token-too-large` when what the application is told is more than anybody may
 *   be told
 */
export function identityOf(token: JWTPayload, options: IdentityOptions = {}): SignInIdentity {
  const { named = [], custom = [], profile = USUAL_ISSUER, userInfo = {} } = options
  const paths = profile.claims
  const filling = fillingClaims(userInfo, profile)
  const at = (path: ClaimPath) => claimAt(token, path) ?? claimAt(filling, path)
  const hasContexts = profile.authenticationContexts === 'acrs'
  const groups = list(at(paths.groups))
  const roles = list(at(paths.roles))
  const isElsewhere = [token, userInfo].some((claims) => areListsElsewhere(claims, paths))
  const optional = {
    name: short(at(paths.name)),
    email: emailOf(token, userInfo, profile),
    upn: paths.upn && short(at(paths.upn)),
    groups: groups.items,
    roles: roles.items,
    // Where contexts are a list, the one claim says something else.
    strength: hasContexts ? undefined : short(token['acr']),
    contexts: hasContexts ? methodsOf(token['acrs']) : undefined,
    methods: methodsOf(token['amr']),
    issuerSession: short(token['sid']),
    claims: otherClaims({ ...filling, ...present(token) }, named, custom),
    isPartial: isElsewhere || !groups.isWhole || !roles.isWhole || undefined,
    authenticatedAt: authenticatedAt(token),
  }
  return {
    subject: token.sub!,
    issuer: token.iss!,
    ...(Object.fromEntries(
      Object.entries(optional).filter(([, value]) => value !== undefined),
    ) as Partial<SignInIdentity>),
    expiresAt: token.exp! * 1000,
  }
}

/**
 * Milliseconds since 1970. A token may be issued long after: when it was says nothing of the
 * authentication. One that names a time after its own is not believed: in milliseconds, or by a
 * clock that is wrong, every authentication would be a new one.
 */
function authenticatedAt(token: JWTPayload): number | undefined {
  const at = token['auth_time']
  return typeof at === 'number' && at <= token.iat! + CLOCKS_APART ? at * 1000 : undefined
}

/**
 * The claims that rules name, or that the application is told, and the token does not have: what
 * UserInfo may tell.
 */
export function missingClaims(token: Claims, named: Named, profile: IssuerProfile): string[] {
  const { claims: paths } = profile
  const lacks = (path: ClaimPath | undefined) =>
    path !== undefined && claimAt(token, path) === undefined
  return [
    ...(named.groups.size > 0 && lacks(paths.groups) ? ['groups'] : []),
    ...(named.roles.size > 0 && lacks(paths.roles) ? ['roles'] : []),
    ...[...named.told].filter((claim) => lacks(paths[claim])),
    ...[...named.claims, ...named.custom].filter((name) => lacks([name])),
  ].filter((claim, i, all) => all.indexOf(claim) === i)
}

/**
 * What the application is told has to be whole: one that knows a half of its users would be worse
 * than one that knows nobody.
 */
function otherClaims(
  claims: Claims,
  named: readonly string[],
  custom: readonly string[],
): KeptClaims | undefined {
  const told = custom.flatMap((name) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    return isTypedClaim(value) ? [[name, value] as const] : []
  })
  if (new TextEncoder().encode(JSON.stringify(told)).length > MAX_SIGN_ON_CLAIM_BYTES)
    throw new SignInDenied('token-too-large', 'claims')
  const kept = keptClaims(claims, named)
  return told.length === 0 ? kept : { ...kept, ...Object.fromEntries(told) }
}

/**
 * An address counts where the document that has it says that it is verified, or where the issuer
 * assigns addresses. UserInfo is not asked for another one where the token has one, nor where the
 * token says that it is not verified.
 */
function emailOf(token: Claims, userInfo: Claims, profile: IssuerProfile): string | undefined {
  const own = claimAt(token, profile.claims.email)
  const isVerified = (claims: Claims) =>
    profile.emailsAreAssigned || isTrue(claimAt(claims, ['email_verified']))
  if (own !== undefined) return isVerified(token) ? short(own) : undefined
  const said = claimAt(token, ['email_verified'])
  if (said !== undefined && !isTrue(said)) return undefined
  return isVerified(userInfo) ? short(claimAt(userInfo, profile.claims.email)) : undefined
}

/** Some issuers say it in words. */
const isTrue = (value: unknown) => value === true || value === 'true'

function short(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_CLAIM_CHARACTERS
    ? value
    : undefined
}

/**
 * Reads a claim as a list of texts. `isWhole` is false if a member is not a text, or empty. A
 * single text is a list of one; it is not whole if a character in it could separate several.
 */
function list(value: unknown): { items: readonly string[] | undefined; isWhole: boolean } {
  if (typeof value === 'string' && value !== '')
    return { items: [value], isWhole: !/[\s,;|]/.test(value) }
  if (!Array.isArray(value)) return { items: undefined, isWhole: value === undefined }
  const items = value.filter((item) => typeof item === 'string' && item !== '')
  return { items, isWhole: items.length === value.length }
}

/** All of them or none: a method, or a context, that is left out would be one that was not used. */
function methodsOf(value: unknown): readonly string[] | undefined {
  const { items, isWhole } = list(value)
  if (items === undefined || !isWhole || items.length > MAX_METHODS) return undefined
  const length = items.reduce((sum, item) => sum + item.length, 0)
  return length <= 2 * MAX_CLAIM_CHARACTERS ? items : undefined
}

/**
 * Lists too long for a token are left out of it, and the token says where they are, or that there
 * are some (OpenID Connect Core section 5.6.2).
 */
function areListsElsewhere(claims: Claims, paths: IssuerProfile['claims']): boolean {
  const elsewhere = claims['_claim_names']
  return (
    claims['hasgroups'] === true ||
    claims['hasgroups'] === 'true' ||
    (typeof elsewhere === 'object' &&
      elsewhere !== null &&
      [paths.groups[0]!, paths.roles[0]!, 'groups', 'roles'].some((name) =>
        Object.hasOwn(elsewhere, name),
      ))
  )
}

/**
 * What UserInfo must not say, because something is decided by it that only the token can vouch for.
 */
const OF_TOKENS: ReadonlySet<string> = new Set([
  ...['iss', 'sub', 'aud', 'azp', 'tid', 'nonce', 'exp', 'nbf', 'iat', 'jti', 'auth_time'],
  ...['acr', 'acrs', 'amr', 'sid', 'email_verified'],
])

function fillingClaims(userInfo: Claims, { claims }: IssuerProfile): Claims {
  return Object.fromEntries(
    Object.entries(userInfo).filter(([name]) => !OF_TOKENS.has(name) && name !== claims.tenant[0]),
  )
}

const present = (claims: Claims) =>
  Object.fromEntries(
    Object.entries(claims).filter(([, value]) => value !== null && value !== undefined),
  )
