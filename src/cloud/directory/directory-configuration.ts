/**
 * The directory as an operator writes it: its shape as a schema, its defaults, and the checks that
 * span values.
 *
 * @module
 */
import * as v from 'valibot'
import { canonicalHost, ConfigurationInvalid } from '../../protocol/internal.ts'
import { ApplicationConfiguration, readApplication } from './application-configuration.ts'
import { id, refuse, text, texts } from './configuration-values.ts'
import {
  ClaimPathConfiguration,
  claimPath,
  IssuerConfiguration,
  issuerUrlOf,
  readIssuerProfile,
  type IssuerProfile,
} from './issuer-configuration.ts'
import {
  checkSessionLifetime,
  SessionLifetimeConfiguration,
  withTenantLifetime,
} from './session-configuration.ts'
import { logoFault } from '../pages/logo.ts'
import { AccessPolicy, NamedLocation } from '../rules/access-policy.ts'
import { readAccess } from '../rules/read-access.ts'
import type { Application, ConnectorGroup, Tenant } from './directory-port.ts'
import { issuerFault } from './published-url.ts'

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
  roleClaim: v.pipe(
    v.exactOptional(ClaimPathConfiguration),
    v.description(
      "The claim that lists a registrar's roles. Default: where the issuer's roles are.",
    ),
  ),
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
  issuer: IssuerConfiguration,
  registrars: v.pipe(Registrars, v.description('Who may register connectors.')),
  connectorLimit: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 100),
    v.description('How many connectors may be registered.'),
  ),
  approveConnectors: v.pipe(
    v.optional(v.boolean(), false),
    v.description("Newly registered connectors wait for an operator's approval."),
  ),
  enrolmentTickets: v.pipe(
    v.optional(v.boolean(), false),
    v.description(
      "Whether connectors may be registered by one-time tickets as well as by registrars' tokens.",
    ),
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
  session: v.pipe(
    v.exactOptional(v.strictObject({ lifetime: SessionLifetimeConfiguration })),
    v.description('Sessions of all applications that say nothing of their own.'),
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
  unique(
    tenants.map(({ issuer }) => ({ issuer: issuerUrlOf(issuer) })),
    ...(['tenants', 'issuer'] as const),
  )
  unique(groups, 'groups', 'id')
  unique(applications, 'applications', 'id')
  const access = readAccess(tenants, groups, applications)
  const readGroups = groups.map((group, i) => readGroup(group, `groups[${i}]`, tenants))
  const readTenants = tenants.map((tenant, i) => readTenant(tenant, `tenants[${i}]`, groups))
  const tenantOf = (groupId: string) => {
    const tenantId = groups.find(({ id }) => id === groupId)?.tenantId
    return readTenants.find(({ id }) => id === tenantId)
  }
  const lifetimeOf = (groupId: string) => {
    const tenantId = groups.find(({ id }) => id === groupId)?.tenantId
    return tenants.find(({ id }) => id === tenantId)?.session?.lifetime
  }
  return {
    groups: readGroups,
    tenants: readTenants,
    applications: distinct(
      applications.map((one, i) =>
        withTenantLifetime(
          readApplication(
            one,
            `applications[${i}]`,
            groups,
            access.get(one.id),
            tenantOf(one.groupId),
          ),
          lifetimeOf(one.groupId),
        ),
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
): Tenant & { readonly issuerProfile: IssuerProfile } {
  const issuer = issuerUrlOf(tenant.issuer)
  refuse(
    typeof tenant.issuer === 'string' ? `${path}.issuer` : `${path}.issuer.url`,
    issuerFault(issuer),
  )
  const own = groups.filter(({ tenantId }) => tenantId === tenant.id)
  const defaultGroupId = tenant.defaultGroupId ?? own[0]?.id
  if (defaultGroupId === undefined) throw new ConfigurationInvalid(path, 'has no connector group')
  if (!own.some(({ id }) => id === defaultGroupId))
    throw new ConfigurationInvalid(`${path}.defaultGroupId`, 'names no group of this tenant')
  checkSessionLifetime(tenant.session?.lifetime, `${path}.session.lifetime`)
  const { locations: _locations, policies: _policies, session: _session, ...kept } = tenant
  const { branding, ...rest } = kept
  if (branding?.logo !== undefined) refuse(`${path}.branding.logo`, logoFault(branding.logo))
  const name = tenant.name ?? tenant.id
  const issuerProfile = readIssuerProfile(tenant.issuer, `${path}.issuer`)
  const { roleClaim } = tenant.registrars
  const registrars = {
    ...tenant.registrars,
    roleClaim:
      roleClaim === undefined
        ? issuerProfile.claims.roles
        : claimPath(roleClaim, `${path}.registrars.roleClaim`),
  }
  const its = { issuer, issuerProfile, registrars, name, defaultGroupId }
  return { ...rest, ...its, ...(branding && { branding }) }
}

/**
 * Refuses two applications under the same host and path, whatever their scheme and port: a request
 * could mean either.
 */
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

/** Our own words: the schema's message quotes the value, which may be a secret. */
export function shapeFault(reported: v.BaseIssue<unknown>): ConfigurationInvalid {
  const issue = innermost(reported)
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

/** Of a union, the faults of the shape that the value comes closest to. */
function innermost(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  const inner = issue.issues?.reduce((one, other) =>
    (other.path?.length ?? 0) > (one.path?.length ?? 0) ? other : one,
  )
  if (inner?.path === undefined) return issue
  const found = innermost(inner)
  return { ...found, path: [...(issue.path ?? []), ...(found.path ?? [])] as never }
}
