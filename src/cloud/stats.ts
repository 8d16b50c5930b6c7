/**
 * What a cloud instance holds now, as plain values. It is counted when somebody asks, and costs
 * nothing between.
 *
 * @module
 */
import { daysLeft } from '../runtime/certificates.ts'
import type { Origin } from './offers/origin.ts'
import type { Directory } from './directory/directory-port.ts'
import { idsOf, tenantKey, type TenantKey } from './directory/tenant-key.ts'

/** What {@link Cloud.stats} tells: plain values, which are JSON as they are. */
export interface CloudStats {
  /** When it was told, milliseconds since 1970. */
  readonly at: number
  /** This instance's id: other instances tell of their own. */
  readonly instance: string
  /** Every group that applications of the directory are in, or that has connectors here. */
  readonly groups: readonly GroupStats[]
  /** Every application that has open exchanges here. */
  readonly applications: readonly ApplicationStats[]
  /** Every application whose users are told that it is being worked on. */
  readonly maintenance: readonly MaintenanceStats[]
  /** The authority of connectors, then what connector listeners show. */
  readonly certificates: readonly CertificateStats[]
  readonly configuration: {
    /**
     * Milliseconds since the directory's content came into force; absent where the directory does
     * not tell.
     */
    readonly ageMs?: number
  }
}

/** One connector group, as this instance serves it. */
export interface GroupStats {
  readonly tenantId: string
  readonly groupId: string
  /** Connectors that hold a link, and their links. */
  readonly connectors: number
  readonly links: number
  /** Exchanges that these links take at once. */
  readonly capacity: number
  /** Offers that may be made now. */
  readonly grants: number
  /** Requests that wait for one. */
  readonly waiting: number
}

/** The exchanges of one application that have no outcome yet. */
export interface ApplicationStats {
  readonly tenantId: string
  readonly applicationId: string
  /** All of them: waiting, offered, claimed, WebSockets and streams included. */
  readonly open: number
  /** Those of them that no connector has taken. */
  readonly waiting: number
}

/** An application in maintenance. */
export interface MaintenanceStats {
  readonly tenantId: string
  readonly applicationId: string
  /** When it is expected back, as its configuration says; absent where it does not. */
  readonly until?: string
}

/** How long a certificate is still good. */
export interface CertificateStats {
  /** `connector-authority`, or `connector-listener`. */
  readonly name: string
  /** Its end, milliseconds since 1970. */
  readonly expiresAt: number
  /** Whole days; negative: it has ended. */
  readonly daysLeft: number
}

/** A certificate that something shows as long as it is here. */
export interface ShownCertificate {
  readonly name: string
  /** Milliseconds since 1970; another when it is replaced. */
  readonly expiresAt: number
}

/** What is counted. */
export interface CountedParts {
  readonly origin: Origin
  readonly directory: Directory
  readonly certificates: Iterable<ShownCertificate>
  /** Milliseconds since 1970. */
  readonly now: number
}

/** @throws PortFailed when the directory fails */
export function cloudStats({ origin, directory, certificates, now }: CountedParts): CloudStats {
  const groups = new Map(
    directory.applications().map(({ tenantId, groupId }) => {
      const none = { connectors: 0, links: 0, capacity: 0, grants: 0, waiting: 0 }
      return [tenantKey(tenantId, groupId), none] as const
    }),
  )
  const counted = origin.counted()
  for (const [key, count] of counted.groups) groups.set(key, count)
  const since = directory.inForceSince?.()
  return {
    at: now,
    instance: origin.instance,
    groups: named(groups, (tenantId, groupId) => ({ tenantId, groupId })),
    applications: named(counted.applications, (tenantId, applicationId) => ({
      ...{ tenantId, applicationId },
    })),
    maintenance: directory.applications().flatMap(({ tenantId, id, maintenance }) => {
      if (maintenance === undefined) return []
      const { until } = maintenance
      return [{ tenantId, applicationId: id, ...(until !== undefined && { until }) }]
    }),
    certificates: [...certificates].map(({ name, expiresAt }) => ({
      ...{ name, expiresAt, daysLeft: daysLeft(expiresAt, now) },
    })),
    configuration: since === undefined ? {} : { ageMs: Math.max(0, now - since) },
  }
}

/** In the order of their names, so that two lists can be compared. */
function named<C extends object, N extends object>(
  counted: ReadonlyMap<TenantKey, C>,
  name: (tenantId: string, id: string) => N,
): (N & C)[] {
  return [...counted]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, count]) => ({ ...name(...idsOf(key)), ...count }))
}
