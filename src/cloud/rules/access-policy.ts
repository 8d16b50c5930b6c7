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

const id = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/))
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))
const listOf = <T extends v.GenericSchema>(item: T) => v.pipe(v.array(item), v.minLength(1))
const country = v.pipe(v.string(), v.regex(/^[A-Z]{2}$/))

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
  id: v.pipe(id, v.description('What policies name it by; unique in its tenant.')),
  networks: v.pipe(
    v.optional(listOf(text)),
    v.description('`address/prefix-length`, IPv4 or IPv6; an address alone is a network of one.'),
  ),
  countries: v.pipe(
    v.optional(listOf(country)),
    v.description('ISO 3166-1 alpha-2, capital letters; needs a location lookup.'),
  ),
})
/** A place of a tenant: somewhere in its networks, or in its countries. */
export type NamedLocation = v.InferOutput<typeof NamedLocation>

/** How users are named, for a schema. */
export const USERS =
  'Users by typed names: `sub:` and their subject; `email:` and their verified e-mail address, `upn:` and the name that the issuer assigns, both in any ASCII letter case.'

const Who = v.strictObject({
  users: v.pipe(v.optional(listOf(text)), v.description(USERS)),
  groups: v.optional(listOf(text)),
  roles: v.optional(listOf(text)),
})
/** One of the users, a member of one of the groups, or a holder of one of the roles. */
export type Who = v.InferOutput<typeof Who>

const From = v.strictObject({
  networks: v.optional(listOf(text)),
  locations: v.pipe(v.optional(listOf(id)), v.description("Named locations of the tenant's.")),
  countries: v.optional(listOf(country)),
})
/** In one of the networks, named locations or countries. */
export type From = v.InferOutput<typeof From>

const acrValues = v.pipe(
  listOf(v.pipe(v.string(), v.regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,256}$/))),
  v.description('Authentication context class references, of which one is enough.'),
)
const Methods = v.strictObject({ any: v.optional(listOf(text)), all: v.optional(listOf(text)) })
const maxAgeMs = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(10_000),
  v.description('How long ago the user may have authenticated, in milliseconds.'),
)

const authentication = {
  amr: v.pipe(v.optional(Methods), v.description('Authentication methods: any of, all of.')),
  maxAgeMs: v.optional(maxAgeMs),
}
const Authentication = v.strictObject({ acr: v.optional(acrValues), ...authentication })
/** How the user authenticated, and how long ago. */
export type AuthenticationCondition = v.InferOutput<typeof Authentication>

export const TimeWindow = v.strictObject({
  weekdays: v.pipe(v.optional(listOf(v.picklist(WEEKDAYS))), v.description('Default: every day.')),
  from: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/))),
    v.description('`HH:MM`, included. Default: `00:00`.'),
  ),
  to: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/))),
    v.description('`HH:MM`, excluded; not after `from`: on the next day. Default: `24:00`.'),
  ),
  timeZone: v.pipe(text, v.description('An IANA time zone, such as `Europe/Berlin`.')),
})
/** Weekdays and times of day in one time zone. */
export type TimeWindow = v.InferOutput<typeof TimeWindow>

export const Conditions = v.strictObject({
  who: v.optional(Who),
  from: v.optional(From),
  authentication: v.optional(Authentication),
  device: v.pipe(
    v.optional(v.record(text, listOf(v.union([v.string(), v.boolean(), v.number()])))),
    v.description(
      "Claim of the user's token → the values it may have: all claims named, each one.",
    ),
  ),
  risk: v.pipe(
    v.optional(listOf(v.picklist(RISK_LEVELS))),
    v.description('Risk levels; needs a risk assessor.'),
  ),
  time: v.pipe(v.optional(listOf(TimeWindow)), v.description('Any of these windows.')),
})
/** All that are there must hold. */
export type Conditions = v.InferOutput<typeof Conditions>

export const StepUp = v.strictObject({ acrValues: v.optional(acrValues), ...authentication })
/** What a sign-in must have been like, or the user is sent to sign in again. */
export type StepUp = v.InferOutput<typeof StepUp>

const common = {
  id: v.pipe(id, v.description('Unique among the policies of its application.')),
  description: v.pipe(v.optional(text), v.description('For operators.')),
  mode: v.pipe(
    v.optional(v.picklist(['enforced', 'report-only']), 'enforced'),
    v.description('`report-only`: what it would do is reported and not done.'),
  ),
  when: v.pipe(v.optional(Conditions), v.description('Default: always.')),
  unless: v.pipe(
    v.optional(listOf(Conditions)),
    v.description('Exceptions: it does not apply where one of them holds.'),
  ),
}
const allow = { effect: v.literal('allow') }
const deny = {
  effect: v.literal('deny'),
  reason: v.pipe(text, v.description('Shown to the user: why, and what to do next.')),
}
const stepUp = {
  effect: v.literal('step-up'),
  stepUp: v.pipe(
    StepUp,
    v.description('Allows who signed in like this; sends everybody else to sign in like this.'),
  ),
}
const applications = v.pipe(
  v.union([v.literal('all'), listOf(id)]),
  v.description('`all` of the tenant that users sign in to, or these.'),
)

/** A policy of one application, written beside it. */
export const ApplicationPolicy = v.variant('effect', [
  v.strictObject({ ...common, ...allow }),
  v.strictObject({ ...common, ...deny }),
  v.strictObject({ ...common, ...stepUp }),
])
export type ApplicationPolicy = v.InferOutput<typeof ApplicationPolicy>

/** A policy of a tenant: it says which applications it is for. */
export const AccessPolicy = v.variant('effect', [
  v.strictObject({ ...common, applications, ...allow }),
  v.strictObject({ ...common, applications, ...deny }),
  v.strictObject({ ...common, applications, ...stepUp }),
])
export type AccessPolicy = v.InferOutput<typeof AccessPolicy>

/**
 * All that conditional access knows of one application: its tenant's places, and the policies of
 * its tenant and its own.
 */
export const AccessRules = v.strictObject({
  locations: v.array(NamedLocation),
  policies: v.array(AccessPolicy),
})
export type AccessRules = v.InferOutput<typeof AccessRules>
