/**
 * A directory as it is written, nothing of it checked: a version may come from another program,
 * and what an operator sends from anywhere. What is no object is passed over; the checks tell it.
 *
 * @module
 */

/** Any object of JSON. */
export type Written = Readonly<Record<string, unknown>>

/** Lists of whatever is written. */
export interface WrittenDirectory {
  readonly tenants: readonly Written[]
  readonly groups: readonly Written[]
  readonly applications: readonly Written[]
}

export const KINDS = ['tenants', 'groups', 'applications'] as const
export type Kind = (typeof KINDS)[number]

export const isWritten = (value: unknown): value is Written =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What of it are objects. */
export function writtenDirectory(value: unknown): WrittenDirectory {
  const given: Written = isWritten(value) ? value : {}
  const listOf = (kind: Kind): readonly Written[] => {
    const list = given[kind]
    return Array.isArray(list) ? list.filter(isWritten) : []
  }
  return {
    tenants: listOf('tenants'),
    groups: listOf('groups'),
    applications: listOf('applications'),
  }
}

/** What is of a tenant: itself, its groups, the applications that are in these. */
export function partOf(
  { tenants, groups, applications }: WrittenDirectory,
  tenantId: string,
): WrittenDirectory {
  const own = groups.filter((group) => group['tenantId'] === tenantId)
  const ids = new Set(own.map(({ id }) => id))
  return {
    tenants: tenants.filter(({ id }) => id === tenantId),
    groups: own,
    applications: applications.filter(({ groupId }) => ids.has(groupId)),
  }
}

/** The same with `part` in the place of what was of the tenant. */
export function withPart(
  whole: WrittenDirectory,
  tenantId: string,
  part: WrittenDirectory,
): WrittenDirectory {
  const before = partOf(whole, tenantId)
  const replaced = (kind: Kind): readonly Written[] => {
    const own = new Set(before[kind])
    const at = whole[kind].findIndex((one) => own.has(one))
    const others = whole[kind].filter((one) => !own.has(one))
    const place = at === -1 ? others.length : at
    return [...others.slice(0, place), ...part[kind], ...others.slice(place)]
  }
  return {
    tenants: replaced('tenants'),
    groups: replaced('groups'),
    applications: replaced('applications'),
  }
}

/** Ids of tenants, in order. */
export const tenantIdsOf = ({ tenants }: WrittenDirectory): readonly string[] =>
  tenants.map(({ id }) => id).filter((id) => typeof id === 'string')

/** Whether two values say the same, whatever the order of their members. */
export const isSame = (one: unknown, other: unknown): boolean =>
  one === other || canonicalJson(one) === canonicalJson(other)

/** JSON in which members are in one order. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, one: unknown) =>
    isWritten(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  )
}
