/**
 * The rules of a connector registry, over any store that has an atomic transaction.
 *
 * Signing is slow and transactions are not: a certificate is made between a first look and the
 * commit, and the commit looks again. Of two that race, the second finds what the first left, and
 * returns that.
 *
 * @module
 */
import { Refused } from '../../protocol/internal.ts'
import { Containment, type OnError } from '../../runtime/containment.ts'
import {
  changeGroup,
  changeStanding,
  expireConnectors,
  forgetConnector,
  putConnector,
  renameConnector,
} from './connector-changes.ts'
import type {
  ConnectorRegistry,
  ExpiredConnectors,
  RecordChange,
  Registered,
  RegistrationOrder,
  RegistryChange,
  RenewalOrder,
  StandingChange,
  TokenRegistration,
} from './connector-registry.ts'
import type { CertificateRecord, ConnectorRecord, ConnectorStanding } from './connector-records.ts'
import {
  addTicket,
  expireTickets,
  removeTickets,
  spendTicket,
  ticketsOf,
  usableTicket,
  type ExpiredTickets,
  type TicketChoice,
  type TicketOrder,
  type TicketRecord,
} from './enrolment-ticket-rows.ts'

/** What a registry stores: table → row; keys are strings. */
export interface RegistryRows {
  /** By connector id. */
  readonly connectors: ConnectorRecord
  /** By serial number. */
  readonly certificates: CertificateRecord
  /** By connector id: serial numbers, oldest first. */
  readonly serials: readonly string[]
  /** By tenant id: connector ids, oldest first. */
  readonly members: readonly string[]
  /** By issuer and once id. */
  readonly spent: SpentToken
  /** By the ticket's SHA-256. */
  readonly tickets: TicketRecord
  /**
   * By connector id, of those that time will change: when. Milliseconds since 1970.
   */
  readonly terms: number
}

/** A token, and what it was spent on. */
export interface SpentToken {
  readonly keyId: string
  readonly serial: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** The name of a table. */
export type RegistryTable = keyof RegistryRows

/** The tables, as a transaction sees them. All of it is synchronous. */
export interface RegistryTables {
  get<T extends RegistryTable>(table: T, key: string): RegistryRows[T] | undefined
  put<T extends RegistryTable>(table: T, key: string, row: RegistryRows[T]): void
  remove(table: RegistryTable, key: string): void
  entries<T extends RegistryTable>(table: T): Iterable<readonly [string, RegistryRows[T]]>
  /** What those who subscribe are told once the transaction is committed. */
  tell(change: RegistryChange): void
}

/** What an engine brings. */
export interface RegistryStore {
  /** Runs `action` on a consistent view. */
  read<T>(action: (tables: Pick<RegistryTables, 'get' | 'entries'>) => T): T
  /**
   * Runs `action` alone; all of it is durable when the promise resolves, none of it is done when
   * `action` throws.
   */
  transact<T>(action: (tables: RegistryTables) => T): Promise<T>
  /**
   * Calls `listener` with what transactions told, in the order of their commits: its own before
   * `transact` resolves, another process's within a second. The listener does not throw.
   */
  subscribe(listener: (change: RegistryChange) => void): void
}

const SUPERSEDED_MS = 24 * 60 * 60 * 1000
/** Spent tokens are looked through for expired ones at most so often. */
const SWEEP_MS = 60_000
/**
 * Certificates never used that a connector may have; then the oldest of them gives way. An honest
 * connector has one.
 */
const MAX_UNUSED = 4
/**
 * Superseded certificates that a connector may have; their day need not be over when many rolls
 * follow each other.
 */
const MAX_SUPERSEDED = 64

type Reading = Pick<RegistryTables, 'get' | 'entries'>

/**
 * A registry over a {@link RegistryStore}: what an engine of your own needs to bring is that alone.
 */
export class TransactionalRegistry implements ConnectorRegistry {
  readonly #store: RegistryStore
  readonly #containment: Containment
  readonly #listeners = new Set<(change: RegistryChange) => void>()
  #sweptAt = Number.NEGATIVE_INFINITY

  /** @param onError told of listeners that fail. Default: nobody is */
  constructor(store: RegistryStore, onError?: OnError) {
    this.#store = store
    this.#containment = new Containment(onError)
    store.subscribe((change) => {
      for (const listener of this.#listeners) listener(change)
    })
  }

  async register(order: RegistrationOrder): Promise<Registered & { readonly repeated: boolean }> {
    const earlier = this.#store.read((tables) => earlierRegistration(tables, order))
    if (earlier !== undefined) return earlier
    const made = await order.make()
    return this.#store.transact((tables) => {
      const raced = earlierRegistration(tables, order)
      if (raced !== undefined) return raced
      this.#sweep(tables, order.now)
      const { connector, certificate } = made
      const { tenantId } = order
      putConnector(tables, connector)
      tables.put('members', tenantId, [...(tables.get('members', tenantId) ?? []), connector.id])
      addCertificate(tables, certificate)
      spend(tables, order, certificate.serial)
      tables.tell({ type: 'registered', connector })
      return { connector, certificate, repeated: false }
    })
  }

  async renew(order: RenewalOrder): Promise<{ certificate: CertificateRecord; repeated: boolean }> {
    const { connector, earlier } = this.#store.read((tables) => renewable(tables, order))
    if (earlier !== undefined) return { certificate: earlier, repeated: true }
    const certificate = await order.make(connector)
    return this.#store.transact((tables) => {
      const { earlier: raced } = renewable(tables, order)
      if (raced !== undefined) return { certificate: raced, repeated: true }
      removeOver(tables, connector.id, order)
      addCertificate(tables, certificate)
      return { certificate, repeated: false }
    })
  }

  async used(serial: string, now: number): Promise<CertificateRecord> {
    return this.#store.transact((tables) => {
      const used = tables.get('certificates', serial)
      if (used === undefined) throw new Refused('certificate-revoked', 'it is not known')
      if (used.firstUsedAt !== undefined) return used
      const all = tables.get('serials', used.connectorId) ?? []
      for (const older of all.slice(0, all.indexOf(serial))) {
        const row = tables.get('certificates', older)
        if (row === undefined || row.supersededUntil !== undefined) continue
        const until = { ...row, supersededUntil: now + SUPERSEDED_MS }
        tables.put('certificates', older, until)
        tables.tell({ type: 'superseded', certificate: until })
      }
      const row = { ...used, firstUsedAt: now }
      tables.put('certificates', serial, row)
      return row
    })
  }

  async setStanding(
    connectorId: string,
    standing: Exclude<ConnectorStanding, 'pending'>,
    now: number,
    change: StandingChange = {},
  ): Promise<ConnectorRecord> {
    return this.#store.transact((tables) =>
      changeStanding(tables, connectorId, standing, now, change),
    )
  }

  async setGroup(
    connectorId: string,
    groupId: string,
    change: RecordChange = {},
  ): Promise<ConnectorRecord> {
    return this.#store.transact((tables) => changeGroup(tables, connectorId, groupId, change))
  }

  async rename(
    connectorId: string,
    name: string,
    change: RecordChange = {},
  ): Promise<ConnectorRecord> {
    return this.#store.transact((tables) => renameConnector(tables, connectorId, name, change))
  }

  async forget(
    connectorId: string,
    now: number,
    change: RecordChange = {},
  ): Promise<ConnectorRecord> {
    return this.#store.transact((tables) => forgetConnector(tables, connectorId, now, change))
  }

  async expireConnectors(now: number): Promise<ExpiredConnectors> {
    const isOver = this.#store.read((tables) =>
      [...tables.entries('terms')].some(([, at]) => at <= now),
    )
    if (!isOver) return { lapsed: [], gone: [] }
    return this.#store.transact((tables) => expireConnectors(tables, now))
  }

  async addTicket(order: TicketOrder): Promise<void> {
    return this.#store.transact((tables) => addTicket(tables, order))
  }

  async ticket(hash: string): Promise<TicketRecord | undefined> {
    return this.#store.read((tables) => tables.get('tickets', hash))
  }

  async tickets(tenantId: string): Promise<readonly TicketRecord[]> {
    return this.#store.read((tables) => ticketsOf(tables, tenantId))
  }

  async removeTickets(choice: TicketChoice, now: number): Promise<readonly TicketRecord[]> {
    return this.#store.transact((tables) => removeTickets(tables, choice, now))
  }

  async expireTickets(now: number): Promise<ExpiredTickets> {
    return this.#store.transact((tables) => expireTickets(tables, now))
  }

  async connector(id: string): Promise<ConnectorRecord | undefined> {
    return this.#store.read((tables) => tables.get('connectors', id))
  }

  async certificate(serial: string): Promise<CertificateRecord | undefined> {
    return this.#store.read((tables) => tables.get('certificates', serial))
  }

  async certificates(connectorId: string): Promise<readonly CertificateRecord[]> {
    return this.#store.read((tables) => certificatesOf(tables, connectorId))
  }

  async list(tenantId: string): Promise<readonly ConnectorRecord[]> {
    return this.#store.read((tables) => membersOf(tables, tenantId))
  }

  onChange(listener: (change: RegistryChange) => void): () => void {
    const contained = this.#containment.notify('registry.onChange.listener', listener)
    this.#listeners.add(contained)
    return () => this.#listeners.delete(contained)
  }

  #sweep(tables: RegistryTables, now: number): void {
    if (now - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = now
    for (const [key, { expiresAt }] of [...tables.entries('spent')]) {
      if (expiresAt <= now) tables.remove('spent', key)
    }
  }
}

/**
 * What this token or ticket was spent on before, if it was; refuses what must not be registered.
 */
function earlierRegistration(
  tables: Reading,
  order: RegistrationOrder,
): (Registered & { readonly repeated: true }) | undefined {
  const isTicket = 'ticketHash' in order
  const replayed = isTicket ? 'ticket-refused' : 'token-replayed'
  const spent = isTicket ? usableTicket(tables, order).used : tables.get('spent', spentKey(order))
  if (spent !== undefined) {
    if (spent.keyId !== order.keyId) throw new Refused(replayed)
    const certificate = tables.get('certificates', spent.serial)
    const connector = certificate && tables.get('connectors', certificate.connectorId)
    // Its first certificate may have expired and be gone before a very long-lived token does.
    // And an issuer may be another tenant's by now.
    // And what was forgotten needs another.
    if (certificate === undefined || connector?.tenantId !== order.tenantId || connector.forgotten)
      throw new Refused(replayed)
    return { connector, certificate, repeated: true }
  }
  const standing = membersOf(tables, order.tenantId).filter((c) => c.standing !== 'revoked')
  if (standing.length >= order.limit) throw new Refused('connector-limit')
  return undefined
}

/** The connector that asks for a next certificate, and the one this key already got. */
function renewable(tables: Reading, { serial, keyId, now }: RenewalOrder) {
  const current = tables.get('certificates', serial)
  const connector = current && tables.get('connectors', current.connectorId)
  if (current === undefined || connector === undefined || connector.standing === 'revoked') {
    throw new Refused('certificate-revoked')
  }
  if (connector.forgotten !== undefined) throw new Refused('connector-forgotten')
  const earlier = certificatesOf(tables, connector.id).find(
    (certificate) => certificate.keyId === keyId && certificate.expiresAt > now,
  )
  // Whoever took a key that was rolled away must not roll itself back in.
  if (earlier === undefined && current.supersededUntil !== undefined) {
    throw new Refused('certificate-revoked', 'a newer certificate has taken its place')
  }
  return { connector, earlier }
}

/**
 * Removes expired certificates. If there are still too many, removes the oldest of those never
 * used, and of those superseded.
 */
function removeOver(
  tables: RegistryTables,
  connectorId: string,
  { serial, now }: RenewalOrder,
): void {
  const others = certificatesOf(tables, connectorId).filter((other) => other.serial !== serial)
  const isOver = ({ expiresAt, supersededUntil = expiresAt }: CertificateRecord) =>
    expiresAt <= now || supersededUntil <= now
  const [over, live] = [others.filter(isOver), others.filter((other) => !isOver(other))]
  const superseded = live.filter(({ supersededUntil }) => supersededUntil !== undefined)
  const unused = live.filter(
    ({ firstUsedAt, supersededUntil }) =>
      firstUsedAt === undefined && supersededUntil === undefined,
  )
  const gone = new Set(
    [
      ...over,
      ...superseded.slice(0, Math.max(0, superseded.length - MAX_SUPERSEDED)),
      ...unused.slice(0, Math.max(0, unused.length - MAX_UNUSED + 1)),
    ].map((certificate) => certificate.serial),
  )
  if (gone.size === 0) return
  for (const old of gone) tables.remove('certificates', old)
  const left = (tables.get('serials', connectorId) ?? []).filter((kept) => !gone.has(kept))
  tables.put('serials', connectorId, left)
}

function addCertificate(tables: RegistryTables, certificate: CertificateRecord): void {
  const { serial, connectorId } = certificate
  tables.put('certificates', serial, certificate)
  tables.put('serials', connectorId, [...(tables.get('serials', connectorId) ?? []), serial])
}

function certificatesOf(tables: Reading, connectorId: string): CertificateRecord[] {
  const serials = tables.get('serials', connectorId) ?? []
  return serials.flatMap((serial) => tables.get('certificates', serial) ?? [])
}

function membersOf(tables: Reading, tenantId: string): ConnectorRecord[] {
  const ids = tables.get('members', tenantId) ?? []
  return ids.flatMap((id) => tables.get('connectors', id) ?? [])
}

/** From now on token or ticket are good for this key alone. */
function spend(tables: RegistryTables, order: RegistrationOrder, serial: string): void {
  if ('ticketHash' in order) return spendTicket(tables, order, serial)
  const { keyId, tokenExpiresAt: expiresAt } = order
  tables.put('spent', spentKey(order), { keyId, serial, expiresAt })
}

function spentKey({ issuer, onceId }: TokenRegistration): string {
  return JSON.stringify([issuer, onceId])
}
