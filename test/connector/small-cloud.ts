/**
 * A cloud small enough to see through: the real authority and the real messages around a few maps, and a switch
 * for everything that can go wrong between a connector and it.
 *
 * @module
 */
import {
  createCertificateAuthority,
  type CertificateAuthority,
} from '../../src/cloud/certificate-authority.ts'
import type { StoredAuthority } from '../../src/cloud/authority-root.ts'
import { Leaf } from '../../src/cloud/leaf-profile.ts'
import type { ConnectorIdentity, ControlChannel } from '../../src/connector/ports.ts'
import { Refused } from '../../src/protocol/errors.ts'
import {
  ApplicationReply,
  ApplicationRequest,
  ConfigurationReply,
  ConfigurationRequest,
  decodeMessage,
  encodeMessage,
  RegistrationReply,
  RegistrationRequest,
  type ApplicationDetails,
  type ConnectorConfiguration,
} from '../../src/protocol/messages.ts'
import { Pkcs10CertificateRequest, X509Certificate } from '../../src/x509.ts'
import type { VirtualTime } from './virtual-time.ts'

export const DAY_MS = 24 * 60 * 60 * 1000
export const TOKEN = 'a-registrar-token'
const VALIDITY_MS = 60 * DAY_MS

/** What happens to the next call: nothing arrives, the answer is lost, or nothing ever comes back. */
export type Fault = 'lost' | 'reply-lost' | 'silent'

export class SmallCloud implements ControlChannel {
  readonly #time: VirtualTime
  readonly #authority: CertificateAuthority
  /** Public key → its certificate: the same key always gets the same. */
  readonly #issued = new Map<string, Uint8Array<ArrayBuffer>>()
  readonly #tokens = new Map<string, string>()
  /** Certificates it answers to. */
  readonly known = new Map<string, { readonly expiresAt: number }>()
  readonly registrations: RegistrationRequest[] = []
  readonly pulls: { request: ConfigurationRequest; identity: ConnectorIdentity; at: number }[] = []
  readonly applicationCalls: ApplicationRequest[] = []
  readonly applications = new Map<string, ApplicationDetails>()
  readonly faults: Fault[] = []
  /** Said instead of an answer, as long as it says something. */
  refuse: (identity: ConnectorIdentity | undefined) => Refused | undefined = () => undefined
  /** Ahead of the connector's clock by so many milliseconds. */
  clockAheadMs = 0
  published: ConnectorConfiguration = {
    version: 'v1',
    groupId: 'group-1',
    groupName: 'Head office',
    instances: { 'cloud-1': 'https://localhost:8443' },
    pullEveryMs: 60 * 60 * 1000,
    renewAfterMs: 30 * DAY_MS,
  }

  static async create(time: VirtualTime): Promise<SmallCloud> {
    let stored: StoredAuthority | undefined
    const authority = await createCertificateAuthority({
      crypto: time.environment.crypto,
      clocks: time.environment.clocks,
      store: {
        load: async () => stored,
        save: async (root) => void (stored ??= root),
      },
    })
    return new SmallCloud(time, authority)
  }

  private constructor(time: VirtualTime, authority: CertificateAuthority) {
    this.#time = time
    this.#authority = authority
  }

  get serverTime(): number {
    return this.#time.wallClock + this.clockAheadMs
  }

  configure(change: Partial<ConnectorConfiguration>): void {
    this.published = { ...this.published, ...change }
  }

  register(question: RegistrationRequest, { signal }: { signal: AbortSignal }) {
    return this.#call(signal, undefined, async () => {
      const request = over(RegistrationRequest, question)
      this.registrations.push(request)
      const key = await this.#keyOf(request.request)
      if ((this.#tokens.get(request.token) ?? key) !== key)
        return over(RegistrationReply, {
          v: 1,
          type: 'refused',
          reason: 'token-replayed',
        })
      this.#tokens.set(request.token, key)
      const certificate = await this.#issue(request.request)
      return over(RegistrationReply, {
        v: 1,
        type: 'registered',
        tenantId: 'tenant-1',
        connectorId: 'connector-1',
        standing: 'active',
        certificate,
        chain: [this.#authority.certificate],
        cloudAuthorities: [],
        serverTime: this.serverTime,
      })
    })
  }

  configuration(question: ConfigurationRequest, call: IdentifiedCall) {
    return this.#call(call.signal, call.identity, async () => {
      const request = over(ConfigurationRequest, question)
      this.pulls.push({ request, identity: call.identity, at: this.#time.now })
      const changed = request.have !== this.published.version
      return over(ConfigurationReply, {
        v: 1,
        type: 'configuration',
        serverTime: this.serverTime,
        ...(changed && { configuration: this.published }),
        ...(request.request && {
          certificate: {
            certificate: await this.#issue(request.request),
            chain: [this.#authority.certificate],
          },
        }),
      })
    })
  }

  application(question: ApplicationRequest, call: IdentifiedCall) {
    return this.#call(call.signal, call.identity, async () => {
      const { applicationId } = over(ApplicationRequest, question)
      this.applicationCalls.push(question)
      const application = this.applications.get(applicationId)
      return over(
        ApplicationReply,
        application === undefined
          ? { v: 1, type: 'unknown-application', applicationId }
          : { v: 1, type: 'application', application },
      )
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
    const refusal = this.refuse(identity) ?? (identity && this.#refusalOf(identity))
    if (refusal !== undefined) throw refusal
    const reply = await this.#time.track(answer())
    if (fault === 'reply-lost') throw new Error('ECONNRESET')
    return reply
  }

  #refusalOf({ certificate }: ConnectorIdentity): Refused | undefined {
    const record = this.known.get(serialOf(certificate))
    if (record === undefined) return new Refused('certificate-untrusted')
    return record.expiresAt <= this.serverTime ? new Refused('certificate-expired') : undefined
  }

  async #keyOf(der: Uint8Array): Promise<string> {
    const request = new Pkcs10CertificateRequest(new Uint8Array(der))
    if (!(await request.verify(this.#time.environment.crypto as Crypto)))
      throw new Refused('request-signature')
    return Buffer.from(request.publicKey.rawData).toString('hex')
  }

  async #issue(der: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    const key = await this.#keyOf(der)
    const known = this.#issued.get(key)
    if (known !== undefined) return known
    const issued = await this.#authority.issue({
      publicKeySpki: Buffer.from(key, 'hex'),
      tenantId: 'tenant-1',
      connectorId: 'connector-1',
      now: this.serverTime,
      validityMs: VALIDITY_MS,
    })
    const certificate = new Uint8Array(issued.der)
    Leaf.parse(certificate)
    this.#issued.set(key, certificate)
    this.known.set(serialOf(certificate), { expiresAt: issued.expiresAt })
    return certificate
  }
}

interface IdentifiedCall {
  readonly signal: AbortSignal
  readonly identity: ConnectorIdentity
}

const serials = new WeakMap<Uint8Array, string>()

export function serialOf(certificate: Uint8Array): string {
  const known = serials.get(certificate)
  if (known !== undefined) return known
  const { serialNumber } = new X509Certificate(new Uint8Array(certificate))
  serials.set(certificate, serialNumber)
  return serialNumber
}

/** A message as it comes out at the other end of the wire. */
function over<S extends Parameters<typeof decodeMessage>[0]>(schema: S, message: object) {
  return decodeMessage(schema, encodeMessage(message))
}

function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error)),
  )
}
