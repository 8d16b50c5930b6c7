/**
 * Groups, applications and sessions, as an operator sees them.
 */
import type { ApplicationView, GroupView, QueueView, SessionView } from 'app-proxy/cloud/admin'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { allOf } from '../program/mistakes.ts'
import type { Surroundings } from '../program/program.ts'
import { AdminApiCalls } from './api.ts'
import type { AdminEndGiven, AdminListGiven, AdminSessionsGiven } from './flags.ts'
import { table, time } from './table.ts'

interface Listed<T> {
  readonly items: readonly T[]
}

/** Resolves with the exit code, as all of these. */
export async function listGroups(given: AdminListGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const listed = await api.get<Listed<GroupView>>('/v1/groups', { tenant: given.tenant })
  const columns = ['ID', 'NAME', 'TENANT', 'CONNECTORS', 'LINKS', 'CAPACITY', 'WAITING', 'SERVES']
  const rows = listed.items.map((one) => [
    ...[one.id, one.name, one.tenantId, one.connectors, one.links, one.capacity, one.waiting],
    one.applications.join(', '),
  ])
  surroundings.say(given.json ? JSON.stringify(listed) : table(columns, rows))
  return 0
}

export async function listQueues(given: AdminListGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const listed = await api.get<Listed<QueueView>>('/v1/queue', { tenant: given.tenant })
  surroundings.say(given.json ? JSON.stringify(listed) : queueTables(listed.items))
  return 0
}

/** The groups; then, where there are any, what waits and what is passed over. */
function queueTables(queues: readonly QueueView[]): string {
  const groups = queues.map((one) => [
    ...[one.groupId, one.tenantId, one.links.length, one.capacity, one.grants, one.waiting],
    ...[seconds(one.oldestWaitMs), one.others.grants, one.others.sent, one.others.taken],
  ])
  const waiting = queues.flatMap(({ groupId, applications }) =>
    applications
      .filter((one) => one.waiting > 0 || one.held >= one.mayHold)
      .map((one) => [
        ...[one.applicationId, groupId, one.waiting, seconds(one.oldestWaitMs)],
        ...[`${one.held}/${one.mayHold}`, `${one.blockedUsers}/${one.users}`],
      ]),
  )
  const passedOver = queues.flatMap(({ groupId, passedOver: pairs }) =>
    pairs.map((one) => [
      ...[one.connectorId, groupId, one.applicationId, one.health, one.reason],
      ...[seconds(one.untilMs), `${one.unanswered}/${one.ramp}`],
    ]),
  )
  const untold = queues.reduce((sum, one) => sum + one.untold, 0)
  return [
    table([...GROUP, 'OLDEST', 'ELSEWHERE', 'SENT', 'TAKEN'], groups),
    ...(waiting.length > 0 ? [table(WAITING, waiting)] : []),
    ...(passedOver.length > 0 ? [table(PASSED_OVER, passedOver)] : []),
    ...(untold > 0 ? [`and ${untold} more`] : []),
  ].join('\n\n')
}

const GROUP = ['GROUP', 'TENANT', 'LINKS', 'CAPACITY', 'GRANTS', 'WAITING']
const WAITING = ['APPLICATION', 'GROUP', 'WAITING', 'OLDEST', 'HOLDS', 'BLOCKED USERS']
const PASSED_OVER = [
  ...['CONNECTOR', 'GROUP', 'APPLICATION', 'HEALTH', 'WHY', 'AGAIN IN', 'UNANSWERED'],
]

const seconds = (ms: number | undefined) =>
  ms === undefined ? '-' : `${(ms / 1_000).toFixed(1)} s`

export async function listApplications(given: AdminListGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const listed = await api.get<Listed<ApplicationView>>('/v1/applications', {
    tenant: given.tenant,
  })
  const columns = ['ID', 'NAME', 'TENANT', 'GROUP', 'OPEN', 'WAITING', 'FAILING', 'USERS COME TO']
  const rows = listed.items.map((one) => [
    ...[one.id, one.name, one.tenantId, one.groupId, one.open, one.waiting],
    one.connectors
      .filter(({ health }) => health !== 'healthy')
      .map(({ connectorId }) => connectorId)
      .join(', ') || '-',
    one.maintenance ? `${one.externalUrl} (maintenance)` : one.externalUrl,
  ])
  surroundings.say(given.json ? JSON.stringify(listed) : table(columns, rows))
  return 0
}

export async function listSessions(given: AdminSessionsGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const { tenant, subject, json } = given
  const listed = await api.get<Listed<SessionView>>('/v1/sessions', { tenant, subject })
  const columns = ['ID', 'USER', 'TENANT', 'APPLICATION', 'OPEN', 'SINCE', 'ENDS']
  const rows = listed.items.map((one) => [
    ...[one.sessionId ?? '-', one.subject, one.tenantId, one.applicationId, one.open],
    ...[time(one.startedAt), time(one.expiresAt)],
  ])
  surroundings.say(json ? JSON.stringify(listed) : table(columns, rows))
  return 0
}

export async function endSessions(given: AdminEndGiven, surroundings: Surroundings) {
  const { tenant: tenantId, subject, session: sessionId, json } = given
  const [api] = await allOf(
    () => AdminApiCalls.open(given, surroundings),
    () => checkEnd(given),
  )
  const body = sessionId === undefined ? { tenantId, subject } : { sessionId }
  await api.post('/v1/sessions/end', { body })
  surroundings.say(
    json ? JSON.stringify(body) : 'ended; what is open in their name ends within a second',
  )
  return 0
}

function checkEnd({ tenant, subject, session }: AdminEndGiven): void {
  if ((subject === undefined) === (session === undefined))
    throw new ConfigurationInvalid([
      { path: '--subject', detail: 'or --session must be given, and not both' },
    ])
  if (session !== undefined && tenant !== undefined)
    throw new ConfigurationInvalid([{ path: '--tenant', detail: 'stands with --subject only' }])
}
