/**
 * Connectors, as an operator sees and changes them.
 */
import type { ConnectorView } from 'app-proxy/cloud/admin'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { aligned } from '../program/flags.ts'
import { allOf } from '../program/mistakes.ts'
import { printable } from '../program/printable.ts'
import type { Surroundings } from '../program/program.ts'
import { AdminApiCalls } from './api.ts'
import type {
  AdminApproveGiven,
  AdminChangeGiven,
  AdminConnectorsGiven,
  AdminGiven,
} from './flags.ts'
import { table, time } from './table.ts'

const HOUR_MS = 60 * 60 * 1000
const pathOf = (id: string) => `/v1/connectors/${encodeURIComponent(id)}`

/** Resolves with the exit code, as all of these. */
export async function listConnectors(given: AdminConnectorsGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const { tenant, group, standing, json } = given
  const query = { tenant, group, standing }
  const listed = await api.get<{ readonly items: readonly ConnectorView[] }>(
    '/v1/connectors',
    query,
  )
  const columns = ['ID', 'NAME', 'TENANT', 'GROUP', 'STANDING', 'LINKS', 'IN FLIGHT', 'LAST SEEN']
  const rows = listed.items.map((one) => [
    ...[one.id, one.name, one.tenantId, one.groupId, one.standing],
    ...[one.links, `${one.inFlight} of ${one.capacity}`, time(one.lastSeenAt)],
  ])
  surroundings.say(json ? JSON.stringify(listed) : table(columns, rows))
  return 0
}

export async function showConnector(given: AdminGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const connector = await api.get<ConnectorView>(pathOf(given.given[0]!))
  surroundings.say(given.json ? JSON.stringify(connector) : connectorLines(connector))
  return 0
}

/** A change without a value of its own. */
export const changeBy =
  (verb: 'drain' | 'disable' | 'revoke') => (given: AdminChangeGiven, surroundings: Surroundings) =>
    change(given, surroundings, verb, () => ({}))

export function approveConnector(given: AdminApproveGiven, surroundings: Surroundings) {
  return change(given, surroundings, 'approve', () => {
    const { hours } = given
    if (hours === undefined) return {}
    if (!/^[1-9]\d{0,5}$/.test(hours))
      throw new ConfigurationInvalid([
        { path: '--hours', detail: 'must be a whole number above 0', value: JSON.stringify(hours) },
      ])
    return { until: Date.now() + Number(hours) * HOUR_MS }
  })
}

export const moveConnector = (given: AdminChangeGiven, surroundings: Surroundings) =>
  change(given, surroundings, 'move', () => ({ groupId: given.given[1] }))

export const renameConnector = (given: AdminChangeGiven, surroundings: Surroundings) =>
  change(given, surroundings, 'rename', () => ({ name: given.given[1] }))

export async function forgetConnector(given: AdminChangeGiven, surroundings: Surroundings) {
  const { id, name } = (await changed(given, surroundings, 'forget', () => ({}))).before
  const { say } = surroundings
  say(given.json ? JSON.stringify({ id, name }) : `${id} "${printable(name)}" is forgotten`)
  return 0
}

async function change(
  given: AdminChangeGiven,
  surroundings: Surroundings,
  verb: string,
  bodyOf: () => object,
) {
  const after = (await changed(given, surroundings, verb, bodyOf)).after as ConnectorView
  const { id, name, groupId, standing, standingUntil } = after
  const until = standingUntil === undefined ? '' : ` until ${time(standingUntil)}`
  const line = `${id} "${name}" of group ${groupId} is ${standing}${until}`
  surroundings.say(given.json ? JSON.stringify(after) : printable(line))
  return 0
}

/** Reads it, and changes what was read and nothing else. */
async function changed(
  given: AdminChangeGiven,
  surroundings: Surroundings,
  verb: string,
  bodyOf: () => object,
) {
  const [api, body] = await allOf(() => AdminApiCalls.open(given, surroundings), bodyOf)
  const path = pathOf(given.given[0]!)
  const before = await api.get<ConnectorView>(path)
  const ifMatch = given['if-match'] ?? before.etag
  return { before, after: await api.post(`${path}/${verb}`, { body, ifMatch }) }
}

function connectorLines(connector: ConnectorView): string {
  const { standing, standingSince, standingUntil, version, address, links } = connector
  const since = standingSince === undefined ? '' : ` since ${time(standingSince)}`
  const until = standingUntil === undefined ? '' : `, until ${time(standingUntil)}`
  const rows: (readonly [string, string])[] = [
    ['connector', `${connector.id} "${connector.name}"`],
    ['of', `tenant ${connector.tenantId}, group ${connector.groupId}`],
    ['standing', `${standing}${since}${until}`],
    ['registered', time(connector.registeredAt)],
    [
      'last seen',
      `${time(connector.lastSeenAt)}${address === undefined ? '' : ` from ${address}`}`,
    ],
    ['version', version ?? '-'],
    ['certificate', `ends ${time(connector.certificateExpiresAt)}`],
    ['links', `${links}, ${connector.inFlight} of ${connector.capacity} in flight`],
    ...connector.applications.map(({ applicationId, health, faults, lastFault }) => {
      const last = lastFault && `, the last ${time(lastFault.at)}: ${lastFault.reason}`
      return [`application ${applicationId}`, `${health}, ${faults} faults${last ?? ''}`] as const
    }),
    ['etag', connector.etag],
  ]
  return aligned(rows.map(([left, right]) => [printable(left), printable(right)])).join('\n')
}
