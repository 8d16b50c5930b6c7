/**
 * Registers connectors: drives the certification machine, and performs its effects with a token
 * verifier, an authority and a registry.
 *
 * @see spec/PROTOCOL.md, "Registration"
 * @module
 */
import { readCertificates, type CertificateInput } from '../../runtime/certificates.ts'
import { MachineDriver } from '../../runtime/machine-driver.ts'
import { systemScheduler } from '../../runtime/scheduler.ts'
import {
  nextCertification,
  PROTOCOL_VERSION,
  Refused,
  type CertifiedConnector,
  type CertificationEvent,
  type Registrar,
  type CertificationOutput,
  type CertificationState,
  type RegistrationReply,
  type RegistrationRequest,
  type RequestedKey,
} from '../../protocol/internal.ts'
import type { Containment } from '../../runtime/containment.ts'
import type { CertificateAuthority } from '../authority/certificate-authority.ts'
import { issuerOf } from '../authority/authority-roll.ts'
import { readCertificateRequest } from '../authority/certificate-request.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import type { EnrolledBy } from './connector-records.ts'
import type { ConnectorRegistry, Registered } from './connector-registry.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Directory, Tenant } from '../directory/directory-port.ts'
import type { TicketRecord } from './enrolment-ticket-rows.ts'
import { EnrolmentTickets } from './enrolment-tickets.ts'
import { RegistrarTokens, type RegistrarTokensOptions } from './registrar-token.ts'

export interface RegistrationOptions extends RegistrarTokensOptions {
  readonly directory: Pick<Directory, 'tenant' | 'tenants' | 'tenantOfIssuer' | 'group'>
  readonly registry: ConnectorRegistry
  readonly authority: CertificateAuthority
  readonly audit: AuditSink
  /** Where faults are told. Default: nowhere. */
  readonly containment?: Containment
  /**
   * The authorities of the cloud's own servers, PEM or DER; connectors trust these alone from then
   * on. Default none: they keep what they have.
   */
  readonly cloudAuthorities?:
    CertificateInput | readonly CertificateInput[] | (() => readonly Uint8Array[])
  /** Milliseconds a certificate is valid. Default 60 days. */
  readonly validityMs?: number
  /** Registrations under way at once; more are asked to come back. Default 32. */
  readonly concurrency?: number
}

/** Where a registration came from. */
export interface RegistrationContext {
  readonly remoteAddress?: string
}

/** Answers registrations. */
export interface Registration {
  /** Makes and ends the tickets that registrations may show in the place of a token. */
  readonly tickets: EnrolmentTickets
  /** Never rejects: a refusal is an answer too. */
  register(request: RegistrationRequest, context?: RegistrationContext): Promise<RegistrationReply>
}

type Checked = RegistrationOptions & { readonly cloudAuthorities: () => readonly Uint8Array[] }

type Final = Extract<CertificationState, { state: 'certified' | 'refused' }>

const BUSY_RETRY_MS = 1_000

/**
 * Opens the registration.
 *
 * @throws ConfigurationInvalid when one of `cloudAuthorities` is neither PEM nor DER
 */
export function createRegistration(given: RegistrationOptions): Registration {
  const { cloudAuthorities: told = [] } = given
  const read = typeof told === 'function' ? told : readCertificates(told, 'cloudAuthorities')
  const cloudAuthorities = typeof read === 'function' ? read : () => read
  const options: Checked = { ...given, cloudAuthorities }
  const tokens = new RegistrarTokens(options)
  const tickets = new EnrolmentTickets({
    ...options,
    verifyToken: (token) => tokens.verify(token),
  })
  const { concurrency = 32 } = options
  let running = 0
  const outcome = (request: RegistrationRequest) =>
    new RegistrationRun(tokens, tickets, request, options).outcome()

  return {
    tickets,
    async register(request, context = {}) {
      if (running >= concurrency)
        return answer(later('too many at once', BUSY_RETRY_MS), request, context, options)
      running += 1
      try {
        const final =
          request.ticket === undefined
            ? await outcome(request)
            : await limited(tickets, context, () => outcome(request))
        return answer(final, request, context, options)
      } finally {
        running -= 1
      }
    },
  }
}

/** Whoever shows tickets that are not good has to wait before another is looked at. */
async function limited(
  tickets: EnrolmentTickets,
  { remoteAddress }: RegistrationContext,
  outcome: () => Promise<Final>,
): Promise<Final> {
  const waitMs = tickets.look(remoteAddress)
  if (waitMs > 0) return later('too many tickets of this address', waitMs)
  let isRefused = true
  try {
    const final = await outcome()
    isRefused = final.state === 'refused' && final.reason === 'ticket-refused'
    return final
  } finally {
    tickets.seen(remoteAddress, isRefused)
  }
}

function later(detail: string, retryAfterMs: number): Final {
  const refused = { state: 'refused', while: 'received', reason: 'unavailable' } as const
  return { ...refused, detail, retryAfterMs }
}

/** One registration: the machine, its effects and its deadline. */
class RegistrationRun implements CertificationOutput {
  readonly #tokens: RegistrarTokens
  readonly #tickets: EnrolmentTickets
  readonly #message: RegistrationRequest
  readonly #options: RegistrationOptions
  readonly #settled: Promise<Final>
  #settle!: (final: Final) => void
  readonly #driver: MachineDriver<CertificationState, CertificationEvent>
  #ticket: TicketRecord | undefined

  constructor(
    tokens: RegistrarTokens,
    tickets: EnrolmentTickets,
    message: RegistrationRequest,
    options: RegistrationOptions,
  ) {
    this.#tokens = tokens
    this.#tickets = tickets
    this.#message = message
    this.#options = options
    this.#settled = new Promise((resolve) => (this.#settle = resolve))
    const { clocks, scheduler = systemScheduler({ clocks, keepsAlive: false }) } = options
    this.#driver = new MachineDriver<CertificationState, CertificationEvent>({
      initial: { state: 'received' },
      step: (from, event) => nextCertification(from, event, this),
      scheduler,
      timeout: () => ({ type: 'timeout', now: this.#now() }),
      changed: (to) => {
        if (to.state === 'certified' || to.state === 'refused') this.#settle(to)
      },
    })
  }

  outcome(): Promise<Final> {
    const { token = '', ticket, request } = this.#message
    const now = this.#now()
    if (ticket === undefined) this.#driver.send({ type: 'register', now, token, request })
    else this.#driver.send({ type: 'registerByTicket', now, ticket, request })
    return this.#settled
  }

  verifyToken({ op, token }: { op: number; token: string }): void {
    this.#perform(op, 'verifyToken', async () => {
      const registrar = await this.#tokens.verify(token)
      return { type: 'verifyTokenDone', now: this.#now(), op, registrar }
    })
  }

  verifyTicket({ op, ticket }: { op: number; ticket: string }): void {
    this.#perform(op, 'verifyTicket', async () => {
      this.#ticket = await this.#tickets.verify(ticket)
      const { id: ticketId, hash: ticketHash, tenantId, groupId, maker } = this.#ticket
      const registrar = { tenantId, groupId, ticketId, ticketHash, maker }
      return { type: 'verifyTicketDone', now: this.#now(), op, registrar }
    })
  }

  verifyRequest({ op, request }: { op: number; request: Uint8Array }): void {
    this.#perform(op, 'verifyRequest', async () => {
      const key = await readCertificateRequest(request, this.#options.crypto)
      return { type: 'verifyRequestDone', now: this.#now(), op, key }
    })
  }

  record(effect: { op: number; registrar: Registrar; key: RequestedKey }): void {
    const { op, registrar, key } = effect
    this.#perform(op, 'record', async () => {
      const made = { registrar, key, ticket: this.#ticket }
      const connector = await record(made, this.#message, this.#options)
      return { type: 'recordDone', op, connector }
    })
  }

  /** Answers an effect with exactly one result. */
  #perform(
    op: number,
    effect: keyof CertificationOutput,
    action: () => Promise<CertificationEvent>,
  ): void {
    void action()
      .catch((error: unknown): CertificationEvent => {
        if (!(error instanceof Refused)) this.#options.containment?.tellInternal('registrar', error)
        const { reason, detail, retryAfterMs } = refusalOf(error)
        return {
          type: `${effect}Refused`,
          op,
          reason,
          ...(detail === undefined ? {} : { detail }),
          ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        }
      })
      .then((result) => this.#driver.result(op, result))
  }

  #now(): number {
    return this.#options.clocks.now()
  }
}

/** Whose connector is recorded, and by what. */
interface Enrolled {
  readonly registrar: Registrar
  readonly key: RequestedKey
  /** Absent: by a token. */
  readonly ticket: TicketRecord | undefined
}

async function record(
  enrolled: Enrolled,
  { instance }: RegistrationRequest,
  options: RegistrationOptions,
): Promise<CertifiedConnector> {
  const { registry, directory, clocks } = options
  const { registrar, key } = enrolled
  const { tenantId } = registrar
  const tenant = directory.tenant(tenantId)
  if (tenant === undefined) throw new Refused('token-tenant', 'the tenant is gone')
  const now = clocks.wallClock()
  const { connector, certificate, repeated } = await registry.register({
    ...onceOf(registrar),
    keyId: key.keyId,
    tenantId,
    limit: tenant.connectorLimit,
    now,
    make: () => newConnector(tenant, enrolled, instance.name, now, options),
  })
  if (connector.standing === 'revoked') throw new Refused('certificate-revoked')
  return {
    connectorId: connector.id,
    standing: connector.standing === 'pending' ? 'pending' : 'active',
    certificate: certificate.der,
    repeated,
  }
}

/** What makes token or ticket good for one key alone. */
function onceOf(registrar: Registrar) {
  if ('ticketHash' in registrar) return { ticketHash: registrar.ticketHash }
  const { issuer, onceId, tokenExpiresAt } = registrar
  return { issuer, onceId, tokenExpiresAt }
}

async function newConnector(
  tenant: Tenant,
  { registrar, key: { publicKey }, ticket }: Enrolled,
  name: string,
  now: number,
  { authority, crypto, validityMs }: RegistrationOptions,
): Promise<Registered> {
  const id = hexadecimal(crypto.getRandomValues(new Uint8Array(16)))
  const issued = await authority.issue({
    publicKeySpki: publicKey,
    tenantId: tenant.id,
    connectorId: id,
    now,
    ...(validityMs === undefined ? {} : { validityMs }),
  })
  const standing = tenant.approveConnectors ? 'pending' : (ticket?.standing ?? 'active')
  const { approveWithinMs } = tenant
  return {
    connector: {
      id,
      tenantId: tenant.id,
      groupId: ticket?.groupId ?? tenant.defaultGroupId,
      name,
      standing,
      ...(standing === 'pending' &&
        approveWithinMs !== undefined && { standingUntil: now + approveWithinMs }),
      registeredAt: now,
      enrolledBy: enrolledBy(registrar, ticket),
    },
    certificate: { ...issued, connectorId: id },
  }
}

function enrolledBy(registrar: Registrar, ticket: TicketRecord | undefined): EnrolledBy {
  if (ticket === undefined && 'subject' in registrar)
    return { as: 'registrar', name: registrar.subject, issuer: registrar.issuer }
  const { maker, id: ticketId } = ticket!
  const issuer = maker.as === 'registrar' ? { issuer: maker.issuer } : {}
  return { as: maker.as, name: maker.name, ...issuer, ticketId }
}

/** Anything but a refusal is ours, and says nothing of itself to a stranger. */
function refusalOf(error: unknown): Pick<Refused, 'reason' | 'retryAfterMs'> & { detail?: string } {
  if (!(error instanceof Refused)) return { reason: 'unavailable', retryAfterMs: BUSY_RETRY_MS }
  const { reason, message, retryAfterMs } = error
  const detail = message.slice(reason.length + 2)
  return { reason, retryAfterMs, ...(detail === '' ? {} : { detail }) }
}

function answer(
  final: Final,
  { instance }: RegistrationRequest,
  { remoteAddress }: RegistrationContext,
  { audit, authority, clocks, cloudAuthorities }: Checked,
): RegistrationReply {
  const time = clocks.wallClock()
  const known = {
    address: remoteAddress,
    ...(final.registrar === undefined
      ? {}
      : { tenantId: final.registrar.tenantId, ...subjectOf(final.registrar) }),
  }
  const detail = {
    instance: { name: instance.name, version: instance.version },
    ...(final.registrar === undefined ? {} : ticketDetail(final.registrar)),
    ...(final.key === undefined ? {} : { keyId: final.key.keyId, ignored: final.key.ignored }),
  }
  if (final.state === 'refused') {
    const { reason, retryAfterMs } = final
    audit.write({
      time,
      type: 'connector.registration',
      outcome: 'refused',
      reason,
      ...known,
      detail: { ...detail, while: final.while, ...(final.detail && { because: final.detail }) },
    })
    return {
      v: PROTOCOL_VERSION,
      type: 'refused',
      reason,
      // Whoever shows a ticket that is not good learns nothing of why.
      ...(final.detail === undefined || reason === 'ticket-refused'
        ? {}
        : { detail: final.detail }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  }
  const { connectorId, standing, certificate, repeated } = final.connector
  audit.write({
    time,
    type: 'connector.registration',
    outcome: 'success',
    ...known,
    connectorId,
    detail: { ...detail, standing, repeated },
  })
  return {
    v: PROTOCOL_VERSION,
    type: 'registered',
    tenantId: final.registrar.tenantId,
    connectorId,
    standing,
    certificate: new Uint8Array(certificate),
    chain: [new Uint8Array(issuerOf(certificate, authority))],
    cloudAuthorities: cloudAuthorities().map((der) => new Uint8Array(der)),
    serverTime: time,
  }
}

/** Operators are no users of an issuer: the audit names them apart. */
function subjectOf(registrar: Registrar): { subject?: string } {
  if (!('maker' in registrar)) return { subject: registrar.subject }
  return registrar.maker.as === 'registrar' ? { subject: registrar.maker.name } : {}
}

function ticketDetail(registrar: Registrar): { ticketId?: string; operator?: string } {
  if (!('maker' in registrar)) return {}
  const { ticketId, maker } = registrar
  return { ticketId, ...(maker.as === 'operator' && { operator: maker.name }) }
}
