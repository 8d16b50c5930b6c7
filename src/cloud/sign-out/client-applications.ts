import type { Directory } from '../directory/directory-port.ts'
import { policyNameOf } from '../directory/wildcard.ts'

/** What a tenant's applications with this client are named by, all labels of a wildcard at once. */
export function idsOfClient(
  directory: Pick<Directory, 'applications'>,
  tenantId: string,
  clientId: string,
): ReadonlySet<string> {
  const own = directory
    .applications()
    .filter((one) => one.tenantId === tenantId && one.client?.id === clientId)
  return new Set(own.map(policyNameOf))
}
