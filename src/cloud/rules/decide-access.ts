/**
 * Conditional access: may this user, from there, signed in like this, use the application now?
 *
 * A pure function of rules and facts; time is among the facts. In this order:
 *
 * 1. no rules at all → **allow**: the application has no conditional access
 * 2. rules that cannot be read, or fail while they are read → **deny** `policy-broken`
 * 3. a policy that denies applies → **deny** `policy-denies`
 * 4. no policy that would let the user in applies → **deny** `no-policy-allows`
 * 5. the step-ups that apply cannot all be met at once → **deny** `step-up-contradiction`
 * 6. one of them is not met → **step-up**, or **deny** `step-up-unmet` when that is what the user
 *    just came back from
 * 7. **allow**
 *
 * Where nobody knows whether a policy applies, it restricts and does not permit: a deny and the
 * demand of a step-up stand, an allow does not. The order in which policies are written makes no
 * difference.
 *
 * @see spec/PROTOCOL.md, "Conditional access"
 * @module
 */
import type { StepUpRequest } from '../../protocol/machines/sign-in.ts'
import type { AccessRules, RiskLevel, StepUp } from './access-policy.ts'
import { compileAccess, type Policy } from './compile-access.ts'
import type { PolicyUser, Truth } from './among.ts'
import type { Authentication, Facts, Notes } from './conditions.ts'
import type { KeptClaims } from './named.ts'
import { parseAddress } from './network.ts'

/** Who asks for what, and how. */
export interface AccessContext {
  readonly applicationId: string
  readonly user: PolicyUser
  readonly authentication: Authentication
  /** The user's IP address. What is no address is not known. */
  readonly address?: string | undefined
  /** The country of that address: ISO 3166-1 alpha-2, capital letters. Absent: not known. */
  readonly country?: string | undefined
  /** Other claims of the user's token: what `device` conditions compare. */
  readonly claims?: KeptClaims | undefined
  /** Absent: not known. */
  readonly risk?: RiskLevel | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  /**
   * The user comes back from the issuer, which was asked for a stronger sign-in: not to be asked
   * again.
   */
  readonly isSteppedUp?: boolean | undefined
}

/** Why access is denied. Stable: programs may switch on it. */
export type AccessDenial =
  'policy-denies' | 'no-policy-allows' | 'policy-broken' | 'step-up-contradiction' | 'step-up-unmet'

/** A policy that applies, or may: what it does, and why it counts. */
export interface MatchedPolicy {
  readonly policy: string
  readonly effect: 'allow' | 'deny' | 'step-up'
  readonly mode: 'enforced' | 'report-only'
  /** Of a step-up: the user has signed in like that. */
  readonly isMet?: boolean
  /**
   * Whether it applies is not known, because these are not: `address`, `country`, `acr`, `amr`,
   * `age`, `risk`, `email`, `upn`, `groups`, `roles`, `account`, `device.<claim>`.
   */
  readonly unknown?: readonly string[]
}

interface Decided {
  /** Every policy that applies or may, by id; also those that only report. */
  readonly matched: readonly MatchedPolicy[]
  /**
   * Milliseconds since 1970: before that time alone changes nothing of the decision. `Infinity`:
   * never.
   */
  readonly until: number
}

/** The outcome, the policy it comes from, and everything that matched. */
export type AccessDecision =
  | (Decided & { readonly effect: 'allow'; readonly policy?: string })
  | (Decided & {
      readonly effect: 'deny'
      readonly code: AccessDenial
      readonly policy?: string
      /** The policy's own words for the user. */
      readonly reason?: string
      /** Of `policy-broken`: what went wrong, for operators. */
      readonly cause?: unknown
    })
  | (Decided & {
      readonly effect: 'step-up'
      readonly policy: string
      readonly stepUp: StepUpRequest
    })

/**
 * Decides by the rules of an application; `undefined`: it has no conditional access. Never throws.
 */
export function decideAccess(
  rules: AccessRules | undefined,
  context: AccessContext,
): AccessDecision {
  if (rules === undefined) return UNCONDITIONAL
  try {
    return decide(compiled(rules), context)
  } catch (cause) {
    return { effect: 'deny', code: 'policy-broken', cause, matched: [], until: context.now }
  }
}

const UNCONDITIONAL: AccessDecision = { effect: 'allow', matched: [], until: Infinity }

/** A policy and what came of it. */
interface Asked {
  readonly policy: Policy
  readonly applies: Truth
  /** Of a step-up. */
  readonly isMet: boolean
}

function decide(policies: readonly Policy[], context: AccessContext): AccessDecision {
  const { user, authentication, country, claims = {}, risk, now } = context
  const address = context.address === undefined ? undefined : parseAddress(context.address)
  const facts: Facts = { user, authentication, address, country, claims, risk, now }
  const notes: Notes = { until: Infinity, unknown: new Set() }
  const matched: MatchedPolicy[] = []
  const enforced: Asked[] = []
  for (const policy of policies) {
    if (policy.applications !== 'all' && !policy.applications.includes(context.applicationId))
      continue
    const asked = ask(policy, facts, notes)
    if (asked.applies === false) continue
    matched.push(report(asked, notes))
    if (policy.mode === 'enforced') enforced.push(asked)
  }
  const decided = { matched, until: notes.until }
  const denying = enforced.find(({ policy }) => policy.effect === 'deny')?.policy
  if (denying !== undefined)
    return {
      ...{ ...decided, effect: 'deny', code: 'policy-denies', policy: denying.id },
      ...(denying.reason !== undefined && { reason: denying.reason }),
    }
  const admitting = enforced.find(({ applies }) => applies === true)?.policy
  if (admitting === undefined) return { ...decided, effect: 'deny', code: 'no-policy-allows' }
  const stepUps = enforced.filter(({ policy }) => policy.effect === 'step-up')
  const unmet = stepUps.find(({ isMet }) => !isMet)?.policy
  if (unmet === undefined) return { ...decided, effect: 'allow', policy: admitting.id }
  const stepUp = together(stepUps.map(({ policy }) => policy.stepUp!))
  const refusal = { ...decided, effect: 'deny', policy: unmet.id } as const
  if (stepUp === undefined) return { ...refusal, code: 'step-up-contradiction' }
  if (context.isSteppedUp === true) return { ...refusal, code: 'step-up-unmet' }
  return { ...decided, effect: 'step-up', policy: unmet.id, stepUp }
}

function ask(policy: Policy, facts: Facts, notes: Notes): Asked {
  notes.unknown.clear()
  const applies = policy.applies(facts, notes)
  if (applies === false || policy.isMet === undefined) return { policy, applies, isMet: false }
  // What is not known of the authentication says that the step-up is not met, and nothing of the
  // policy.
  const own: Notes = { until: notes.until, unknown: new Set() }
  const isMet = policy.isMet(facts, own) === true
  notes.until = own.until
  return { policy, applies, isMet }
}

function report({ policy, applies, isMet }: Asked, { unknown }: Notes): MatchedPolicy {
  const { id, effect, mode } = policy
  return {
    ...{ policy: id, effect, mode },
    ...(effect === 'step-up' && { isMet }),
    ...(applies === undefined && { unknown: [...unknown].sort() }),
  }
}

/**
 * One request that meets them all, the met ones too: or the next sign-in would meet one and lose
 * another, for ever. `undefined`: there is no authentication context that all of them take.
 */
function together(stepUps: readonly StepUp[]): StepUpRequest | undefined {
  const lists = stepUps.flatMap(({ acrValues }) => (acrValues ? [acrValues] : []))
  const acrValues = lists[0]?.filter((value) => lists.every((list) => list.includes(value)))
  if (acrValues?.length === 0) return undefined
  const maxAgeMs = Math.min(...stepUps.map((one) => one.maxAgeMs ?? Infinity))
  const amr = new Set(stepUps.flatMap((one) => [...(one.amr?.all ?? []), ...(one.amr?.any ?? [])]))
  return {
    ...(acrValues && { acrValues }),
    ...(maxAgeMs < Infinity && { maxAgeMs }),
    ...(amr.size > 0 && { amr: [...amr] }),
  }
}

const known = new WeakMap<AccessRules, readonly Policy[]>()

/** Rules are read once for each object: other rules are another object. */
function compiled(rules: AccessRules): readonly Policy[] {
  let policies = known.get(rules)
  if (policies === undefined) {
    policies = compileAccess(rules)
    known.set(rules, policies)
  }
  return policies
}
