/**
 * Registers connectors: drives the certification machine, and performs its effects with a token
 * verifier, an authority and a registry.
 *
 * @see spec/PROTOCOL.md, "Registration"
 * @module
 */
import { MachineDriver } from '../../runtime/machine-driver.ts'
import { systemScheduler } from '../../runtime/scheduler.ts'
import {
  nextCertification,
  PROTOCOL_VERSION,
  Refused,
  type CertifiedConnector,
  type CertificationEvent,
  type RegistrarIdentity,
  type CertificationOutput,
  type CertificationState,
  type RegistrationReply,
  type RegistrationRequest,
  type RequestedKey,
} from '../../protocol/internal.ts'
import type { Containment } from '../../runtime/containment.ts'
import type { CertificateAuthority } from '../authority/certificate-authority.ts'
import { readCertificateRequest } from '../authority/certificate-request.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import type { ConnectorRegistry, Registered } from './connector-registry.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Directory, Tenant } from '../directory/directory-port.ts'
import { RegistrarTokens, type RegistrarTokensOptions } from './registrar-token.ts'

export interface RegistrationOptions extends RegistrarTokensOptions {
  readonly directory: Pick<Directory, 'tenant' | 'tenants' | 'tenantOfIssuer'>
  readonly registry: ConnectorRegistry
  readonly authority: CertificateAuthority
  readonly audit: AuditSink
  /** Where faults are told. Default: nowhere. */
  readonly containment?: Containment
  /**
   * The authorities of the cloud's own servers, DER; connectors trust these alone from then on.
   * Default none: they keep what they have.
   */
  readonly cloudAuthorities?: readonly Uint8Array[]
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
  /** Never rejects: a refusal is an answer too. */
  register(request: RegistrationRequest, context?: RegistrationContext): Promise<RegistrationReply>
}

type Final = Extract<CertificationState, { state: 'certified' | 'refused' }>

const BUSY_RETRY_MS = 1_000

export function createRegistration(options: RegistrationOptions): Registration {
  const tokens = new RegistrarTokens(options)
  const { concurrency = 32 } = options
  let running = 0

  return {
    async register(request, context = {}) {
      if (running >= concurrency) {
        const busy = { state: 'refused', while: 'received', reason: 'unavailable' } as const
        const final = { ...busy, detail: 'too many at once', retryAfterMs: BUSY_RETRY_MS }
        return answer(final, request, context, options)
      }
      running += 1
      try {
        const final = await new RegistrationRun(tokens, request, options).outcome()
        return answer(final, request, context, options)
      } finally {
        running -= 1
      }
    },
  }
}

/** One registration: the machine, its effects and its deadline. */
class RegistrationRun implements CertificationOutput {
  readonly #tokens: RegistrarTokens
  readonly #message: RegistrationRequest
  readonly #options: RegistrationOptions
  readonly #settled: Promise<Final>
  #settle!: (final: Final) => void
  readonly #driver: MachineDriver<CertificationState, CertificationEvent>

  constructor(tokens: RegistrarTokens, message: RegistrationRequest, options: RegistrationOptions) {
    this.#tokens = tokens
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
    const { token, request } = this.#message
    this.#driver.send({ type: 'register', now: this.#now(), token, request })
    return this.#settled
  }

  verifyToken({ op, token }: { op: number; token: string }): void {
    this.#perform(op, 'verifyToken', async () => {
      const registrar = await this.#tokens.verify(token)
      return { type: 'verifyTokenDone', now: this.#now(), op, registrar }
    })
  }

  verifyRequest({ op, request }: { op: number; request: Uint8Array }): void {
    this.#perform(op, 'verifyRequest', async () => {
      const key = await readCertificateRequest(request, this.#options.crypto)
      return { type: 'verifyRequestDone', now: this.#now(), op, key }
    })
  }

  record(effect: { op: number; registrar: RegistrarIdentity; key: RequestedKey }): void {
    const { op, registrar, key } = effect
    this.#perform(op, 'record', async () => {
      const connector = await record(registrar, key, this.#message, this.#options)
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

async function record(
  registrar: RegistrarIdentity,
  key: RequestedKey,
  { instance }: RegistrationRequest,
  options: RegistrationOptions,
): Promise<CertifiedConnector> {
  const { registry, directory, clocks } = options
  const { tenantId, issuer, onceId, tokenExpiresAt } = registrar
  const tenant = directory.tenant(tenantId)
  if (tenant === undefined) throw new Refused('token-tenant', 'the tenant is gone')
  const now = clocks.wallClock()
  const { connector, certificate, repeated } = await registry.register({
    issuer,
    onceId,
    keyId: key.keyId,
    tokenExpiresAt,
    tenantId,
    limit: tenant.connectorLimit,
    now,
    make: () => newConnector(tenant, key, instance.name, now, options),
  })
  if (connector.standing === 'revoked') throw new Refused('certificate-revoked')
  return {
    connectorId: connector.id,
    standing: connector.standing === 'pending' ? 'pending' : 'active',
    certificate: certificate.der,
    repeated,
  }
}

async function newConnector(
  tenant: Tenant,
  { publicKey }: RequestedKey,
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
  return {
    connector: {
      id,
      tenantId: tenant.id,
      groupId: tenant.defaultGroupId,
      name,
      standing: tenant.approveConnectors ? 'pending' : 'active',
      registeredAt: now,
    },
    certificate: { ...issued, connectorId: id },
  }
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
  { audit, authority, clocks, cloudAuthorities = [] }: RegistrationOptions,
): RegistrationReply {
  const time = clocks.wallClock()
  const known = {
    address: remoteAddress,
    ...(final.registrar === undefined
      ? {}
      : { tenantId: final.registrar.tenantId, subject: final.registrar.subject }),
  }
  const detail = {
    instance: { name: instance.name, version: instance.version },
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
      ...(final.detail === undefined ? {} : { detail: final.detail }),
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
    chain: [new Uint8Array(authority.certificate)],
    cloudAuthorities: cloudAuthorities.map((der) => new Uint8Array(der)),
    serverTime: time,
  }
}
