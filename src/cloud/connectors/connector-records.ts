/**
 * What the registry keeps of connectors and their certificates.
 *
 * @module
 */
import { nextConnectorRecord } from '../../protocol/internal.ts'
import { contentVersion } from '../directory/content-version.ts'

/** What a registered connector may do. */
export type ConnectorStanding = 'pending' | 'active' | 'draining' | 'disabled' | 'revoked'

/** A connector, as it is registered. */
export interface ConnectorRecord {
  readonly id: string
  readonly tenantId: string
  readonly groupId: string
  readonly name: string
  readonly standing: ConnectorStanding
  /**
   * When it came by its standing: milliseconds since 1970. Absent: at its registration, or in a
   * record that an earlier release wrote.
   */
  readonly standingSince?: number
  /**
   * When its standing ends of itself: an approval lapses, a wait for one is over. Milliseconds
   * since 1970. Absent: it does not.
   */
  readonly standingUntil?: number
  /**
   * It is hidden, serves nothing, and must be registered again. Its id and its certificates are
   * refused until `until`, milliseconds since 1970; then nothing is kept of it. Absent: it is not
   * forgotten.
   */
  readonly forgotten?: { readonly at: number; readonly until: number }
  /** Milliseconds since 1970. */
  readonly registeredAt: number
  /** In whose name it was registered. Absent in a record that an earlier release wrote. */
  readonly enrolledBy?: EnrolledBy
}

/** In whose name a connector was registered. */
export interface EnrolledBy {
  /** A registrar of the tenant, or the operator of this service. */
  readonly as: 'registrar' | 'operator'
  /** A registrar as the issuer calls them (`sub`); an operator's own name. */
  readonly name: string
  /**
   * Who calls a registrar so. Absent of an operator, and in a record that an earlier release wrote.
   */
  readonly issuer?: string
  /** The ticket it came by. Absent: by a token. */
  readonly ticketId?: string
}

/** One certificate of a connector. */
export interface CertificateRecord {
  /** Serial number, lower-case hexadecimal. */
  readonly serial: string
  readonly connectorId: string
  /** SHA-256 of the SubjectPublicKeyInfo, hexadecimal. */
  readonly keyId: string
  readonly der: Uint8Array
  readonly issuedAt: number
  readonly expiresAt: number
  /** First call made with it. */
  readonly firstUsedAt?: number
  /** A newer certificate has been used; this one may still connect until then. */
  readonly supersededUntil?: number
}

/**
 * A short name for all that a record says: a change may be made on the condition that the record is
 * still the one that was looked at.
 */
export function connectorTag(connector: ConnectorRecord): string {
  return contentVersion(connector)
}

/** The record as of `now`: a standing whose time is over has lapsed, whoever wrote that down. */
export function recordAsOf(connector: ConnectorRecord, now: number): ConnectorRecord {
  const { standingUntil, ...rest } = connector
  if (standingUntil === undefined || now < standingUntil) return connector
  const from = { state: rest.standing, since: standingUntil }
  const { state, since } = nextConnectorRecord(from, { type: 'lapse', now: standingUntil }, NOBODY)
  return { ...rest, standing: state, standingSince: since }
}

const NOBODY = { links: () => undefined }
