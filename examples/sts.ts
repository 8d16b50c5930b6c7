/**
 * A real OpenID Connect issuer for trying things out: `oidc-provider` with its own small login and
 * consent pages.
 *
 *     node --import tsx examples/sts.ts --config FILE
 *
 * FILE is JSON, see {@link StsInput}. One line of JSON on stdout says that it is ready:
 * `{"issuer":"…"}`. A mistake in FILE is one line on stderr and code 2.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { parseJson } from 'app-proxy/cloud'
import { preparePrivateDirectory, readPrivateFile, replacePrivateFile } from 'app-proxy/cloud/node'
import type { JWKS } from 'oidc-provider'
import { readFlags } from '#program/flags'
import { listen } from '#program/listen'
import { named } from '#program/mistakes'
import { aborted, runAs, type Surroundings } from '#program/program'
import { readStsConfiguration } from './sts/configuration.ts'
import { Consents } from './sts/consents.ts'
import { InteractionPages } from './sts/interactions.ts'
import { localFetch } from './sts/local-fetch.ts'
import {
  askSignOut,
  deviceCodePage,
  deviceConfirmPage,
  deviceDonePage,
  show,
  toldSignedOut,
} from './sts/pages.ts'
import { ONE_FACTOR, prompts, TWO_FACTOR } from './sts/strength.ts'
import { passwordChecker, PinCheck, type StsUser } from './sts/users.ts'

const FLAGS = {
  config: { value: 'FILE', isRequired: true, text: 'its users and clients: JSON' },
} as const

/** Resolves with the exit code, when it has ended. */
export async function main(surroundings: Surroundings): Promise<number> {
  const { say, log, signal } = surroundings
  const flags = readFlags(surroundings, 'node --import tsx examples/sts.ts', FLAGS)
  if (flags === undefined) return 0
  const file = flags.config
  const configuration = await readStsConfiguration(file)
  const { tenantId, users, clients, audience, apis = {}, stateDir, caFile } = configuration
  const { registration = false } = configuration
  const keys = await named({ file, path: 'stateDir' }, () => loadKeys(stateDir))
  // Standard output is for the ready line; the provider's notices go to the other one.
  console.info = console.error
  const { errors, interactionPolicy, Provider } = await import('oidc-provider')

  const server = createServer()
  const { port: wanted = 0 } = configuration
  const port = await listen(server, { port: wanted, host: '127.0.0.1', file, at: '' })
  const issuer = configuration.issuer ?? `http://127.0.0.1:${port}`
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
    scopes: ['openid', 'profile', 'email', 'register', ...scopesOf(apis)],
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
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (context, form, _, error) =>
          show(context, deviceCodePage(form, error)),
        userCodeConfirmSource: (context, form, client, _, userCode) =>
          show(context, deviceConfirmPage(form, client.clientName ?? client.clientId, userCode)),
        successSource: (context) => {
          const { clientName = 'The machine' } = context.oidc.client ?? {}
          show(context, deviceDonePage(clientName))
        },
      },
      registration: {
        enabled: registration,
        idFactory: () => `program-${randomBytes(4).toString('hex')}`,
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource, client) => {
          // Who may register connectors is no matter for a program that registered itself.
          const isConfigured = clients.some(({ client_id: id }) => id === client.clientId)
          const scope = resource === audience && isConfigured ? 'register' : apis[resource]
          if (scope === undefined) throw new errors.InvalidTarget()
          return { scope, audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600 }
        },
      },
    },
  })
  provider.on('backchannel.error', (_, error) => log(`back-channel ${error.message}`))
  provider.on('server_error', (_, error) => log(`server_error ${error.message}`))

  const interactions = new InteractionPages({
    ...{ provider, consents, subjectOf },
    check: passwordChecker(users),
    pins: new PinCheck(accounts),
  })
  const answer = provider.callback()
  server.on('request', (request, response) => {
    if (!request.url?.startsWith('/interaction/')) return void answer(request, response)
    interactions.serve(request, response).catch((error: Error) => {
      log(`interaction ${error.message}`)
      if (!response.headersSent) response.writeHead(400, { 'content-type': 'text/plain' })
      response.end('This sign-in cannot be continued. Open the page you wanted again.\n')
    })
  })
  say(JSON.stringify({ issuer }))
  await aborted(signal)
  await new Promise((closed) => {
    server.close(closed)
    server.closeAllConnections()
  })
  return 0
}

const scopesOf = (apis: Readonly<Record<string, string>>): readonly string[] =>
  Object.values(apis).flatMap((scopes) => scopes.split(' '))

/** Stable, and not the name: a user may be renamed. */
function subjectOf({ id, username }: StsUser): string {
  return id ?? `user-${username}`
}

/** Made when first needed, kept where only the owner reads them. */
async function loadKeys(
  stateDir: string | undefined,
): Promise<{ jwks: JWKS; cookieKeys: string[] }> {
  const file = stateDir && join(stateDir, 'sts-keys.json')
  const before = file && (await readPrivateFile(file))
  if (before) return parseJson(before, file) as Awaited<ReturnType<typeof loadKeys>>
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = randomBytes(8).toString('hex')
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }
  const made = { jwks: { keys: [jwk] } as JWKS, cookieKeys: [randomBytes(32).toString('hex')] }
  if (file) {
    await preparePrivateDirectory(stateDir!)
    await replacePrivateFile(file, JSON.stringify(made))
  }
  return made
}

await runAs('sts', main, import.meta.url)
