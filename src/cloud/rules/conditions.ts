/**
 * Whether the conditions of a policy hold. The answer may be that nobody knows: an issuer that does
 * not say how the user authenticated, an address no lookup knows the country of. `undefined` stands
 * for that, and what it means is the policy's matter.
 *
 * @module
 */
import { isAccountName } from '../../protocol/internal.ts'
import { refuseMistake, type TellMistake } from '../../runtime/configuration-mistakes.ts'
import { probableName } from '../../runtime/probable-name.ts'
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
import { isInside, readNetwork, type Network, type parseAddress } from './network.ts'
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
 * @param locations the tenant's; `undefined`: they are not known for a mistake of their own
 */
export function compileConditions(
  conditions: Conditions,
  locations: ReadonlyMap<string, NamedLocation> | undefined,
  path: string,
  tell: TellMistake,
): Condition {
  if (Object.keys(conditions).length === 0) tell(path, 'must name a condition')
  const { who, from, device, risk, authentication, time } = conditions
  const all: Condition[] = []
  if (who) all.push(whoIs(who, `${path}.who`, tell))
  if (from) all.push(comesFrom(from, locations, `${path}.from`, tell))
  if (device) all.push(hasClaims(device, `${path}.device`, tell))
  if (risk)
    all.push(({ risk: level }, notes) => known(level, 'risk', notes, (one) => risk.includes(one)))
  if (authentication) all.push(authenticated(authentication, `${path}.authentication`, tell))
  if (time) all.push(isDuring(time, `${path}.time`, tell))
  return every(all)
}

/** How an authentication must have been, for a condition and for a step-up alike. */
export function authenticated(
  { acr, amr, maxAgeMs }: AuthenticationCondition,
  path: string,
  tell: TellMistake,
): Condition {
  tellEmpty({ acr, amr, maxAgeMs }, path, tell)
  const all: Condition[] = []
  if (acr)
    all.push((facts, notes) =>
      known(contextsOf(facts.authentication), 'acr', notes, (contexts) =>
        contexts.some((one) => acr.includes(one)),
      ),
    )
  if (amr) {
    tellEmpty(amr, `${path}.amr`, tell)
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

/** The networks of a list; a wrong one is told with its path. */
export function networksOf(
  texts: readonly string[],
  path: string,
  tell: TellMistake = refuseMistake,
): readonly Network[] {
  return texts.flatMap((text, i) => {
    const read = readNetwork(text)
    if (typeof read !== 'string') return [read]
    tell(`${path}[${i}]`, read)
    return []
  })
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

function whoIs(who: Who, path: string, tell: TellMistake): Condition {
  tellEmpty(who, path, tell)
  who.users?.forEach((name, i) => {
    const fault = userNameFault(name, true)
    if (fault !== undefined) tell(`${path}.users[${i}]`, fault)
  })
  who.accounts?.forEach((name, i) => {
    if (!isAccountName(name)) tell(`${path}.accounts[${i}]`, 'is no name of an account')
  })
  return ({ user }, notes) => isAmong(who, user, notes.unknown)
}

function comesFrom(
  from: From,
  locations: ReadonlyMap<string, NamedLocation> | undefined,
  path: string,
  tell: TellMistake,
): Condition {
  tellEmpty(from, path, tell)
  const networks = [...networksOf(from.networks ?? [], `${path}.networks`, tell)]
  const countries = [...(from.countries ?? [])]
  from.locations?.forEach((name, i) => {
    if (locations === undefined) return
    const location = locations.get(name)
    if (location === undefined)
      return tell(
        `${path}.locations[${i}]`,
        'names no location of the tenant',
        probableName(name, [...locations.keys()]),
      )
    networks.push(...networksOf(location.networks ?? [], 'networks', () => undefined))
    countries.push(...(location.countries ?? []))
  })
  return ({ address, country }, notes) => {
    if (address === undefined) return known(address, 'address', notes, () => true)
    if (isInside(address, networks)) return true
    if (countries.length === 0) return false
    return known(country, 'country', notes, (one) => countries.includes(one))
  }
}

function hasClaims(
  device: NonNullable<Conditions['device']>,
  path: string,
  tell: TellMistake,
): Condition {
  tellEmpty(device, path, tell)
  const wanted = Object.entries(device)
  for (const [name] of wanted)
    if (CHOSEN_CLAIMS.has(name) || OF_WHO.has(name))
      tell(`${path}.${name}`, 'says who the user is: see `who`')
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

function isDuring(
  windows: NonNullable<Conditions['time']>,
  path: string,
  tell: TellMistake,
): Condition {
  const hours = windows.flatMap((window, i) => {
    const fault = windowFault(window)
    if (fault === undefined) return [new LocalHours(window)]
    tell(`${path}[${i}]`, fault)
    return []
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

function tellEmpty(members: object, path: string, tell: TellMistake): void {
  if (Object.values(members).every((value) => value === undefined)) tell(path, 'must not be empty')
}
