/**
 * A cloud instance as a server: one listener for users, one for connectors, everything it must
 * remember in one directory.
 */
import { writeFile } from 'node:fs/promises'
import type { Server as TlsServer } from 'node:https'
import { join } from 'node:path'
import {
  createCloud,
  createDirectory,
  SignInRisk,
  teeAudit,
  type AlarmThresholds,
  type InstanceNotice,
  type OnError,
} from 'app-proxy/cloud'
import {
  createConnectorListener,
  createUserListener,
  lockStateDirectory,
  nodeContentCodings,
  openCertificateDirectory,
} from 'app-proxy/cloud/node'
import { ConfigurationInvalid, type TimeLimits } from 'app-proxy/protocol'
import { openAdmin } from './admin.ts'
import { readCloudServerConfiguration, type CloudServerSettings } from './configuration.ts'
import { auditSink, openEngines, type Closing } from './engines.ts'
import type { CloudRunGiven } from './flags.ts'
import { CloudHealth } from './health.ts'
import { openCloudLog, tellRefused } from './log.ts'
import { readyLines } from './ready.ts'
import {
  countOf,
  ofInstance,
  ownLine,
  ownPlace,
  runWorkers,
  tellReady,
  type Place,
} from './workers.ts'
import { openVersions } from './versions.ts'
import {
  readServerCertificate,
  type CertificateFiles,
  type ServerCertificate,
} from '../program/certificates.ts'
import { listen, urlAt } from '../program/listen.ts'
import { allOf, named, type Setting } from '../program/mistakes.ts'
import { aborted, type Surroundings } from '../program/program.ts'
import { ownVersion } from '../program/version.ts'

const ONE_DAY_MS = 24 * 60 * 60 * 1000
/** Another instance may have rotated the keys that they share. */
const PUBLISH_MS = 60 * 60 * 1000
/** Instances tell each other where they are every second. */
const INSTANCES_MS = 500

/** Resolves with the exit code, when it has ended. */
export async function runCloud(given: CloudRunGiven, surroundings: Surroundings): Promise<number> {
  const closing: Closing = []
  const place = ownPlace()
  try {
    const count = countOf(given.instances)
    const settings = await readCloudServerConfiguration(given.config)
    if (count > 1 && place === undefined)
      return await runWorkers(given, settings, count, surroundings)
    await serve(given, settings, surroundings, closing, place)
    await aborted(surroundings.signal)
    return 0
  } catch (error) {
    throw place === undefined ? error : ofInstance(place.instance, error)
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** Starts everything; what has to be ended goes into `closing`, the last first. */
async function serve(
  { config: file, json }: CloudRunGiven,
  settings: CloudServerSettings,
  { say, log: write, signal, onReload }: Surroundings,
  closing: Closing,
  place?: Place,
): Promise<void> {
  const { stateDir, users, connectors, limits, shares, alarms, audit, serviceUrl } = settings
  const instance = place?.instance ?? settings.instance ?? 'cloud-1'
  const isFirst = place?.isFirst ?? true
  const timeLimits = limits as Partial<TimeLimits> // JSON knows no undefined
  const inState = (name: string) => join(stateDir, name)
  const log = openCloudLog(settings, place?.instance ?? settings.instance, write)
  const [given, adminCredentials] = await allOf(
    () => certificateOf(users.tls, { file, path: 'users.tls' }),
    () => certificateOf(settings.admin?.tls, { file, path: 'admin.tls' }),
    () =>
      named({ file, path: 'stateDir' }, async () => {
        // Whoever started several of them has it.
        if (place !== undefined) return
        const lock = await lockStateDirectory(stateDir)
        closing.push(() => lock.release())
      }),
  )

  const ownHealth = settings.health && {
    ...settings.health,
    port: settings.health.port === 0 ? 0 : settings.health.port + (place?.index ?? 0),
  }
  const health = new CloudHealth({ ...settings, health: ownHealth })
  const healthUrl = await health.open(file, closing)
  const { audit: counted, ...observed } = health.observed
  const directory = createDirectory(settings.directory, { file, at: 'directory' }, timeLimits)
  // A message may quote what a part was given: its name, and whose fault it is, are enough here.
  const onError: OnError = ({ port, error }) =>
    log.tell({
      ...{ type: 'part-failed', part: port },
      error: error instanceof Error ? error.name : typeof error,
    })
  const line = place && settings.nats === undefined ? ownLine() : undefined
  const engines = await openEngines(
    file,
    { ...settings, instance },
    onError,
    closing,
    complain,
    line,
  )
  const { servers, rotate, publishKeys, presence, openVersionStore, ...ports } = engines
  // It is asked for once for each group with connectors, every half second.
  const instanceUrls = rememberedFor(INSTANCES_MS, () =>
    Object.fromEntries(presence.known().map((one) => [one.instance, one.connectorUrl])),
  )
  // Without a location lookup only networks and failures are unusual, and countries are not known.
  const risk = new SignInRisk()
  const sink = auditSink(audit)
  closing.push(() => sink.close?.())
  const cloud = createCloud({
    contentCodings: nodeContentCodings(),
    ...{ directory, ...ports, risk, serviceUrl },
    audit: teeAudit(sink, risk, ...counted),
    ...observed,
    auditRequests: audit.requests,
    ...(users.trustedProxies && { trustedProxies: users.trustedProxies }),
    instance,
    instances: instanceUrls,
    onError,
    cloudAuthorities: servers,
    limits: timeLimits,
    alarms: alarms as Partial<AlarmThresholds>,
    shares,
  })
  closing.push(() => cloud.origin.end())

  let onReplaced: () => void = () => undefined
  const kept =
    settings.admin &&
    (await openVersions(
      ...([cloud, directory, settings] as const),
      await openVersionStore(),
      () => onReplaced(),
      closing,
    ))

  // The two listeners: users and connectors never share a port.
  const issued = await issueCertificate()
  const caFile = inState('server-ca.pem')
  if (isFirst) await writeFile(caFile, issued.ca)
  const connectorListener = createConnectorListener(cloud, issued)
  const { drainMs } = cloud.origin.limits
  const tls = users.tls === 'generated' ? { key: issued.key, cert: issued.cert } : given
  const { shownCertificates } = cloud
  const certificates =
    users.certificatesDir === undefined
      ? undefined
      : await openCertificateDirectory(users.certificatesDir, {
          ...{ shown: shownCertificates, onMistake: complain },
        })
  if (certificates !== undefined) closing.push(() => certificates.close())
  const userListener = createUserListener(cloud.edge, {
    ...(tls && { tls }),
    ...(users.proxyProtocol && { proxyProtocol: users.proxyProtocol }),
    ...(certificates && { certificates: certificates.certificateFor }),
    drainMs,
  })
  const isSecure = tls !== undefined || certificates !== undefined
  const connectorPort = await listen(connectorListener.server, {
    ...{ ...connectors, port: place?.connectorsPort ?? connectors.port },
    ...{ file, at: 'connectors.' },
  })
  let isDraining = false
  const connectorUrl =
    (connectors.publicUrl && publicUrlOf(connectors.publicUrl, place)) ??
    urlAt('https', connectors.host, connectorPort)
  const started = { version: ownVersion(), since: Date.now() }
  const notice = (): InstanceNotice => {
    const { groups, applications } = cloud.stats()
    return {
      ...{ instance, connectorUrl, ...started, state: isDraining ? 'draining' : 'serving' },
      links: groups.reduce((sum, { links }) => sum + links, 0),
      open: applications.reduce((sum, { open }) => sum + open, 0),
    }
  }
  // Before any connector can ask where the instances are.
  const leave = presence.join(notice)
  closing.push(async () => {
    isDraining = true
    // Other instances ask this one no more, and its own users are served to the end.
    cloud.origin.retire()
    // Connectors serve the last requests; none comes back that leaves.
    connectorListener.stopAccepting()
    if (userListener.listening) await new Promise((closed) => userListener.close(closed))
    connectorListener.drain()
    await connectorListener.close()
    leave()
  })
  const usersPort = await listen(userListener, {
    ...{ ...users, isShared: true, file, at: 'users.' },
  })
  const adminPlaces =
    isFirst && settings.admin
      ? await openAdmin(cloud, {
          ...{ file, settings: settings.admin, stateDir, credentials: adminCredentials, closing },
          ...{ versions: kept?.versions, presence },
        })
      : {}

  signal.addEventListener('abort', () => log.tell({ type: 'ending' }), { once: true })
  health.watch(cloud, () => userListener.listening && connectorListener.server.listening)
  closing.push(() => health.drain())

  if (!isSecure && isFirst) log.tell({ type: 'plain-http' })
  const usersUrl = urlAt(isSecure ? 'https' : 'http', users.host, usersPort)
  const ready = {
    ...{ usersUrl, connectorUrl, caFile, ...adminPlaces },
    ...(healthUrl !== undefined && { healthUrl }),
  }
  if (place !== undefined) tellReady(ready, connectorPort)
  else say(json ? JSON.stringify(ready) : readyLines(ready))

  onReplaced = () => void renewCertificates().catch(complain)
  onReload(() => void reload())
  // An operator rolls their authority, here or at another process.
  closing.push(servers.roll.onChange(() => void renewCertificates().catch(complain)))
  const daily = setInterval(() => {
    renewCertificates().catch(complain)
    rotate().catch(complain)
  }, ONE_DAY_MS).unref()
  const hourly = setInterval(() => void publishKeys().catch(complain), PUBLISH_MS).unref()
  closing.push(() => [daily, hourly].forEach((timer) => clearInterval(timer)))

  /** Applications come and go while users work; a mistake in the file changes nothing. */
  async function reload(): Promise<void> {
    sink.reopen?.()
    const event = { time: Date.now(), type: 'configuration.replaced' } as const
    try {
      const { directory: written } = await readCloudServerConfiguration(file)
      if (kept !== undefined) await kept.takeFile(written)
      else {
        directory.replace(written)
        cloud.audit.write({ ...event, outcome: 'success' })
      }
      log.tell({ type: 'configuration-read', applications: directory.applications().length })
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
    if (isFirst) await writeFile(caFile, fresh.ca)
    connectorListener.replaceCertificate(fresh)
    if (users.tls === 'generated') (userListener as TlsServer).setSecureContext(fresh)
    log.tell({ type: 'certificate-made' })
  }

  async function issueCertificate() {
    const urls = directory.applications().map(({ externalUrl }) => externalUrl)
    const hosts = [...urls, connectors.publicUrl ?? []].flat().map((url) => new URL(url).hostname)
    const { key, certificate, ca } = await servers.issue({
      dnsNames: [...new Set(['localhost', ...hosts.filter((host) => !/^\[|^[\d.]+$/.test(host))])],
    })
    return { key, cert: certificate, ca }
  }

  function complain(error: unknown): void {
    tellRefused(log, error)
  }
}

/** What is made at most once in so many milliseconds. */
function rememberedFor<T>(ms: number, make: () => T): () => T {
  let made: { readonly at: number; readonly value: T } | undefined
  return () => {
    const now = performance.now()
    if (made === undefined || now - made.at >= ms) made = { at: now, value: make() }
    return made.value
  }
}

/** Each of several has a port of its own, behind the same name. */
function publicUrlOf(url: string, place: Place | undefined): string {
  if (place === undefined || place.index === 0) return url
  const own = new URL(url)
  own.port = String(Number(own.port || 443) + place.index)
  return own.href
}

/** The certificate that the operator has for a listener; `undefined`: there is none. */
async function certificateOf(
  tls: CertificateFiles | 'generated' | undefined,
  at: Setting,
): Promise<ServerCertificate | undefined> {
  return tls === undefined || tls === 'generated' ? undefined : readServerCertificate(tls, at)
}
