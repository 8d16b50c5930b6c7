/**
 * What an operator changes in a connector's record, and what time does to it, over the tables of a
 * transaction.
 *
 * @module
 */
import {
  ConfigurationInvalid,
  mayOrder,
  nextConnectorRecord,
  Refused,
  type ConnectorRecordEvent,
  type LinksFate,
} from '../../protocol/internal.ts'
import type { ExpiredConnectors, RecordChange, StandingChange } from './connector-registry.ts'
import { connectorTag, type ConnectorRecord, type ConnectorStanding } from './connector-records.ts'
import type { RegistryTables } from './transactional-registry.ts'

type OrderedStanding = Exclude<ConnectorStanding, 'pending'>

const EVENTS = {
  active: 'activate',
  draining: 'drain',
  disabled: 'disable',
  revoked: 'revoke',
} as const satisfies Record<OrderedStanding, ConnectorRecordEvent['type']>

/** For how long after its last certificate a forgotten connector is refused. Milliseconds. */
const FORGOTTEN_LEEWAY_MS = 24 * 60 * 60 * 1000

export function changeStanding(
  tables: RegistryTables,
  connectorId: string,
  standing: OrderedStanding,
  now: number,
  { expected, until }: StandingChange,
): ConnectorRecord {
  const row = existing(tables, connectorId, expected)
  const type = EVENTS[standing]
  if (!mayOrder(row.standing, type))
    throw new ConfigurationInvalid(
      'standing',
      `a connector that is ${row.standing} cannot become ${standing}`,
    )
  if (until !== undefined && (standing !== 'active' || until <= now))
    throw new ConfigurationInvalid('until', 'must be in the future, and of an approval')
  const { state, since, fate } = moved(row, { type, now })
  const ends = standing === 'draining' ? row.standingUntil : until
  if (fate === undefined && ends === row.standingUntil) return row
  const { standingUntil: _before, ...rest } = row
  const changed: ConnectorRecord = {
    ...rest,
    ...(fate !== undefined && { standing: state, standingSince: since }),
    ...(ends !== undefined && { standingUntil: ends }),
  }
  return written(tables, changed, fate ?? 'keep')
}

export function changeGroup(
  tables: RegistryTables,
  connectorId: string,
  groupId: string,
  { expected }: RecordChange,
): ConnectorRecord {
  // Its links carry offers of the old group: it comes back with the new one.
  return written(tables, { ...existing(tables, connectorId, expected), groupId }, 'drain')
}

export function renameConnector(
  tables: RegistryTables,
  connectorId: string,
  name: string,
  { expected }: RecordChange,
): ConnectorRecord {
  return written(tables, { ...existing(tables, connectorId, expected), name }, 'keep')
}

export function forgetConnector(
  tables: RegistryTables,
  connectorId: string,
  now: number,
  { expected }: RecordChange,
): ConnectorRecord {
  const { standingUntil: _until, ...row } = existing(tables, connectorId, expected)
  const ends = (tables.get('serials', connectorId) ?? []).map(
    (serial) => tables.get('certificates', serial)?.expiresAt ?? now,
  )
  const until = Math.max(now, ...ends) + FORGOTTEN_LEEWAY_MS
  const members = tables.get('members', row.tenantId) ?? []
  tables.put(
    'members',
    row.tenantId,
    members.filter((id) => id !== connectorId),
  )
  return written(tables, { ...row, forgotten: { at: now, until } }, 'cut')
}

/** Lapses standings, and lets go of what was forgotten long enough. */
export function expireConnectors(tables: RegistryTables, now: number): ExpiredConnectors {
  const lapsed: ConnectorRecord[] = []
  const gone: ConnectorRecord[] = []
  for (const [id, at] of [...tables.entries('terms')]) {
    if (at > now) continue
    const row = tables.get('connectors', id)
    if (row === undefined) tables.remove('terms', id)
    else if (row.forgotten === undefined) lapsed.push(lapse(tables, row, now))
    else gone.push(letGo(tables, row))
  }
  return { lapsed, gone }
}

/** Keeps a record and when it ends, if it does. */
export function putConnector(tables: RegistryTables, connector: ConnectorRecord): void {
  const { id, standingUntil, forgotten } = connector
  const at = forgotten?.until ?? standingUntil
  tables.put('connectors', id, connector)
  if (at !== undefined) tables.put('terms', id, at)
  else if (tables.get('terms', id) !== undefined) tables.remove('terms', id)
}

function lapse(
  tables: RegistryTables,
  { standingUntil: _over, ...row }: ConnectorRecord,
  now: number,
): ConnectorRecord {
  const { state, since, fate = 'keep' } = moved(row, { type: 'lapse', now })
  return written(tables, { ...row, standing: state, standingSince: since }, fate)
}

function letGo(tables: RegistryTables, row: ConnectorRecord): ConnectorRecord {
  for (const serial of tables.get('serials', row.id) ?? []) tables.remove('certificates', serial)
  tables.remove('serials', row.id)
  tables.remove('connectors', row.id)
  tables.remove('terms', row.id)
  return row
}

/** `fate` is absent where nothing moves. */
function moved(row: ConnectorRecord, event: ConnectorRecordEvent) {
  let fate: LinksFate | undefined
  const from = { state: row.standing, since: row.standingSince ?? row.registeredAt }
  const { state, since } = nextConnectorRecord(from, event, { links: (links) => (fate = links) })
  return { state, since, fate }
}

function written(
  tables: RegistryTables,
  connector: ConnectorRecord,
  links: LinksFate,
): ConnectorRecord {
  putConnector(tables, connector)
  tables.tell({ type: 'changed', connector, links })
  return connector
}

/** @throws Refused `not-found`, also for one that is forgotten; `conflict` */
function existing(
  tables: RegistryTables,
  connectorId: string,
  expected: string | undefined,
): ConnectorRecord {
  const connector = tables.get('connectors', connectorId)
  if (connector === undefined || connector.forgotten !== undefined)
    throw new Refused('not-found', `there is no connector "${connectorId}"`)
  if (expected !== undefined && connectorTag(connector) !== expected)
    throw new Refused('conflict', `connector "${connectorId}" was changed meanwhile`)
  return connector
}
