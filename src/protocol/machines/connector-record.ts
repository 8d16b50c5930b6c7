/**
 * What a registered connector may do: the standing that its record carries, and how an operator
 * moves it.
 *
 * - `pending`: its certificate may pull configuration, renew; offers: none until an operator
 *   approves; its links are kept
 * - `active`: its certificate may do everything; offers: yes; its links are kept
 * - `draining`: its certificate may do everything; offers: no new ones; what it claimed is
 *   finished; its links drain
 * - `disabled`: its certificate may pull configuration, renew; offers: none; its links are cut
 * - `revoked`: its certificate is refused everywhere, forever; offers: none; its links are cut
 *
 * A standing may have an end of its own. An approval that lapses makes the connector wait again;
 * one that waited in vain is disabled.
 *
 * @see spec/PROTOCOL.md, "Connectors"
 * @module
 */
import { next, type Moves } from './moves.ts'
import { ignored, misuse, type Table } from './table.ts'

/** A connector's standing, with when it came about (milliseconds since 1970). */
export type ConnectorRecordState =
  | { readonly state: 'pending'; readonly since: number }
  | { readonly state: 'active'; readonly since: number }
  | { readonly state: 'draining'; readonly since: number }
  | { readonly state: 'disabled'; readonly since: number }
  | { readonly state: 'revoked'; readonly since: number }

/**
 * What an operator orders, and `lapse`: the time of a standing is over. `now` is milliseconds since
 * 1970.
 */
export type ConnectorRecordEvent =
  | { readonly type: 'activate'; readonly now: number }
  | { readonly type: 'drain'; readonly now: number }
  | { readonly type: 'disable'; readonly now: number }
  | { readonly type: 'revoke'; readonly now: number }
  | { readonly type: 'lapse'; readonly now: number }

/** Every state × event pair of a connector's record. */
// prettier-ignore
export const CONNECTOR_RECORD = {
  pending:  { activate: 'active', drain: misuse,     disable: 'disabled', revoke: 'revoked', lapse: 'disabled' },
  active:   { activate: ignored,  drain: 'draining', disable: 'disabled', revoke: 'revoked', lapse: 'pending'  },
  draining: { activate: 'active', drain: ignored,    disable: 'disabled', revoke: 'revoked', lapse: 'pending'  },
  disabled: { activate: 'active', drain: misuse,     disable: ignored,    revoke: 'revoked', lapse: ignored    },
  revoked:  { activate: misuse,   drain: misuse,     disable: misuse,     revoke: ignored,   lapse: ignored    },
} as const satisfies Table<ConnectorRecordState['state'], ConnectorRecordEvent['type']>

/** Where a record's effects go. */
export interface ConnectorRecordOutput {
  /** What must become of the connector's live links. */
  links(fate: LinksFate): void
}

/** `keep` them, let them `drain`, or `cut` them within a second. */
export type LinksFate = 'keep' | 'drain' | 'cut'

const activate = (_: unknown, { now }: { now: number }, out: ConnectorRecordOutput) => {
  out.links('keep')
  return { state: 'active', since: now } as const
}
const disable = (_: unknown, { now }: { now: number }, out: ConnectorRecordOutput) => {
  out.links('cut')
  return { state: 'disabled', since: now } as const
}
const revoke = (_: unknown, { now }: { now: number }, out: ConnectorRecordOutput) => {
  out.links('cut')
  return { state: 'revoked', since: now } as const
}

const lapse = (_: unknown, { now }: { now: number }, out: ConnectorRecordOutput) => {
  out.links('drain')
  return { state: 'pending', since: now } as const
}

const MOVES = {
  pending: { activate, disable, revoke, lapse: disable },
  active: {
    drain: (_, { now }, out) => {
      out.links('drain')
      return { state: 'draining', since: now }
    },
    disable,
    revoke,
    lapse,
  },
  draining: { activate, disable, revoke, lapse },
  disabled: { activate, revoke },
  revoked: {},
} satisfies Moves<
  typeof CONNECTOR_RECORD,
  ConnectorRecordState,
  ConnectorRecordEvent,
  ConnectorRecordOutput
>

/**
 * The next standing of a connector; the same object when nothing changes.
 *
 * @throws ApiMisuse for an order that makes no sense, such as anything after `revoked`
 */
export function nextConnectorRecord(
  from: ConnectorRecordState,
  event: ConnectorRecordEvent,
  out: ConnectorRecordOutput,
): ConnectorRecordState {
  return next(CONNECTOR_RECORD, MOVES, from, event, out)
}

/** Whether an operator's order makes sense for a connector of this standing. */
export function mayOrder(
  standing: ConnectorRecordState['state'],
  order: ConnectorRecordEvent['type'],
): boolean {
  return CONNECTOR_RECORD[standing][order] !== misuse
}

/** Whether a connector of this standing is put before new requests. */
export function takesOffers(standing: ConnectorRecordState['state']): boolean {
  return standing === 'active'
}

/** Whether a connector of this standing may serve: what it claimed, and what it needs for that. */
export function mayServe(standing: ConnectorRecordState['state']): boolean {
  return standing === 'active' || standing === 'draining'
}
