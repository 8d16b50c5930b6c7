/**
 * Enrolment tickets, as an operator makes, sees and ends them.
 */
import type { NewTicketView, TicketView } from 'app-proxy/cloud/admin'
import { replacePrivateFile } from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { allOf } from '../program/mistakes.ts'
import { printable } from '../program/printable.ts'
import type { Surroundings } from '../program/program.ts'
import { AdminApiCalls } from './api.ts'
import type { AdminGiven, AdminListGiven, AdminTicketGiven } from './flags.ts'
import { table, time } from './table.ts'

const revokePath = (id: string) => `/v1/tickets/${encodeURIComponent(id)}/revoke`

/** Resolves with the exit code, as all of these. */
export async function listTickets(given: AdminListGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const { tenant, json } = given
  const listed = await api.get<{ readonly items: readonly TicketView[] }>('/v1/tickets', { tenant })
  const columns = ['ID', 'TENANT', 'GROUP', 'AT FIRST', 'MADE BY', 'GOOD UNTIL']
  const rows = listed.items.map(({ id, tenantId, groupId, standing, maker, expiresAt }) => [
    ...[id, tenantId, groupId, standing, maker.name, time(expiresAt)],
  ])
  surroundings.say(json ? JSON.stringify(listed) : table(columns, rows))
  return 0
}

export async function createTicket(given: AdminTicketGiven, surroundings: Surroundings) {
  const { tenant, group, key, out, active, minutes = '60', json } = given
  const { say, log } = surroundings
  const [api] = await allOf(
    () => AdminApiCalls.open(given, surroundings),
    () => {
      const value = JSON.stringify(minutes)
      if (!/^[1-9]\d{0,4}$/.test(minutes))
        throw new ConfigurationInvalid([{ path: '--minutes', detail: 'must be a number', value }])
    },
  )
  const body = {
    tenantId: tenant,
    validMs: Number(minutes) * 60_000,
    standing: active ? 'active' : 'pending',
    ...(group !== undefined && { groupId: group }),
    ...(key !== undefined && { keyThumbprint: key }),
  }
  const { ticket, ...made } = (await api.post('/v1/tickets', { body })) as NewTicketView
  if (out !== undefined)
    await replacePrivateFile(out, `${ticket}\n`).catch(async (error: unknown) => {
      // Nobody has it, and it would be open.
      await api.post(revokePath(made.id))
      throw error
    })
  if (json) say(JSON.stringify({ ...made, ...(out === undefined ? { ticket } : { out }) }))
  else if (out === undefined) say(printable(ticket))
  if (!json) log(printable(`ticket ${made.id} is good until ${time(made.expiresAt)}`))
  return 0
}

export async function revokeTicket(given: AdminGiven, surroundings: Surroundings) {
  const api = await AdminApiCalls.open(given, surroundings)
  const id = given.given[0]!
  await api.post(revokePath(id))
  surroundings.say(given.json ? JSON.stringify({ id }) : printable(`ticket ${id} is revoked`))
  return 0
}
