/**
 * The directory as an operator writes it: its shape as a schema, its defaults, and the checks that span values.
 *
 * @module
 */
import * as v from 'valibot'
import {
  canonicalHost,
  ConfigurationInvalid,
  foldName,
  isToken,
  TIME_LIMITS,
} from '../protocol/index.ts'
import { contentVersion } from './content-version.ts'
import { BearerConfiguration, checkBearer } from './bearer-configuration.ts'
import { checkCors, CorsConfiguration, isOrigin } from './cors-configuration.ts'
import {
  AccessPolicy,
  ApplicationPolicy,
  NamedLocation,
  type AccessRules,
} from './policy/access-policy.ts'
import { readAccess } from './policy/read-access.ts'
import { logoFault } from './pages/logo.ts'
import type { Application, ConnectorGroup, Tenant } from './ports.ts'
import { externalUrlFault, internalUrlFault, issuerFault } from './published-url.ts'

/** It appears in certificates, URLs and file names. */
const id = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/))
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))
const texts = v.array(text)

/** Roles of which one lets a user register connectors, unless the tenant says otherwise. */
export const REGISTRAR_ROLES = [
  'company-administrator',
  'global-administrator',
  'application-administrator',
] as const

const Registrars = v.strictObject({
  audience: v.pipe(
    text,
    v.description("The `aud` that a registrar's token must be for: this service."),
  ),
  tenantClaim: v.pipe(v.optional(text, 'tid'), v.description('The claim that names the tenant.')),
  roleClaim: v.pipe(v.optional(text, 'roles'), v.description('The claim that lists roles.')),
  roles: v.pipe(
    v.optional(v.pipe(texts, v.minLength(1)), [...REGISTRAR_ROLES]),
    v.description('Roles of which one is enough.'),
  ),
})

const Branding = v.strictObject({
  name: v.exactOptional(v.pipe(text, v.maxLength(80))),
  logo: v.exactOptional(
    v.pipe(
      v.string(),
      v.description('A `data:` URI, base64, of a PNG, WebP or SVG image; at most 32 KiB.'),
    ),
  ),
})

const TenantConfiguration = v.strictObject({
  id,
  name: v.pipe(v.optional(text), v.description('Default: the id.')),
  issuer: v.pipe(
    text,
    v.description('The OpenID Connect issuer that authenticates users and registrars.'),
  ),
  registrars: v.pipe(Registrars, v.description('Who may register connectors.')),
  connectorLimit: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 100),
    v.description('How many connectors may be registered.'),
  ),
  approveConnectors: v.pipe(
    v.optional(v.boolean(), false),
    v.description("Newly registered connectors wait for an operator's approval."),
  ),
  defaultGroupId: v.pipe(
    v.optional(id),
    v.description('The group new connectors join. Default: the first group of the tenant.'),
  ),
  locations: v.pipe(
    v.optional(v.array(NamedLocation)),
    v.description('Places that policies may name.'),
  ),
  policies: v.pipe(
    v.optional(v.array(AccessPolicy)),
    v.description(
      'Conditional access. Default: none. Where there is a list, whoever no policy of it allows is denied.',
    ),
  ),
  branding: v.pipe(
    v.optional(Branding),
    v.description('How the tenant shows itself on the pages that its users see.'),
  ),
})

const GroupConfiguration = v.strictObject({
  id,
  tenantId: id,
  name: v.pipe(v.optional(text), v.description('Default: the id.')),
})

const ApplicationConfiguration = v.strictObject({
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
    v.optional(v.strictObject({ id: text, secret: v.optional(text) })),
    v.description("Its own client at the tenant's issuer; with `oidc` only, and then always."),
  ),
  assigned: v.pipe(
    v.optional(
      v.strictObject({
        users: v.optional(texts, []),
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
    v.optional(
      v.record(v.string(), v.picklist(['subject', 'name', 'email', 'groups', 'roles'])),
      {},
    ),
    v.description('Header name → what of the user it tells the application; with `oidc` only.'),
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

/** Tenants, connector groups and applications, as an operator writes them. */
export const DirectoryConfiguration = v.strictObject({
  tenants: v.pipe(v.array(TenantConfiguration), v.minLength(1)),
  groups: v.pipe(v.array(GroupConfiguration), v.minLength(1)),
  applications: v.array(ApplicationConfiguration),
})
export type DirectoryConfiguration = v.InferInput<typeof DirectoryConfiguration>
type Checked = v.InferOutput<typeof DirectoryConfiguration>

/** What a checked configuration says. */
export interface DirectoryContent {
  readonly tenants: readonly Tenant[]
  readonly groups: readonly ConnectorGroup[]
  readonly applications: readonly Application[]
}

/**
 * Checks a configuration and fills in its defaults.
 *
 * @throws ConfigurationInvalid for the first mistake, with its path; never quotes a value
 */
export function readDirectory(configuration: unknown): DirectoryContent {
  const result = v.safeParse(DirectoryConfiguration, configuration)
  if (!result.success) throw shapeFault(result.issues[0])
  const { tenants, groups, applications } = result.output
  unique(tenants, 'tenants', 'id')
  unique(tenants, 'tenants', 'issuer')
  unique(groups, 'groups', 'id')
  unique(applications, 'applications', 'id')
  const access = readAccess(tenants, groups, applications)
  return {
    groups: groups.map((group, i) => readGroup(group, `groups[${i}]`, tenants)),
    tenants: tenants.map((tenant, i) => readTenant(tenant, `tenants[${i}]`, groups)),
    applications: distinct(
      applications.map((one, i) =>
        readApplication(one, `applications[${i}]`, groups, access.get(one.id)),
      ),
    ),
  }
}

function readGroup(
  group: Checked['groups'][number],
  path: string,
  tenants: Checked['tenants'],
): ConnectorGroup {
  if (!tenants.some(({ id }) => id === group.tenantId))
    throw new ConfigurationInvalid(`${path}.tenantId`, 'names no tenant')
  return { ...group, name: group.name ?? group.id }
}

function readTenant(
  tenant: Checked['tenants'][number],
  path: string,
  groups: Checked['groups'],
): Tenant {
  refuse(`${path}.issuer`, issuerFault(tenant.issuer))
  const own = groups.filter(({ tenantId }) => tenantId === tenant.id)
  const defaultGroupId = tenant.defaultGroupId ?? own[0]?.id
  if (defaultGroupId === undefined) throw new ConfigurationInvalid(path, 'has no connector group')
  if (!own.some(({ id }) => id === defaultGroupId))
    throw new ConfigurationInvalid(`${path}.defaultGroupId`, 'names no group of this tenant')
  const { locations: _locations, policies: _policies, branding, ...rest } = tenant
  if (branding?.logo !== undefined) refuse(`${path}.branding.logo`, logoFault(branding.logo))
  const name = tenant.name ?? tenant.id
  return { ...rest, name, defaultGroupId, ...(branding && { branding }) }
}

function readApplication(
  application: Checked['applications'][number],
  path: string,
  groups: Checked['groups'],
  access: AccessRules | undefined,
): Application {
  const group = groups.find(({ id }) => id === application.groupId)
  if (group === undefined) throw new ConfigurationInvalid(`${path}.groupId`, 'names no group')
  if ((application.tenantId ?? group.tenantId) !== group.tenantId)
    throw new ConfigurationInvalid(`${path}.tenantId`, 'is not the tenant of its group')
  refuse(`${path}.externalUrl`, externalUrlFault(application.externalUrl))
  refuse(`${path}.internalUrl`, internalUrlFault(application.internalUrl))
  checkSignIn(application, path)
  checkIdentityHeaders(application, path)
  checkOrigins(application, path)
  if (application.cors) checkCors(application.cors, application.externalUrl, `${path}.cors`)
  if (application.bearer)
    checkBearer(application.bearer, application.preAuthentication, `${path}.bearer`)
  const {
    name,
    client,
    assigned,
    allowedOrigins,
    cors,
    bearer,
    policies: _policies,
    ...rest
  } = application
  const complete = {
    ...rest,
    name: name ?? application.id,
    tenantId: group.tenantId,
    // Every comparison from here on is of canonical forms.
    externalUrl: new URL(application.externalUrl).href,
    internalUrl: new URL(application.internalUrl).href,
    ...(assigned && { assigned }),
    ...(allowedOrigins && { allowedOrigins }),
  }
  // Connectors are told the version, and neither the client's secret nor the policies are any of theirs.
  const version = contentVersion({ ...complete, client: client?.id })
  const edge = { ...(cors && { cors }), ...(bearer && { bearer }), ...(access && { access }) }
  if (client === undefined) return { ...complete, ...edge, version }
  const { id, secret } = client
  return { ...complete, ...edge, version, client: secret === undefined ? { id } : { id, secret } }
}

/** An operator who writes down who is assigned believes that somebody checks. */
function checkSignIn(application: Checked['applications'][number], path: string): void {
  const { preAuthentication, client, assigned, identityHeaders, allowedOrigins } = application
  if (preAuthentication === 'oidc') {
    if (client === undefined)
      throw new ConfigurationInvalid(`${path}.client`, 'is needed by "oidc"')
    return
  }
  const detail = 'has no meaning with "passthrough": nobody signs in'
  if (client !== undefined) throw new ConfigurationInvalid(`${path}.client`, detail)
  if (assigned !== undefined) throw new ConfigurationInvalid(`${path}.assigned`, detail)
  if (allowedOrigins !== undefined) throw new ConfigurationInvalid(`${path}.allowedOrigins`, detail)
  if (Object.keys(identityHeaders).length > 0)
    throw new ConfigurationInvalid(`${path}.identityHeaders`, detail)
}

function checkIdentityHeaders(application: Checked['applications'][number], path: string): void {
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
function checkOrigins(
  { allowedOrigins = [] }: Checked['applications'][number],
  path: string,
): void {
  allowedOrigins.forEach((origin, i) => {
    if (!isOrigin(origin))
      throw new ConfigurationInvalid(
        `${path}.allowedOrigins[${i}]`,
        'must be an origin, such as "https://host.example"',
      )
  })
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

/** Two applications under one host and path: nobody could say which is meant. Scheme and port make no difference. */
function distinct(applications: readonly Application[]): readonly Application[] {
  const seen = new Set<string>()
  applications.forEach(({ externalUrl }, i) => {
    const { host, pathname } = new URL(externalUrl)
    const place = canonicalHost(host)! + pathname
    if (seen.has(place))
      throw new ConfigurationInvalid(`applications[${i}].externalUrl`, 'is published already')
    seen.add(place)
  })
  return applications
}

function unique<K extends string>(
  entries: readonly Readonly<Record<K, string>>[],
  list: string,
  key: K,
): void {
  const seen = new Set<string>()
  entries.forEach((entry, i) => {
    if (seen.has(entry[key]))
      throw new ConfigurationInvalid(`${list}[${i}].${key}`, 'is not unique')
    seen.add(entry[key])
  })
}

function refuse(path: string, fault: string | undefined): void {
  if (fault !== undefined) throw new ConfigurationInvalid(path, fault)
}

/** The issue's own message quotes what was received, which may be a secret. */
function shapeFault(issue: v.BaseIssue<unknown>): ConfigurationInvalid {
  const path = (issue.path ?? []).reduce((before, { key }) => {
    if (typeof key === 'number') return `${before}[${key}]`
    return before === '' ? String(key) : `${before}.${String(key)}`
  }, '')
  if (issue.expected === 'never') return new ConfigurationInvalid(path, 'is not an option')
  return new ConfigurationInvalid(
    path || 'configuration',
    `must be ${issue.expected ?? issue.type}`,
  )
}
