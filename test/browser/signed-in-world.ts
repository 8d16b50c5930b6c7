/**
 * One application at `app.corp.test`, and a real issuer at `login.idp.test` whose user signs in by one
 * button. This file can be imported outside of tests too.
 */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { Provider } from 'oidc-provider'
import {
  createCertificateAuthority,
  createCloud,
  createDirectory,
  createMemoryRegistry,
  KeyRing,
  memoryAudit,
  type UserExchange,
} from '../../src/cloud/index.ts'
import { Edge } from '../../src/cloud/edge/edge.ts'
import { PreAuthentication } from '../../src/cloud/sign-in/sign-in.ts'
import { createUserListener } from '../../src/cloud/node/index.ts'
import { NodeBackend } from '../../src/connector/node/index.ts'
import { TIME_LIMITS } from '../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../cloud/authority/memory-authority-store.ts'
import { MemoryConnector } from '../integration/memory-connector.ts'
import { registered } from '../integration/registered-connector.ts'
import { until } from '../until.ts'
import type { Sites } from './sites.ts'

export interface SignedInWorldOptions {
  /** How long an ID token is good. Seconds. */
  readonly idTokenSeconds: number
  readonly refreshTokens: boolean
  /** The application's `session`. */
  readonly session?: object
  /** What the application answers; it knows its user by the field `X-User`. */
  readonly answer: RequestListener
}

export async function signedInWorld(sites: Sites, options: SignedInWorldOptions) {
  const backendPort = await sites.listen(createServer(options.answer))
  // The application's address needs the port, and the issuer needs that address.
  const later: { edge?: Edge } = {}
  const handle = (user: UserExchange) => later.edge!.handle(user)
  const port = await sites.listen(createUserListener({ handle }, { tls: sites.tls }))
  const app = `https://app.corp.test:${port}`
  const issuer = await startIssuer(sites, app, options)
  const directory = createDirectory({
    tenants: [{ id: 'contoso', issuer: issuer.url, registrars: { audience: 'urn:registration' } }],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: [
      {
        ...{ id: 'app', name: 'Travel', groupId: 'default', preAuthentication: 'oidc' },
        ...{ externalUrl: `${app}/`, internalUrl: `http://127.0.0.1:${backendPort}/` },
        client: { id: 'app', secret: SECRET },
        identityHeaders: { 'X-User': 'subject' },
        ...(options.session && { session: options.session }),
      },
    ],
  })
  const audit = memoryAudit()
  let turned = 0
  const clocks = { now: () => performance.now(), wallClock: () => Date.now() + turned }
  const keyRing = await KeyRing.open()
  const registry = createMemoryRegistry()
  const authority = await createCertificateAuthority({
    ...{ crypto, clocks, store: memoryAuthorityStore() },
  })
  const cloud = createCloud({
    ...{ directory, registry, authority, keyRing, audit, clocks, instances: () => ({}) },
  })
  const { origin, sessions } = cloud
  const preAuthentication = new PreAuthentication({
    ...{ directory, keyRing, clocks, audit, sessions, fetch: sites.fetch },
  })
  later.edge = new Edge({
    ...{ directory, preAuthentication, clocks, crypto, audit, origin, sessions },
  })
  const connectorId = await registered(registry)
  const backend = new NodeBackend()
  const connector = new MemoryConnector(
    cloud,
    { tenantId: 'contoso', groupId: 'default', connectorId },
    { backend, limits: TIME_LIMITS },
  )
  await until(() => connector.isUp)
  return {
    app,
    audit: audit.events,
    issuer,
    /** The application's clock, not the issuer's, is so far ahead. Milliseconds. */
    turnClock: (ms: number) => void (turned = ms),
    async close() {
      connector.cut()
      await backend.close()
    },
  }
}

const SECRET = 'app-secret-for-tests'

/** Counts what it is asked. */
async function startIssuer(sites: Sites, app: string, options: SignedInWorldOptions) {
  const { server, port } = await sites.serve()
  const url = `https://login.idp.test:${port}`
  const { idTokenSeconds, refreshTokens } = options
  const hours = 8 * 3600
  const provider: Provider = new Provider(url, {
    clients: [
      {
        client_id: 'app',
        client_secret: SECRET,
        redirect_uris: [`${app}/.app-proxy/sign-in/callback`],
        grant_types: ['authorization_code', ...(refreshTokens ? ['refresh_token'] : [])],
      },
    ],
    cookies: { keys: ['a key of the tests alone'] },
    claims: { openid: ['sub', 'auth_time'] },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    // Nobody is asked to consent.
    async loadExistingGrant({ oidc }): Promise<InstanceType<Provider['Grant']>> {
      const grant = new provider.Grant({
        ...{ accountId: oidc.session!.accountId!, clientId: oidc.client!.clientId },
      })
      grant.addOIDCScope('openid profile email offline_access')
      await grant.save()
      return grant
    },
    issueRefreshToken: async () => refreshTokens,
    rotateRefreshToken: true,
    ttl: {
      ...{ IdToken: idTokenSeconds, AccessToken: 600, RefreshToken: hours },
      ...{ Session: hours, Grant: hours, Interaction: 3600 },
    },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    features: { devInteractions: { enabled: false } },
  })
  const asked = { authorizations: 0, silent: 0, refreshes: 0 }
  provider.on('grant.success', ({ oidc }) => {
    if (oidc.params?.['grant_type'] === 'refresh_token') asked.refreshes++
  })
  const answer = provider.callback()
  server.on('request', (request: IncomingMessage, response) => {
    const { pathname, searchParams } = new URL(request.url!, url)
    if (pathname === '/auth') {
      asked.authorizations++
      if (searchParams.get('prompt') === 'none') asked.silent++
    }
    if (!pathname.startsWith('/interaction/')) return void answer(request, response)
    if (request.method === 'POST') {
      const login = { accountId: 'alice' }
      return void provider.interactionFinished(request, response, { login })
    }
    response.setHeader('Content-Type', 'text/html')
    response.end('<!doctype html><form method="post"><button id="sign-in">Sign in</button></form>')
  })
  return { url, asked }
}
