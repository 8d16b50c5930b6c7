/**
 * Conditional access as a person writes it. Descriptions in `cloud-configuration.schema.json` are
 * these comments.
 *
 * A policy applies when all of its `when` holds and no member of its `unless` does. Lists mean "any
 * of these", members beside each other mean "and". An absent member asks for nothing; one that is
 * there and empty is refused.
 *
 * @see spec/PROTOCOL.md, "Conditional access"
 * @module
 */
import type { RiskLevel, WEEKDAYS } from './access-policy.ts'

/** A place that policies may name: somewhere in its networks, or in its countries. */
export interface NamedLocationInput {
  /** What policies name it by; unique in its tenant. */
  readonly id: string
  /**
   * `address/prefix-length`, IPv4 or IPv6; an address alone is a network of one. Default: only the
   * countries.
   */
  readonly networks?: readonly string[] | undefined
  /**
   * ISO 3166-1 alpha-2, capital letters; needs a location lookup. Default: only the networks.
   */
  readonly countries?: readonly string[] | undefined
}

/** One of the users, a member of a group, a holder of a role, or who has one of the accounts. */
export interface WhoInput {
  /**
   * Users by typed names: `sub:` and their subject; `email:` and their verified e-mail address,
   * `upn:` and the name that the issuer assigns, both in any ASCII letter case.
   */
  readonly users?: readonly string[] | undefined
  /** Groups of the user, as the issuer names them, exactly. */
  readonly groups?: readonly string[] | undefined
  /** Roles of the user, as the issuer names them, exactly. */
  readonly roles?: readonly string[] | undefined
  /**
   * Accounts at the application, as `user` of its `signOn` names them, exactly; whether one in
   * another letter case is meant is not known. Each application that the policy is for needs such a
   * mapping.
   */
  readonly accounts?: readonly string[] | undefined
}

/** In one of the networks, named locations or countries. */
export interface FromInput {
  /** `address/prefix-length`, IPv4 or IPv6; an address alone is a network of one. */
  readonly networks?: readonly string[] | undefined
  /** Ids of named locations of the tenant's. */
  readonly locations?: readonly string[] | undefined
  /** ISO 3166-1 alpha-2, capital letters; needs a location lookup. */
  readonly countries?: readonly string[] | undefined
}

/** Authentication methods (`amr`): any of, and all of. */
export interface MethodsInput {
  /** Methods of which one is enough. */
  readonly any?: readonly string[] | undefined
  /** Methods that all must have been used. */
  readonly all?: readonly string[] | undefined
}

/** How the user authenticated, and how long ago. */
export interface AuthenticationInput {
  /** Authentication context class references, of which one is enough. */
  readonly acr?: readonly string[] | undefined
  /** Authentication methods: any of, all of. */
  readonly amr?: MethodsInput | undefined
  /** How long ago the user may have authenticated. Milliseconds, at least 10 000. */
  readonly maxAgeMs?: number | undefined
}

/** Weekdays and times of day in one time zone. */
export interface TimeWindowInput {
  /** Default: every day. */
  readonly weekdays?: readonly (typeof WEEKDAYS)[number][] | undefined
  /** `HH:MM`, included. Default: `00:00`. */
  readonly from?: string | undefined
  /** `HH:MM`, excluded; not after `from`: on the next day. Default: `24:00`. */
  readonly to?: string | undefined
  /** An IANA time zone, such as `Europe/Berlin`. */
  readonly timeZone: string
}

/** What must hold; all that are there together. */
export interface ConditionsInput {
  /** Who the user is. Default: anybody. */
  readonly who?: WhoInput | undefined
  /** Where the request comes from. Default: anywhere. */
  readonly from?: FromInput | undefined
  /** How and when the user authenticated. Default: however, and whenever. */
  readonly authentication?: AuthenticationInput | undefined
  /**
   * Claim of the user's token → the values it may have: all claims named, each one. Default: none
   * is looked at.
   */
  readonly device?: Readonly<Record<string, readonly (string | number | boolean)[]>> | undefined
  /** Risk levels; needs a risk assessor. Default: any. */
  readonly risk?: readonly RiskLevel[] | undefined
  /** Any of these windows. Default: at any time. */
  readonly time?: readonly TimeWindowInput[] | undefined
}

/**
 * What a sign-in must have been like, or the user is sent to sign in again. Has `acrValues` or
 * `maxAgeMs`, for which an issuer can be asked.
 */
export interface StepUpInput {
  /** Authentication context class references, of which one is enough. */
  readonly acrValues?: readonly string[] | undefined
  /** Authentication methods: any of, all of. */
  readonly amr?: MethodsInput | undefined
  /** How long ago the user may have authenticated. Milliseconds, at least 10 000. */
  readonly maxAgeMs?: number | undefined
}

/** What every policy has. */
export interface PolicyInput {
  /** Unique among the policies of its application. */
  readonly id: string
  /** For operators. Default: none. */
  readonly description?: string | undefined
  /** `report-only`: what it would do is reported and not done. Default: `enforced`. */
  readonly mode?: 'enforced' | 'report-only' | undefined
  /** When it applies. Default: always. */
  readonly when?: ConditionsInput | undefined
  /** Exceptions: it does not apply where one of them holds. Default: none. */
  readonly unless?: readonly ConditionsInput[] | undefined
}

/** Lets in whom it applies to. */
export interface AllowPolicyInput extends PolicyInput {
  /**
   * What it does with whom it applies to. `allow`: lets them in. `deny`: keeps them out, whatever
   * another policy allows. `step-up`: asks for a stronger sign-in.
   */
  readonly effect: 'allow'
}

/** Keeps out whom it applies to, whatever another policy allows. */
export interface DenyPolicyInput extends PolicyInput {
  /**
   * What it does with whom it applies to. `allow`: lets them in. `deny`: keeps them out, whatever
   * another policy allows. `step-up`: asks for a stronger sign-in.
   */
  readonly effect: 'deny'
  /** Shown to the user: why, and what to do next. */
  readonly reason: string
}

/** Asks whom it applies to for a stronger sign-in, and lets in whoever has it. */
export interface StepUpPolicyInput extends PolicyInput {
  /**
   * What it does with whom it applies to. `allow`: lets them in. `deny`: keeps them out, whatever
   * another policy allows. `step-up`: asks for a stronger sign-in.
   */
  readonly effect: 'step-up'
  /** Allows who signed in like this; sends everybody else to sign in like this. */
  readonly stepUp: StepUpInput
}

/** A policy of one application, written beside it. */
export type ApplicationPolicyInput = AllowPolicyInput | DenyPolicyInput | StepUpPolicyInput

/** What a tenant's policy says besides. */
export interface ForApplicationsInput {
  /** Ids of applications of the tenant; or `all` of them that users sign in to. */
  readonly applications: 'all' | readonly string[]
}

/** A policy of a tenant: it says which applications it is for. */
export type AccessPolicyInput =
  | (AllowPolicyInput & ForApplicationsInput)
  | (DenyPolicyInput & ForApplicationsInput)
  | (StepUpPolicyInput & ForApplicationsInput)
