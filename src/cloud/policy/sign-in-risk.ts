/**
 * The reference assessor of risk: what is unusual about where a user comes from, by what the audit
 * events told before.
 *
 * - `new-network` (low): the user has signed in before, and never from this network (/24, IPv6
 *   /48)
 * - `new-country` (medium): … and never from this country
 * - `impossible-travel` (high): … and was farther away at the last sign-in than anybody travels in
 *   the time since
 * - `many-failures` (medium): many sign-ins of this user, or from this address, were refused
 *   lately
 * - `anonymiser` (medium): the address is in one of the networks given: exits of anonymising
 *   services, hosting
 *
 * The level is the highest of the reasons'. Whoever signs in for the first time is new everywhere,
 * and that says nothing.
 *
 * It keeps what it knows in memory, bounded, and forgets the oldest first: a restart forgets all.
 * Make it a sink of the audit events beside your own; time is what the events and the questions
 * say.
 *
 *     const risk = new SignInRisk({ anonymisers })
 *     createCloud({ audit: teeAudit(jsonLinesAudit(write), risk), risk, locate, … })
 *
 * @see spec/PROTOCOL.md, "Risk"
 * @module
 */
import { atOnce, Containment } from '../../runtime/containment.ts'
import type { AuditEvent } from '../audit/audit-events.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import { RISK_LEVELS, type RiskLevel } from '../rules/access-policy.ts'
import { networksOf } from '../rules/conditions.ts'
import { isInside, neighbourhood, parseAddress, type Network } from '../rules/network.ts'
import type { Locate, Place, RiskAssessment, RiskAssessor, RiskQuery } from './risk.ts'

/** What the reference assessor finds. */
export type RiskReason =
  'new-network' | 'new-country' | 'impossible-travel' | 'many-failures' | 'anonymiser'

/** Options of {@link SignInRisk}. */
export interface SignInRiskOptions {
  /**
   * Where addresses are; without it countries and travel are not known. Give the same as to the
   * cloud.
   */
  readonly locate?: Locate
  /** Networks of anonymising services, as `address/prefix-length`. Default none. */
  readonly anonymisers?: readonly string[]
  /** Refused sign-ins within `failureMs` that are many. Default 10. */
  readonly failures?: number
  /** Milliseconds, default 15 minutes. */
  readonly failureMs?: number
  /** Faster than this nobody travels: kilometres per hour, default 1000. */
  readonly fastest?: number
  /** Less far than this is not travel but a look-up that is not exact: kilometres, default 300. */
  readonly nearest?: number
  /** Users, and sources of failures, remembered. Default 10 000 of each. */
  readonly remembered?: number
  /** Levels other than those of the table. */
  readonly levels?: Readonly<Partial<Record<RiskReason, RiskLevel>>>
}

const LEVELS: Readonly<Record<RiskReason, RiskLevel>> = {
  'new-network': 'low',
  'new-country': 'medium',
  'impossible-travel': 'high',
  'many-failures': 'medium',
  anonymiser: 'medium',
}
/**
 * Refusals that are no sign of an attack: the user changed their mind, could not be signed in
 * silently, or came back to an old tab; or any site's page had their browser ask for the address.
 */
const HARMLESS: ReadonlySet<string | undefined> = new Set([
  'access-denied',
  'attempt-expired',
  'attempt-missing',
  'attempt-used',
  'callback-malformed',
  'interaction-needed',
])
/** Networks and countries remembered of a user. */
const MAX_PLACES = 16

/**
 * The reference assessor: an {@link AuditSink} that learns, and a {@link RiskAssessor} that tells.
 *
 *     const risk = new SignInRisk({ anonymisers })
 *     createCloud({ audit: teeAudit(jsonLinesAudit(write), risk), risk, locate, … })
 */
export class SignInRisk implements RiskAssessor, AuditSink {
  readonly #options: Required<Omit<SignInRiskOptions, 'locate' | 'anonymisers'>>
  readonly #locate: Locate | undefined
  readonly #anonymisers: readonly Network[]
  readonly #users = new Map<string, History>()
  /** Times of the last refusals, the newest last, by user and by address. */
  readonly #failures = new Map<string, readonly number[]>()

  /** @throws ConfigurationInvalid when one of `anonymisers` is no network */
  constructor({ locate, anonymisers = [], ...options }: SignInRiskOptions = {}) {
    // A look-up that fails means "not known"; the event is remembered all the same.
    this.#locate =
      locate &&
      new Containment().lookUp('locate', (address) => ({ ...atOnce(locate(address)) }), undefined)
    this.#anonymisers = networksOf(anonymisers, 'anonymisers')
    this.#options = {
      ...{ failures: 10, failureMs: 15 * 60_000, fastest: 1000, nearest: 300, remembered: 10_000 },
      ...options,
      levels: { ...LEVELS, ...options.levels },
    }
  }

  /** Learns from the audit events: sign-ins, and those that were refused. */
  write(event: AuditEvent): void {
    if (event.type === 'sign-in.signed-in') {
      const { tenantId, subject, address, time } = event
      if (tenantId !== undefined && subject !== undefined && address !== undefined)
        this.#signedIn(userKey(tenantId, subject), address, time)
    } else if (event.type === 'sign-in.denied') {
      const { tenantId, subject, address, time, outcome, reason } = event
      if (outcome !== 'refused' || HARMLESS.has(reason)) return
      if (address !== undefined) this.#failed(addressKey(address), time)
      if (tenantId !== undefined && subject !== undefined)
        this.#failed(userKey(tenantId, subject), time)
    }
  }

  assess(query: RiskQuery): RiskAssessment {
    const reasons = this.#reasons(query)
    const rank = (reason: RiskReason) => RISK_LEVELS.indexOf(this.#options.levels[reason]!)
    const level = RISK_LEVELS[Math.max(0, ...reasons.map(rank))]!
    return { level, reasons }
  }

  #reasons({ tenantId, subject, address, place, now }: RiskQuery): RiskReason[] {
    const user = userKey(tenantId, subject)
    const history = this.#users.get(user)
    const parsed = parseAddress(address)
    const reasons: RiskReason[] = []
    if (history !== undefined && parsed !== undefined) {
      if (!history.networks.includes(neighbourhood(parsed))) reasons.push('new-network')
      const { country } = place ?? {}
      if (
        country !== undefined &&
        history.countries.length > 0 &&
        !history.countries.includes(country)
      )
        reasons.push('new-country')
      if (this.#isTooFar(history, place, now)) reasons.push('impossible-travel')
    }
    if (this.#areMany(user, now) || this.#areMany(addressKey(address), now))
      reasons.push('many-failures')
    if (parsed !== undefined && isInside(parsed, this.#anonymisers)) reasons.push('anonymiser')
    return reasons
  }

  #isTooFar({ last }: History, place: Place | undefined, now: number): boolean {
    const there = last && coordinates(last.place)
    const here = coordinates(place)
    if (there === undefined || here === undefined) return false
    const { nearest, fastest } = this.#options
    const kilometres = distance(there, here)
    const hours = Math.max(0, now - last!.time) / 3_600_000
    return kilometres > nearest && kilometres > hours * fastest
  }

  #areMany(key: string, now: number): boolean {
    const { failures, failureMs } = this.#options
    const times = this.#failures.get(key)
    return times?.length === failures && times[0]! > now - failureMs
  }

  #signedIn(user: string, address: string, time: number): void {
    const parsed = parseAddress(address)
    if (parsed === undefined) return
    const place = this.#locate?.(address)
    const { networks = [], countries = [], last } = this.#users.get(user) ?? {}
    this.#keep(this.#users, user, {
      networks: newestLast(networks, neighbourhood(parsed)),
      countries: newestLast(countries, place?.country),
      // An unknown place does not replace the last known one.
      last: coordinates(place) === undefined ? last : { place, time },
    })
  }

  #failed(key: string, time: number): void {
    const times = [...(this.#failures.get(key) ?? []), time]
    this.#keep(this.#failures, key, times.slice(-this.#options.failures))
  }

  /** Maps keep the order of insertion: the first key is the one not heard of for longest. */
  #keep<T>(map: Map<string, T>, key: string, value: T): void {
    map.delete(key)
    map.set(key, value)
    if (map.size > this.#options.remembered) map.delete(map.keys().next().value!)
  }
}

/** Where a user has signed in, the newest last. */
interface History {
  readonly networks: readonly string[]
  readonly countries: readonly string[]
  readonly last: { readonly place: Place | undefined; readonly time: number } | undefined
}

const userKey = (tenantId: string, subject: string) => JSON.stringify([tenantId, subject])
const addressKey = (address: string) => `address ${address}`

function newestLast(list: readonly string[], item: string | undefined): readonly string[] {
  if (item === undefined) return list
  return [...list.filter((one) => one !== item), item].slice(-MAX_PLACES)
}

function coordinates(place: Place | undefined): readonly [number, number] | undefined {
  const { latitude, longitude } = place ?? {}
  return latitude === undefined || longitude === undefined ? undefined : [latitude, longitude]
}

/** Kilometres along a great circle. */
function distance(
  [latitude1, longitude1]: readonly [number, number],
  [latitude2, longitude2]: readonly [number, number],
): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180
  const half = (degrees: number) => Math.sin(radians(degrees) / 2) ** 2
  const a =
    half(latitude2 - latitude1) +
    Math.cos(radians(latitude1)) * Math.cos(radians(latitude2)) * half(longitude2 - longitude1)
  return 2 * 6371 * Math.asin(Math.min(1, Math.sqrt(a)))
}
