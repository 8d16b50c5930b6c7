import type { Tenant } from '../ports.ts'

/** A token says which tenant it is for; it must where an issuer serves several. */
export function isForTenant(
  tenant: Tenant,
  claims: Readonly<Record<string, unknown>>,
  tenants: readonly Tenant[],
): boolean {
  const claimed = claims[tenant.registrars.tenantClaim]
  if (claimed !== undefined) return claimed === tenant.id
  return !tenants.some(({ id, issuer }) => id !== tenant.id && issuer === tenant.issuer)
}
