/**
 * Who calls the admin API, and what their roles let them do.
 *
 * @module
 */

/**
 * - `reader`: sees everything of a tenant
 * - `operator`: and changes its connectors, ends sessions and tickets
 * - `publisher`: and changes its groups and applications
 * - `service`: the operator of the service, who belongs to no tenant and may do everything
 */
export type AdminRole = 'reader' | 'operator' | 'publisher' | 'service'

/** What a role lets do, beside its own. */
const INCLUDED: Readonly<Record<AdminRole, readonly AdminRole[]>> = {
  reader: [],
  operator: ['reader'],
  publisher: ['reader'],
  service: ['reader', 'operator', 'publisher'],
}

/** A caller who is known. */
export interface AdminCaller {
  /** As the issuer calls them (`sub`); or the operator's own name for the local token. */
  readonly name: string
  readonly by: 'token' | 'local token'
  readonly roles: readonly AdminRole[]
  /** Their tenant. Absent: the operator of the service. */
  readonly tenantId?: string
  /** Who issued the token. */
  readonly issuer?: string
  /** When the token ends, milliseconds since 1970. Absent: it does not. */
  readonly expiresAt?: number
}

/** Whether the caller has a role, or one that includes it. */
export function hasRole({ roles, tenantId }: AdminCaller, role: AdminRole): boolean {
  // A tenant's token that says `service` says nothing.
  const held = tenantId === undefined ? roles : roles.filter((one) => one !== 'service')
  return held.some((one) => one === role || INCLUDED[one].includes(role))
}

/** Whether the caller may see what is of this tenant. */
export function isWithin({ tenantId }: AdminCaller, other: string): boolean {
  return tenantId === undefined || tenantId === other
}
