/**
 * Walks everything that a connector needs, from its name servers to each of its applications, and
 * says of each whether it is good, and what is to be done where it is not.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { ConfigurationInvalid, PROTOCOL_VERSION } from '../../protocol/internal.ts'
import type { ConnectorConfiguration } from '../../protocol/internal.ts'
import type { ConnectorIdentity } from '../ports.ts'
import { checkApplication } from './application-check.ts'
import { addressesOf, connection, headOf, tls, type Shown } from './check-steps.ts'
import { cloudMistake, isAboutTime, timeMistake, type WayToCloud } from './cloud-mistakes.ts'
import { HttpsControlChannel } from './control-channel.ts'
import { FileIdentityStore } from './file-identity-store.ts'
import type { Dial } from './own-dial.ts'
import { ProxyFailed, proxyDial } from './proxy-dial.ts'
import { readProxy, type Proxy, type ProxyOptions } from './proxy-settings.ts'
import { tlsOptions, type CloudTrust } from './tls-options.ts'
import type { MistakeKind } from './told-mistakes.ts'

/** Options of {@link checkConnector}. */
export interface ConnectorCheckOptions extends CloudTrust {
  /** Base URL of the cloud's connector listener, https. */
  readonly url: string
  /** Where key and certificate are kept. It is only read. */
  readonly stateDirectory: string
  /** How the cloud is reached, below TLS. Default: TCP. */
  readonly dial?: Dial | undefined
  /** A proxy on the way to the cloud, in the place of `dial`. Default: none. */
  readonly proxy?: ProxyOptions | undefined
  /** The connector group that it should be in. Default: any. */
  readonly groupId?: string | undefined
  /** How long each step may take. Milliseconds; default 5 000. */
  readonly patienceMs?: number | undefined
  /** Told of each thing when it was looked at. Default: nobody is told. */
  readonly onFinding?: ((finding: ConnectorFinding) => void) | undefined
}

/** One thing that was looked at. */
export interface ConnectorFinding {
  /** What it is: `name`, `proxy`, `connection`, `tls`, `clock`, `application wiki` … */
  readonly what: string
  /** `skipped`: it could not be looked at, for what was found before. */
  readonly result: 'good' | 'warning' | 'wrong' | 'skipped'
  /** What is wrong, where it has a name. */
  readonly kind?: MistakeKind | undefined
  /** What was found, and what is to be done about it. */
  readonly detail: string
}

/**
 * Everything that was looked at, in the order of the way. What lies behind something wrong on the
 * way to the cloud is not looked at; one application that is wrong says nothing of the next.
 *
 * @throws ConfigurationInvalid where `url`, `ca` or `proxy` is none, or the state directory cannot
 *   be read
 */
export async function checkConnector(
  options: ConnectorCheckOptions,
): Promise<readonly ConnectorFinding[]> {
  const findings: ConnectorFinding[] = []
  const { onFinding } = options
  await new ConnectorCheck(options, (finding) => {
    findings.push(finding)
    onFinding?.(finding)
  }).run()
  return findings
}

const DEFAULT_PATIENCE_MS = 5_000
/** As for tokens. */
const LEEWAY_MS = 60_000
const DAY_MS = 24 * 60 * 60 * 1000
/** A certificate is renewed long before. */
const SOON_DAYS = 7

class ConnectorCheck {
  readonly #options: ConnectorCheckOptions
  readonly #tell: (finding: ConnectorFinding) => void
  readonly #patienceMs: number
  /** `undefined`: TCP. */
  readonly #dial: Dial | undefined
  /** What is between here and the cloud. */
  readonly #proxy: Proxy | undefined

  constructor(options: ConnectorCheckOptions, tell: (finding: ConnectorFinding) => void) {
    this.#options = options
    this.#tell = tell
    this.#patienceMs = options.patienceMs ?? DEFAULT_PATIENCE_MS
    const { proxy, dial } = options
    const { host, port } = targetOf(options.url)
    const read = proxy && readProxy(proxy)
    this.#proxy = read?.spares(host, port) === false ? read : undefined
    this.#dial = proxy === undefined ? dial : this.#proxy && proxyDial(proxy)
  }

  async run(): Promise<void> {
    const { stateDirectory, url, ca } = this.#options
    const channel = new HttpsControlChannel({ url, ca: ca!, dial: this.#dial })
    try {
      const { current } = await new FileIdentityStore({ directory: stateDirectory }).load()
      const isReached = await this.#cloud(current)
      if (!isReached) return
      if (current === undefined)
        return this.#skip('identity', `there is none in ${stateDirectory} yet: register it`)
      if (!(await this.#identity(current))) return
      const configuration = await this.#configuration(current, channel)
      if (configuration === undefined) return
      this.#standing(configuration)
      await this.#applications(configuration, current, channel)
    } finally {
      await channel.close()
    }
  }

  /** Name, connection, TLS and clock. Whether the cloud's listener answers there. */
  async #cloud(identity: ConnectorIdentity | undefined): Promise<boolean> {
    const { url } = this.#options
    const isPinned = (identity?.cloudAuthorities.length ?? 0) > 0
    const way = { url, setting: 'url', isRegistered: isPinned } as const
    const target = targetOf(url)
    let step = 'name'
    try {
      if (this.#dial !== undefined)
        this.#skip(step, 'the name is looked up by what makes the connections')
      else {
        const addresses = await addressesOf(target.host, this.#patienceMs)
        this.#good(step, `${target.host} is ${addresses.join(', ')}`)
      }
      step = this.#proxy === undefined ? 'connection' : 'proxy'
      const socket = await this.#connection(target)
      step = 'tls'
      const { ca, minVersion } = await tlsOptions(identity, this.#options)
      const shown = await tls(socket, target.host, { ca, minVersion }, this.#patienceMs)
      return await this.#trusted(shown, way)
    } catch (error) {
      if (error instanceof ConfigurationInvalid) throw error
      await this.#wrongWay(step, error, way)
      return false
    }
  }

  /** Below TLS. */
  async #connection(target: Target): Promise<Duplex> {
    const { host } = new URL(this.#options.url)
    const proxy = this.#proxy
    if (proxy === undefined) {
      if (this.#options.proxy !== undefined)
        this.#good('proxy', `${host} is reached past it, as NO_PROXY says`)
      const socket = await connection({ ...target, dial: this.#dial }, this.#patienceMs)
      this.#good('connection', `${host} accepts connections`)
      return socket
    }
    try {
      const socket = await connection({ ...target, dial: this.#dial }, this.#patienceMs)
      this.#good('proxy', `${proxy.url.host} leads to ${host}`)
      return socket
    } catch (cause) {
      // It took longer than whoever waits.
      throw cause instanceof ProxyFailed ? cause : new ProxyFailed(proxy, host, { cause })
    }
  }

  async #trusted(shown: Shown, way: WayToCloud): Promise<boolean> {
    const { socket, subject, issuer, validTo, code } = shown
    try {
      if (code !== undefined) {
        const between =
          this.#proxy === undefined
            ? ''
            : ` If that is the proxy’s, it opens TLS: it must let this host through as it is.`
        const seen = ` It is for "${subject}", signed by "${issuer}".${between}`
        await this.#wrongWay('tls', { code }, way, seen)
        return false
      }
      const until = new Date(validTo).toISOString().slice(0, 10)
      this.#good(
        'tls',
        `the certificate is for "${subject}", signed by "${issuer}", until ${until}`,
      )
      const { host, pathname } = new URL(way.url)
      const answer = await headOf(socket, { host, path: pathname }, this.#patienceMs)
      return this.#clock(answer?.date)
    } finally {
      socket.destroy()
    }
  }

  #clock(date: number | undefined): boolean {
    const now = Date.now()
    if (date === undefined) this.#skip('clock', 'the cloud does not tell its time')
    else if (Math.abs(date - now) <= LEEWAY_MS) this.#good('clock', 'agrees with the cloud’s')
    else {
      const [here, there] = [new Date(now).toISOString(), new Date(date).toISOString()]
      this.#wrong(
        'clock',
        `The clock of this machine says ${here}, that of the cloud ${there}. Set the clock: tokens and certificates are judged by it.`,
        'clock',
      )
      return false
    }
    return true
  }

  async #wrongWay(what: string, error: unknown, way: WayToCloud, more = ''): Promise<void> {
    const mistake = isAboutTime(error)
      ? await timeMistake(way, Date.now(), this.#dial)
      : cloudMistake(error, way)
    const { code = 'no answer' } = error as { code?: string }
    const detail =
      mistake?.message ?? `${way.url} cannot be used (${code}). Check the setting "url".`
    this.#wrong(what, `${detail}${more}`, mistake?.kind)
  }

  /** The certificate by itself. */
  async #identity(identity: ConnectorIdentity): Promise<boolean> {
    const what = 'certificate'
    const { key } = await tlsOptions(identity)
    const certificate = new X509Certificate(identity.certificate)
    const until = new Date(identity.expiresAt).toISOString()
    const again = 'register it again: empty its state directory first'
    if (!certificate.checkPrivateKey(createPrivateKey(key!))) {
      this.#wrong(
        what,
        `The key in the state directory is not that of the certificate; ${again}.`,
        'enrol-again',
      )
      return false
    }
    const days = Math.floor((identity.expiresAt - Date.now()) / DAY_MS)
    if (days < 0) {
      this.#wrong(
        what,
        `This connector’s certificate has ended, at ${until}; ${again}.`,
        'enrol-again',
      )
      return false
    }
    const who = `${identity.connectorId} of ${identity.tenantId}`
    const told = `${who}, until ${until}, in ${days} days`
    if (days < SOON_DAYS)
      this.#tell({
        what,
        result: 'warning',
        detail: `${told}: it is renewed while the connector runs`,
      })
    else this.#good(what, told)
    return true
  }

  /** What the cloud says of this connector. */
  async #configuration(
    identity: ConnectorIdentity,
    channel: HttpsControlChannel,
  ): Promise<ConnectorConfiguration | undefined> {
    const { url } = this.#options
    try {
      const reply = await channel.configuration(
        { v: PROTOCOL_VERSION, type: 'configuration' },
        { identity, signal: AbortSignal.timeout(this.#patienceMs) },
      )
      return reply.configuration
    } catch (error) {
      await this.#wrongWay('cloud', error, { url, setting: 'url', isRegistered: true })
      return undefined
    }
  }

  #standing({ groupId, standing = 'active' }: ConnectorConfiguration): void {
    const wanted = this.#options.groupId
    if (wanted !== undefined && wanted !== groupId)
      this.#wrong(
        'group',
        `This connector is in group "${groupId}", not in "${wanted}". An operator of the cloud moves it there.`,
      )
    else this.#good('group', groupId)
    if (standing === 'active') return this.#good('standing', 'active')
    this.#wrong('standing', STANDINGS[standing])
  }

  async #applications(
    { applications }: ConnectorConfiguration,
    identity: ConnectorIdentity,
    channel: HttpsControlChannel,
  ): Promise<void> {
    if (applications === undefined)
      return this.#skip('applications', 'there are too many to be listed')
    const ids = Object.keys(applications).sort()
    if (ids.length === 0) this.#skip('applications', 'its group publishes none')
    for (const applicationId of ids) {
      const what = `application ${applicationId}`
      const reply = await channel
        .application(
          { v: PROTOCOL_VERSION, type: 'application', applicationId },
          { identity, signal: AbortSignal.timeout(this.#patienceMs) },
        )
        .catch(() => undefined)
      if (reply?.type !== 'application') this.#skip(what, 'the cloud does not say where it is')
      else this.#tell({ what, ...(await checkApplication(reply.application, this.#patienceMs)) })
    }
  }

  #good(what: string, detail: string): void {
    this.#tell({ what, result: 'good', detail })
  }

  #skip(what: string, detail: string): void {
    this.#tell({ what, result: 'skipped', detail })
  }

  #wrong(what: string, detail: string, kind?: MistakeKind): void {
    this.#tell({ what, result: 'wrong', kind, detail })
  }
}

interface Target {
  readonly host: string
  readonly port: number
}

function targetOf(url: string): Target {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) }
}

const STANDINGS = {
  pending: 'It waits for an approval. An operator of the cloud approves it.',
  draining:
    'It is being drained, and takes nothing new. An operator of the cloud approves it again.',
  disabled: 'It is disabled. An operator of the cloud approves it again.',
} as const
