/**
 * One-time enrolment tickets: made in this process by a registrar or by the service's operator, and
 * looked up when a connector shows one. Where a tenant does not allow them there are none.
 *
 * Whoever shows one that is not good is told so and no more; why is in the audit.
 *
 * @see spec/PROTOCOL.md, "Tickets"
 * @module
 */
import { base64url } from 'jose'
import {
  AppProxyError,
  ConfigurationInvalid,
  MAX_OPEN_TICKETS,
  MAX_REFUSED_TICKETS,
  MAX_TICKET_MS,
  Refused,
  TICKET_MS,
} from '../../protocol/internal.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { CountedWindow } from '../../runtime/counted-window.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { timerOf, type Scheduler } from '../../runtime/scheduler.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Directory, Tenant } from '../directory/directory-port.ts'
import { clientNetwork } from '../rules/network.ts'
import { isAssigned } from './assignment.ts'
import type { ConnectorRegistry } from './connector-registry.ts'
import {
  isOpen,
  type TicketChoice,
  type TicketMaker,
  type TicketRecord,
} from './enrolment-ticket-rows.ts'
import type { VerifiedRegistrar } from './registrar-token.ts'

/** What a ticket is to be good for. */
export interface EnrolmentTicketOptions {
  /** The tenant that the connector will be of; it must say `enrolmentTickets`. */
  readonly tenantId: string
  /** The group that the connector joins. Default: the tenant's `defaultGroupId`. */
  readonly groupId?: string
  /**
   * In whose name: a registrar's access token, which must be of this tenant; or the name of the
   * operator of this service, who is at this process. It stands in the record of the connector and
   * in the audit.
   */
  readonly by: { readonly token: string } | { readonly operator: string }
  /** Until it is used. Milliseconds, default 3 600 000 (1 h), at most 86 400 000 (24 h). */
  readonly validMs?: number
  /**
   * What the connector is at first: `pending` waits for an operator's approval. Default `pending`;
   * `active` has no effect where the tenant approves its connectors.
   */
  readonly standing?: 'pending' | 'active'
  /**
   * SHA-256 of the one public key (SubjectPublicKeyInfo) that may use it, 64 hexadecimal digits:
   * what `connectorKeyThumbprint` of `app-proxy/connector/node` says. Default: whoever comes first.
   */
  readonly keyThumbprint?: string
}

/** A ticket as it is handed over, once. */
export interface EnrolmentTicket {
  /** The secret: 256 random bits, base64url. It is kept nowhere. */
  readonly ticket: string
  /** Names it in lists, records and the audit; opens nothing. */
  readonly id: string
  readonly tenantId: string
  readonly groupId: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** A ticket that can still be used, without what opens it. */
export type OpenTicket = Omit<TicketRecord, 'hash' | 'used'>

/** Options of {@link EnrolmentTickets}. */
export interface EnrolmentTicketsOptions {
  /** Says which tenants take tickets. */
  readonly directory: Pick<Directory, 'tenant' | 'group'>
  /** Where tickets are kept, and connectors that come by them. */
  readonly registry: ConnectorRegistry
  /** Told of each ticket that is made, ended or over. */
  readonly audit: AuditSink
  /** By them tickets end. */
  readonly clocks: Clocks
  /** What tickets are drawn and hashed by. */
  readonly crypto: CryptoProvider
  /** Who a registrar's token speaks for; throws `Refused`. Default: no token is taken. */
  readonly verifyToken?: (token: string) => Promise<VerifiedRegistrar>
  /** Default: the runtime's timers. */
  readonly scheduler?: Scheduler | undefined
}

/** Milliseconds. */
const WINDOW_MS = 60_000
/** When others of the same address are being looked at. Milliseconds. */
const SOON_MS = 1_000

/**
 * The tickets of a registry. A cloud has its own; another process that may open its registry, such
 * as an operator's command, makes one to make tickets there.
 */
export class EnrolmentTickets {
  readonly #options: EnrolmentTicketsOptions
  readonly #refused: CountedWindow
  /** By the network that they came from: tickets that are shown, and not judged yet. */
  readonly #underWay = new Map<string, number>()
  #armed: { readonly at: number; readonly callOff: () => void } | undefined

  constructor(options: EnrolmentTicketsOptions) {
    this.#options = options
    this.#refused = new CountedWindow({
      now: () => options.clocks.now(),
      most: MAX_REFUSED_TICKETS,
      windowMs: WINDOW_MS,
    })
  }

  /**
   * Makes a ticket.
   *
   * @throws ConfigurationInvalid when the tenant takes none or has too many open, or an option is
   *   wrong; Refused `token-…` when the registrar's token is not good
   */
  async create(options: EnrolmentTicketOptions): Promise<EnrolmentTicket> {
    try {
      const [ticket, record] = await this.#made(options)
      this.#audit('ticket.created', record)
      this.#arm(record.expiresAt)
      const { id, tenantId, groupId, expiresAt } = record
      return { ticket, id, tenantId, groupId, expiresAt }
    } catch (error) {
      this.#notMade(options, error)
      throw error
    }
  }

  /** The tenant's tickets that can still be used, the oldest first. */
  async list(tenantId: string): Promise<readonly OpenTicket[]> {
    await this.expire()
    const now = this.#options.clocks.wallClock()
    const kept = await this.#options.registry.tickets(tenantId)
    return kept
      .filter((ticket) => isOpen(ticket, now))
      .map(({ hash: _hash, used: _used, ...open }) => open)
  }

  /**
   * Ends tickets before their time: one, or all that somebody made who may no longer. One that was
   * used is not good for a lost reply any more; its connector stays what it is.
   *
   * @returns how many could still have been used
   */
  async revoke(choice: TicketChoice): Promise<number> {
    const { registry, clocks } = this.#options
    const revoked = await registry.removeTickets(choice, clocks.wallClock())
    for (const ticket of revoked) this.#audit('ticket.revoked', ticket)
    return revoked.length
  }

  /** Forgets what is over, writes down what was never used, and looks again when the next is. */
  async expire(): Promise<void> {
    const { registry, clocks } = this.#options
    const { expired, nextAt } = await registry.expireTickets(clocks.wallClock())
    for (const ticket of expired) this.#audit('ticket.expired', ticket)
    if (nextAt !== undefined) this.#arm(nextAt)
  }

  /**
   * Whether a ticket of this address may be looked at now.
   *
   * @returns milliseconds to wait; 0: it may, and {@link EnrolmentTickets.seen} must follow
   */
  look(address: string | undefined): number {
    const network = clientNetwork(address ?? '')
    const waitMs = this.#refused.waitMs(network)
    if (waitMs > 0) return waitMs
    const underWay = this.#underWay.get(network) ?? 0
    if (this.#refused.counted(network) + underWay >= MAX_REFUSED_TICKETS) return SOON_MS
    this.#underWay.set(network, underWay + 1)
    return 0
  }

  /** What became of one that was looked at. */
  seen(address: string | undefined, wasRefused: boolean): void {
    const network = clientNetwork(address ?? '')
    const left = (this.#underWay.get(network) ?? 1) - 1
    if (left > 0) this.#underWay.set(network, left)
    else this.#underWay.delete(network)
    if (wasRefused) this.#refused.count(network)
  }

  /**
   * The record of a ticket that is good, as far as can be told before the key is known.
   *
   * @throws Refused `ticket-refused`; its message is for the audit alone
   */
  async verify(ticket: string): Promise<TicketRecord> {
    const { registry, directory, clocks } = this.#options
    const record = await registry.ticket(await this.#hash(ticket))
    if (record === undefined) throw new Refused('ticket-refused', 'it is not known')
    const because = faultOf(record, directory, clocks.wallClock())
    if (because !== undefined) throw new Refused('ticket-refused', because)
    return record
  }

  async #made(options: EnrolmentTicketOptions): Promise<[ticket: string, record: TicketRecord]> {
    const { registry, directory, clocks, crypto } = this.#options
    const { tenantId, validMs = TICKET_MS, standing = 'pending', keyThumbprint } = options
    const tenant = directory.tenant(tenantId)
    if (tenant === undefined) throw new ConfigurationInvalid('tenantId', 'names no tenant')
    if (tenant.enrolmentTickets !== true)
      throw new ConfigurationInvalid('enrolmentTickets', `tenant "${tenantId}" takes no tickets`)
    const { groupId = tenant.defaultGroupId } = options
    if (!isAssigned(directory, { tenantId, groupId }))
      throw new ConfigurationInvalid('groupId', 'names no group of this tenant')
    if (!Number.isInteger(validMs) || validMs < 1 || validMs > MAX_TICKET_MS)
      throw new ConfigurationInvalid('validMs', `must be from 1 to ${MAX_TICKET_MS}`)
    if (keyThumbprint !== undefined && !/^[0-9a-f]{64}$/i.test(keyThumbprint))
      throw new ConfigurationInvalid('keyThumbprint', 'must be 64 hexadecimal digits')
    const maker = await this.#maker(tenant, options.by)
    await this.expire()
    const ticket = base64url.encode(crypto.getRandomValues(new Uint8Array(32)))
    const now = clocks.wallClock()
    const record: TicketRecord = {
      id: hexadecimal(crypto.getRandomValues(new Uint8Array(8))),
      hash: await this.#hash(ticket),
      ...{ tenantId, groupId, standing, maker },
      ...(keyThumbprint !== undefined && { keyId: keyThumbprint.toLowerCase() }),
      createdAt: now,
      expiresAt: now + validMs,
    }
    const { ticketLimit: limit = MAX_OPEN_TICKETS } = tenant
    await registry.addTicket({ ticket: record, limit, now })
    return [ticket, record]
  }

  async #maker(tenant: Tenant, by: EnrolmentTicketOptions['by']): Promise<TicketMaker> {
    if ('operator' in by) {
      if (by.operator === '') throw new ConfigurationInvalid('by.operator', 'must be a name')
      return { as: 'operator', name: by.operator }
    }
    const { verifyToken } = this.#options
    if (verifyToken === undefined) throw new ConfigurationInvalid('by.token', 'is not taken here')
    const { tenantId, issuer, subject, roles } = await verifyToken(by.token)
    if (tenantId !== tenant.id) throw new Refused('token-tenant', 'it is of another tenant')
    return { as: 'registrar', name: subject, issuer, roles }
  }

  async #hash(ticket: string): Promise<string> {
    const octets = new TextEncoder().encode(ticket)
    return hexadecimal(new Uint8Array(await this.#options.crypto.subtle.digest('SHA-256', octets)))
  }

  #audit(type: 'ticket.created' | 'ticket.revoked' | 'ticket.expired', ticket: TicketRecord): void {
    const { audit, clocks } = this.#options
    const { id: ticketId, tenantId, groupId, standing, keyId, maker, expiresAt } = ticket
    audit.write({
      time: clocks.wallClock(),
      type,
      outcome: 'success',
      tenantId,
      ...(maker.as === 'registrar' && { subject: maker.name }),
      detail: {
        ...{ ticketId, groupId, standing, keyId, expiresAt },
        ...(maker.as === 'operator' && { operator: maker.name }),
      },
    })
  }

  #notMade({ tenantId, by }: EnrolmentTicketOptions, error: unknown): void {
    const { audit, clocks } = this.#options
    audit.write({
      time: clocks.wallClock(),
      type: 'ticket.created',
      ...(error instanceof AppProxyError
        ? { outcome: 'refused', reason: error instanceof Refused ? error.reason : error.code }
        : { outcome: 'failed' }),
      tenantId,
      detail: {
        ...('operator' in by && { operator: by.operator }),
        ...(error instanceof ConfigurationInvalid && { because: error.message }),
      },
    })
  }

  #arm(at: number): void {
    if (this.#armed !== undefined && this.#armed.at <= at) return
    this.#armed?.callOff()
    const { clocks, scheduler } = this.#options
    const leftMs = Math.max(0, at - clocks.wallClock())
    const callOff = timerOf({ clocks, scheduler }).after(leftMs, () => {
      this.#armed = undefined
      // A registry that fails has been told of; the next ticket that is shown or made looks again.
      this.expire().catch(() => undefined)
    })
    this.#armed = { at, callOff }
  }
}

/** Why a ticket that is kept is not good now, as far as can be told before the key is known. */
function faultOf(
  { tenantId, groupId, maker, expiresAt }: TicketRecord,
  directory: Pick<Directory, 'tenant' | 'group'>,
  now: number,
): string | undefined {
  const tenant = directory.tenant(tenantId)
  if (expiresAt <= now) return 'it has expired'
  if (tenant?.enrolmentTickets !== true) return 'its tenant takes no tickets'
  if (!isAssigned(directory, { tenantId, groupId })) return 'its group is gone'
  if (maker.as === 'operator') return undefined
  const isRegistrar =
    maker.issuer === tenant.issuer &&
    maker.roles.some((role) => tenant.registrars.roles.includes(role))
  return isRegistrar ? undefined : 'who made it is no registrar any more'
}
