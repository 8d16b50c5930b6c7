/**
 * What an outcome says of a connector to others that have a link to it: only what is new. A fault
 * is told once, however many attempts it ends; an answer when it ends a fault.
 *
 * @module
 */
import {
  slotGet,
  type AttemptOutcome,
  type DispatchState,
  type ExchangeId,
} from '../../protocol/internal.ts'
import type { TenantKey } from '../directory/tenant-key.ts'

/** The pair that an attempt is of, as it is before its outcome is told. */
export interface SeenPair {
  readonly group: TenantKey
  readonly application: TenantKey
  readonly connectorId: string
  /** Whether the outcome, told meanwhile, changed its health. */
  isNews(outcome: AttemptOutcome): boolean
}

/** Undefined: it is on no link of this instance. Who delivers it is told each outcome anyway. */
export function seenPair({ requests }: DispatchState, id: ExchangeId): SeenPair | undefined {
  const record = slotGet(requests, id)
  const { pair, link } = record ?? {}
  if (record === undefined || pair === undefined || link?.isRemote !== false) return undefined
  const { epoch, state } = pair
  return {
    group: record.group.key as TenantKey,
    application: record.request.application as TenantKey,
    connectorId: pair.connector.id,
    isNews: (outcome) =>
      pair.epoch !== epoch ||
      (outcome === 'answered' && state !== 'healthy' && pair.state === 'healthy'),
  }
}
