/**
 * Whether a connector is one of anybody's: its tenant may be removed from the directory, and its
 * group removed or given to another tenant, while its certificate and its links live on.
 *
 * @module
 */
import type { ConnectorRecord } from './connector-records.ts'
import type { Directory } from '../directory/directory-port.ts'

/** Whether its tenant is there, and its group is that tenant's. */
export function isAssigned(
  directory: Pick<Directory, 'tenant' | 'group'>,
  { tenantId, groupId }: Pick<ConnectorRecord, 'tenantId' | 'groupId'>,
): boolean {
  return directory.tenant(tenantId) !== undefined && directory.group(groupId)?.tenantId === tenantId
}
