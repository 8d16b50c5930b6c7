/**
 * An application as an operator writes it.
 *
 * @module
 */
import * as v from 'valibot'
import { ConfigurationInvalid, foldName, isToken, TIME_LIMITS } from '../../protocol/internal.ts'
import { BearerConfiguration, checkBearer } from './bearer-configuration.ts'
import { ClientConfiguration, readClient } from './client-configuration.ts'
import { id, refuse, text, texts } from './configuration-values.ts'
import type { IssuerProfile } from './issuer-configuration.ts'
import { IdentityHeaderConfiguration } from './identity-headers.ts'
import { contentVersion } from './content-version.ts'
import { checkCors, CorsConfiguration, isOrigin } from './cors-configuration.ts'
import { ApplicationPolicy, USERS, type AccessRules } from '../rules/access-policy.ts'
import { userNameFault } from '../rules/user-names.ts'
import type { Application } from './directory-port.ts'
import { checkSessionLifetime, SessionLifetimeConfiguration } from './session-configuration.ts'
import { externalUrlFault, internalUrlFault } from './published-url.ts'

export const ApplicationConfiguration = v.strictObject({
  id,
  name: v.pipe(v.optional(text), v.description('Default: the id.')),
  tenantId: v.pipe(v.optional(id), v.description('Default: the tenant of its group.')),
  groupId: v.pipe(id, v.description('The connectors that serve it.')),
  externalUrl: v.pipe(
    text,
    v.description(
      '`https://host[:port]/path/`; `http` only on localhost, *.localhost and loopback.',
    ),
  ),
  internalUrl: v.pipe(
    text,
    v.description('Scheme, host, port and base path of the private application.'),
  ),
  preAuthentication: v.picklist(['oidc', 'passthrough']),
  client: v.pipe(
    v.optional(ClientConfiguration),
    v.description("Its own client at the tenant's issuer; with `oidc` only, and then always."),
  ),
  assigned: v.pipe(
    v.optional(
      v.strictObject({
        users: v.pipe(v.optional(texts, []), v.description(USERS)),
        groups: v.optional(texts, []),
        roles: v.optional(texts, []),
      }),
    ),
    v.description('Who may use it; with `oidc` only. Default: every user the issuer signs in.'),
  ),
  policies: v.pipe(
    v.optional(v.array(ApplicationPolicy)),
    v.description("Its own policies, besides its tenant's; with `oidc` only."),
  ),
  identityHeaders: v.pipe(
    v.optional(v.record(v.string(), IdentityHeaderConfiguration), {}),
    v.description(
      'Header name → what of the user it tells the application, and how; with `oidc` only.',
    ),
  ),
  session: v.pipe(
    v.optional(
      v.strictObject({
        sameSite: v.optional(v.picklist(['lax', 'none']), 'lax'),
        lifetime: SessionLifetimeConfiguration,
      }),
    ),
    v.description(
      "The session and its cookie; with `oidc` only. `lifetime`: in the place of its tenant's. `sameSite`: with `none`, which needs https, it comes with requests of other sites' pages as well, as `cors` with `credentials` needs. Default: `lax`.",
    ),
  ),
  embedding: v.pipe(
    v.optional(
      v.strictObject({
        ancestors: v.pipe(texts, v.minLength(1)),
        partitioned: v.optional(v.boolean(), false),
      }),
    ),
    v.description(
      'Origins (`ancestors`) in whose frames users may sign in; with `oidc` only, and needs https. `partitioned`, which needs `session.sameSite` `none`: one session for each site that embeds it. Default: nobody signs in in a frame of another origin.',
    ),
  ),
  responseMode: v.pipe(
    v.optional(v.picklist(['query', 'form_post'])),
    v.description(
      'How the issuer hands back its answer; `form_post` keeps it out of addresses and needs https; with `oidc` only. Default: `query`.',
    ),
  ),
  allowedOrigins: v.pipe(
    v.optional(texts),
    v.description(
      'Origins, besides its own host, whose pages may open a WebSocket for a signed-in user; with `oidc` only. Default: none.',
    ),
  ),
  cors: v.pipe(
    v.optional(CorsConfiguration),
    v.description(
      'Pages of other sites that may read its answers. Default: with `passthrough` the application answers for itself, with `oidc` there are none.',
    ),
  ),
  bearer: v.pipe(
    v.optional(BearerConfiguration),
    v.description(
      'Programs may show an access token of the issuer in the place of a session; with `oidc` only. Default: they may not, and a token that they send is for the application.',
    ),
  ),
  needs: v.pipe(
    v.optional(v.array(v.pipe(v.string(), v.regex(/^[\w./-]{1,64}$/)))),
    v.description(
      'Features that a connector must have named to serve it; without one that has, its users get a 501. Default: none.',
    ),
  ),
  hostHeader: v.pipe(
    v.optional(v.picklist(['internal', 'external']), 'internal'),
    v.description('Which `Host` the application is shown.'),
  ),
  verifyCertificate: v.pipe(
    v.optional(v.boolean(), true),
    v.description("Whether an https application's certificate is verified."),
  ),
  responseHeadMs: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), TIME_LIMITS.responseHeadMs),
    v.description('Milliseconds the application may take to its response head.'),
  ),
})

type Checked = v.InferOutput<typeof ApplicationConfiguration>

/**
 * Checks one application and fills in its defaults. `access`: its conditional access; `tenant`: its
 * own.
 *
 * @throws ConfigurationInvalid with `path`
 */
export function readApplication(
  application: Checked,
  path: string,
  groups: readonly { readonly id: string; readonly tenantId: string }[],
  access: AccessRules | undefined,
  tenant: { readonly issuer: string; readonly issuerProfile: IssuerProfile } | undefined,
): Application {
  const group = groups.find(({ id }) => id === application.groupId)
  if (group === undefined || tenant === undefined)
    throw new ConfigurationInvalid(`${path}.groupId`, 'names no group')
  if ((application.tenantId ?? group.tenantId) !== group.tenantId)
    throw new ConfigurationInvalid(`${path}.tenantId`, 'is not the tenant of its group')
  refuse(`${path}.externalUrl`, externalUrlFault(application.externalUrl))
  refuse(`${path}.internalUrl`, internalUrlFault(application.internalUrl))
  checkSignIn(application, path)
  const assignsNames = tenant.issuerProfile.claims.upn !== undefined
  application.assigned?.users.forEach((name, i) =>
    refuse(`${path}.assigned.users[${i}]`, userNameFault(name, assignsNames)),
  )
  checkEmbedding(application, path)
  checkIdentityHeaders(application, path)
  checkSessionLifetime(application.session?.lifetime, `${path}.session.lifetime`)
  checkOrigins(application, path)
  if (application.cors) checkCors(application.cors, application.externalUrl, `${path}.cors`)
  if (application.bearer)
    checkBearer(application.bearer, application, tenant.issuerProfile, `${path}.bearer`)
  const {
    name,
    client,
    assigned,
    allowedOrigins,
    cors,
    bearer,
    responseMode,
    session,
    embedding,
    policies: _policies,
    ...rest
  } = application
  const complete = {
    ...rest,
    name: name ?? application.id,
    tenantId: group.tenantId,
    // From here on all comparisons are of canonical forms.
    externalUrl: new URL(application.externalUrl).href,
    internalUrl: new URL(application.internalUrl).href,
    ...(assigned && { assigned }),
    ...(allowedOrigins && { allowedOrigins }),
  }
  // Connectors see the version: neither secrets nor policies may go into it.
  const version = contentVersion({ ...complete, client: client?.id })
  const edge = { ...(cors && { cors }), version }
  if (client === undefined) return { ...complete, ...edge }
  return {
    ...complete,
    ...edge,
    issuer: tenant.issuer,
    client: readClient(client, `${path}.client`),
    ...(bearer && { bearer }),
    ...(responseMode && { responseMode }),
    ...(session && { session }),
    ...(embedding && { embedding }),
    ...(access && { access }),
  }
}

/** An operator who writes down who is assigned believes that somebody checks. */
function checkSignIn(application: Checked, path: string): void {
  const { preAuthentication, client, assigned, identityHeaders, allowedOrigins } = application
  const { responseMode, session } = application
  if (preAuthentication === 'oidc') {
    if (client === undefined)
      throw new ConfigurationInvalid(`${path}.client`, 'is needed by "oidc"')
    if (responseMode === 'form_post' && !application.externalUrl.startsWith('https:'))
      throw new ConfigurationInvalid(
        `${path}.responseMode`,
        'needs https: "form_post" is posted by another site',
      )
    if (session?.sameSite === 'none' && !application.externalUrl.startsWith('https:'))
      throw new ConfigurationInvalid(`${path}.session.sameSite`, 'needs https')
    return
  }
  const detail = 'has no meaning with "passthrough": nobody signs in'
  if (client !== undefined) throw new ConfigurationInvalid(`${path}.client`, detail)
  if (assigned !== undefined) throw new ConfigurationInvalid(`${path}.assigned`, detail)
  if (allowedOrigins !== undefined) throw new ConfigurationInvalid(`${path}.allowedOrigins`, detail)
  if (session !== undefined) throw new ConfigurationInvalid(`${path}.session`, detail)
  if (responseMode !== undefined) throw new ConfigurationInvalid(`${path}.responseMode`, detail)
  if (Object.keys(identityHeaders).length > 0)
    throw new ConfigurationInvalid(`${path}.identityHeaders`, detail)
}

function checkEmbedding(application: Checked, path: string): void {
  const { embedding, externalUrl, preAuthentication, responseMode, session } = application
  if (embedding === undefined) return
  const at = `${path}.embedding`
  if (preAuthentication !== 'oidc')
    throw new ConfigurationInvalid(at, 'has no meaning with "passthrough": nobody signs in')
  if (!externalUrl.startsWith('https:')) throw new ConfigurationInvalid(at, 'needs https')
  embedding.ancestors.forEach((origin, i) => checkOrigin(origin, `${at}.ancestors[${i}]`))
  if (session?.sameSite === 'none') return
  const needsNone = 'needs "session.sameSite" to be "none"'
  if (embedding.partitioned) throw new ConfigurationInvalid(`${at}.partitioned`, needsNone)
  // The issuer posts into the frame across sites: Lax cookies would not come back with it.
  if (responseMode === 'form_post')
    throw new ConfigurationInvalid(at, `with "form_post" ${needsNone}`)
}

function checkIdentityHeaders(application: Checked, path: string): void {
  const seen = new Set<string>()
  for (const name of Object.keys(application.identityHeaders)) {
    const at = `${path}.identityHeaders.${name}`
    if (!isToken(name)) throw new ConfigurationInvalid(at, 'is no header name')
    const folded = foldName(name)
    if (NOT_IDENTITY.has(folded))
      throw new ConfigurationInvalid(at, 'has a meaning in HTTP already')
    if (seen.has(folded)) throw new ConfigurationInvalid(at, 'is another spelling of one before')
    seen.add(folded)
  }
}

/** Browsers send them in one form, so that is the one to compare with. */
function checkOrigins({ allowedOrigins = [] }: Checked, path: string): void {
  allowedOrigins.forEach((origin, i) => checkOrigin(origin, `${path}.allowedOrigins[${i}]`))
}

function checkOrigin(origin: string, path: string): void {
  if (!isOrigin(origin))
    throw new ConfigurationInvalid(path, 'must be an origin, such as "https://host.example"')
}

/** Names whose meaning the protocol, or the gateway itself, gives. */
const NOT_IDENTITY: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'origin',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
])
