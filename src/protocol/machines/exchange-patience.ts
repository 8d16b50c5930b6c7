/**
 * How long an exchange may stand still.
 *
 * @see spec/PROTOCOL.md, "Limits"
 * @module
 */
import type { ExchangeState } from './exchange-tables.ts'
import type { TimeLimits } from '../wire/limits.ts'

/** Limits of what stands still. */
export type PatienceLimits = Pick<TimeLimits, 'idleMs' | 'stalledMs' | 'tunnelIdleMs' | 'drainMs'>

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
      return isUserSlow ? limits.stalledMs : responseHeadMs
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
