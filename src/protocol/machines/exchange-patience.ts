/**
 * How long an exchange may stand still.
 *
 * @see spec/PROTOCOL.md, "Limits"
 * @module
 */
import type { ExchangeState } from './exchange-tables.ts'
import type { TimeLimits } from '../wire/limits.ts'

/** Limits of what stands still. */
export type PatienceLimits = Pick<
  TimeLimits,
  'idleMs' | 'stalledMs' | 'tunnelIdleMs' | 'drainMs'
> & {
  /** A request's body that its user does not go on with. Default: `stalledMs`. */
  readonly requestIdleMs?: number | undefined
}

/** What an application says of these limits itself; milliseconds. */
export interface OwnPatience {
  readonly requestIdleMs?: number | undefined
  readonly responseIdleMs?: number | undefined
}

/** The limits of one application's exchanges; `own` undefined: it says nothing. */
export function patienceFor(own: OwnPatience | undefined, limits: PatienceLimits): PatienceLimits {
  if (own === undefined) return limits
  const { requestIdleMs, responseIdleMs } = own
  if (requestIdleMs === undefined && responseIdleMs === undefined) return limits
  return { ...limits, idleMs: responseIdleMs ?? limits.idleMs, requestIdleMs }
}

/**
 * Milliseconds since either body last moved.
 *
 * @param isUserSlow whether it is the user we wait for
 */
export function patienceOf(
  state: ExchangeState,
  isUserSlow: boolean,
  isEventStream: boolean,
  responseHeadMs: number,
  limits: PatienceLimits,
): number {
  switch (state) {
    case 'claimed':
    case 'awaiting-response':
      return isUserSlow ? (limits.requestIdleMs ?? limits.stalledMs) : responseHeadMs
    case 'responding':
      if (isEventStream) return limits.tunnelIdleMs
      return isUserSlow ? limits.stalledMs : limits.idleMs
    case 'tunnel':
      return limits.tunnelIdleMs
    case 'answered':
      return limits.drainMs
    default:
      return Infinity
  }
}
