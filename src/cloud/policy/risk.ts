/**
 * The risk port: how unusual a sign-in is, for the policies that ask.
 *
 * @module
 */
import type { RiskLevel } from '../rules/access-policy.ts'

/** Where an address is, as far as a look-up knows. */
export interface Place {
  /** ISO 3166-1 alpha-2, capital letters. */
  readonly country?: string | undefined
  /** Degrees, north and east positive. */
  readonly latitude?: number | undefined
  readonly longitude?: number | undefined
}

/**
 * Looks an address up: your GeoIP database. Synchronous and quick, because requests wait for it;
 * `undefined`: not known, and so is where it throws.
 */
export type Locate = (address: string) => Place | undefined

/** Who comes from where. */
export interface RiskQuery {
  readonly tenantId: string
  /** The issuer's `sub`. */
  readonly subject: string
  /** Canonical, or `unknown`. */
  readonly address: string
  readonly place: Place | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

/** How unusual it is, and why. */
export interface RiskAssessment {
  readonly level: RiskLevel
  /** Stable words, such as `new-country`; none where the level is `none`. */
  readonly reasons: readonly string[]
}

/**
 * Asked at each sign-in, and again about every minute for whoever is signed in where policies ask
 * for risk. Synchronous; where it throws, the risk is not known.
 */
export interface RiskAssessor {
  assess(query: RiskQuery): RiskAssessment
}
