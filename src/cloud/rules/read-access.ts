/**
 * Policies as a directory's configuration has them: a tenant's for its applications, and an
 * application's own beside it.
 *
 * What is read may have gaps where a mistake was told before. A rule that needs what is in a gap
 * says nothing.
 *
 * @module
 */
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { probableName } from '../../runtime/probable-name.ts'
import type {
  AccessPolicy,
  AccessRules,
  ApplicationPolicy,
  NamedLocation,
} from './access-policy.ts'
import { userNameFault } from './user-names.ts'
import { compileLocations, compilePolicies } from './compile-access.ts'

/** A list with gaps for members of which a mistake was told. */
type Gapped<T> = readonly (T | undefined)[]

/** What matters here of a tenant, a connector group and an application, as they are written. */
export interface WrittenTenant {
  readonly id?: string | undefined
  /** Whether its issuer assigns names, see `upn:`. */
  readonly issuer?:
    string | { readonly claims?: { readonly upn?: unknown } | undefined } | undefined
  readonly locations?: Gapped<NamedLocation> | undefined
  readonly policies?: Gapped<AccessPolicy> | undefined
}
export interface WrittenGroup {
  readonly id?: string | undefined
  readonly tenantId?: string | undefined
}
export interface WrittenApplication {
  readonly id?: string | undefined
  readonly groupId?: string | undefined
  readonly preAuthentication?: 'oidc' | 'passthrough' | undefined
  readonly policies?: Gapped<ApplicationPolicy> | undefined
  readonly segments?:
    Gapped<{ readonly policies?: Gapped<ApplicationPolicy> | undefined }> | undefined
  /** Whether accounts there have names: `user`. */
  readonly signOn?: object | undefined
}

/** By which the rules of an application are found, or of a segment that has policies of its own. */
export const accessKey = (applicationId: string, segment?: number) =>
  segment === undefined ? applicationId : `${applicationId} ${segment}`

/**
 * The rules of every application that has conditional access, and of every segment that has its
 * own, by {@link accessKey}: those whose tenant has a list of policies, or that have one of their
 * own, be it empty. What is wrong is told with its path.
 */
export function readAccess(
  tenants: readonly WrittenTenant[],
  groups: readonly WrittenGroup[],
  applications: readonly WrittenApplication[],
  tell: TellMistake,
): ReadonlyMap<string, AccessRules> {
  const access = new Map<string, AccessRules>()
  const isWhole =
    groups.every(({ id, tenantId }) => id !== undefined && tenantId !== undefined) &&
    applications.every(({ id, groupId }) => id !== undefined && groupId !== undefined)
  const applicationsOf = byTenant(groups, applications)
  for (const [t, tenant] of tenants.entries()) {
    const path = `tenants[${t}]`
    const { locations = [], policies: common, issuer } = tenant
    const assignsNames =
      issuer === undefined || (typeof issuer === 'object' && issuer.claims?.upn !== undefined)
    const places = compileLocations(locations, `${path}.locations`, tell)
    const ownApplications = applicationsOf.get(tenant.id) ?? []
    const rulesOf = (policies: Gapped<AccessPolicy>): AccessRules => ({
      locations: locations.filter(isSound),
      policies: policies.filter(isSound),
    })
    const shared = common && rulesOf(common)
    if (common !== undefined) {
      const its = ownApplications.map(([, application]) => application)
      tellApplications(common, its, isWhole, path, tell)
      for (const [p, policy] of common.entries())
        tellAccounts(policy, its, `${path}.policies[${p}]`, tell)
      tellNames(common, assignsNames, `${path}.policies`, tell)
      compilePolicies(common, places, (i) => `${path}.policies[${i}]`, tell)
    }
    for (const [a, application] of ownApplications) {
      const { id, policies, segments = [] } = application
      if (id === undefined) continue
      if (policies === undefined && shared !== undefined) access.set(id, shared)
      const lists = [
        [accessKey(id), policies, `applications[${a}].policies`] as const,
        ...segments.map((segment, s) => {
          const at = `applications[${a}].segments[${s}].policies`
          return [accessKey(id, s), segment?.policies, at] as const
        }),
      ]
      for (const [key, own, at] of lists) {
        if (own === undefined) continue
        tellNames(own, assignsNames, at, tell)
        const its = own.map((policy) => policy && { ...policy, applications: [id] })
        for (const [p, policy] of its.entries())
          tellAccounts(policy, [application], `${at}[${p}]`, tell)
        const before = common?.length ?? 0
        const all = [...(common ?? []), ...its]
        const pathOf = (i: number) =>
          i < before ? `${path}.policies[${i}]` : `${at}[${i - before}]`
        compilePolicies(all, places, pathOf, tell)
        access.set(key, rulesOf(all))
      }
    }
  }
  return access
}

/** The applications of each tenant, and where they stand. */
function byTenant(
  groups: readonly WrittenGroup[],
  applications: readonly WrittenApplication[],
): ReadonlyMap<string | undefined, readonly (readonly [number, WrittenApplication])[]> {
  const tenantOf = new Map(groups.map(({ id, tenantId }) => [id, tenantId]))
  const applicationsOf = new Map<string | undefined, [number, WrittenApplication][]>()
  for (const [at, application] of applications.entries()) {
    const tenant = tenantOf.get(application.groupId)
    const others = applicationsOf.get(tenant)
    if (others === undefined) applicationsOf.set(tenant, [[at, application]])
    else others.push([at, application])
  }
  return applicationsOf
}

const isSound = <T>(value: T | undefined): value is T => value !== undefined

/** Tells a user whom nobody can tell from others. */
function tellNames(
  policies: Gapped<Pick<AccessPolicy, 'when' | 'unless'>>,
  assignsNames: boolean,
  path: string,
  tell: TellMistake,
): void {
  const check = (users: readonly string[] = [], at: string) => {
    for (const [i, name] of users.entries()) {
      const fault = userNameFault(name, assignsNames)
      if (fault !== undefined) tell(`${at}.who.users[${i}]`, fault)
    }
  }
  for (const [p, policy] of policies.entries()) {
    const { when, unless = [] } = policy ?? {}
    check(when?.who?.users, `${path}[${p}].when`)
    for (const [u, one] of unless.entries()) check(one.who?.users, `${path}[${p}].unless[${u}]`)
  }
}

/**
 * A policy for an application that is not there, or that asks nobody, protects nothing, and its
 * author believes it does.
 *
 * @param isWhole whether it is known which applications the tenant has
 */
function tellApplications(
  policies: Gapped<AccessPolicy>,
  own: readonly WrittenApplication[],
  isWhole: boolean,
  path: string,
  tell: TellMistake,
): void {
  for (const [p, policy] of policies.entries()) {
    if (policy === undefined || policy.applications === 'all') continue
    for (const [i, id] of policy.applications.entries()) {
      const at = `${path}.policies[${p}].applications[${i}]`
      const application = own.find((one) => one.id === id)
      if (application?.preAuthentication === 'passthrough')
        tell(at, 'has no meaning with "passthrough": nobody signs in')
      if (application !== undefined || !isWhole) continue
      const ids = own.flatMap((one) => one.id ?? [])
      tell(at, 'names no application of this tenant', probableName(id, ids))
    }
  }
}

/**
 * Tells a policy that names accounts where an application that it is for has none: there it would
 * restrict everybody.
 */
function tellAccounts(
  policy: AccessPolicy | undefined,
  own: readonly WrittenApplication[],
  path: string,
  tell: TellMistake,
): void {
  if (policy === undefined) return
  const { applications, when, unless = [] } = policy
  const without = own.find(
    ({ id, preAuthentication, signOn = {} }) =>
      preAuthentication === 'oidc' &&
      (applications === 'all' || (id !== undefined && applications.includes(id))) &&
      !('user' in signOn),
  )
  if (without === undefined) return
  const detail = `needs "user" in "signOn" of "${without.id}": how the name of the account is made`
  const places = [
    [when, `${path}.when`] as const,
    ...unless.map((one, u) => [one, `${path}.unless[${u}]`] as const),
  ]
  for (const [conditions, at] of places)
    if (conditions?.who?.accounts !== undefined) tell(`${at}.who.accounts`, detail)
}
