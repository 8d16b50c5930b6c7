/**
 * A cloud instance as a server: one listener for users, one for connectors, everything it must
 * remember in one directory.
 *
 *     node --import tsx examples/cloud-server.ts --config FILE
 *
 * FILE is JSON, see cloud-server.schema.json. One line of JSON on stdout says that it is ready:
 * `{"usersUrl":"…","connectorUrl":"…","caFile":"…"}`. SIGHUP reads the directory in FILE again, and
 * opens the audit file anew; one that is renamed is noticed without it. SIGINT and SIGTERM drain,
 * then end with code 0.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createServerAuthority,
  defaultCryptoProvider,
  KeyRing,
  SignInRisk,
  teeAudit,
  type AuditSink,
} from 'app-proxy/cloud'
import { openLmdbRegistry, openLmdbRevocations, openLmdbSessionGrants } from 'app-proxy/cloud/lmdb'
import {
  auditFile,
  auditStream,
  authorityFile,
  createConnectorListener,
  createUserListener,
  keyRingFile,
  preparePrivateDirectory,
  readPrivateFile,
  type AuditFile,
} from 'app-proxy/cloud/node'
import { ConfigurationInvalid, type TimeLimits } from 'app-proxy/protocol'
import { CloudServerConfiguration } from './cloud-server-configuration.ts'

const ONE_DAY_MS = 24 * 60 * 60 * 1000
/** Sessions last a day at most, and three keys are kept: none ends for a rotation's sake. */
const ROTATE_MS = 30 * ONE_DAY_MS

const { values } = parseArgs({ options: { config: { type: 'string' } } })
if (values.config === undefined) throw new Error('usage: cloud-server.ts --config FILE')
const configurationFile = values.config
const { stateDir, users, connectors, limits, shares, audit, ...read } = await readConfiguration()
const inState = (name: string) => join(stateDir, name)
await preparePrivateDirectory(stateDir)

// What the cloud knows, and what it signs with.
const crypto = await defaultCryptoProvider()
const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
const directory = createDirectory(read.directory)
const registry = openLmdbRegistry({ path: inState('registry.lmdb') })
const revocations = openLmdbRevocations({ path: inState('revocations.lmdb') })
const grants = openLmdbSessionGrants({ path: inState('session-grants.lmdb') })
const authority = await createCertificateAuthority({
  crypto,
  clocks,
  store: authorityFile(inState('connector-authority.pem')),
})
const servers = await createServerAuthority({
  crypto,
  clocks,
  store: authorityFile(inState('server-authority.pem')),
})
const keyRing = await KeyRing.open({ store: keyRingFile(inState('key-ring.json')), ...clocks })
await keyRing.rotateIfOlder(ROTATE_MS)
const instances: Record<string, string> = {}
// Without a location lookup only networks and failures are unusual, and countries are not known.
const risk = new SignInRisk()
const sink = auditSink()
const cloud = createCloud({
  directory,
  registry,
  revocations,
  grants,
  authority,
  keyRing,
  audit: teeAudit(sink, risk),
  auditRequests: audit.requests,
  risk,
  ...(users.trustedProxies && { trustedProxies: users.trustedProxies }),
  instances: () => instances,
  // A message may quote what a part was given: its name, and whose fault it is, are enough here.
  onError: ({ port, error }) =>
    console.error(`${port} failed: ${error instanceof Error ? error.name : typeof error}`),
  cloudAuthorities: [servers.certificate],
  limits: limits as Partial<TimeLimits>, // JSON knows no undefined
  shares,
})

// The two listeners: users and connectors never share a port.
const issued = await issueCertificate()
const caFile = inState('server-ca.pem')
await writeFile(caFile, issued.ca)
const connectorListener = createConnectorListener(cloud, issued)
const { drainMs } = cloud.origin.limits
const userListener = createUserListener(cloud.edge, { ...(await usersTls()), drainMs })
const connectorPort = await listen(connectorListener.server, connectors)
const usersPort = await listen(userListener, users)
const connectorUrl = connectors.publicUrl ?? `https://${connectors.host}:${connectorPort}`
instances['cloud-1'] = connectorUrl

if (users.tls === undefined)
  console.error(
    'warning: users come by plain http: fit for this machine or behind a TLS terminator',
  )
const usersUrl = `${users.tls === undefined ? 'http' : 'https'}://${users.host}:${usersPort}`
console.log(JSON.stringify({ usersUrl, connectorUrl, caFile }))

process.on('SIGHUP', () => void reload())
setInterval(() => {
  renewCertificates().catch(complain)
  keyRing.rotateIfOlder(ROTATE_MS).catch(complain)
}, ONE_DAY_MS).unref()
let stopping: Promise<void> | undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    stopping ??= stop().then(() => process.exit(0))
  })

/**
 * Takes nobody new, lets what is under way finish within the drain limit, then ends what is left.
 */
async function stop(): Promise<void> {
  // Connectors serve the last requests; none comes back that leaves.
  connectorListener.stopAccepting()
  await new Promise((closed) => userListener.close(closed))
  connectorListener.drain()
  await connectorListener.close()
  cloud.origin.end()
  await registry.close()
  await revocations.close()
  await grants.close()
  keyRing.close()
  await sink.close?.()
}

/** Applications come and go while users work; a mistake in the file changes nothing. */
async function reload(): Promise<void> {
  sink.reopen?.()
  const event = { time: Date.now(), type: 'configuration.replaced' } as const
  try {
    directory.replace((await readConfiguration()).directory)
    cloud.audit.write({ ...event, outcome: 'success' })
    renewCertificates().catch(complain)
  } catch (error) {
    const detail = error instanceof ConfigurationInvalid ? { path: error.path } : {}
    cloud.audit.write({ ...event, outcome: 'failed', detail })
    complain(error)
  }
}

/** A generated certificate names the published hosts, and lasts 90 days. */
async function renewCertificates(): Promise<void> {
  const fresh = await issueCertificate()
  connectorListener.replaceCertificate(fresh)
  if (users.tls === 'generated') (userListener as TlsServer).setSecureContext(fresh)
}

async function issueCertificate() {
  const urls = directory.applications().map(({ externalUrl }) => externalUrl)
  const hosts = [...urls, connectors.publicUrl ?? []].flat().map((url) => new URL(url).hostname)
  const { key, certificate, ca } = await servers.issue({
    dnsNames: [...new Set(['localhost', ...hosts.filter((host) => !/^\[|^[\d.]+$/.test(host))])],
  })
  return { key, cert: certificate, ca }
}

async function usersTls() {
  if (users.tls === undefined) return {}
  if (users.tls === 'generated') return { tls: { key: issued.key, cert: issued.cert } }
  const { keyFile, certFile } = users.tls
  return { tls: { key: await readSecret(keyFile), cert: readFileSync(certFile) } }
}

async function readSecret(path: string): Promise<string> {
  const text = await readPrivateFile(path, { mayBeLink: true })
  if (text === undefined) throw new ConfigurationInvalid(path, 'there is no such file')
  return text
}

async function listen(
  server: Server | TlsServer,
  { port, host }: { readonly port: number; readonly host: string },
): Promise<number> {
  server.listen(port, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** One that cannot be written ends nothing; see `onError`. */
function auditSink(): AuditSink & Partial<AuditFile> {
  return typeof audit.to === 'string'
    ? auditStream(process[audit.to], audit)
    : auditFile(audit.to.file, audit)
}

/** It may hold secrets of clients; where it is mounted into a container, it is a link. */
async function readConfiguration(): Promise<CloudServerConfiguration> {
  const result = v.safeParse(
    CloudServerConfiguration,
    JSON.parse(await readSecret(configurationFile)),
  )
  if (result.success) return result.output
  // The issue's message would quote the value, which may be a secret.
  const [issue] = result.issues
  throw new Error(`${configurationFile}: ${v.getDotPath(issue) ?? 'it'} must be ${issue.expected}`)
}

function complain(error: unknown): void {
  console.error(`configuration not changed: ${error instanceof Error ? error.message : error}`)
}
