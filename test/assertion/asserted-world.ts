/**
 * A cloud, a connector and a private server that says what reached it: one application is told by assertions, with neighbours of every kind. Users
 * come over real HTTP; whoever is signed in has a session from the start.
 *
 * @module
 */
import { createServer, request as ask, type IncomingHttpHeaders } from 'node:http'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  KeyRing,
  memoryAudit,
  type AssertionSigner,
  type Cloud,
} from '../../src/cloud/index.ts'
import { createUserListener } from '../../src/cloud/node/index.ts'
import type { Backend } from '../../src/connector/index.ts'
import { NodeBackend } from '../../src/connector/node/index.ts'
import { TIME_LIMITS } from '../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../cloud/authority/memory-authority-store.ts'
import { listen } from '../integration/listen.ts'
import { MemoryConnector } from '../integration/memory-connector.ts'
import { registered } from '../integration/registered-connector.ts'
import { until } from '../until.ts'

export interface AssertedWorldOptions {
  readonly signer?: AssertionSigner
  readonly issuer?: string
  /** Where the applications are. Default: a server that says what reached it. */
  readonly internalUrl?: string
  readonly serviceUrl?: (port: number) => string
  /** What the connector calls applications with. Default: nothing between. */
  readonly decorated?: (backend: Backend) => Backend
  /** What the connector names beside the usual. */
  readonly features?: readonly string[]
  /** Of the application's `signOn`. */
  readonly signOn?: object
}

/** What reached the private server. */
export interface Reached {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** As they came: name, value, name, value. */
  readonly raw: readonly string[]
  readonly trailers: readonly string[]
}

export type AssertedWorld = Awaited<ReturnType<typeof assertedWorld>>

export async function assertedWorld(options: AssertedWorldOptions = {}) {
  const reached: Reached[] = []
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const { method, url, headers, rawHeaders, rawTrailers } = request
      reached.push({
        ...{ method: method!, url: url!, headers },
        raw: rawHeaders,
        trailers: rawTrailers,
      })
      response.end('here')
    })
  })
  const internalUrl = options.internalUrl ?? `http://127.0.0.1:${await listen(server)}/`
  const later: { cloud?: Cloud } = {}
  const users = createUserListener({ handle: (user) => later.cloud!.edge.handle(user) })
  const port = await listen(users)
  const { issuer = 'https://sts.example' } = options
  const host = `wiki.localhost:${port}`
  const signedIn = { groupId: 'default', preAuthentication: 'oidc', internalUrl } as const
  const directory = createDirectory({
    tenants: [{ id: 'contoso', issuer, registrars: { audience: 'urn:registration' } }],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: [
      {
        ...signedIn,
        ...{ id: 'wiki', externalUrl: `http://${host}/`, client: { id: 'wiki' } },
        signOn: { kind: 'assertion', claims: ['name', 'groups'], ...options.signOn },
        bearer: { audiences: ['wiki'] },
      },
      {
        ...signedIn,
        ...{ id: 'custom', externalUrl: `http://custom.localhost:${port}/` },
        ...{ client: { id: 'custom' }, signOn: { kind: 'assertion', header: 'X-Wiki-User' } },
      },
      {
        ...{ id: 'open', groupId: 'default', preAuthentication: 'passthrough', internalUrl },
        externalUrl: `http://${host}/open/`,
      },
      {
        ...{ id: 'elsewhere', groupId: 'default', preAuthentication: 'passthrough' },
        ...{ externalUrl: `http://elsewhere.localhost:${port}/`, internalUrl },
      },
      {
        ...signedIn,
        ...{ id: 'plain', externalUrl: `http://plain.localhost:${port}/`, client: { id: 'plain' } },
      },
    ],
  })
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
  const registry = createMemoryRegistry()
  const authority = await createCertificateAuthority({
    ...{ crypto, clocks, store: memoryAuthorityStore() },
  })
  const audit = memoryAudit()
  const cloud = createCloud({
    ...{ directory, registry, authority, audit, clocks },
    ...{ keyRing: await KeyRing.open(), instances: () => ({}) },
    ...(options.signer && { assertionSigner: options.signer }),
    serviceUrl: options.serviceUrl?.(port),
  })
  later.cloud = cloud
  const connectorId = await registered(registry)
  const inner = new NodeBackend()
  const backend = options.decorated?.(inner) ?? inner
  const claimer = { tenantId: 'contoso', groupId: 'default', connectorId }
  const { features } = options
  const connector = new MemoryConnector(cloud, claimer, {
    ...{ backend, limits: TIME_LIMITS, ...(features && { features }) },
  })
  await until(() => connector.isUp)
  const signIn = async (id: string, subject: string) => {
    const application = directory.application(id)!
    const about = {
      ...{ subject, issuer, name: 'Ann Ä', groups: ['a,b', 'c'] },
      ...{ authenticatedAt: Date.now(), expiresAt: Date.now() + 3_600_000 },
    }
    const at = new URL(application.externalUrl).host
    const { setCookie } = await cloud.sessions.start(application, at, about as never)
    return setCookie.split(';')[0]!
  }
  return {
    ...{ cloud, host, port, reached, signIn, audit: audit.events },
    /** What a user is told; the last that reached the server is behind `reached`. */
    async ask(at: string, path: string, headers: object = {}, method = 'GET', body?: string) {
      const call = ask({ host: '127.0.0.1', port, path, method, headers: { host: at, ...headers } })
      call.end(body)
      const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage]
      return {
        ...{ status: response.statusCode!, headers: response.headers },
        body: await text(response),
      }
    },
    async close() {
      connector.cut()
      cloud.origin.end()
      await backend.close()
      users.close()
      server.close()
      server.closeAllConnections()
    },
  }
}
