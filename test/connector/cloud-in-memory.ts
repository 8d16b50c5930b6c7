/**
 * The real cloud behind a channel in memory: its registrar, registry, authority and configuration service, every message
 * through the real codec, and a switch for everything that can go wrong on the way.
 *
 * @module
 */
import {
  createCertificateAuthority,
  createMemoryRegistry,
  type Application,
  type CertificateAuthority,
  type ConnectorRegistry,
  type Registration,
  type StoredAuthority,
  type Tenant,
} from '../../src/cloud/index.ts'
import { ConnectorCertificates } from '../../src/cloud/connectors/connector-certificate.ts'
import { createRegistration } from '../../src/cloud/connectors/registration-service.ts'
import {
  type ConfigurationServiceOptions,
  ConfigurationService,
} from '../../src/cloud/connectors/configuration-service.ts'
import type {
  ConnectorEnvironment,
  ConnectorIdentity,
  ControlChannel,
} from '../../src/connector/ports.ts'
import type { Refused } from '../../src/protocol/wire/errors.ts'
import {
  type ApplicationRequest,
  type ConfigurationRequest,
  decodeMessage,
  encodeMessage,
  type RegistrationRequest,
  type ControlMessages,
} from '../../src/protocol/wire/messages.ts'
import { X509Certificate } from '../../src/runtime/x509.ts'
import { startIssuer, type Issuer } from '../issuer.ts'
import { recordedAudit } from '../recorded-audit.ts'

export const HOUR_MS = 60 * 60 * 1000
export const DAY_MS = 24 * HOUR_MS

/** What happens to the next call: nothing arrives, the answer is lost, or nothing ever comes back. */
export type Fault = 'lost' | 'reply-lost' | 'silent'

/** Virtual, or the real one. */
export interface TestTime {
  readonly environment: ConnectorEnvironment
  readonly now: number
  readonly wallClock: number
  track<T>(work: Promise<T>): Promise<T>
}

type Settings = Pick<
  ConfigurationServiceOptions,
  'instances' | 'pullEveryMs' | 'renewAfterMs' | 'cloudAuthorities'
>

interface IdentifiedCall {
  readonly signal: AbortSignal
  readonly identity: ConnectorIdentity
}

export class CloudInMemory implements ControlChannel {
  readonly #time: TestTime
  readonly #issuer: Issuer
  readonly #authority: CertificateAuthority
  readonly #registrar: Registration
  readonly #certificates: ConnectorCertificates
  /** Where its instances are: what configurations tell. */
  instances: Readonly<Record<string, string>> = { 'cloud-1': 'https://localhost:8443' }
  readonly #settings: Settings = {
    instances: () => this.instances,
    pullEveryMs: HOUR_MS,
  }
  #service: ConfigurationService
  readonly registry: ConnectorRegistry = createMemoryRegistry()
  readonly audit = recordedAudit()
  readonly applications = new Map<string, Application>()
  readonly registrations: RegistrationRequest[] = []
  readonly pulls: { request: ConfigurationRequest; identity: ConnectorIdentity; at: number }[] = []
  readonly applicationCalls: ApplicationRequest[] = []
  readonly faults: Fault[] = []
  /** Said instead of an answer, as long as it says something. */
  refuse: (identity: ConnectorIdentity | undefined) => Refused | undefined = () => undefined
  /** Ahead of the connector's clock by so many milliseconds. */
  clockAheadMs = 0

  static async create(time: TestTime): Promise<CloudInMemory> {
    let stored: StoredAuthority | undefined
    const authority = await createCertificateAuthority({
      crypto: time.environment.crypto,
      clocks: time.environment.clocks,
      store: { load: async () => stored, save: async (root) => void (stored ??= root) },
    })
    return new CloudInMemory(time, await startIssuer(), authority)
  }

  private constructor(time: TestTime, issuer: Issuer, authority: CertificateAuthority) {
    this.#time = time
    this.#issuer = issuer
    this.#authority = authority
    const { crypto } = time.environment
    const { registry } = this
    this.#certificates = new ConnectorCertificates({
      crypto,
      authority,
      registry,
      directory: this.#parts().directory,
    })
    this.#registrar = createRegistration(this.#parts())
    this.#service = new ConfigurationService({ ...this.#parts(), ...this.#settings })
  }

  /** A new registrar's token; each serves one registration. */
  token(claims: Record<string, unknown> = {}): Promise<string> {
    return this.#issuer.sign({
      sub: 'alice',
      aud: 'https://connectors.example',
      tid: 'contoso',
      roles: ['application-administrator'],
      jti: globalThis.crypto.randomUUID(),
      ...claims,
    })
  }

  /** What answers the pulls now. */
  get service(): ConfigurationService {
    return this.#service
  }

  get serverTime(): number {
    return this.#time.wallClock + this.clockAheadMs
  }

  /** From now on connectors are told this. */
  configure(change: Partial<Settings>): void {
    Object.assign(this.#settings, change)
    this.#service = new ConfigurationService({ ...this.#parts(), ...this.#settings })
  }

  async close(): Promise<void> {
    await this.#issuer.close()
  }

  register(question: RegistrationRequest, { signal }: { signal: AbortSignal }) {
    return this.#call(signal, undefined, async () => {
      const request = over('RegistrationRequest', question)
      this.registrations.push(request)
      return over('RegistrationReply', await this.#registrar.register(request))
    })
  }

  configuration(question: ConfigurationRequest, call: IdentifiedCall) {
    return this.#call(call.signal, call.identity, async () => {
      const request = over('ConfigurationRequest', question)
      const caller = await this.#certificates.identify(call.identity.certificate, this.serverTime)
      this.pulls.push({ request, identity: call.identity, at: this.#time.now })
      return over('ConfigurationReply', await this.#service.configuration(caller, request))
    })
  }

  application(question: ApplicationRequest, call: IdentifiedCall) {
    return this.#call(call.signal, call.identity, async () => {
      const request = over('ApplicationRequest', question)
      const caller = await this.#certificates.identify(call.identity.certificate, this.serverTime)
      this.applicationCalls.push(request)
      return over('ApplicationReply', this.#service.application(caller, request))
    })
  }

  async #call<T>(
    signal: AbortSignal,
    identity: ConnectorIdentity | undefined,
    answer: () => Promise<T>,
  ): Promise<T> {
    const fault = this.faults.shift()
    if (fault === 'lost') throw new Error('ECONNREFUSED')
    if (fault === 'silent') return silence(signal)
    const refusal = this.refuse(identity)
    if (refusal !== undefined) throw refusal
    const reply = await this.#time.track(answer())
    if (fault === 'reply-lost') throw new Error('ECONNRESET')
    return reply
  }

  #parts() {
    const tenant: Tenant = {
      id: 'contoso',
      name: 'Contoso',
      issuer: this.#issuer.url,
      registrars: {
        audience: 'https://connectors.example',
        roleClaim: ['roles'],
        roles: ['application-administrator'],
      },
      connectorLimit: 100,
      approveConnectors: false,
      defaultGroupId: 'head-office',
    }
    return {
      crypto: this.#time.environment.crypto,
      clocks: { now: () => this.#time.now, wallClock: () => this.serverTime },
      directory: {
        tenant: (id: string) => (id === tenant.id ? tenant : undefined),
        tenants: () => [tenant],
        tenantOfIssuer: (url: string) => (url === tenant.issuer ? tenant : undefined),
        group: (id: string) => ({ id, tenantId: tenant.id, name: `Group ${id}` }),
        application: (id: string) => this.applications.get(id),
        applications: () => [...this.applications.values()],
      },
      registry: this.registry,
      authority: this.#authority,
      audit: this.audit,
    }
  }
}

export function serialOf(certificate: Uint8Array): string {
  return new X509Certificate(new Uint8Array(certificate)).serialNumber
}

/** A message as it comes out at the other end of the wire. */
function over<Name extends keyof ControlMessages>(name: Name, message: ControlMessages[Name]) {
  return decodeMessage(name, encodeMessage(message))
}

function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error)),
  )
}
