/**
 * A real OpenID Connect issuer for trying things out: `oidc-provider` with its own small login and
 * consent pages.
 *
 *     node --import tsx examples/sts.ts --config FILE
 *
 * FILE is JSON, see {@link StsConfiguration}. One line of JSON on stdout says that it is ready:
 * `{"issuer":"…"}`.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { preparePrivateDirectory, readPrivateFile, replacePrivateFile } from 'app-proxy/cloud/node'
import type { ClientMetadata, JWKS } from 'oidc-provider'
import { Consents } from './sts/consents.ts'
import { InteractionPages } from './sts/interactions.ts'
import { askSignOut, toldSignedOut } from './sts/pages.ts'
import { localFetch } from './sts/local-fetch.ts'
import { ONE_FACTOR, prompts, TWO_FACTOR } from './sts/strength.ts'
import { passwordChecker, PinCheck, type StsUser } from './sts/users.ts'

interface StsConfiguration {
  /** 0 or absent: a free one. */
  readonly port?: number
  /** Default `http://127.0.0.1:PORT`. */
  readonly issuer?: string
  /** Goes into every token as `tid`. */
  readonly tenantId: string
  readonly users: readonly StsUser[]
  /**
   * OpenID Connect client metadata: one client per application, and a public one for registrars.
   */
  readonly clients: readonly ClientMetadata[]
  /** The resource that registrars' access tokens are for. */
  readonly audience: string
  /** Applications that take access tokens, by resource (RFC 8707): the scopes that there are. */
  readonly apis?: Readonly<Record<string, string>>
  /** Where keys are kept; absent: new ones at each start. */
  readonly stateDir?: string
  /** PEM file of the authority under which applications are reached; read when it is needed. */
  readonly caFile?: string
}

// Standard output is for the ready line; the provider's notices go to the other one.
console.info = console.error
const { errors, interactionPolicy, Provider } = await import('oidc-provider')

const { values } = parseArgs({ options: { config: { type: 'string' } } })
if (values.config === undefined) throw new Error('usage: sts.ts --config FILE')
const read = await readPrivateFile(values.config, { mayBeLink: true })
if (read === undefined) throw new Error(`${values.config} is not there`)
const configuration = JSON.parse(read) as StsConfiguration
const { tenantId, users, clients, audience, apis = {}, stateDir, caFile } = configuration

const server = createServer()
await new Promise<void>((resolve, reject) => {
  server.once('error', reject)
  server.listen(configuration.port ?? 0, '127.0.0.1', resolve)
})
const issuer = configuration.issuer ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const keys = await loadKeys()
const accounts = new Map(users.map((user) => [subjectOf(user), user]))
const claimsOf = (user: StsUser) => ({
  name: user.name ?? user.username,
  email: user.email,
  // Its administrator gave it to them.
  email_verified: user.email === undefined ? undefined : true,
  preferred_username: user.username,
  groups: user.groups ?? [],
  roles: user.roles ?? [],
  tid: tenantId,
})

const consents = new Consents()
const provider = new Provider(issuer, {
  clients: [...clients],
  jwks: keys.jwks,
  cookies: { keys: keys.cookieKeys },
  pkce: { required: () => true },
  // The claims come with the ID token itself; a code flow needs no second call for them.
  conformIdTokenClaims: false,
  claims: {
    openid: ['sub', 'tid', 'groups', 'roles', 'auth_time', 'acr', 'amr'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
  },
  scopes: ['openid', 'profile', 'email', 'register'],
  findAccount: (_, accountId) => {
    const user = accounts.get(accountId)
    return user && { accountId, claims: () => ({ sub: accountId, ...claimsOf(user) }) }
  },
  loadExistingGrant: (context) => consents.load(context),
  extraTokenClaims: (_, token) => {
    const user = 'accountId' in token ? accounts.get(token.accountId as string) : undefined
    if (user === undefined) return { tid: tenantId }
    const { preferred_username: _name, ...claims } = claimsOf(user)
    return claims
  },
  acrValues: [ONE_FACTOR.acr, TWO_FACTOR.acr],
  // The provider calls no address of this machine by itself; here every application is one.
  fetch: localFetch(caFile),
  interactions: {
    policy: prompts(interactionPolicy),
    url: (_, interaction) => `/interaction/${interaction.uid}`,
  },
  ttl: {
    ...{ AccessToken: 600, IdToken: 3600, Session: 8 * 3600, Interaction: 3600 },
    ...{ Grant: 8 * 3600, RefreshToken: 8 * 3600 },
  },
  // Each is good once; one that is shown again ends the grant.
  rotateRefreshToken: true,
  issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token'),
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: { logoutSource: askSignOut, postLogoutSuccessSource: toldSignedOut },
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        const scope = resource === audience ? 'register' : apis[resource]
        if (scope === undefined) throw new errors.InvalidTarget()
        return { scope, audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600 }
      },
    },
  },
})
provider.on('backchannel.error', (_, error) => console.error('back-channel', error.message))
provider.on('server_error', (_, error) => console.error('server_error', error.message))

const interactions = new InteractionPages({
  ...{ provider, consents, subjectOf },
  check: passwordChecker(users),
  pins: new PinCheck(accounts),
})
const answer = provider.callback()
server.on('request', (request, response) => {
  if (!request.url?.startsWith('/interaction/')) return void answer(request, response)
  interactions.serve(request, response).catch((error: Error) => {
    console.error('interaction', error.message)
    if (!response.headersSent) response.writeHead(400, { 'content-type': 'text/plain' })
    response.end('This sign-in cannot be continued. Open the page you wanted again.\n')
  })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    server.close(() => process.exit(0))
    server.closeAllConnections()
  })
console.log(JSON.stringify({ issuer }))

/** Stable, and not the name: a user may be renamed. */
function subjectOf({ id, username }: StsUser): string {
  return id ?? `user-${username}`
}

/** Made when first needed, kept where only the owner reads them. */
async function loadKeys(): Promise<{ jwks: JWKS; cookieKeys: string[] }> {
  const file = stateDir && join(stateDir, 'sts-keys.json')
  const before = file && (await readPrivateFile(file))
  if (before) return JSON.parse(before) as Awaited<ReturnType<typeof loadKeys>>
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = randomBytes(8).toString('hex')
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }
  const made = { jwks: { keys: [jwk] } as JWKS, cookieKeys: [randomBytes(32).toString('hex')] }
  if (file) {
    await preparePrivateDirectory(stateDir)
    await replacePrivateFile(file, JSON.stringify(made))
  }
  return made
}
