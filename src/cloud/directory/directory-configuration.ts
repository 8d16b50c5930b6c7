/**
 * The directory as a person writes it: its shape as a schema, its defaults, and how it is read.
 *
 * @module
 */
import * as v from 'valibot'
import { soundMembers, tellShape, type Gapped } from '../../runtime/check-configuration.ts'
import {
  Mistakes,
  withoutUndefined,
  type ConfigurationSource,
} from '../../runtime/configuration-mistakes.ts'
import { AccessPolicy, NamedLocation } from '../rules/access-policy.ts'
import { canonicalHost, TIME_LIMITS, type TimeLimits } from '../../protocol/internal.ts'
import { accessKey } from '../rules/read-access.ts'
import {
  ApplicationConfiguration,
  readApplication,
  type ApplicationPart,
  type CheckedApplication,
  type ConcreteApplication,
} from './application-configuration.ts'
import { id, text, texts } from './configuration-values.ts'
import { tellDirectory } from './directory-checks.ts'
import type { DirectoryInput } from './directory-input.ts'
import type { Application, ConnectorGroup, Tenant } from './directory-port.ts'
import {
  ClaimPathConfiguration,
  claimPath,
  IssuerConfiguration,
  issuerUrlOf,
  readIssuerProfile,
} from './issuer-configuration.ts'
import { RatesConfiguration, withRates } from './rates.ts'
import { SessionLifetimeConfiguration, withTenantLifetime } from './session-configuration.ts'
import { atLabel, isWildcard, labelsOf } from './wildcard.ts'

/** Roles of which one lets a user register connectors, unless the tenant says otherwise. */
export const REGISTRAR_ROLES = [
  'company-administrator',
  'global-administrator',
  'application-administrator',
] as const

const Registrars = v.strictObject({
  audience: text,
  roleClaim: v.exactOptional(ClaimPathConfiguration),
  roles: v.optional(v.pipe(texts, v.minLength(1)), [...REGISTRAR_ROLES]),
})

const Branding = v.strictObject({
  name: v.exactOptional(v.pipe(text, v.maxLength(80))),
  logo: v.exactOptional(v.string()),
})

const TenantConfiguration = v.strictObject({
  id,
  name: v.optional(text),
  issuer: IssuerConfiguration,
  registrars: Registrars,
  connectorLimit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 100),
  applicationLimit: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  ticketLimit: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10_000))),
  approveConnectors: v.optional(v.boolean(), false),
  approveByAnother: v.exactOptional(v.boolean()),
  approveWithinMs: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  enrolmentTickets: v.optional(v.boolean(), false),
  defaultGroupId: v.optional(id),
  locations: v.optional(v.array(NamedLocation)),
  policies: v.optional(v.array(AccessPolicy)),
  session: v.exactOptional(v.strictObject({ lifetime: SessionLifetimeConfiguration })),
  rates: RatesConfiguration,
  branding: v.optional(Branding),
})

const GroupConfiguration = v.strictObject({
  id,
  tenantId: id,
  name: v.optional(text),
})

/** A directory's configuration in all its parts. */
export const WrittenDirectory = v.strictObject({
  tenants: v.pipe(v.array(TenantConfiguration), v.minLength(1)),
  groups: v.pipe(v.array(GroupConfiguration), v.minLength(1)),
  applications: v.array(ApplicationConfiguration),
})

/**
 * Tenants, connector groups and applications, as a person writes them: a valibot schema, to be part
 * of a larger one. It says their shape; what spans values {@link readDirectory} checks.
 *
 * @see {@link DirectoryInput}
 */
export const DirectoryConfiguration: v.GenericSchema<DirectoryInput, DirectoryInput> =
  WrittenDirectory
type Checked = v.InferOutput<typeof WrittenDirectory>
type CheckedTenant = Checked['tenants'][number]

/** As much of a directory as its schema takes. */
export interface DirectoryParts {
  readonly tenants: readonly TenantPart[]
  readonly groups: readonly Partial<Checked['groups'][number]>[]
  readonly applications: readonly ApplicationPart[]
}
export type TenantPart = Partial<Omit<CheckedTenant, 'locations' | 'policies'>> & {
  readonly locations?: Gapped<NamedLocation> | undefined
  readonly policies?: Gapped<AccessPolicy> | undefined
}

/** What a checked configuration says. */
export interface DirectoryContent {
  readonly tenants: readonly Tenant[]
  readonly groups: readonly ConnectorGroup[]
  readonly applications: readonly Application[]
}

/**
 * A directory out of a file, or from wherever else nobody knows what it is: checks everything that
 * {@link createDirectory} would, and gives the same value with its type.
 *
 *     const file = 'directory.json'
 *     const directory = createDirectory(readDirectory(parseJson(text, file), { file }))
 *
 * @throws ConfigurationInvalid with all mistakes: the path of each, the value that is there unless
 *   it may be secret, the application it is in, and what was probably meant
 */
export function readDirectory(value: unknown, source: ConfigurationSource = {}): DirectoryInput {
  directoryContent(value, source)
  return value as DirectoryInput
}

/** Limits of every application that has none of its own. */
export type DirectoryLimits = Partial<Pick<TimeLimits, 'responseHeadMs'>>

/**
 * What a configuration says, with its defaults filled in.
 *
 * @throws ConfigurationInvalid with all mistakes
 */
export function directoryContent(
  value: unknown,
  source?: ConfigurationSource,
  { responseHeadMs = TIME_LIMITS.responseHeadMs }: DirectoryLimits = {},
): DirectoryContent {
  const written = withoutUndefined(value, source)
  const mistakes = new Mistakes(written, source)
  const result = v.safeParse(WrittenDirectory, written)
  if (!result.success) tellShape(WrittenDirectory, written, '', mistakes.tell)
  const parts: DirectoryParts = result.success ? result.output : soundParts(written)
  const access = tellDirectory(parts, mistakes.tell)
  if (!result.success || !mistakes.isEmpty) throw mistakes.error()
  const { tenants, groups, applications } = result.output
  const byId = new Map(tenants.map((tenant) => [tenant.id, tenant]))
  const tenantOf = new Map(groups.map((group) => [group.id, byId.get(group.tenantId)!]))
  return {
    groups: groups.map((group) => ({ ...group, name: group.name ?? group.id })),
    tenants: tenants.map((tenant) => readTenant(tenant, groups)),
    applications: concreteOnes(applications).map(({ application, of, label }) => {
      const { id, issuer, session, rates } = tenantOf.get(application.groupId)!
      const its = { id, issuer: issuerUrlOf(issuer) }
      const wildcard = label === undefined ? undefined : { applicationId: of, label }
      const accessOf = (segment?: number) => access.get(accessKey(of, segment))
      const read = readApplication(application, accessOf, its, responseHeadMs, wildcard)
      return withRates(withTenantLifetime(read, session?.lifetime), application.rates, rates)
    }),
  }
}

interface Concrete {
  readonly application: ConcreteApplication
  /** The id of what was written. */
  readonly of: string
  /** Undefined: it is no wildcard. */
  readonly label: string | undefined
}

/**
 * A wildcard is one application for each of its labels. A host that an application has by its own
 * name is that one's alone.
 */
function concreteOnes(applications: readonly CheckedApplication[]): readonly Concrete[] {
  const hostOf = ({ externalUrl }: CheckedApplication) => canonicalHost(new URL(externalUrl).host)
  const own = new Set(
    applications.filter(({ externalUrl }) => !isWildcard(externalUrl)).map(hostOf),
  )
  return applications.flatMap((written): readonly Concrete[] => {
    const { id: of, externalUrl } = written
    if (!isWildcard(externalUrl))
      return [{ application: written as ConcreteApplication, of, label: undefined }]
    return labelsOf(written)
      .map((label) => ({ application: atLabel(written, label), of, label }))
      .filter(({ application }) => !own.has(hostOf(application)))
  })
}

function readTenant(tenant: CheckedTenant, groups: Checked['groups']): Tenant {
  const { branding, ...rest } = tenant
  const {
    locations: _locations,
    policies: _policies,
    session: _session,
    rates: _rates,
    applicationLimit: _limit,
    ...kept
  } = rest
  const issuerProfile = readIssuerProfile(tenant.issuer, 'issuer')
  const { roleClaim } = tenant.registrars
  return {
    ...kept,
    name: tenant.name ?? tenant.id,
    issuer: issuerUrlOf(tenant.issuer),
    issuerProfile,
    registrars: {
      ...tenant.registrars,
      roleClaim:
        roleClaim === undefined ? issuerProfile.claims.roles : claimPath(roleClaim, 'roleClaim'),
    },
    defaultGroupId:
      tenant.defaultGroupId ?? groups.find(({ tenantId }) => tenantId === tenant.id)!.id,
    ...(branding && { branding }),
  }
}

function soundParts(value: unknown): DirectoryParts {
  const lists = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >
  const partsOf = (name: string, schema: v.GenericSchema) => {
    const list = lists[name]
    return Array.isArray(list) ? list.map((one) => soundMembers(schema, one)) : []
  }
  return {
    tenants: partsOf('tenants', TenantConfiguration),
    groups: partsOf('groups', GroupConfiguration),
    applications: partsOf('applications', ApplicationConfiguration),
  }
}
