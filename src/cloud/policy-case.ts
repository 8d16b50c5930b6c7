/**
 * A case for policies that are tried out: who comes from where, when and how, and what must become
 * of them.
 *
 * @module
 */
import * as v from 'valibot'
import { text, texts } from './directory/configuration-values.ts'
import { RISK_LEVELS, type RiskLevel } from './rules/access-policy.ts'

/** One case, as a person writes it. What it does not say is not known. */
export interface PolicyCase {
  /** What the case shows. Default: its number. */
  readonly name?: string | undefined
  /** The id of an application. */
  readonly application: string
  /**
   * Where they go, as users see it: the segment that has it decides. Default: what no segment has.
   */
  readonly path?: string | undefined
  /** Who it is. */
  readonly user: PolicyCaseUser
  /** When, such as `2026-06-01T10:00:00Z`. Default: now. */
  readonly at?: string | undefined
  /** The address they come from. Default: not known. */
  readonly address?: string | undefined
  /** What a location lookup would say of the address. Default: not known. */
  readonly country?: string | undefined
  /** How they signed in: the authentication context. Default: not known. */
  readonly acr?: string | undefined
  /** The same, of an issuer that lists contexts. Default: not known. */
  readonly acrs?: readonly string[] | undefined
  /** Authentication methods that were used. Default: not known. */
  readonly amr?: readonly string[] | undefined
  /** How long ago they signed in. Milliseconds. Default: not known. */
  readonly signedInAgoMs?: number | undefined
  /** Other claims of the user's token, which `device` conditions compare. Default: none. */
  readonly claims?: Readonly<Record<string, ClaimOfCase | readonly ClaimOfCase[]>> | undefined
  /** What a risk assessor would say. Default: not known. */
  readonly risk?: RiskLevel | undefined
  /**
   * They come back from the issuer, which was asked for a stronger sign-in. Default: false.
   */
  readonly isSteppedUp?: boolean | undefined
  /** What must become of it. */
  readonly expect: 'allow' | 'deny' | 'step-up'
  /** The policy it must come from. Default: any. */
  readonly policy?: string | undefined
  /** Why it must be denied. Default: any reason. */
  readonly code?: string | undefined
}

/** A claim of a case's user. */
export type ClaimOfCase = string | number | boolean

/** The user of a case. */
export interface PolicyCaseUser {
  /** Default: `somebody`. */
  readonly subject?: string | undefined
  /** A verified e-mail address. Default: not known. */
  readonly email?: string | undefined
  /** The name that the issuer assigns. Default: not known. */
  readonly upn?: string | undefined
  /** Default: not known. */
  readonly groups?: readonly string[] | undefined
  /** Default: not known. */
  readonly roles?: readonly string[] | undefined
}

const claim = v.union([v.string(), v.number(), v.boolean()])

/** @see {@link PolicyCase} */
export const PolicyCases = v.array(
  v.strictObject({
    name: v.optional(text),
    application: text,
    path: v.optional(text),
    user: v.strictObject({
      subject: v.optional(text, 'somebody'),
      email: v.optional(text),
      upn: v.optional(text),
      groups: v.optional(texts),
      roles: v.optional(texts),
    }),
    at: v.optional(v.pipe(v.string(), v.isoTimestamp())),
    address: v.optional(text),
    country: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^[A-Z]{2}$/, 'must be a country, by the two capital letters of ISO 3166-1'),
      ),
    ),
    acr: v.optional(text),
    acrs: v.optional(texts),
    amr: v.optional(texts),
    signedInAgoMs: v.optional(v.pipe(v.number(), v.minValue(0))),
    claims: v.optional(v.record(v.string(), v.union([claim, v.array(claim)]))),
    risk: v.optional(v.picklist(RISK_LEVELS)),
    isSteppedUp: v.optional(v.boolean()),
    expect: v.picklist(['allow', 'deny', 'step-up']),
    policy: v.optional(text),
    code: v.optional(text),
  }),
)
