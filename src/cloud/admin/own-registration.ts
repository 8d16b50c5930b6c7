/**
 * Whether a caller of the admin API is who registered a connector, as far as can be known.
 *
 * @module
 */
import type { ConnectorRecord } from '../connectors/connector-records.ts'
import type { AdminCaller } from './admin-caller.ts'

/**
 * A registrar is who the issuer says. The local token names nobody: whoever holds it is at the
 * machine, is no registrar by that, and may be any of the operators who made tickets there. What a
 * record does not say restricts everybody else: one that names nobody may be anybody's.
 */
export function mayHaveRegistered(
  { by, name, issuer, tenantId }: AdminCaller,
  { enrolledBy }: Pick<ConnectorRecord, 'enrolledBy'>,
): boolean {
  if (enrolledBy === undefined) return by === 'token'
  if (enrolledBy.as === 'operator')
    return tenantId === undefined && (by === 'local token' || name === enrolledBy.name)
  if (by === 'local token') return false
  return name === enrolledBy.name && (enrolledBy.issuer ?? issuer) === issuer
}
