/**
 * Makes a one-time ticket by which one connector can be registered at a cloud server without an
 * issuer. For the operator of the service, at the service: it opens the registry in the server's
 * state directory, or in its broker, whether the server runs or not.
 */
import { userInfo } from 'node:os'
import {
  createDirectory,
  defaultCryptoProvider,
  EnrolmentTickets,
  type AuditSink,
} from 'app-proxy/cloud'
import { auditFile, auditStream, replacePrivateFile, type AuditFile } from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readCloudServerConfiguration } from './configuration.ts'
import { openRegistry, type Closing } from './engines.ts'
import type { CloudTicketGiven } from './flags.ts'
import type { Surroundings } from '../program/program.ts'

/** Resolves with the exit code. */
export async function makeTicket(
  given: CloudTicketGiven,
  { say, log }: Surroundings,
): Promise<number> {
  const { config: file, tenant, group, key, out, minutes = '60' } = given
  if (!/^[1-9]\d{0,4}$/.test(minutes)) {
    const value = JSON.stringify(minutes)
    throw new ConfigurationInvalid([{ path: '--minutes', detail: 'must be a number', value }])
  }
  const settings = await readCloudServerConfiguration(file)
  const { audit, directory } = settings
  const sink: AuditSink & Partial<AuditFile> =
    typeof audit.to === 'string'
      ? auditStream(process.stderr, audit)
      : auditFile(audit.to.file, audit)
  const closing: Closing = [() => sink.close?.()]
  try {
    const tickets = new EnrolmentTickets({
      directory: createDirectory(directory, { file, at: 'directory' }),
      registry: await openRegistry(file, settings, closing),
      audit: sink,
      clocks: { now: () => performance.now(), wallClock: () => Date.now() },
      crypto: await defaultCryptoProvider(),
    })
    const { ticket, id, expiresAt } = await tickets.create({
      tenantId: tenant,
      by: { operator: whoAmI() },
      validMs: Number(minutes) * 60_000,
      standing: given.active ? 'active' : 'pending',
      ...(group !== undefined && { groupId: group }),
      ...(key !== undefined && { keyThumbprint: key }),
    })
    const until = new Date(expiresAt).toISOString()
    if (given.json) say(JSON.stringify({ id, expiresAt: until, ...(out ? { out } : { ticket }) }))
    else if (out === undefined) say(ticket)
    if (out !== undefined)
      await replacePrivateFile(out, `${ticket}\n`).catch(async (error: unknown) => {
        // Nobody has it, and it would be open.
        await tickets.revoke({ tenantId: tenant, id })
        throw error
      })
    if (!given.json) log(`ticket ${id} is good until ${until}`)
    return 0
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** In a container the process's user may have no name. */
function whoAmI(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.()}`
  }
}
