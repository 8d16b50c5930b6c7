/**
 * What a schema cannot say of a directory: rules that span tenants, groups and applications.
 *
 * A value that is not there may be one of which a mistake was told before; nothing follows from
 * that. So a reference is only held against a list of which every id is known.
 *
 * @module
 */
import { canonicalHost } from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { probableName } from '../../runtime/probable-name.ts'
import { logoFault } from '../pages/logo.ts'
import type { AccessRules } from '../rules/access-policy.ts'
import { readAccess } from '../rules/read-access.ts'
import { tellApplication } from './application-checks.ts'
import { tellFault } from './configuration-values.ts'
import type { DirectoryParts, TenantPart } from './directory-configuration.ts'
import { claimPath, issuerUrlOf, readIssuerProfile } from './issuer-configuration.ts'
import { externalUrlFault, issuerFault } from './published-url.ts'
import { tellSessionLifetime } from './session-configuration.ts'

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
  groups.forEach(({ tenantId }, i) =>
    tellReference(tenantId, idsOf(tenants), `groups[${i}].tenantId`, 'names no tenant', tell),
  )
  tenants.forEach((tenant, i) => tellTenant(tenant, `tenants[${i}]`, groups, tell))
  applications.forEach((application, i) => {
    const path = `applications[${i}]`
    const { groupId, tenantId } = application
    tellReference(groupId, idsOf(groups), `${path}.groupId`, 'names no group', tell)
    const group = groups.find(({ id }) => id !== undefined && id === groupId)
    if (tenantId !== undefined && group?.tenantId !== undefined && tenantId !== group.tenantId)
      tell(`${path}.tenantId`, 'is not the tenant of its group')
    const issuer = tenants.find(({ id }) => id !== undefined && id === group?.tenantId)?.issuer
    const profile =
      issuer === undefined ? undefined : readIssuerProfile(issuer, '', () => undefined)
    tellApplication(application, path, profile, tell)
  })
  tellPlaces(parts, tell)
  return readAccess(tenants, groups, applications, tell)
}

function tellTenant(
  tenant: TenantPart,
  path: string,
  groups: DirectoryParts['groups'],
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
  const own = groups.filter(({ tenantId }) => tenantId === undefined || tenantId === id)
  if (id !== undefined && own.length === 0 && groups.length > 0)
    tell(path, 'has no connector group')
  else if (id !== undefined)
    tellReference(
      defaultGroupId,
      idsOf(own),
      `${path}.defaultGroupId`,
      'names no group of this tenant',
      tell,
    )
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
    if (externalUrl === undefined || externalUrlFault(externalUrl) !== undefined) return
    const { host, pathname } = new URL(externalUrl)
    const place = canonicalHost(host)! + pathname
    const other = seen.get(place)
    if (seen.has(place))
      tell(
        `applications[${i}].externalUrl`,
        `is published already${other === undefined ? '' : `, by "${other}"`}`,
      )
    else seen.set(place, id)
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

/** A name that is not in a list, where all of the list is known, and something is in it. */
function tellReference(
  name: string | undefined,
  ids: Ids,
  path: string,
  detail: string,
  tell: TellMistake,
): void {
  if (name === undefined || ids.length === 0) return
  if (ids.includes(name) || ids.includes(undefined)) return
  tell(path, detail, probableName(name, ids as readonly string[]))
}
