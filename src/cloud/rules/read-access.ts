/**
 * Policies as a directory's configuration has them: a tenant's for its applications, and an
 * application's own beside it.
 *
 * @module
 */
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import type {
  AccessPolicy,
  AccessRules,
  ApplicationPolicy,
  NamedLocation,
} from './access-policy.ts'
import { userNameFault } from './user-names.ts'
import { compileLocations, compilePolicies } from './compile-access.ts'

/** What matters here of a tenant, a connector group and an application, as they are written. */
export interface WrittenTenant {
  readonly id: string
  /** Whether its issuer assigns names, see `upn:`. */
  readonly issuer?: string | { readonly claims?: { readonly upn?: unknown } }
  readonly locations?: NamedLocation[] | undefined
  readonly policies?: AccessPolicy[] | undefined
}
export interface WrittenApplication {
  readonly id: string
  readonly groupId: string
  readonly preAuthentication: 'oidc' | 'passthrough'
  readonly policies?: ApplicationPolicy[] | undefined
}

/**
 * The rules of every application that has conditional access, by its id: those whose tenant has a
 * list of policies, or that have one of their own, be it empty.
 *
 * @throws ConfigurationInvalid with the path of what is wrong
 */
export function readAccess(
  tenants: readonly WrittenTenant[],
  groups: readonly { readonly id: string; readonly tenantId: string }[],
  applications: readonly WrittenApplication[],
): ReadonlyMap<string, AccessRules> {
  const access = new Map<string, AccessRules>()
  for (const [t, tenant] of tenants.entries()) {
    const path = `tenants[${t}]`
    const { locations = [], policies: common, issuer } = tenant
    const assignsNames = typeof issuer === 'object' && issuer.claims?.upn !== undefined
    const places = compileLocations(locations, `${path}.locations`)
    const ownGroups = new Set(groups.flatMap((one) => (one.tenantId === tenant.id ? [one.id] : [])))
    const isOwn = ({ groupId }: WrittenApplication) => ownGroups.has(groupId)
    const shared = common && { locations, policies: common }
    if (common !== undefined) {
      checkApplications(common, applications.filter(isOwn), path)
      checkNames(common, assignsNames, `${path}.policies`)
      compilePolicies(common, places, (i) => `${path}.policies[${i}]`)
    }
    for (const [a, application] of applications.entries()) {
      const { id, policies: own } = application
      if (!isOwn(application)) continue
      if (own === undefined) {
        if (shared !== undefined) access.set(id, shared)
        continue
      }
      if (application.preAuthentication === 'passthrough')
        throw new ConfigurationInvalid(`applications[${a}].policies`, NOBODY_SIGNS_IN)
      checkNames(own, assignsNames, `applications[${a}].policies`)
      const before = common?.length ?? 0
      const its = own.map((policy): AccessPolicy => ({ ...policy, applications: [id] }))
      const policies = [...(common ?? []), ...its]
      compilePolicies(policies, places, (i) =>
        i < before ? `${path}.policies[${i}]` : `applications[${a}].policies[${i - before}]`,
      )
      access.set(id, { locations, policies })
    }
  }
  return access
}

const NOBODY_SIGNS_IN = 'has no meaning with "passthrough": nobody signs in'

/** @throws ConfigurationInvalid for a user whom nobody can tell from others */
function checkNames(
  policies: readonly Pick<AccessPolicy, 'when' | 'unless'>[],
  assignsNames: boolean,
  path: string,
): void {
  const check = (users: readonly string[] = [], at: string) => {
    for (const [i, name] of users.entries()) {
      const fault = userNameFault(name, assignsNames)
      if (fault !== undefined) throw new ConfigurationInvalid(`${at}.who.users[${i}]`, fault)
    }
  }
  for (const [p, { when, unless = [] }] of policies.entries()) {
    check(when?.who?.users, `${path}[${p}].when`)
    for (const [u, one] of unless.entries()) check(one.who?.users, `${path}[${p}].unless[${u}]`)
  }
}

/**
 * A policy for an application that is not there, or that asks nobody, protects nothing, and its
 * author believes it does.
 */
function checkApplications(
  policies: readonly AccessPolicy[],
  own: readonly WrittenApplication[],
  path: string,
): void {
  policies.forEach(({ applications }, p) => {
    if (applications === 'all') return
    applications.forEach((id, i) => {
      const at = `${path}.policies[${p}].applications[${i}]`
      const application = own.find((one) => one.id === id)
      if (application === undefined)
        throw new ConfigurationInvalid(at, 'names no application of this tenant')
      if (application.preAuthentication === 'passthrough')
        throw new ConfigurationInvalid(at, NOBODY_SIGNS_IN)
    })
  })
}
