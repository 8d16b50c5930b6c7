/**
 * Makes a one-time ticket by which one connector can be registered at a cloud server without an
 * issuer. For the operator of the service, at the service: it opens the registry in the server's
 * state directory, whether the server runs or not.
 *
 *     node --import tsx examples/enrolment-ticket.ts --config FILE --tenant ID [--group ID] [--minutes N] [--active] [--key THUMBPRINT] [--out FILE]
 *
 * FILE is the server's configuration, in which the tenant says `"enrolmentTickets": true`. The
 * ticket goes into `--out`, which nobody else can read, or to stdout. Its connector waits for an
 * approval unless `--active` is said. With `--key` no other connector can use it: `connector.ts
 * --show-key` says which. A mistake is one line on stderr and code 2.
 */
import { userInfo } from 'node:os'
import { join } from 'node:path'
import {
  createDirectory,
  defaultCryptoProvider,
  EnrolmentTickets,
  type AuditSink,
} from 'app-proxy/cloud'
import { openLmdbRegistry } from 'app-proxy/cloud/lmdb'
import { auditFile, auditStream, replacePrivateFile, type AuditFile } from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readCloudServerConfiguration } from './cloud-server-configuration.ts'
import { readFlags } from './program/flags.ts'
import { runAs, type Surroundings } from './program/program.ts'

const FLAGS = {
  config: { value: 'FILE', isRequired: true, text: "the server's configuration" },
  tenant: { value: 'ID', isRequired: true, text: 'whose connector it will be' },
  group: { value: 'ID', text: "the connector's group (default: the tenant's)" },
  minutes: { value: 'N', text: 'how long it is good (default: 60)' },
  active: { text: 'its connector needs no approval' },
  key: { value: 'THUMBPRINT', text: 'the only key that it is for (default: any)' },
  out: { value: 'FILE', text: 'where it is written, mode 0600 (default: to stdout)' },
} as const

/** Resolves with the exit code. */
export async function main(surroundings: Surroundings): Promise<number> {
  const { say, log } = surroundings
  const flags = readFlags(surroundings, 'node --import tsx examples/enrolment-ticket.ts', FLAGS)
  if (flags === undefined) return 0
  const { config: file, tenant, group, key, out, minutes = '60' } = flags
  if (!/^[1-9]\d{0,4}$/.test(minutes)) {
    const value = JSON.stringify(minutes)
    throw new ConfigurationInvalid([{ path: '--minutes', detail: 'must be a number', value }])
  }
  const { stateDir, audit, directory } = await readCloudServerConfiguration(file)
  const sink: AuditSink & Partial<AuditFile> =
    typeof audit.to === 'string'
      ? auditStream(process.stderr, audit)
      : auditFile(audit.to.file, audit)
  const registry = openLmdbRegistry({ path: join(stateDir, 'registry.lmdb') })
  const tickets = new EnrolmentTickets({
    directory: createDirectory(directory, { file, at: 'directory' }),
    registry,
    audit: sink,
    clocks: { now: () => performance.now(), wallClock: () => Date.now() },
    crypto: await defaultCryptoProvider(),
  })
  try {
    const { ticket, id, expiresAt } = await tickets.create({
      tenantId: tenant,
      by: { operator: whoAmI() },
      validMs: Number(minutes) * 60_000,
      standing: flags.active ? 'active' : 'pending',
      ...(group !== undefined && { groupId: group }),
      ...(key !== undefined && { keyThumbprint: key }),
    })
    if (out === undefined) say(ticket)
    else
      await replacePrivateFile(out, `${ticket}\n`).catch(async (error: unknown) => {
        // Nobody has it, and it would be open.
        await tickets.revoke({ tenantId: tenant, id })
        throw error
      })
    log(`ticket ${id} is good until ${new Date(expiresAt).toISOString()}`)
    return 0
  } finally {
    await registry.close()
    await sink.close?.()
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

await runAs('enrolment-ticket', main, import.meta.url)
