/**
 * The key of what belongs to one tenant: ids are unique inside a tenant only, and may be used again
 * by another.
 *
 * @module
 */

declare const ofTenant: unique symbol

/** A tenant and an id of its own. Made by {@link tenantKey} alone. */
export type TenantKey = string & { readonly [ofTenant]: true }

/** The pair that a key was made of. */
export function idsOf(key: TenantKey): readonly [tenantId: string, id: string] {
  return JSON.parse(key) as [string, string]
}

/** No two pairs share a key, whatever they contain. */
export function tenantKey(tenantId: string, id: string): TenantKey {
  return JSON.stringify([tenantId, id]) as TenantKey
}
