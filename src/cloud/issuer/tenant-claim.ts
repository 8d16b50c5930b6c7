import { claimAt, profileOf } from '../directory/issuer-configuration.ts'
import type { Tenant } from '../directory/directory-port.ts'

/**
 * Whether a token belongs to this tenant. The claim is required if the issuer's configuration gives
 * its value, or if the issuer serves several tenants.
 */
export function isForTenant(
  tenant: Tenant,
  claims: Readonly<Record<string, unknown>>,
  tenants: readonly Pick<Tenant, 'id' | 'issuer'>[],
): boolean {
  const profile = profileOf(tenant)
  const claimed = claimAt(claims, profile.claims.tenant)
  if (profile.tenantValue !== undefined) return claimed === profile.tenantValue
  if (claimed !== undefined) return claimed === tenant.id
  return !tenants.some(({ id, issuer }) => id !== tenant.id && issuer === tenant.issuer)
}
