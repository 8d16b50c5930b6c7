/**
 * Policies tried out before they are in force: cases of who comes from where, and what must become
 * of them.
 *
 *     const results = testPolicies(configuration, cases, Date.now())
 *
 * A case says all that a decision is made from; what it does not say is not known. @see
 * examples/policy-check.ts
 *
 * @module
 */
import * as v from 'valibot'
import { ConfigurationInvalid } from '../protocol/internal.ts'
import { isAssigned } from './policy/assignment.ts'
import { readDirectory, shapeFault } from './directory/directory-configuration.ts'
import { RISK_LEVELS } from './rules/access-policy.ts'
import { decideAccess, type AccessDenial, type MatchedPolicy } from './rules/decide-access.ts'

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))
const texts = v.array(text)
const claim = v.union([v.string(), v.number(), v.boolean()])

export const PolicyCase = v.strictObject({
  name: v.pipe(v.optional(text), v.description('What the case shows. Default: its number.')),
  application: v.pipe(text, v.description('The id of an application.')),
  user: v.strictObject({
    subject: v.optional(text, 'somebody'),
    email: v.pipe(v.optional(text), v.description('Verified.')),
    upn: v.optional(text),
    groups: v.optional(texts),
    roles: v.optional(texts),
  }),
  at: v.pipe(
    v.optional(v.pipe(v.string(), v.isoTimestamp())),
    v.description('When, such as `2026-06-01T10:00:00Z`. Default: now.'),
  ),
  address: v.pipe(v.optional(text), v.description('Where from. Default: not known.')),
  country: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^[A-Z]{2}$/))),
    v.description('What a location lookup would say of the address. Default: not known.'),
  ),
  acr: v.pipe(v.optional(text), v.description('How they signed in. Default: not known.')),
  acrs: v.pipe(v.optional(texts), v.description('The same, of an issuer that lists contexts.')),
  amr: v.optional(texts),
  signedInAgoMs: v.pipe(
    v.optional(v.pipe(v.number(), v.minValue(0))),
    v.description('How long ago they signed in, milliseconds. Default: not known.'),
  ),
  claims: v.pipe(
    v.optional(v.record(v.string(), v.union([claim, v.array(claim)]))),
    v.description("Other claims of the user's token, which `device` conditions compare."),
  ),
  risk: v.optional(v.picklist(RISK_LEVELS)),
  isSteppedUp: v.pipe(
    v.optional(v.boolean()),
    v.description('They come back from the issuer, which was asked for a stronger sign-in.'),
  ),
  expect: v.pipe(
    v.picklist(['allow', 'deny', 'step-up']),
    v.description('What must become of it.'),
  ),
  policy: v.pipe(v.optional(text), v.description('The policy it must come from. Default: any.')),
  code: v.pipe(v.optional(text), v.description('Why it must be denied. Default: any reason.')),
})
/** One case, as an operator writes it. */
export type PolicyCase = v.InferInput<typeof PolicyCase>

/** What became of one case. */
export interface PolicyTestResult {
  readonly name: string
  readonly isPassed: boolean
  readonly expected: Pick<PolicyCase, 'policy' | 'code'> & { readonly effect: PolicyCase['expect'] }
  readonly effect: 'allow' | 'deny' | 'step-up'
  /** The policy it comes from. */
  readonly policy?: string | undefined
  /** Why it is denied. */
  readonly code?: AccessDenial | 'not-assigned' | undefined
  /** What the user would be told. */
  readonly reason?: string | undefined
  /** Every policy that applies, or may. */
  readonly matched: readonly MatchedPolicy[]
}

/**
 * Tries the policies of a directory's configuration, assignment included. `now` is milliseconds
 * since 1970, for cases that do not say when.
 *
 * @throws ConfigurationInvalid for the first mistake in either, with its path
 */
export function testPolicies(
  configuration: unknown,
  cases: unknown,
  now: number,
): readonly PolicyTestResult[] {
  const { applications } = readDirectory(configuration)
  const read = v.safeParse(v.strictObject({ cases: v.array(PolicyCase) }), { cases })
  if (!read.success) throw shapeFault(read.issues[0])
  return read.output.cases.map((one, i) => {
    const application = applications.find(({ id }) => id === one.application)
    if (application === undefined)
      throw new ConfigurationInvalid(`cases[${i}].application`, 'names no application')
    if (application.preAuthentication === 'passthrough')
      throw new ConfigurationInvalid(`cases[${i}].application`, 'asks nobody who they are')
    const at = one.at === undefined ? now : Date.parse(one.at)
    const { address, country, claims, risk, isSteppedUp, acr, acrs, amr, signedInAgoMs } = one
    const decision = isAssigned(application, one.user)
      ? decideAccess(application.access, {
          ...{ applicationId: application.id, user: one.user, now: at },
          ...{ address, country, claims, risk, isSteppedUp },
          authentication: {
            acr,
            acrs,
            amr,
            at: signedInAgoMs === undefined ? undefined : at - signedInAgoMs,
          },
        })
      : ({ effect: 'deny', code: 'not-assigned', matched: [] } as const)
    const { policy, code, reason } = {
      code: undefined,
      reason: undefined,
      policy: undefined,
      ...decision,
    }
    const isPassed =
      decision.effect === one.expect &&
      (one.policy === undefined || one.policy === policy) &&
      (one.code === undefined || one.code === code)
    const expected = { effect: one.expect, policy: one.policy, code: one.code }
    const { effect, matched } = decision
    return {
      name: one.name ?? `case ${i + 1}`,
      isPassed,
      expected,
      effect,
      policy,
      code,
      reason,
      matched,
    }
  })
}
