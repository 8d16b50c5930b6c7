/**
 * Makes a one-time ticket by which one connector can be registered at a cloud server without an
 * issuer. For the operator of the service, at the service: it opens the registry in the server's
 * state directory, whether the server runs or not.
 *
 *     node --import tsx examples/enrolment-ticket.ts --config FILE --tenant ID [--group ID] [--minutes N] [--active] [--key THUMBPRINT] [--out FILE]
 *
 * FILE is the server's configuration, in which the tenant says `"enrolmentTickets": true`. The ticket goes into
 * `--out`, which nobody else can read, or to stdout. Its connector waits for an approval unless `--active` is said.
 * With `--key` no other connector can use it: `connector.ts --show-key` says which.
 */
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import {
  createDirectory,
  defaultCryptoProvider,
  EnrolmentTickets,
  type AuditSink,
} from 'app-proxy/cloud'
import { openLmdbRegistry } from 'app-proxy/cloud/lmdb'
import { auditFile, auditStream, replacePrivateFile, type AuditFile } from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { CloudServerConfiguration } from './cloud-server-configuration.ts'

const { values } = parseArgs({
  options: {
    config: { type: 'string' },
    tenant: { type: 'string' },
    group: { type: 'string' },
    minutes: { type: 'string', default: '60' },
    active: { type: 'boolean', default: false },
    key: { type: 'string' },
    out: { type: 'string' },
  },
})
const { config, tenant, group, key, out } = values
if (config === undefined || tenant === undefined) {
  console.error('usage: enrolment-ticket.ts --config FILE --tenant ID [--group ID] [--out FILE]')
  process.exit(2)
}

const { stateDir, audit, directory } = v.parse(
  CloudServerConfiguration,
  JSON.parse(await readFile(config, 'utf8')),
)
const sink: AuditSink & Partial<AuditFile> =
  typeof audit.to === 'string'
    ? auditStream(process.stderr, audit)
    : auditFile(audit.to.file, audit)
const registry = openLmdbRegistry({ path: join(stateDir, 'registry.lmdb') })
const tickets = new EnrolmentTickets({
  directory: createDirectory(directory),
  registry,
  audit: sink,
  clocks: { now: () => performance.now(), wallClock: () => Date.now() },
  crypto: await defaultCryptoProvider(),
})
try {
  const { ticket, id, expiresAt } = await tickets.create({
    tenantId: tenant,
    by: { operator: userInfo().username },
    validMs: Number(values.minutes) * 60_000,
    standing: values.active ? 'active' : 'pending',
    ...(group !== undefined && { groupId: group }),
    ...(key !== undefined && { keyThumbprint: key }),
  })
  if (out === undefined) console.log(ticket)
  else await replacePrivateFile(out, `${ticket}\n`)
  console.error(`ticket ${id} is good until ${new Date(expiresAt).toISOString()}`)
} catch (error) {
  if (!(error instanceof ConfigurationInvalid)) throw error
  console.error(error.message)
  process.exitCode = 2
} finally {
  await registry.close()
  await sink.close?.()
}
