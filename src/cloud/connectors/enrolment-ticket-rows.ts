/**
 * What the registry keeps of enrolment tickets, and the rules of their one use, over the tables of
 * a transaction. A ticket itself is kept nowhere: its SHA-256 is what it is found by.
 *
 * @module
 */
import { ConfigurationInvalid, Refused } from '../../protocol/internal.ts'
import type { RegistryTables } from './transactional-registry.ts'

/** Who made a ticket: a registrar, by a token of the tenant's issuer, or the service's operator. */
export type TicketMaker =
  | {
      readonly as: 'registrar'
      /** The registrar as the issuer calls them (`sub`). */
      readonly name: string
      readonly issuer: string
      /** The registrar roles that were held then: a ticket ends when none of them is one now. */
      readonly roles: readonly string[]
    }
  | { readonly as: 'operator'; readonly name: string }

/** A ticket as it is kept. */
export interface TicketRecord {
  /** Names it in lists, records and audit events; opens nothing. */
  readonly id: string
  /** SHA-256 of the ticket, hexadecimal. */
  readonly hash: string
  readonly tenantId: string
  /** The group that its connector joins. */
  readonly groupId: string
  /** What its connector is at first. */
  readonly standing: 'pending' | 'active'
  /** SHA-256 of the one public key it is good for, hexadecimal. Absent: whoever comes first. */
  readonly keyId?: string
  readonly maker: TicketMaker
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly expiresAt: number
  /** What it was used for. Until its end the same key is told the same again. */
  readonly used?: { readonly keyId: string; readonly serial: string; readonly at: number }
}

/** A ticket to be opened. */
export interface TicketOrder {
  readonly ticket: TicketRecord
  /** How many a tenant may have open. */
  readonly limit: number
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Which tickets of a tenant: one by its id, or all that one person made. */
export type TicketChoice = { readonly tenantId: string } & (
  | { readonly id: string }
  | { readonly maker: { readonly as: TicketMaker['as']; readonly name: string } }
)

/** What ran out, and when the next will. */
export interface ExpiredTickets {
  readonly expired: readonly TicketRecord[]
  /** Milliseconds since 1970; absent: there is none. */
  readonly nextAt?: number
}

type Reading = Pick<RegistryTables, 'get' | 'entries'>

/** @throws ConfigurationInvalid when the tenant has too many open */
export function addTicket(tables: RegistryTables, { ticket, limit, now }: TicketOrder): void {
  const open = ticketsOf(tables, ticket.tenantId).filter((other) => isOpen(other, now))
  if (open.length >= limit)
    throw new ConfigurationInvalid('tickets', `the tenant has ${limit} open already`)
  tables.put('tickets', ticket.hash, ticket)
}

/** Whether it may still be used for the first time. */
export function isOpen({ used, expiresAt }: TicketRecord, now: number): boolean {
  return used === undefined && now < expiresAt
}

/** All that are kept of a tenant, the oldest first. */
export function ticketsOf(tables: Reading, tenantId: string): TicketRecord[] {
  return [...tables.entries('tickets')]
    .map(([, ticket]) => ticket)
    .filter((ticket) => ticket.tenantId === tenantId)
    .sort((one, other) => one.createdAt - other.createdAt)
}

/** Removes those that are chosen, and returns the ones that could still have been used. */
export function removeTickets(tables: RegistryTables, choice: TicketChoice, now: number) {
  const chosen = ticketsOf(tables, choice.tenantId).filter((ticket) =>
    'id' in choice
      ? ticket.id === choice.id
      : ticket.maker.as === choice.maker.as && ticket.maker.name === choice.maker.name,
  )
  for (const { hash } of chosen) tables.remove('tickets', hash)
  return chosen.filter((ticket) => isOpen(ticket, now))
}

/** Removes what is over; those that were never used have expired. */
export function expireTickets(tables: RegistryTables, now: number): ExpiredTickets {
  const all = [...tables.entries('tickets')].map(([, ticket]) => ticket)
  const over = all.filter(({ expiresAt }) => expiresAt <= now)
  for (const { hash } of over) tables.remove('tickets', hash)
  const left = all.filter(({ expiresAt }) => expiresAt > now).map(({ expiresAt }) => expiresAt)
  return {
    expired: over.filter(({ used }) => used === undefined),
    ...(left.length > 0 && { nextAt: Math.min(...left) }),
  }
}

/** A use of a ticket. */
export interface TicketUse {
  readonly ticketHash: string
  readonly tenantId: string
  readonly keyId: string
  readonly now: number
}

/**
 * The ticket that this key may use, for the first time or again.
 *
 * @throws Refused `ticket-refused`
 */
export function usableTicket(tables: Reading, use: TicketUse): TicketRecord {
  const ticket = tables.get('tickets', use.ticketHash)
  if (ticket === undefined) throw new Refused('ticket-refused', 'it is not known')
  if (ticket.expiresAt <= use.now) throw new Refused('ticket-refused', 'it has expired')
  if (ticket.tenantId !== use.tenantId)
    throw new Refused('ticket-refused', 'it is of another tenant')
  if (ticket.keyId !== undefined && ticket.keyId !== use.keyId)
    throw new Refused('ticket-refused', 'it is bound to another key')
  if (ticket.used !== undefined && ticket.used.keyId !== use.keyId)
    throw new Refused('ticket-refused', 'it was used by another key')
  return ticket
}

/** From now on it is good for this key alone. */
export function spendTicket(tables: RegistryTables, use: TicketUse, serial: string): void {
  const { keyId, now: at } = use
  tables.put('tickets', use.ticketHash, {
    ...usableTicket(tables, use),
    used: { keyId, serial, at },
  })
}
