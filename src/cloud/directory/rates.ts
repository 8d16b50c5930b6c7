/**
 * Rates of requests, as an operator writes them: for a tenant, or for one application.
 *
 * @see docs/shares.md, "Rates"
 * @module
 */
import * as v from 'valibot'
import type { Rate } from '../../runtime/paced-rate.ts'
import type { Application } from './directory-port.ts'

const RateConfiguration = v.strictObject({
  perSecond: v.pipe(v.number(), v.minValue(0.001), v.maxValue(1_000_000)),
  burst: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000))),
})

export const RatesConfiguration = v.exactOptional(
  v.strictObject({
    all: v.optional(RateConfiguration),
    user: v.optional(RateConfiguration),
  }),
)
type Written = NonNullable<v.InferOutput<typeof RatesConfiguration>>

/** How many requests may come; what is absent is not limited. */
export interface Rates {
  /** All requests together. */
  readonly all?: Rate | undefined
  /** Those of one user. */
  readonly user?: Rate | undefined
}

/** Rates of an application: its own, and those of all that its tenant publishes. */
export interface ApplicationRates extends Rates {
  readonly tenant?: Rates | undefined
}

/** The application with its rates, its own and its tenant's, where there are any. */
export function withRates(
  application: Application,
  own: Written | undefined,
  tenant: Written | undefined,
): Application {
  if (own === undefined && tenant === undefined) return application
  const rates = { ...readRates(own), ...(tenant && { tenant: readRates(tenant) }) }
  return { ...application, rates }
}

function readRates({ all, user }: Written = {}): Rates {
  return { ...(all && { all: readRate(all) }), ...(user && { user: readRate(user) }) }
}

function readRate({ perSecond, burst }: NonNullable<Written['all']>): Rate {
  return { perSecond, burst: burst ?? Math.max(1, Math.ceil(perSecond)) }
}
