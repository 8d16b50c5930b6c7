/**
 * Whether the conditions of a policy hold. The answer may be that nobody knows: an issuer that does
 * not say how the user authenticated, an address no lookup knows the country of. `undefined` stands
 * for that, and what it means is the policy's matter.
 *
 * @module
 */
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import type {
  AuthenticationCondition,
  Conditions,
  From,
  NamedLocation,
  RiskLevel,
  Who,
} from './access-policy.ts'
import { isAmong, type PolicyUser, type Truth } from './among.ts'
import type { KeptClaims } from './named.ts'
import { isInside, parseNetwork, type Network, type parseAddress } from './network.ts'
import { LocalHours, windowFault } from './time-window.ts'
import { CHOSEN_CLAIMS, userNameFault } from './user-names.ts'

/** How and when the user authenticated. */
export interface Authentication {
  /** Milliseconds since 1970. Absent: the issuer did not say. */
  readonly at?: number | undefined
  readonly acr?: string | undefined
  /** Contexts met, where the issuer lists them. */
  readonly acrs?: readonly string[] | undefined
  readonly amr?: readonly string[] | undefined
}

/** What a decision is made from. */
export interface Facts {
  readonly user: PolicyUser
  readonly authentication: Authentication
  readonly address: ReturnType<typeof parseAddress>
  readonly country: string | undefined
  readonly claims: KeptClaims
  readonly risk: RiskLevel | undefined
  readonly now: number
}

/**
 * What is to be remembered of an answer: until when time alone leaves it as it is, and what was not
 * known.
 */
export interface Notes {
  until: number
  readonly unknown: Set<string>
}

export type Condition = (facts: Facts, notes: Notes) => Truth

/**
 * All of the conditions, as one. What cannot change is asked first: where it says no, the clock
 * does not matter.
 *
 * @throws ConfigurationInvalid with the path of what is wrong
 */
export function compileConditions(
  conditions: Conditions,
  locations: ReadonlyMap<string, NamedLocation>,
  path: string,
): Condition {
  if (Object.keys(conditions).length === 0)
    throw new ConfigurationInvalid(path, 'must name a condition')
  const { who, from, device, risk, authentication, time } = conditions
  const all: Condition[] = []
  if (who) all.push(whoIs(who, `${path}.who`))
  if (from) all.push(comesFrom(from, locations, `${path}.from`))
  if (device) all.push(hasClaims(device, `${path}.device`))
  if (risk)
    all.push(({ risk: level }, notes) => known(level, 'risk', notes, (one) => risk.includes(one)))
  if (authentication) all.push(authenticated(authentication, `${path}.authentication`))
  if (time) all.push(isDuring(time, `${path}.time`))
  return every(all)
}

/** How an authentication must have been, for a condition and for a step-up alike. */
export function authenticated(
  { acr, amr, maxAgeMs }: AuthenticationCondition,
  path: string,
): Condition {
  refuseEmpty({ acr, amr, maxAgeMs }, path)
  const all: Condition[] = []
  if (acr)
    all.push((facts, notes) =>
      known(contextsOf(facts.authentication), 'acr', notes, (contexts) =>
        contexts.some((one) => acr.includes(one)),
      ),
    )
  if (amr) {
    refuseEmpty(amr, `${path}.amr`)
    all.push(({ authentication }, notes) =>
      known(authentication.amr, 'amr', notes, (used) => {
        const any = amr.any === undefined || amr.any.some((method) => used.includes(method))
        return any && (amr.all ?? []).every((method) => used.includes(method))
      }),
    )
  }
  if (maxAgeMs !== undefined)
    all.push(({ authentication, now }, notes) =>
      known(authentication.at, 'age', notes, (at) => {
        const end = at + maxAgeMs
        if (now < end) notes.until = Math.min(notes.until, end)
        return now < end
      }),
    )
  return every(all)
}

const contextsOf = ({ acr, acrs }: Authentication) =>
  acr === undefined ? acrs : [acr, ...(acrs ?? [])]

/** The networks of a list, with the path of a wrong one. */
export function networksOf(texts: readonly string[], path: string): readonly Network[] {
  return texts.map((text, i) => parseNetwork(text, `${path}[${i}]`))
}

/** `false` if one is; else `undefined` if one is; else true. */
function every(all: readonly Condition[]): Condition {
  return (facts, notes) => {
    let truth: Truth = true
    for (const condition of all) {
      const one = condition(facts, notes)
      if (one === false) return false
      truth = truth && one
    }
    return truth
  }
}

function whoIs(who: Who, path: string): Condition {
  refuseEmpty(who, path)
  who.users?.forEach((name, i) => {
    const fault = userNameFault(name, true)
    if (fault !== undefined) throw new ConfigurationInvalid(`${path}.users[${i}]`, fault)
  })
  return ({ user }, notes) => isAmong(who, user, notes.unknown)
}

function comesFrom(
  from: From,
  locations: ReadonlyMap<string, NamedLocation>,
  path: string,
): Condition {
  refuseEmpty(from, path)
  const networks = [...networksOf(from.networks ?? [], `${path}.networks`)]
  const countries = [...(from.countries ?? [])]
  from.locations?.forEach((name, i) => {
    const location = locations.get(name)
    if (location === undefined)
      throw new ConfigurationInvalid(`${path}.locations[${i}]`, 'names no location of the tenant')
    networks.push(...networksOf(location.networks ?? [], 'networks'))
    countries.push(...(location.countries ?? []))
  })
  return ({ address, country }, notes) => {
    if (address === undefined) return known(address, 'address', notes, () => true)
    if (isInside(address, networks)) return true
    if (countries.length === 0) return false
    return known(country, 'country', notes, (one) => countries.includes(one))
  }
}

function hasClaims(device: NonNullable<Conditions['device']>, path: string): Condition {
  refuseEmpty(device, path)
  const wanted = Object.entries(device)
  for (const [name] of wanted)
    if (CHOSEN_CLAIMS.has(name) || OF_WHO.has(name))
      throw new ConfigurationInvalid(`${path}.${name}`, 'says who the user is: see `who`')
  return every(
    wanted.map(
      ([name, values]): Condition =>
        ({ claims }, notes) =>
          known(
            Object.hasOwn(claims, name) ? claims[name] : undefined,
            `device.${name}`,
            notes,
            (claim) =>
              typeof claim === 'object'
                ? claim.some((item) => values.includes(item))
                : values.includes(claim),
          ),
    ),
  )
}

/** Compared here they would be compared without their kind. */
const OF_WHO: ReadonlySet<string> = new Set(['sub', 'email', 'email_verified', 'upn'])

function isDuring(windows: NonNullable<Conditions['time']>, path: string): Condition {
  const hours = windows.map((window, i) => {
    const fault = windowFault(window)
    if (fault !== undefined) throw new ConfigurationInvalid(`${path}[${i}]`, fault)
    return new LocalHours(window)
  })
  return ({ now }, notes) => {
    for (const one of hours) notes.until = Math.min(notes.until, one.until(now))
    return hours.some((one) => one.holds(now))
  }
}

function known<T>(
  value: T | undefined,
  name: string,
  notes: Notes,
  ask: (value: T) => boolean,
): Truth {
  if (value !== undefined) return ask(value)
  notes.unknown.add(name)
  return undefined
}

function refuseEmpty(members: object, path: string): void {
  if (Object.values(members).every((value) => value === undefined))
    throw new ConfigurationInvalid(path, 'must not be empty')
}
