import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  readDirectory,
  createMemoryRegistry,
  createServerAuthority,
  defaultCryptoProvider,
  KeyRing,
  type AuthorityStore,
  type Cloud,
  type ConnectorRegistry,
  type ConfiguredDirectory,
  type ExchangeObserver,
  type Origin,
  type SessionRevocations,
} from '../../src/cloud/index.ts'
import { Sessions } from '../../src/cloud/session/session.ts'
import type { TrustedProxies } from '../../src/cloud/policy/client-address.ts'
import type { OfferLink } from '../../src/cloud/offers/offer-link.ts'
import {
  createConnectorListener,
  createUserListener,
  type ConnectorListener,
} from '../../src/cloud/node/index.ts'
import {
  startConnector,
  NodeBackend,
  type ConnectorEvent,
  type ConnectorOptions,
  type RunningConnector,
} from '../../src/connector/node/index.ts'
import {
  TIME_LIMITS,
  type Binding,
  type Offer,
  type Shares,
  type TimeLimits,
} from '../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../cloud/trust.ts'
import { startIssuer, type Issuer } from '../issuer.ts'
import { recordedAudit } from '../recorded-audit.ts'
import { until } from '../until.ts'
import { registered } from './registered-connector.ts'
import { MemoryConnector } from './memory-connector.ts'
import { listen } from './listen.ts'
import { serveApplication, type ApplicationProtocol } from './served-application.ts'
import { REGISTRAR_AUDIENCE, registrarToken } from './registrar-token.ts'

/** The whole way from a user to an application, in one process, over real sockets and real TLS. */
export interface Tunnel {
  readonly cloud: Cloud
  readonly connectors: ConnectorListener
  readonly directory: ConfiguredDirectory
  /** What the directory was made of. */
  readonly configuration: object
  readonly registry: ConnectorRegistry
  /** The one that was started; not with the transport `in memory`. */
  readonly connector: RunningConnector
  readonly sessions: Sessions
  /** Every offer that was put on a link, in order. */
  readonly offers: readonly Offer[]
  /** Every link that was opened, in order. */
  readonly links: readonly OfferLink[]
  /** Those that are there now. */
  readonly attached: readonly OfferLink[]
  /** The transport breaks under the connector, once. */
  cut(): void
  readonly events: readonly ConnectorEvent[]
  readonly issuer: Issuer
  readonly audit: ReturnType<typeof recordedAudit>
  readonly connectorUrl: string
  /** PEM: the root of the connector listener. */
  readonly ca: string
  /** The port users come to; the application is `open.localhost`. */
  readonly port: number
  /** The same by TLS, and HTTP/2. */
  readonly tlsPort: number
  readonly stateDirectory: string
  startConnector(options?: Partial<ConnectorOptions>): Promise<RunningConnector>
  close(): Promise<void>
}

/** How connector and cloud are joined: by the multiplexed link, in memory or over real mutual TLS; or by the plain binding. */
export const TRANSPORTS = ['in memory', 'link over TLS', 'plain over TLS'] as const
export type Transport = (typeof TRANSPORTS)[number]

export interface TunnelOptions {
  /** Default `link over TLS`. */
  readonly transport?: Transport
  readonly backend: RequestListener
  /** What it speaks. Default `http1`. */
  readonly protocol?: ApplicationProtocol
  /** How the application switches protocols. Default: it does not. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Names in the listeners' certificate. Default: `localhost` and whatever is below it. */
  readonly names?: readonly string[]
  /** What the application does with what its parser would not read. Default: what Node does. */
  readonly unparsed?: (error: Error, socket: Duplex) => void
  readonly limits?: Partial<TimeLimits>
  readonly shares?: Partial<Shares>
  /** Beside `contoso` and its group `default`. */
  readonly tenants?: readonly object[]
  readonly groups?: readonly { readonly id: string; readonly tenantId: string }[]
  /** Published for everybody beside `open`, of the same group and by the same server. */
  readonly others?: readonly string[]
  readonly responseHeadMs?: number
  /** How `open` and `secure` get to know their users. Default: in no way of their own. */
  readonly signOn?: object
  readonly trustedProxies?: TrustedProxies
  readonly renewAfterMs?: number
  readonly connector?: Partial<ConnectorOptions>
  /** External and internal path of the application. Default `/`. */
  readonly externalPath?: string
  readonly internalPath?: string
  /** What the cloud serves connectors by. Default: both. */
  readonly bindings?: readonly Binding[]
  /** The port that connectors are told, for a relay in front of the listener's. Default: the listener's own. */
  readonly relay?: (port: number) => Promise<number>
  /** The application's port. Default: that of a server of `backend`. */
  readonly internalPort?: number
  /** Connectors pin the authority of the servers. */
  readonly pins?: boolean
  /** No connector is started. */
  readonly noConnector?: boolean
  /** Where the connectors' authority keeps its root; for tests that sign with its very key. */
  readonly authorityStore?: AuthorityStore
  /** The cloud's wall clock. Default: the system's. */
  readonly wallClock?: () => number
  /** Default: in memory. */
  readonly registry?: ConnectorRegistry
  /** Default: in memory. */
  readonly revocations?: SessionRevocations
  /** Each request is an audit event. */
  readonly auditRequests?: boolean
  /** Watches the cloud's end; that of the connector's is one of its options. */
  readonly observer?: ExchangeObserver
}

export async function startTunnel(options: TunnelOptions): Promise<Tunnel> {
  const crypto = await defaultCryptoProvider()
  const wallClock = options.wallClock ?? (() => Date.now())
  const clocks = { now: () => performance.now(), wallClock }
  const issuer = await startIssuer()
  const authority = await createCertificateAuthority({
    crypto,
    clocks,
    store: options.authorityStore ?? memoryAuthorityStore(),
  })
  const servers = await createServerAuthority({ crypto, clocks, store: memoryAuthorityStore() })
  const certificate = await servers.issue(options.names && { dnsNames: options.names })
  const { protocol = 'http1' } = options
  const application = serveApplication(protocol, {
    ...{ listener: options.backend, upgrade: options.upgrade, unparsed: options.unparsed },
    tls: { key: certificate.key, cert: certificate.certificate },
  })
  const backendPort = options.internalPort ?? (await listen(application.server))
  const internalOrigin = `${protocol === 'h2' ? 'https' : 'http'}://127.0.0.1:${backendPort}`
  const spoken = protocol === 'http1' ? {} : { backendProtocol: protocol, verifyCertificate: false }
  const registry = options.registry ?? createMemoryRegistry()
  const audit = recordedAudit()
  const instances: Record<string, string> = {}
  const keyRing = await KeyRing.open({ crypto, wallClock: clocks.wallClock })
  const configuration = {
    tenants: [
      { id: 'contoso', issuer: issuer.url, registrars: { audience: REGISTRAR_AUDIENCE } },
      ...(options.tenants ?? []),
    ],
    groups: [{ id: 'default', tenantId: 'contoso' }, ...(options.groups ?? [])],
    applications: [
      {
        id: 'open',
        groupId: 'default',
        externalUrl: `http://open.localhost${options.externalPath ?? '/'}`,
        internalUrl: `${internalOrigin}${options.internalPath ?? '/'}`,
        preAuthentication: 'passthrough',
        ...spoken,
        ...(options.responseHeadMs !== undefined && { responseHeadMs: options.responseHeadMs }),
        ...(options.signOn !== undefined && { signOn: options.signOn }),
      },
      ...(options.others ?? []).map((id) => ({
        id,
        groupId: 'default',
        externalUrl: `http://${id}.localhost/`,
        internalUrl: `${internalOrigin}/`,
        preAuthentication: 'passthrough',
        ...spoken,
      })),
      {
        id: 'secure',
        groupId: 'default',
        externalUrl: 'http://secure.localhost/',
        internalUrl: `${internalOrigin}/`,
        preAuthentication: 'oidc',
        ...spoken,
        client: { id: 'secure' },
        identityHeaders: { 'X-User': 'subject', 'X-Groups': 'groups' },
        ...(options.signOn !== undefined && { signOn: options.signOn }),
      },
    ],
  }
  const directory = createDirectory(readDirectory(configuration))
  const cloud = createCloud({
    directory,
    registry,
    authority,
    keyRing,
    audit,
    instances: () => instances,
    auditRequests: options.auditRequests ?? false,
    ...(options.observer !== undefined && { observer: options.observer }),
    ...(options.revocations !== undefined && { revocations: options.revocations }),
    ...(options.limits !== undefined && { limits: options.limits }),
    ...(options.shares !== undefined && { shares: options.shares }),
    ...(options.trustedProxies !== undefined && { trustedProxies: options.trustedProxies }),
    ...(options.renewAfterMs !== undefined && { renewAfterMs: options.renewAfterMs }),
    ...(options.pins === true && { cloudAuthorities: servers }),
    crypto,
    clocks,
  })
  const recorded = recordLinks(cloud.origin)
  const connectors = createConnectorListener(cloud, {
    key: certificate.key,
    cert: certificate.certificate,
    ...(options.bindings !== undefined && { bindings: options.bindings }),
  })
  const sockets = new Set<Socket>()
  connectors.server.on('secureConnection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  const connectorPort = await listen(connectors.server)
  const connectorUrl = `https://127.0.0.1:${connectorPort}`
  const dialledPort = (await options.relay?.(connectorPort)) ?? connectorPort
  instances['cloud-1'] = `https://127.0.0.1:${dialledPort}`
  const users = createUserListener(cloud.edge)
  const port = await listen(users)
  const usersByTls = createUserListener(cloud.edge, {
    tls: { key: certificate.key, cert: certificate.certificate },
  })
  const tlsPort = await listen(usersByTls)
  const stateDirectory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  const events: ConnectorEvent[] = []
  const running: RunningConnector[] = []
  const start = async (more: Partial<ConnectorOptions> = {}) => {
    const connector = await startConnector({
      url: connectorUrl,
      ca: certificate.ca,
      stateDirectory,
      token: () => registrarToken(issuer),
      onEvent: (event) => events.push(event),
      binding: options.transport === 'plain over TLS' ? 'plain' : 'link',
      ...(options.limits !== undefined && { limits: options.limits }),
      ...options.connector,
      ...more,
    })
    running.push(connector)
    await until(() => connector.isReady)
    return connector
  }
  let memory: MemoryConnector | undefined
  let connector: RunningConnector | undefined
  const memoryBackend = new NodeBackend()
  if (options.noConnector !== true && options.transport === 'in memory') {
    const claimer = {
      tenantId: 'contoso',
      connectorId: await registered(registry),
      groupId: 'default',
    }
    const limits = { ...TIME_LIMITS, ...options.limits }
    memory = new MemoryConnector(cloud, claimer, { backend: memoryBackend, limits })
    await until(() => memory!.isUp)
  } else if (options.noConnector !== true) connector = await start()
  return {
    cloud,
    connectors,
    directory,
    configuration,
    registry,
    get connector() {
      return connector!
    },
    sessions: new Sessions({ keyRing, crypto }),
    offers: recorded.offers,
    links: recorded.links,
    get attached() {
      return [...recorded.attached]
    },
    cut() {
      memory?.cut()
      for (const socket of sockets) socket.destroy()
    },
    events,
    issuer,
    audit,
    connectorUrl,
    ca: certificate.ca,
    port,
    tlsPort,
    stateDirectory,
    startConnector: start,
    async close() {
      await Promise.all(running.map((one) => one.stop()))
      memory?.cut()
      await memoryBackend.close()
      await connectors.close()
      await application.close()
      for (const server of [users, usersByTls]) {
        server.closeAllConnections()
        await new Promise((closed) => server.close(closed))
      }
      await issuer.close()
      await rm(stateDirectory, { recursive: true, force: true })
    },
  }
}

/** Every link that an origin is given, and every offer that is put on one of them. */
function recordLinks(origin: Origin) {
  const offers: Offer[] = []
  const links: OfferLink[] = []
  const attached = new Set<OfferLink>()
  const { attach, detach } = origin
  origin.attach = (group, link) => {
    links.push(link)
    attached.add(link)
    const send = link.offer.bind(link)
    link.offer = (offer) => {
      offers.push(offer)
      send(offer)
    }
    attach.call(origin, group, link)
  }
  origin.detach = (link) => {
    attached.delete(link)
    detach.call(origin, link)
  }
  return { offers, links, attached }
}

export { listen, REGISTRAR_AUDIENCE, registered, registrarToken, until }
