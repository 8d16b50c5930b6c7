/**
 * Conditional access as an operator writes it: the shape of policies and of the places they name.
 *
 * A policy **applies** when all of its `when` holds and no member of its `unless` does; what
 * applies then allows, denies, or asks for a stronger sign-in. What follows from several is decided
 * by {@link decideAccess}.
 *
 * Lists mean "any of these", members beside each other mean "and". An absent member asks for
 * nothing; a member that is there but empty is refused, because nobody can say what it was meant to
 * do.
 *
 * @see spec/PROTOCOL.md, "Conditional access"
 * @module
 */
import * as v from 'valibot'
import type {
  AccessPolicyInput,
  ApplicationPolicyInput,
  AuthenticationInput,
  ConditionsInput,
  FromInput,
  NamedLocationInput,
  StepUpInput,
  TimeWindowInput,
  WhoInput,
} from './access-policy-input.ts'

const id = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    'must begin with a letter or digit, and have only those, ".", "_" and "-"; 128 at the most',
  ),
)
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))
const listOf = <T extends v.GenericSchema>(item: T) => v.pipe(v.array(item), v.minLength(1))
const country = v.pipe(
  v.string(),
  v.regex(/^[A-Z]{2}$/, 'must be a country, by the two capital letters of ISO 3166-1'),
)

/** From Sunday on, as calendars number them. */
export const WEEKDAYS = [
  'sunday',
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
] as const

/** From the least to the greatest. */
export const RISK_LEVELS = ['none', 'low', 'medium', 'high'] as const
/** One of {@link RISK_LEVELS}. */
export type RiskLevel = (typeof RISK_LEVELS)[number]

export const NamedLocation = v.strictObject({
  id: id,
  networks: v.optional(listOf(text)),
  countries: v.optional(listOf(country)),
})
/** A place of a tenant: somewhere in its networks, or in its countries. */
export type NamedLocation = NamedLocationInput

const Who = v.strictObject({
  users: v.optional(listOf(text)),
  groups: v.optional(listOf(text)),
  roles: v.optional(listOf(text)),
  accounts: v.optional(listOf(text)),
})
/** One of the users, a member of a group, a holder of a role, or who has one of the accounts. */
export type Who = WhoInput

const From = v.strictObject({
  networks: v.optional(listOf(text)),
  locations: v.optional(listOf(id)),
  countries: v.optional(listOf(country)),
})
/** In one of the networks, named locations or countries. */
export type From = FromInput

const acrValues = listOf(
  v.pipe(
    v.string(),
    v.regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,256}$/, 'must be one value, without spaces or quotes'),
  ),
)
const Methods = v.strictObject({ any: v.optional(listOf(text)), all: v.optional(listOf(text)) })
const maxAgeMs = v.pipe(v.number(), v.integer(), v.minValue(10_000))

const authentication = {
  amr: v.optional(Methods),
  maxAgeMs: v.optional(maxAgeMs),
}
const Authentication = v.strictObject({ acr: v.optional(acrValues), ...authentication })
/** How the user authenticated, and how long ago. */
export type AuthenticationCondition = AuthenticationInput

export const TimeWindow = v.strictObject({
  weekdays: v.optional(listOf(v.picklist(WEEKDAYS))),
  from: v.optional(
    v.pipe(v.string(), v.regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day, "HH:MM"')),
  ),
  to: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/, 'must be a time of day, "HH:MM"'),
    ),
  ),
  timeZone: text,
})
/** Weekdays and times of day in one time zone. */
export type TimeWindow = TimeWindowInput

export const Conditions = v.strictObject({
  who: v.optional(Who),
  from: v.optional(From),
  authentication: v.optional(Authentication),
  device: v.optional(v.record(text, listOf(v.union([v.string(), v.boolean(), v.number()])))),
  risk: v.optional(listOf(v.picklist(RISK_LEVELS))),
  time: v.optional(listOf(TimeWindow)),
})
/** All that are there must hold. */
export type Conditions = ConditionsInput

export const StepUp = v.strictObject({ acrValues: v.optional(acrValues), ...authentication })
/** What a sign-in must have been like, or the user is sent to sign in again. */
export type StepUp = StepUpInput

const common = {
  id: id,
  description: v.optional(text),
  mode: v.optional(v.picklist(['enforced', 'report-only']), 'enforced'),
  when: v.optional(Conditions),
  unless: v.optional(listOf(Conditions)),
}
const allow = { effect: v.literal('allow') }
const deny = {
  effect: v.literal('deny'),
  reason: text,
}
const stepUp = {
  effect: v.literal('step-up'),
  stepUp: StepUp,
}
const applications = v.union([v.literal('all'), listOf(id)])

/** A policy of one application, written beside it. */
export const ApplicationPolicy = v.variant('effect', [
  v.strictObject({ ...common, ...allow }),
  v.strictObject({ ...common, ...deny }),
  v.strictObject({ ...common, ...stepUp }),
])
export type ApplicationPolicy = ApplicationPolicyInput & Pick<AccessRule, 'mode'>

/** A policy of a tenant: it says which applications it is for. */
export const AccessPolicy = v.variant('effect', [
  v.strictObject({ ...common, applications, ...allow }),
  v.strictObject({ ...common, applications, ...deny }),
  v.strictObject({ ...common, applications, ...stepUp }),
])
export type AccessPolicy = AccessRule

/** What {@link AccessRules} are held to: a directory of one's own may say anything. */
export const ANY_ACCESS_RULES = v.strictObject({
  locations: v.array(NamedLocation),
  policies: v.array(AccessPolicy),
})

/** One of the policies of {@link AccessRules}. */
export type AccessRule = AccessPolicyInput & {
  /** `report-only`: what it would do is reported and not done. */
  readonly mode: 'enforced' | 'report-only'
}

/**
 * All that conditional access knows of one application: its tenant's places, and the policies of
 * its tenant and its own.
 */
export interface AccessRules {
  /** What `from.locations` of policies may name. */
  readonly locations: readonly NamedLocationInput[]
  readonly policies: readonly AccessRule[]
}
