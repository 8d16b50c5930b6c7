/**
 * Tenants, connector groups and applications as a person writes them: in TypeScript for
 * {@link createDirectory}, or in a JSON file. Descriptions in
 * `cloud-configuration.schema.json` are these comments.
 *
 * Whatever has a default may be left out, and `undefined` is as good as left out. Durations are
 * milliseconds in names that end in `Ms`, sizes octets in names that end in `Bytes`.
 *
 * @module
 */
import type { AccessPolicyInput, NamedLocationInput } from '../rules/access-policy-input.ts'
import type { ApplicationInput } from './application-input.ts'
import type { ClaimPathInput, IssuerInput } from './issuer-input.ts'
import type { RatesInput } from './publishing-input.ts'

/** All that is published, by whom, and for whom. */
export interface DirectoryInput {
  /** Organisations; at least one. */
  readonly tenants: readonly TenantInput[]
  /** Connector groups; at least one for each tenant. */
  readonly groups: readonly ConnectorGroupInput[]
  /** Private web applications that are published. */
  readonly applications: readonly ApplicationInput[]
}

/** An organisation; every group and application belongs to exactly one. */
export interface TenantInput {
  /**
   * What groups name it by; unique. A letter or digit, then up to 127 letters, digits, `.`, `_` and
   * `-`. It is in certificates: it cannot be changed without registering connectors anew.
   */
  readonly id: string
  /** What people call it. Default: the id. */
  readonly name?: string | undefined
  /**
   * The OpenID Connect issuer that authenticates users and registrars: its URL, or an object that
   * says what is particular about it. No two tenants have the same.
   */
  readonly issuer: string | IssuerInput
  /** Who may register connectors. */
  readonly registrars: RegistrarsInput
  /** How many connectors may be registered. Default: 100. */
  readonly connectorLimit?: number | undefined
  /** How many applications may be published; of a wildcard each label is one. Default: no limit. */
  readonly applicationLimit?: number
  /** How many enrolment tickets may be open at once. Default: 20. */
  readonly ticketLimit?: number
  /** Newly registered connectors wait for an operator's approval. Default: false. */
  readonly approveConnectors?: boolean | undefined
  /**
   * Whether somebody else must approve a connector than who registered it, or made its ticket;
   * needs `approveConnectors`. Default: false.
   */
  readonly approveByAnother?: boolean | undefined
  /**
   * How long a new connector waits for its approval; then it is disabled. Milliseconds. Default: it
   * waits.
   */
  readonly approveWithinMs?: number
  /**
   * Whether connectors may be registered by one-time tickets as well as by registrars' tokens.
   * Default: false.
   */
  readonly enrolmentTickets?: boolean | undefined
  /** The group new connectors join. Default: the first group of the tenant. */
  readonly defaultGroupId?: string | undefined
  /** Places that policies may name. Default: none. */
  readonly locations?: readonly NamedLocationInput[] | undefined
  /**
   * Conditional access. Default: none. Where there is a list, whoever no policy of it allows is
   * denied.
   */
  readonly policies?: readonly AccessPolicyInput[] | undefined
  /** Sessions of all applications that say nothing of their own. */
  readonly session?: TenantSessionInput | undefined
  /** Requests of all its applications together. Default: there is no limit. */
  readonly rates?: RatesInput | undefined
  /** How the tenant shows itself on the pages that its users see. Default: not at all. */
  readonly branding?: BrandingInput | undefined
}

/** Who may register connectors of a tenant. */
export interface RegistrarsInput {
  /** The `aud` that a registrar's token must be for: this service. */
  readonly audience: string
  /** The claim that lists a registrar's roles. Default: where the issuer's roles are. */
  readonly roleClaim?: ClaimPathInput | undefined
  /**
   * Roles of which one is enough. Default: `company-administrator`, `global-administrator`,
   * `application-administrator`.
   */
  readonly roles?: readonly string[] | undefined
}

/** How long sessions of a tenant last. */
export interface TenantSessionInput {
  /** Default: a session ends with its ID token. */
  readonly lifetime?: SessionLifetimeInput | undefined
}

/** Sessions that outlive the ID token: renewed by a refresh token where the issuer gives one. */
export interface SessionLifetimeInput {
  /**
   * Milliseconds from the first authentication at the issuer, from 1 000 to 24 hours. The user
   * signs in again then.
   */
  readonly absoluteMs: number
  /**
   * Milliseconds without a request, from 1 000 to `absoluteMs`. Default: a session need not be
   * used.
   */
  readonly idleMs?: number | undefined
}

/** What is shown of a tenant. */
export interface BrandingInput {
  /** Shown in the place of the tenant's name; at most 80 characters. Default: no name. */
  readonly name?: string | undefined
  /**
   * A `data:` URI, base64, of a PNG, WebP or SVG image; at most 32 KiB. Default: no logo.
   */
  readonly logo?: string | undefined
}

/** Connectors of a group serve the same applications. */
export interface ConnectorGroupInput {
  /**
   * What applications name it by; unique. A letter or digit, then up to 127 letters, digits, `.`,
   * `_` and `-`.
   */
  readonly id: string
  /** The tenant it belongs to. */
  readonly tenantId: string
  /** What people call it. Default: the id. */
  readonly name?: string | undefined
}
