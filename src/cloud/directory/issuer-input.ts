/**
 * A tenant's issuer as a person writes it.
 *
 * @see docs/issuers/ for what to write for the issuers that many have
 * @module
 */
import type { ClientAuthenticationMethod } from './client-configuration.ts'

/**
 * Where a claim is: `groups`; `realm_access.roles` for a member of a member; or a list of names,
 * which may have dots themselves: `["https://company.example/groups"]`.
 */
export type ClaimPathInput = string | readonly string[]

/** An OpenID Connect issuer, and what is particular about it. */
export interface IssuerInput {
  /**
   * The issuer identifier: what `iss` of its tokens is, octet for octet. https; http only on
   * localhost.
   */
  readonly url: string
  /** The scopes asked for. Default: `openid`, `profile`, `email`. */
  readonly scopes?: readonly string[] | undefined
  /** Where its claims are. Default: where most issuers have them. */
  readonly claims?: IssuerClaimsInput | undefined
  /**
   * What the tenant claim must say; it must be there then. Needed where an issuer signs in others'
   * users as well. Default: the tenant's id, where the claim is there.
   */
  readonly tenantValue?: string | undefined
  /**
   * Whether no user can choose their e-mail address at this issuer. Default: false, an address
   * counts only beside `email_verified: true`.
   */
  readonly emailsAreAssigned?: boolean | undefined
  /**
   * Other claims that the issuer assigns, and no user can choose, by its names for them: names of
   * accounts at applications are made of these alone, beside the subject, `claims.upn`, and the
   * e-mail address where `emailsAreAssigned`. Default: none.
   */
  readonly assignedClaims?: readonly string[] | undefined
  /**
   * The `typ` of its access tokens, registrars' and programs': `at+jwt` (RFC 9068), or `any` for an
   * issuer that does not mark them; then their audience alone tells them from its other tokens.
   * Default: `at+jwt`.
   */
  readonly tokenType?: 'at+jwt' | 'any' | undefined
  /**
   * Whether its UserInfo endpoint is asked for a claim that the rules of the application name and
   * the ID token does not have. Default: `when-needed`.
   */
  readonly userInfo?: 'when-needed' | 'never' | undefined
  /**
   * How a stronger sign-in is asked for: by `acr_values`; or by the `claims` parameter, as an
   * essential `acr`, or as an essential `acrs`, the list of authentication contexts that some
   * issuers have. Default: `acr_values`.
   */
  readonly authenticationContexts?: 'acr_values' | 'acr' | 'acrs' | undefined
}

/** Where the claims of an issuer are. */
export interface IssuerClaimsInput {
  /** Lists the groups. Default: `groups`. */
  readonly groups?: ClaimPathInput | undefined
  /** Lists the roles. Default: `roles`. */
  readonly roles?: ClaimPathInput | undefined
  /** The e-mail address. Default: `email`. */
  readonly email?: ClaimPathInput | undefined
  /** What people call the user; shown, and never compared. Default: `name`. */
  readonly name?: ClaimPathInput | undefined
  /**
   * The name that the issuer assigns to the user and that users cannot choose: what `upn:` is
   * compared with. Default: there is none, and `upn:` is not known.
   */
  readonly upn?: ClaimPathInput | undefined
  /**
   * Names the tenant. It may be absent, where nothing is said of `tenantValue`: an issuer has one
   * tenant here. Default: `tid`.
   */
  readonly tenant?: ClaimPathInput | undefined
}

/**
 * An application's own client at the issuer. What it shows the issuer is a `secret` or a `key`, or
 * nothing.
 */
export interface ClientInput {
  /** The client id that the issuer knows it by. */
  readonly id: string
  /** The client's secret. Default: none, for a client that shows a `key` or nothing. */
  readonly secret?: string | undefined
  /**
   * The private key for `private_key_jwt`, in the place of a secret: a JWK, or PKCS #8 as PEM.
   * Default: none.
   */
  readonly key?: string | PrivateKeyInput | undefined
  /**
   * How it shows the issuer who it is. Default: what the issuer's metadata offers and `secret` or
   * `key` allow. `client_secret_basic_unescaped` is for issuers that do not decode what RFC 6749
   * has encoded, where the secret has one of `%`, `+`, `:`, `&`.
   */
  readonly authentication?: ClientAuthenticationMethod | undefined
  /** The `aud` of what it signs for the issuer. Default: `issuer`. */
  readonly assertionAudience?: 'issuer' | 'token-endpoint' | undefined
}

/** A private key as a JWK (RFC 7517), with whatever other members it has. */
export interface PrivateKeyInput {
  /** The key type. */
  readonly kty: 'EC' | 'OKP' | 'RSA'
  /** The private part. */
  readonly d: string
  readonly [member: string]: unknown
}
