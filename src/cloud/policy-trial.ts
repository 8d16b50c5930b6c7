/**
 * Policies tried out before they are in force: cases of who comes from where, and what must become
 * of them.
 *
 *     const results = testPolicies(configuration, cases, Date.now())
 *
 * A case says all that a decision is made from; what it does not say is not known. @see
 * `app-proxy policy test`
 *
 * @module
 */
import * as v from 'valibot'
import { readTarget } from '../protocol/internal.ts'
import { isAssigned } from './policy/assignment.ts'
import { tellShape } from '../runtime/check-configuration.ts'
import {
  Mistakes,
  withoutUndefined,
  type ConfigurationSource,
} from '../runtime/configuration-mistakes.ts'
import { probableName } from '../runtime/probable-name.ts'
import { directoryContent } from './directory/directory-configuration.ts'
import { policyNameOf } from './directory/wildcard.ts'
import type { DirectoryInput } from './directory/directory-input.ts'
import type { Application } from './directory/directory-port.ts'
import { publishedOf } from './directory/published.ts'
import { PolicyCases, type PolicyCase } from './policy-case.ts'
import { decideAccess, type AccessDenial, type MatchedPolicy } from './rules/decide-access.ts'

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
 * Cases out of a file, held against the directory that they are for.
 *
 * @throws ConfigurationInvalid with all mistakes
 */
export function readPolicyCases(
  directory: DirectoryInput,
  value: unknown,
  source: ConfigurationSource = {},
): readonly PolicyCase[] {
  checkedCases(directoryContent(directory).applications, value, source)
  return value as readonly PolicyCase[]
}

/**
 * Tries the policies of a directory, assignment included. `now` is milliseconds since 1970, for
 * cases that do not say when.
 *
 * @throws ConfigurationInvalid with all mistakes of the directory, else with those of the cases
 */
export function testPolicies(
  directory: DirectoryInput,
  cases: readonly PolicyCase[],
  now: number,
): readonly PolicyTestResult[] {
  const { applications } = directoryContent(directory)
  return checkedCases(applications, cases, { at: 'cases' }).map((one, i) => {
    const application = partOf(
      applications.find(({ id }) => id === one.application)!,
      one.path,
    )
    const at = one.at === undefined ? now : Date.parse(one.at)
    const { address, country, claims, risk, isSteppedUp, acr, acrs, amr, signedInAgoMs } = one
    const { subject, email, upn } = one.user
    const user = {
      subject,
      issuer: application.issuer ?? '',
      ...(email !== undefined && { email }),
    }
    const account = publishedOf(application).account({ user, upn, claims })
    const decision = isAssigned(application, one.user)
      ? decideAccess(application.access, {
          ...{ applicationId: policyNameOf(application), user: { ...one.user, account }, now: at },
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

/** The application as the segment has it that a path lies in. */
function partOf(application: Application, path: string | undefined): Application {
  if (path === undefined) return application
  const published = publishedOf(application)
  return published.at(readTarget(path, published.host).path).application
}

function readablePart(application: Application, path: string): Application | undefined {
  try {
    return partOf(application, path)
  } catch {
    return undefined
  }
}

function checkedCases(
  applications: readonly Application[],
  cases: unknown,
  source: ConfigurationSource,
): v.InferOutput<typeof PolicyCases> {
  const value = withoutUndefined(cases, source)
  const mistakes = new Mistakes(value, source)
  const result = v.safeParse(PolicyCases, value)
  if (!result.success) tellShape(PolicyCases, value, '', mistakes.tell)
  const ids = applications.map(({ id }) => id)
  for (const [i, one] of (Array.isArray(value) ? (value as unknown[]) : []).entries()) {
    const named = (one as { readonly application?: unknown } | null)?.application
    if (typeof named !== 'string') continue
    const application = applications.find(({ id }) => id === named)
    if (application === undefined) {
      mistakes.tell(`[${i}].application`, 'names no application', probableName(named, ids))
      continue
    }
    const { path } = one as { readonly path?: unknown }
    const at = path === undefined ? `[${i}].application` : `[${i}].path`
    const part = typeof path === 'string' ? readablePart(application, path) : application
    if (part === undefined) mistakes.tell(at, 'is no path that can be read in one way only')
    else if (part.preAuthentication === 'passthrough') mistakes.tell(at, 'asks nobody who they are')
  }
  if (!result.success || !mistakes.isEmpty) throw mistakes.error()
  return result.output
}
