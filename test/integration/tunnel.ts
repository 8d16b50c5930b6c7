import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  createServerAuthority,
  defaultCryptoProvider,
  KeyRing,
  memoryAudit,
  type Cloud,
  type ConnectorRegistry,
} from '../../src/cloud/index.ts'
import {
  createConnectorListener,
  createUserListener,
  type ConnectorListener,
} from '../../src/cloud/node/index.ts'
import {
  startConnector,
  type ConnectorEvent,
  type ConnectorOptions,
  type RunningConnector,
} from '../../src/connector/node/index.ts'
import type { TimeLimits } from '../../src/protocol/index.ts'
import { memoryAuthorityStore } from '../cloud/trust.ts'
import { startIssuer, type Issuer } from '../issuer.ts'

export const REGISTRAR_AUDIENCE = 'https://cloud.example/registration'

/** The whole way from a user to an application, in one process, over real sockets and real TLS. */
export interface Tunnel {
  readonly cloud: Cloud
  readonly connectors: ConnectorListener
  readonly registry: ConnectorRegistry
  readonly connector: RunningConnector
  readonly events: readonly ConnectorEvent[]
  readonly issuer: Issuer
  readonly audit: ReturnType<typeof memoryAudit>
  readonly connectorUrl: string
  /** PEM: the root of the connector listener. */
  readonly ca: string
  /** The port users come to; the application is `open.localhost`. */
  readonly port: number
  readonly stateDirectory: string
  startConnector(options?: Partial<ConnectorOptions>): Promise<RunningConnector>
  close(): Promise<void>
}

export interface TunnelOptions {
  readonly backend: RequestListener
  readonly limits?: Partial<TimeLimits>
  readonly responseHeadMs?: number
  readonly renewAfterMs?: number
  readonly connector?: Partial<ConnectorOptions>
  /** External and internal path of the application. Default `/`. */
  readonly externalPath?: string
  readonly internalPath?: string
  /** Wraps the cloud's registration: a lost reply, for example. */
  readonly noConnector?: boolean
}

export async function listen(server: Server): Promise<number> {
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return (server.address() as AddressInfo).port
}

export async function startTunnel(options: TunnelOptions): Promise<Tunnel> {
  const crypto = await defaultCryptoProvider()
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  const issuer = await startIssuer()
  const backend = createHttpServer({ requestTimeout: 0 }, options.backend)
  const backendPort = await listen(backend)
  const authority = await createCertificateAuthority({
    crypto,
    clocks,
    store: memoryAuthorityStore(),
  })
  const servers = await createServerAuthority({ crypto, clocks, store: memoryAuthorityStore() })
  const registry = createMemoryRegistry()
  const audit = memoryAudit()
  const instances: Record<string, string> = {}
  const cloud = createCloud({
    directory: createDirectory({
      tenants: [
        { id: 'contoso', issuer: issuer.url, registrars: { audience: REGISTRAR_AUDIENCE } },
      ],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [
        {
          id: 'open',
          groupId: 'default',
          externalUrl: `http://open.localhost${options.externalPath ?? '/'}`,
          internalUrl: `http://127.0.0.1:${backendPort}${options.internalPath ?? '/'}`,
          preAuthentication: 'passthrough',
          ...(options.responseHeadMs !== undefined && { responseHeadMs: options.responseHeadMs }),
        },
      ],
    }),
    registry,
    authority,
    keyRing: await KeyRing.open({ crypto, wallClock: clocks.wallClock }),
    audit,
    instances: () => instances,
    ...(options.limits !== undefined && { limits: options.limits }),
    ...(options.renewAfterMs !== undefined && { renewAfterMs: options.renewAfterMs }),
    crypto,
    clocks,
  })
  const certificate = await servers.issue()
  const connectors = createConnectorListener(cloud, {
    key: certificate.key,
    cert: certificate.certificate,
  })
  const connectorUrl = `https://127.0.0.1:${await listen(connectors.server)}`
  instances['cloud-1'] = connectorUrl
  const users = createUserListener(cloud.edge)
  const port = await listen(users)
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
      ...(options.limits !== undefined && { limits: options.limits }),
      ...options.connector,
      ...more,
    })
    running.push(connector)
    await until(() => connector.isReady)
    return connector
  }
  const connector = options.noConnector === true ? (undefined as never) : await start()
  return {
    cloud,
    connectors,
    registry,
    connector,
    events,
    issuer,
    audit,
    connectorUrl,
    ca: certificate.ca,
    port,
    stateDirectory,
    startConnector: start,
    async close() {
      await Promise.all(running.map((one) => one.stop()))
      await connectors.close()
      for (const server of [users, backend]) {
        server.closeAllConnections()
        await new Promise((closed) => server.close(closed))
      }
      await issuer.close()
      await rm(stateDirectory, { recursive: true, force: true })
    },
  }
}

export function registrarToken(
  issuer: Issuer,
  claims: Record<string, unknown> = {},
): Promise<string> {
  return issuer.sign({
    aud: REGISTRAR_AUDIENCE,
    sub: 'alice',
    tid: 'contoso',
    roles: ['company-administrator'],
    jti: crypto.randomUUID(),
    ...claims,
  })
}

/** Waits for something that will be so; fails after `timeoutMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`never came true: ${condition}`)
    await new Promise((later) => setTimeout(later, 10))
  }
}
