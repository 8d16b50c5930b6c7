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
  const colon = key.indexOf(':')
  const end = colon + 1 + Number(key.slice(0, colon))
  return [key.slice(colon + 1, end), key.slice(end)]
}

/** No two pairs share a key, whatever they contain: it says where the first id ends. */
export function tenantKey(tenantId: string, id: string): TenantKey {
  return `${tenantId.length}:${tenantId}${id}` as TenantKey
}
