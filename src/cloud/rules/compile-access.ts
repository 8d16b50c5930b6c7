/**
 * Rules as they are written, made ready to be asked: networks parsed, time zones opened, places
 * looked up; and refused where anything is wrong with them.
 *
 * @module
 */
import * as v from 'valibot'
import { refuseMistake, type TellMistake } from '../../runtime/configuration-mistakes.ts'
import {
  ANY_ACCESS_RULES,
  type AccessRules,
  type AccessPolicy,
  type NamedLocation,
  type StepUp,
} from './access-policy.ts'
import { authenticated, compileConditions, networksOf, type Condition } from './conditions.ts'

/** A policy, ready to be asked. */
export interface Policy {
  readonly id: string
  readonly effect: AccessPolicy['effect']
  readonly mode: AccessPolicy['mode']
  readonly applications: AccessPolicy['applications']
  readonly applies: Condition
  /** Of a deny: its words. */
  readonly reason?: string
  /** Of a step-up: what it asks for, and whether that is met. */
  readonly stepUp?: StepUp
  readonly isMet?: Condition
}

/**
 * The policies by id: no decision depends on the order they are written in.
 *
 * @throws ConfigurationInvalid, or valibot's error where the shape is wrong: whoever comes with
 *   rules that no schema has checked
 */
export function compileAccess(rules: AccessRules): readonly Policy[] {
  const { locations, policies } = v.parse(ANY_ACCESS_RULES, rules)
  const places = compileLocations(locations, 'locations', refuseMistake)
  return compilePolicies(policies, places, (i) => `policies[${i}]`, refuseMistake)
}

/**
 * The places by id; `undefined` where one is left out (a hole in the list) for a mistake told
 * before: then nobody can say which there are.
 */
export function compileLocations(
  locations: readonly (NamedLocation | undefined)[],
  path: string,
  tell: TellMistake,
): ReadonlyMap<string, NamedLocation> | undefined {
  const places = new Map<string, NamedLocation>()
  locations.forEach((location, i) => {
    const at = `${path}[${i}]`
    if (location === undefined) return
    if (places.has(location.id)) tell(`${at}.id`, 'is not unique')
    if (location.networks === undefined && location.countries === undefined)
      tell(at, 'must have networks or countries')
    networksOf(location.networks ?? [], `${at}.networks`, tell)
    places.set(location.id, location)
  })
  return locations.includes(undefined) ? undefined : places
}

/**
 * @param policies a hole is one left out for a mistake told before
 * @param pathOf says where the i-th is written
 */
export function compilePolicies(
  policies: readonly (AccessPolicy | undefined)[],
  locations: ReadonlyMap<string, NamedLocation> | undefined,
  pathOf: (i: number) => string,
  tell: TellMistake,
): readonly Policy[] {
  const ids = new Set<string>()
  const compiled = policies.flatMap((policy, i) => {
    if (policy === undefined) return []
    const path = pathOf(i)
    if (ids.has(policy.id)) tell(`${path}.id`, 'is not unique')
    ids.add(policy.id)
    return [compilePolicy(policy, locations, path, tell)]
  })
  return compiled.sort((a, b) => (a.id < b.id ? -1 : 1))
}

function compilePolicy(
  policy: AccessPolicy,
  locations: ReadonlyMap<string, NamedLocation> | undefined,
  path: string,
  tell: TellMistake,
): Policy {
  const { id, effect, mode, applications, when, unless = [] } = policy
  const holds = when && compileConditions(when, locations, `${path}.when`, tell)
  const exceptions = unless.map((one, i) =>
    compileConditions(one, locations, `${path}.unless[${i}]`, tell),
  )
  return {
    ...{ id, effect, mode, applications, applies: applies(holds, exceptions) },
    ...(policy.effect === 'deny' && { reason: policy.reason }),
    ...(policy.effect === 'step-up' && compileStepUp(policy.stepUp, `${path}.stepUp`, tell)),
  }
}

function applies(holds: Condition | undefined, exceptions: readonly Condition[]): Condition {
  return (facts, notes) => {
    let truth = holds === undefined ? true : holds(facts, notes)
    if (truth === false) return false
    for (const exception of exceptions) {
      const excepted = exception(facts, notes)
      if (excepted === true) return false
      if (excepted === undefined) truth = undefined
    }
    return truth
  }
}

function compileStepUp(
  stepUp: StepUp,
  path: string,
  tell: TellMistake,
): { stepUp: StepUp; isMet: Condition } {
  const { acrValues, amr, maxAgeMs } = stepUp
  // An issuer can be asked for contexts and for an age, never for methods alone.
  if (acrValues === undefined && maxAgeMs === undefined)
    tell(path, 'must name acrValues or maxAgeMs')
  return { stepUp, isMet: authenticated({ acr: acrValues, amr, maxAgeMs }, path, tell) }
}
