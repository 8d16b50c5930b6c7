/**
 * Applications as they are published, whole: users on every binding, the real edge, a real connector, private servers of the test.
 *
 * @module
 */
import { once } from 'node:events'
import {
  createServer,
  request as askHttp1,
  type IncomingMessage,
  type RequestListener,
} from 'node:http'
import { connect } from 'node:http2'
import { Readable, type Duplex, type Writable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  createServerAuthority,
  fetchHandler,
  KeyRing,
  memoryAudit,
  readDirectory,
  type CloudOptions,
} from '../src/cloud/index.ts'
import { createUserListener } from '../src/cloud/node/index.ts'
import { NodeBackend } from '../src/connector/node/index.ts'
import { TIME_LIMITS, type TimeLimits } from '../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../test/cloud/authority/memory-authority-store.ts'
import { listen } from '../test/integration/listen.ts'
import { MemoryConnector } from '../test/integration/memory-connector.ts'
import { registered } from '../test/integration/registered-connector.ts'
import { until } from '../test/until.ts'

/** The ways users come by. */
export const BINDINGS = ['HTTP/1.1', 'HTTP/2', 'fetch'] as const
export type UserBinding = (typeof BINDINGS)[number]

export interface PublishedWorldOptions {
  /** The private servers. Default: one that says `METHOD target` and what it was sent. */
  readonly serve?: RequestListener
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** What is published, `internalUrl` of the server filled in where there is none. */
  readonly applications: readonly object[]
  readonly tenant?: object
  /** Tenants beside `contoso`, each with a group of its name. */
  readonly tenants?: readonly object[]
  readonly issuer?: string
  readonly limits?: Partial<TimeLimits>
  /** Of the cloud. */
  readonly cloud?: Partial<CloudOptions>
  /** What the connector names beside the usual. */
  readonly features?: readonly string[]
}

/** One request. */
export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
  /** The same, as it came. */
  readonly octets: Buffer
}

export type PublishedWorld = Awaited<ReturnType<typeof publishedWorld>>

export async function publishedWorld(options: PublishedWorldOptions) {
  /** What reached the private server: `Host METHOD target`. */
  const reached: string[] = []
  const echo: RequestListener = (request, response) => {
    void text(request).then(
      (body) => response.end(`${request.method} ${request.url} ${body}`.trim()),
      () => undefined,
    )
  }
  const server = createServer((request, response) => {
    reached.push(`${request.headers.host} ${request.method} ${request.url}`)
    return (options.serve ?? echo)(request, response)
  })
  if (options.upgrade !== undefined) server.on('upgrade', options.upgrade)
  const internalUrl = `http://127.0.0.1:${await listen(server)}/`
  const { issuer = 'https://sts.example', tenants = [] } = options
  const registrars = { audience: 'urn:registration' }
  const configured = (applications: readonly object[]) =>
    readDirectory({
      tenants: [{ id: 'contoso', issuer, registrars, ...options.tenant }, ...tenants],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: applications.map((one) => ({ groupId: 'default', internalUrl, ...one })),
    })
  const directory = createDirectory(configured(options.applications))
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  const registry = createMemoryRegistry()
  const authority = await createCertificateAuthority({
    ...{ crypto, clocks, store: memoryAuthorityStore() },
  })
  const audit = memoryAudit()
  const limits = { ...TIME_LIMITS, ...options.limits }
  const cloud = createCloud({
    ...{ directory, registry, authority, audit, clocks, limits },
    ...{ keyRing: await KeyRing.open(), instances: () => ({}) },
    ...options.cloud,
  })
  const servers = await createServerAuthority({ store: memoryAuthorityStore() })
  const { key, certificate: cert } = await servers.issue()
  const plain = createUserListener(cloud.edge)
  const secure = createUserListener(cloud.edge, { tls: { key, cert } })
  const [port, tlsPort] = [await listen(plain), await listen(secure)]
  const handler = fetchHandler(cloud.edge)
  const connectorId = await registered(registry)
  const backend = new NodeBackend()
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId }
  const { features } = options
  const connector = new MemoryConnector(cloud, claimer, {
    ...{ backend, limits, ...(features && { features }) },
  })
  await until(() => connector.isUp)

  const byHttp1 = async (host: string, path: string, ask: Ask): Promise<Answer> => {
    const { method = 'GET', headers = {}, body } = ask
    const call = askHttp1({
      ...{ host: '127.0.0.1', port, path, method, agent: false },
      headers: { host, ...headers },
    })
    // What is refused early is answered before all of it was sent.
    call.on('error', () => undefined)
    void sendAll(call, body)
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    return {
      ...{ status: response.statusCode!, headers: response.headers as Answer['headers'] },
      ...bodyOf(await buffer(response)),
    }
  }
  const byHttp2 = async (host: string, path: string, ask: Ask): Promise<Answer> => {
    const { method = 'GET', headers = {}, body } = ask
    const session = connect(`https://127.0.0.1:${tlsPort}`, { rejectUnauthorized: false })
    session.on('error', () => undefined)
    const stream = session.request(
      { ':method': method, ':path': path, ':authority': host, ...headers },
      { endStream: body === undefined },
    )
    stream.on('error', () => undefined)
    if (body !== undefined) void sendAll(stream, body)
    const [head] = (await once(stream, 'response')) as [Record<string, string>]
    const said = await buffer(stream)
    session.destroy()
    return { status: Number(head[':status']), headers: head, ...bodyOf(said) }
  }
  const byFetch = async (host: string, path: string, ask: Ask): Promise<Answer> => {
    const { body, ...init } = ask
    const stream =
      body === undefined || typeof body === 'string' || body instanceof Uint8Array
        ? body
        : (Readable.toWeb(Readable.from(body)) as unknown as BodyInit)
    const response = await handler(
      new Request(`https://${host}${path}`, {
        ...init,
        ...(stream !== undefined && { body: stream as BodyInit, duplex: 'half' }),
        redirect: 'manual',
      } as RequestInit),
      { remoteAddress: '192.0.2.7' },
    )
    return {
      ...{ status: response.status, headers: Object.fromEntries(response.headers) },
      ...bodyOf(Buffer.from(await response.arrayBuffer())),
    }
  }
  return {
    ...{ cloud, directory, reached, audit: audit.events, port, tlsPort, internalUrl, connector },
    /** Puts other applications in force. */
    publish: (...applications: readonly object[]) => directory.replace(configured(applications)),
    ask: (binding: UserBinding, host: string, path = '/', ask: Ask = {}): Promise<Answer> =>
      binding === 'fetch'
        ? byFetch(host, path, ask)
        : (binding === 'HTTP/2' ? byHttp2 : byHttp1)(host, path, ask),
    /** The `Cookie` of somebody who has signed in. */
    async signIn(id: string, about: object = {}, at?: string): Promise<string> {
      const application = directory.application(id)!
      const identity = {
        ...{ subject: 'alice', issuer, name: 'Alice' },
        ...{ authenticatedAt: Date.now(), expiresAt: Date.now() + 3_600_000, ...about },
      }
      const host = at ?? new URL(application.externalUrl).host
      const { setCookie } = await cloud.sessions.start(application, host, identity as never)
      return setCookie.split(';')[0]!
    },
    async close(): Promise<void> {
      connector.cut()
      await backend.close()
      for (const one of [plain, secure, server]) {
        one.closeAllConnections()
        await new Promise((closed) => one.close(closed))
      }
    },
  }
}

/** The code of an answer of ours. */
export const codeOf = ({ body }: Answer) => (JSON.parse(body) as { code: string }).code

const bodyOf = (octets: Buffer) => ({ octets, body: octets.toString() })

async function sendAll(to: Writable, body: Ask['body']): Promise<void> {
  if (body === undefined) return void to.end()
  if (typeof body === 'string' || body instanceof Uint8Array) return void to.end(body)
  for await (const bytes of body) {
    if (!to.writable) return
    if (!to.write(bytes)) await once(to, 'drain').catch(() => undefined)
  }
  to.end()
}
