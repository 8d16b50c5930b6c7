/**
 * The instances of the service, as one of them knows them.
 */
import type { KnownInstanceView } from 'app-proxy/cloud/admin'
import type { Surroundings } from '../program/program.ts'
import { AdminApiCalls } from './api.ts'
import type { AdminGiven } from './flags.ts'
import { table, time } from './table.ts'

const COLUMNS = ['ID', 'STATE', 'HEARD', 'LINKS', 'OPEN', 'VERSION', 'SINCE', 'CONNECTORS DIAL']

/** Resolves with the exit code. */
export async function listInstances(given: AdminGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const listed = await api.get<{ readonly items: readonly KnownInstanceView[] }>('/v1/instances')
  const rows = listed.items.map((one) => [
    ...[one.instance, one.state, heard(one), one.links, one.open],
    ...[one.version ?? '-', time(one.since), one.connectorUrl ?? '-'],
  ])
  surroundings.say(given.json ? JSON.stringify(listed) : table(COLUMNS, rows))
  return 0
}

/** The one that answers has it from itself. */
const heard = ({ isAsked, heardAgoMs }: KnownInstanceView) =>
  isAsked ? 'is asked' : `${(heardAgoMs / 1_000).toFixed(1)} s ago`
