/**
 * Looks at a cloud's configuration and at what it names, and starts nothing.
 */
import { X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { lockStateDirectory } from 'app-proxy/cloud/node'
import { createDirectory } from 'app-proxy/cloud'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readServerCertificate } from '../program/certificates.ts'
import { CommandFailed } from '../program/exit-codes.ts'
import { Findings } from '../program/findings.ts'
import { checkHealthPort, checkPort } from '../program/health.ts'
import type { Surroundings } from '../program/program.ts'
import { readCloudServerConfiguration, type CloudServerSettings } from './configuration.ts'
import type { Closing } from './engines.ts'
import type { CloudCheckGiven } from './flags.ts'
import { openNats } from './nats.ts'
import type { NatsSettings } from './nats-configuration.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Enough to get another certificate without haste. */
const SOON_DAYS = 14

/** Resolves with the exit code. */
export async function checkCloud(
  { config: file, json }: CloudCheckGiven,
  { say }: Surroundings,
): Promise<number> {
  const settings = await readCloudServerConfiguration(file)
  const findings = new Findings(say, json)
  findings.good('configuration', `${file} has no mistakes`)
  const isRunning = await checkState(settings, findings)
  if (settings.nats) await checkNats(file, settings, settings.nats, findings)
  for (const name of ['users', 'connectors', 'admin'] as const) {
    const { [name]: wanted } = settings
    const { host = '', port } = wanted ?? {}
    if (port === undefined) continue
    if (isRunning && port !== 0)
      findings.skipped(`${name}.port`, `${host}:${port} is not tried while a cloud runs`)
    else await checkPort(`${name}.port`, { host, port, file, at: `${name}.` }, findings)
  }
  if (settings.health === undefined)
    findings.good('health', 'without "health" there is no port for readiness and figures')
  else await checkHealthPort({ ...settings.health, file, at: 'health.' }, findings)
  await checkCertificates(file, settings, findings)
  tellServed(file, settings, findings)
  return findings.end()
}

/** Whether a cloud runs on it. */
async function checkState({ stateDir }: CloudServerSettings, findings: Findings): Promise<boolean> {
  const what = 'stateDir'
  if (!existsSync(stateDir)) {
    findings.good(what, `${stateDir} is made at the first start`)
    return false
  }
  try {
    await (await lockStateDirectory(stateDir)).release()
    findings.good(what, `${stateDir} is nobody's now`)
    return false
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error
    const { detail } = error.mistakes[0]!
    const isRunning = /process/.test(detail)
    if (isRunning) findings.good(what, `a cloud runs: ${stateDir} ${detail}`)
    else findings.wrong(what, `${stateDir} ${detail}`)
    return isRunning
  }
}

/** Connects, and reads nothing that is stored. */
async function checkNats(
  file: string,
  { instance = 'cloud-1' }: CloudServerSettings,
  settings: NatsSettings,
  findings: Findings,
): Promise<void> {
  const closing: Closing = []
  try {
    await openNats(file, settings, `${instance} check`, undefined, closing)
    findings.good('nats', `${settings.servers.join(', ')} answers`)
  } catch (error) {
    if (error instanceof ConfigurationInvalid)
      for (const { path, detail } of error.mistakes) findings.wrong(path, detail)
    else if (error instanceof CommandFailed) findings.wrong('nats', error.message)
    else throw error
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

async function checkCertificates(
  file: string,
  { users: { tls, certificatesDir }, admin, stateDir }: CloudServerSettings,
  findings: Findings,
): Promise<void> {
  for (const [at, files] of [
    ['users.tls', tls],
    ['admin.tls', admin?.tls],
  ] as const)
    if (typeof files === 'object')
      try {
        const { cert } = await readServerCertificate(files, { file, path: at })
        tellEnd(`${at}.certFile`, new X509Certificate(cert), findings)
      } catch (error) {
        if (!(error instanceof ConfigurationInvalid)) throw error
        for (const { path, detail } of error.mistakes) findings.wrong(path, detail)
      }
  if (certificatesDir !== undefined && existsSync(certificatesDir))
    for (const name of readdirSync(certificatesDir).filter((one) => one.endsWith('.crt')))
      tellFile(`users.certificatesDir ${name}`, join(certificatesDir, name), findings)
  for (const name of ['connector-authority.pem', 'server-authority.pem'])
    if (existsSync(join(stateDir, name))) tellFile(name, join(stateDir, name), findings)
}

function tellFile(what: string, path: string, findings: Findings): void {
  const [pem] = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(
    readFileSync(path, 'utf8'),
  ) ?? ['']
  try {
    tellEnd(what, new X509Certificate(pem), findings)
  } catch {
    findings.wrong(what, `${path} holds no certificate: restore it from a backup`)
  }
}

function tellEnd(what: string, { validTo }: X509Certificate, findings: Findings): void {
  const days = Math.floor((Date.parse(validTo) - Date.now()) / DAY_MS)
  const until = `ends on ${new Date(validTo).toISOString().slice(0, 10)}`
  if (days < 0) findings.wrong(what, `${until}, which is over: replace it`)
  else if (days < SOON_DAYS) findings.warn(what, `${until}, in ${days} days: replace it`)
  else findings.good(what, `${until}, in ${days} days`)
}

function tellServed(
  file: string,
  { directory: input }: CloudServerSettings,
  findings: Findings,
): void {
  const directory = createDirectory(input, { file, at: 'directory' })
  for (const {
    id,
    externalUrl,
    internalUrl,
    preAuthentication,
    groupId,
  } of directory.applications())
    findings.good(
      `application ${id}`,
      `${hostsOf(externalUrl)} leads to ${internalUrl} by group ${groupId}, ${
        preAuthentication === 'oidc' ? 'behind sign-in' : 'open to everybody'
      }`,
    )
}

const hostsOf = (urls: string | readonly string[]) =>
  typeof urls === 'string' ? urls : urls.join(' and ')
