/**
 * What the registry keeps of connectors and their certificates.
 *
 * @module
 */

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
