/**
 * What a schema cannot say of a directory: rules that span tenants, groups and applications.
 *
 * A value that is not there may be one of which a mistake was told before; nothing follows from
 * that. So a reference is only held against a list of which every id is known.
 *
 * @module
 */
import { canonicalHost, selectByPath } from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { probableName } from '../../runtime/probable-name.ts'
import { logoFault } from '../pages/logo.ts'
import type { AccessRules } from '../rules/access-policy.ts'
import { readAccess } from '../rules/read-access.ts'
import { tellApplication } from './application-checks.ts'
import { tellFault } from './configuration-values.ts'
import type { DirectoryParts, TenantPart } from './directory-configuration.ts'
import { claimPath, issuerUrlOf, readIssuerProfile } from './issuer-configuration.ts'
import { externalUrlFault, issuerFault, resourceFault } from './published-url.ts'
import { segmentFault } from './segments.ts'
import { tellSessionLifetime } from './session-configuration.ts'
import { tellTranslations } from './translate-checks.ts'
import { labelsOf, placeHostOf, sampleOf, tellWildcard } from './wildcard.ts'

/** Tells whatever is wrong; gives the conditional access of each application that has it. */
export function tellDirectory(
  parts: DirectoryParts,
  tell: TellMistake,
): ReadonlyMap<string, AccessRules> {
  const { tenants, groups, applications } = parts
  const issuerUrls = tenants.map(({ issuer }) => issuer && issuerUrlOf(issuer))
  tellRepeated(idsOf(tenants), (i) => `tenants[${i}].id`, tell)
  tellRepeated(issuerUrls, (i) => `tenants[${i}].issuer`, tell)
  tellRepeated(idsOf(groups), (i) => `groups[${i}].id`, tell)
  tellRepeated(idsOf(applications), (i) => `applications[${i}].id`, tell)
  const [tenantIds, groupIds] = [new KnownIds(tenants), new KnownIds(groups)]
  groups.forEach(({ tenantId }, i) =>
    tellReference(tenantId, tenantIds, `groups[${i}].tenantId`, 'names no tenant', tell),
  )
  const groupsOf = groupsByTenant(groups)
  tenants.forEach((tenant, i) => tellTenant(tenant, `tenants[${i}]`, groupsOf, tell))
  applications.forEach((application, i) => {
    const path = `applications[${i}]`
    const { groupId, tenantId } = application
    tellReference(groupId, groupIds, `${path}.groupId`, 'names no group', tell)
    const group = groupIds.first(groupId)
    if (tenantId !== undefined && group?.tenantId !== undefined && tenantId !== group.tenantId)
      tell(`${path}.tenantId`, 'is not the tenant of its group')
    const issuer = tenantIds.first(group?.tenantId)?.issuer
    const profile =
      issuer === undefined ? undefined : readIssuerProfile(issuer, '', () => undefined)
    tellWildcard(application, path, tell)
    tellApplication(sampleOf(application), path, profile, tell)
  })
  tellPlaces(parts, tell)
  tellApplicationLimits(parts, (groupId) => groupIds.first(groupId)?.tenantId, tell)
  tellTranslations(applications, (groupId) => groupIds.first(groupId)?.tenantId, tell)
  tellResources(parts, tell)
  return readAccess(tenants, groups, applications, tell)
}

function tellTenant(
  tenant: TenantPart,
  path: string,
  groupsOf: ReadonlyMap<string | undefined, DirectoryParts['groups']>,
  tell: TellMistake,
): void {
  const { id, issuer, registrars, defaultGroupId, session, branding } = tenant
  if (issuer !== undefined) {
    const at = typeof issuer === 'string' ? `${path}.issuer` : `${path}.issuer.url`
    tellFault(tell, at, issuerFault(issuerUrlOf(issuer)))
    readIssuerProfile(issuer, `${path}.issuer`, tell)
  }
  if (registrars?.roleClaim !== undefined)
    claimPath(registrars.roleClaim, `${path}.registrars.roleClaim`, tell)
  // A group whose tenant is not known may be anybody's.
  const own = [
    ...((id !== undefined && groupsOf.get(id)) || []),
    ...(groupsOf.get(undefined) ?? []),
  ]
  if (id !== undefined && own.length === 0 && groupsOf.size > 0)
    tell(path, 'has no connector group')
  else if (id !== undefined)
    tellReference(
      defaultGroupId,
      new KnownIds(own),
      `${path}.defaultGroupId`,
      'names no group of this tenant',
      tell,
    )
  if (tenant.approveByAnother === true && tenant.approveConnectors !== true)
    tell(`${path}.approveByAnother`, 'needs "approveConnectors" to be true')
  tellSessionLifetime(session?.lifetime, `${path}.session.lifetime`, tell)
  if (branding?.logo !== undefined)
    tellFault(tell, `${path}.branding.logo`, logoFault(branding.logo))
}

/**
 * Two applications under the same host and path, whatever their scheme and port: a request could
 * mean either.
 */
function tellPlaces({ applications }: DirectoryParts, tell: TellMistake): void {
  const seen = new Map<string, string | undefined>()
  applications.forEach(({ id, externalUrl }, i) => {
    const host = externalUrl && placeHostOf(externalUrl)
    if (host === undefined) return
    const place = host + new URL(externalUrl!).pathname
    const other = seen.get(place)
    if (seen.has(place))
      tell(
        `applications[${i}].externalUrl`,
        `is published already${other === undefined ? '' : `, by "${other}"`}`,
      )
    else seen.set(place, id)
  })
}

/** The first application of a tenant that is one too many, and how many there are. */
function tellApplicationLimits(
  { tenants, applications }: DirectoryParts,
  tenantOf: (groupId: string | undefined) => string | undefined,
  tell: TellMistake,
): void {
  for (const { id, applicationLimit: limit } of tenants) {
    if (id === undefined || limit === undefined) continue
    let count = 0
    let firstBeyond: number | undefined
    applications.forEach((application, i) => {
      if (tenantOf(application.groupId) !== id) return
      count += application.labels === undefined ? 1 : labelsOf(application).length
      if (count > limit) firstBeyond ??= i
    })
    if (firstBeyond === undefined) continue
    const detail = `is beyond "applicationLimit" of its tenant "${id}": there are ${count}, of ${limit}`
    tell(`applications[${firstBeyond}]`, detail)
  }
}

/**
 * A resource that lies in another application: tokens for that one would count here, and programs
 * would look there for what is said of this one. A segment that does: nobody ever comes to it.
 */
function tellResources({ applications }: DirectoryParts, tell: TellMistake): void {
  if (!applications.some(({ bearer, segments }) => bearer?.resource ?? segments)) return
  const paths = new Map<string, string[]>()
  const places = applications.map(({ externalUrl }) => {
    if (externalUrl === undefined || externalUrlFault(externalUrl) !== undefined) return undefined
    const { host, pathname } = new URL(externalUrl)
    const name = canonicalHost(host)!
    const others = paths.get(name)
    if (others === undefined) paths.set(name, [pathname])
    else others.push(pathname)
    return { name, pathname }
  })
  applications.forEach(({ bearer, externalUrl, segments = [] }, i) => {
    const place = places[i]
    if (place === undefined) return
    for (const [s, segment] of segments.entries()) {
      const path = segment?.path
      if (path === undefined || segmentFault(path, place.pathname) !== undefined) continue
      if (selectByPath(path, paths.get(place.name)!) !== place.pathname)
        tell(`applications[${i}].segments[${s}].path`, 'lies in another application')
    }
    const resource = bearer?.resource
    if (resource === undefined) return
    if (resourceFault(resource, externalUrl) !== undefined) return
    const selected = selectByPath(new URL(resource).pathname, paths.get(place.name)!)
    if (selected !== place.pathname)
      tell(`applications[${i}].bearer.resource`, 'lies in another application')
  })
}

type Ids = readonly (string | undefined)[]

const idsOf = (list: readonly { readonly id?: string }[]): Ids => list.map(({ id }) => id)

function tellRepeated(values: Ids, pathOf: (i: number) => string, tell: TellMistake): void {
  const seen = new Set<string>()
  values.forEach((value, i) => {
    if (value === undefined) return
    if (seen.has(value)) tell(pathOf(i), 'is not unique')
    seen.add(value)
  })
}

function groupsByTenant(groups: DirectoryParts['groups']) {
  const groupsOf = new Map<string | undefined, DirectoryParts['groups'][number][]>()
  for (const group of groups) {
    const others = groupsOf.get(group.tenantId)
    if (others === undefined) groupsOf.set(group.tenantId, [group])
    else others.push(group)
  }
  return groupsOf
}

/** The ids of a list: there may be thousands, and each of another list names one. */
class KnownIds<T extends { readonly id?: string }> {
  readonly #first = new Map<string | undefined, T>()

  constructor(list: readonly T[]) {
    for (const one of list) if (!this.#first.has(one.id)) this.#first.set(one.id, one)
  }

  /** What has this id; of several the first. */
  first(id: string | undefined): T | undefined {
    return id === undefined ? undefined : this.#first.get(id)
  }

  /** All of them, if all are known, and there are any. */
  get whole(): readonly string[] | undefined {
    if (this.#first.size === 0 || this.#first.has(undefined)) return undefined
    return [...this.#first.keys()] as string[]
  }
}

/** A name that is not in a list, where all of the list is known, and something is in it. */
function tellReference(
  name: string | undefined,
  ids: KnownIds<{ readonly id?: string }>,
  path: string,
  detail: string,
  tell: TellMistake,
): void {
  if (name === undefined || ids.first(name) !== undefined) return
  const { whole } = ids
  if (whole !== undefined) tell(path, detail, probableName(name, whole))
}
