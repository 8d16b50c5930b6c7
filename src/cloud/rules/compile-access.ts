/**
 * Rules as they are written, made ready to be asked: networks parsed, time zones opened, places
 * looked up; and refused where anything is wrong with them.
 *
 * @module
 */
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { AccessRules, type AccessPolicy, type NamedLocation, type StepUp } from './access-policy.ts'
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
  const { locations, policies } = v.parse(AccessRules, rules)
  const places = compileLocations(locations, 'locations')
  return compilePolicies(policies, places, (i) => `policies[${i}]`)
}

/** @throws ConfigurationInvalid with the path of what is wrong */
export function compileLocations(
  locations: readonly NamedLocation[],
  path: string,
): ReadonlyMap<string, NamedLocation> {
  const places = new Map<string, NamedLocation>()
  locations.forEach((location, i) => {
    const at = `${path}[${i}]`
    if (places.has(location.id)) throw new ConfigurationInvalid(`${at}.id`, 'is not unique')
    if (location.networks === undefined && location.countries === undefined)
      throw new ConfigurationInvalid(at, 'must have networks or countries')
    networksOf(location.networks ?? [], `${at}.networks`)
    places.set(location.id, location)
  })
  return places
}

/**
 * @throws ConfigurationInvalid with the path of what is wrong; `pathOf` says where the i-th is
 *   written
 */
export function compilePolicies(
  policies: readonly AccessPolicy[],
  locations: ReadonlyMap<string, NamedLocation>,
  pathOf: (i: number) => string,
): readonly Policy[] {
  const ids = new Set<string>()
  const compiled = policies.map((policy, i) => {
    const path = pathOf(i)
    if (ids.has(policy.id)) throw new ConfigurationInvalid(`${path}.id`, 'is not unique')
    ids.add(policy.id)
    return compilePolicy(policy, locations, path)
  })
  return compiled.sort((a, b) => (a.id < b.id ? -1 : 1))
}

function compilePolicy(
  policy: AccessPolicy,
  locations: ReadonlyMap<string, NamedLocation>,
  path: string,
): Policy {
  const { id, effect, mode, applications, when, unless = [] } = policy
  const holds = when && compileConditions(when, locations, `${path}.when`)
  const exceptions = unless.map((one, i) =>
    compileConditions(one, locations, `${path}.unless[${i}]`),
  )
  return {
    ...{ id, effect, mode, applications, applies: applies(holds, exceptions) },
    ...(policy.effect === 'deny' && { reason: policy.reason }),
    ...(policy.effect === 'step-up' && compileStepUp(policy.stepUp, `${path}.stepUp`)),
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

function compileStepUp(stepUp: StepUp, path: string): { stepUp: StepUp; isMet: Condition } {
  const { acrValues, amr, maxAgeMs } = stepUp
  // An issuer can be asked for contexts and for an age, never for methods alone.
  if (acrValues === undefined && maxAgeMs === undefined)
    throw new ConfigurationInvalid(path, 'must name acrValues or maxAgeMs')
  return { stepUp, isMet: authenticated({ acr: acrValues, amr, maxAgeMs }, path) }
}
