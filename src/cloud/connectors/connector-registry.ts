/**
 * The port that remembers connectors: records, certificates, enrolment tickets, and which tokens
 * were spent on whom.
 *
 * An implementation brings an atomic, durable transaction over a few tables (`RegistryStore`); the
 * rules are in `TransactionalRegistry` and are the same for all of them. An engine without such a
 * transaction implements the port itself.
 *
 * @module
 */
import type { LinksFate } from '../../protocol/internal.ts'
import type { CertificateRecord, ConnectorRecord, ConnectorStanding } from './connector-records.ts'
import type {
  ExpiredTickets,
  TicketChoice,
  TicketOrder,
  TicketRecord,
} from './enrolment-ticket-rows.ts'

/** A connector to be registered: one token or one ticket, and one key. */
export type RegistrationOrder = TokenRegistration | TicketRegistration

/** By a registrar's token. */
export interface TokenRegistration extends KeyRegistration {
  /** The token's issuer. */
  readonly issuer: string
  /** What makes the token single-use within its issuer. */
  readonly onceId: string
  /** Milliseconds since 1970; the token is remembered until then. */
  readonly tokenExpiresAt: number
}

/** By an enrolment ticket. */
export interface TicketRegistration extends KeyRegistration {
  /** SHA-256 of the ticket, hexadecimal. */
  readonly ticketHash: string
}

/** What each registration says. */
export interface KeyRegistration {
  /** SHA-256 of the key that is to be certified, hexadecimal. */
  readonly keyId: string
  readonly tenantId: string
  /** How many connectors the tenant may have that are not revoked. */
  readonly limit: number
  /** Milliseconds since 1970. */
  readonly now: number
  /**
   * Makes the record and the certificate. Called at most once, after every check has passed. The
   * engine may still discard what it made.
   */
  readonly make: () => Promise<Registered>
}

/** What a registration, or a renewal, left in the registry. */
export interface Registered {
  readonly connector: ConnectorRecord
  readonly certificate: CertificateRecord
}

/** A next certificate for a registered connector. */
export interface RenewalOrder {
  /** The serial number of the certificate that the call was made with. */
  readonly serial: string
  /** SHA-256 of the key that is to be certified, hexadecimal. */
  readonly keyId: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** As in {@link RegistrationOrder.make}. */
  readonly make: (connector: ConnectorRecord) => Promise<CertificateRecord>
}

/** How a connector's record is to be changed. */
export interface RecordChange {
  /**
   * The record must be the one with this tag, else it is a `conflict`. Default: whatever it is.
   *
   * @see connectorTag
   */
  readonly expected?: string | undefined
}

/** How a connector's standing is to be changed. */
export interface StandingChange extends RecordChange {
  /**
   * `active` alone: the end of the approval, milliseconds since 1970; then the connector waits for
   * another. Default: it has none.
   */
  readonly until?: number | undefined
}

/** What came to its end. */
export interface ExpiredConnectors {
  /** Those whose standing lapsed, as they are now. */
  readonly lapsed: readonly ConnectorRecord[]
  /** Forgotten ones of which nothing is kept any more. */
  readonly gone: readonly ConnectorRecord[]
}

/** Something that live links must hear of. */
export type RegistryChange =
  | { readonly type: 'registered'; readonly connector: ConnectorRecord }
  /** Standing or group is another; `links` says what must become of the connector's live links. */
  | { readonly type: 'changed'; readonly connector: ConnectorRecord; readonly links: LinksFate }
  /** A newer certificate was used: links that were made with this one drain. */
  | { readonly type: 'superseded'; readonly certificate: CertificateRecord }

/**
 * Remembers connectors. Every method that changes something is atomic, and durable before it
 * returns.
 */
export interface ConnectorRegistry {
  /**
   * The commit point of a registration. The same token with the same key, inside the token's
   * window, returns the same connector and certificate again (`repeated`): the reply was lost. So
   * does the same ticket, which must be there, open or used by this key, and is used by it from
   * then on: in the same transaction.
   *
   * @throws Refused `token-replayed` (the token was spent on another key), `ticket-refused` or
   *   `connector-limit`
   */
  register(order: RegistrationOrder): Promise<Registered & { readonly repeated: boolean }>
  /**
   * Certifies a connector's next key; the same key always gets the same certificate.
   *
   * @throws Refused `certificate-revoked`: the caller's certificate is not known, superseded, or
   *   its connector is revoked; `connector-forgotten`
   */
  renew(
    order: RenewalOrder,
  ): Promise<{ readonly certificate: CertificateRecord; readonly repeated: boolean }>
  /**
   * Notes a certificate's first use, which supersedes the connector's older certificates: they may
   * connect for another 24 hours.
   *
   * @throws Refused `certificate-revoked` when it is not known
   */
  used(serial: string, now: number): Promise<CertificateRecord>
  /**
   * Moves a connector to another standing.
   *
   * @throws Refused `not-found` when there is no such connector, `conflict`; ConfigurationInvalid
   *   when it cannot become that, such as anything after `revoked`
   */
  setStanding(
    connectorId: string,
    standing: Exclude<ConnectorStanding, 'pending'>,
    now: number,
    change?: StandingChange,
  ): Promise<ConnectorRecord>
  /**
   * Puts a connector into another group.
   *
   * @throws Refused `not-found` when there is no such connector, `conflict`
   */
  setGroup(connectorId: string, groupId: string, change?: RecordChange): Promise<ConnectorRecord>
  /**
   * Calls a connector something else: for people, it has no other meaning.
   *
   * @throws Refused `not-found` when there is no such connector, `conflict`
   */
  rename(connectorId: string, name: string, change?: RecordChange): Promise<ConnectorRecord>
  /**
   * Hides a connector and ends its service: it must be registered again, as another. Its id and its
   * certificates are refused until a day after the end of the last of them; a revoked one stays
   * revoked.
   *
   * @throws Refused `not-found` when there is no such connector, `conflict`
   */
  forget(connectorId: string, now: number, change?: RecordChange): Promise<ConnectorRecord>
  /** Ends what is over by `now`; of several that ask at once one is told of each. */
  expireConnectors(now: number): Promise<ExpiredConnectors>

  /**
   * Keeps a ticket.
   *
   * @throws ConfigurationInvalid `tickets` when as many as the limit are open in the tenant
   */
  addTicket(order: TicketOrder): Promise<void>
  /** The ticket with this SHA-256, hexadecimal; used ones stay until their end. */
  ticket(hash: string): Promise<TicketRecord | undefined>
  /** What is kept of the tenant's, the oldest first. */
  tickets(tenantId: string): Promise<readonly TicketRecord[]>
  /** Forgets those that are chosen; returns the ones that could still have been used. */
  removeTickets(choice: TicketChoice, now: number): Promise<readonly TicketRecord[]>
  /** Forgets what is over by `now`; of several that ask at once one is told of each. */
  expireTickets(now: number): Promise<ExpiredTickets>

  /** Forgotten ones too, as long as they are refused. */
  connector(id: string): Promise<ConnectorRecord | undefined>
  certificate(serial: string): Promise<CertificateRecord | undefined>
  /** The connector's certificates, oldest first. */
  certificates(connectorId: string): Promise<readonly CertificateRecord[]>
  /** The tenant's connectors in the order they came: revoked ones included, forgotten ones not. */
  list(tenantId: string): Promise<readonly ConnectorRecord[]>

  /**
   * Calls `listener` after each change, in their order: at once for one that was made through this
   * registry, within a second for one that another process made in the same store. What a listener
   * throws keeps nothing from the change, nor from the other listeners.
   *
   * @returns ends the subscription
   */
  onChange(listener: (change: RegistryChange) => void): () => void
}
