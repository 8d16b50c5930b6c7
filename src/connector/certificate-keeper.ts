import {
  ageOf,
  heldCertificate,
  nextCertificate,
  type CertificateEvent,
  type CertificateOutput,
  type CertificateState,
  type IssuedCertificate,
} from '../protocol/machines/certificate.ts'
import { ApiMisuse, Refused } from '../protocol/wire/errors.ts'
import { TIME_LIMITS, type TimeLimits } from '../protocol/wire/limits.ts'
import type { ConfigurationReply } from '../protocol/wire/messages.ts'
import { createCertificateRequest } from './certificate-request.ts'
import type { Identities } from './identity.ts'
import { MachineDriver } from '../runtime/machine-driver.ts'
import type { ConnectorEnvironment, ConnectorIdentity } from './ports.ts'

export interface CertificateKeeperOptions {
  readonly identities: Identities
  readonly environment: ConnectorEnvironment
  /** Default {@link TIME_LIMITS}. */
  readonly limits?: TimeLimits
  /** Asks for a configuration pull now. */
  readonly pull: () => void
  /** Another identity has proven itself. */
  readonly renewed: (identity: ConnectorIdentity) => void
  /** A rolled certificate was refused; the identity before is used again. */
  readonly reverted: (refused: ConnectorIdentity) => void
  readonly expired: () => void
  /** A step of a roll failed and will be tried again. */
  readonly failed: (error: unknown) => void
}

/**
 * Drives the certificate machine: rolls the client certificate by the server's clock, riding on
 * configuration pulls.
 *
 * @see spec/PROTOCOL.md, "Certificate renewal"
 */
export class CertificateKeeper implements CertificateOutput {
  readonly #options: CertificateKeeperOptions
  readonly #driver: MachineDriver<CertificateState, CertificateEvent>
  #proven: ConnectorIdentity

  constructor(options: CertificateKeeperOptions) {
    const { current, previous } = options.identities
    if (current === undefined) throw new ApiMisuse('register first: the store has no identity')
    this.#options = options
    this.#proven = previous ?? current
    this.#driver = new MachineDriver<CertificateState, CertificateEvent>({
      initial: heldCertificate(current, previous === undefined, options.limits ?? TIME_LIMITS),
      step: (from, event) => nextCertificate(from, event, this),
      scheduler: options.environment.scheduler,
      timeout: () => ({ type: 'timeout' }),
      changed: (to, from) => {
        if (to.state === 'expired' && from.state !== 'expired') options.expired()
      },
    })
  }

  get state(): CertificateState['state'] {
    return this.#driver.state.state
  }

  /** The identity that control calls are made with: the newest. */
  get current(): ConnectorIdentity {
    return this.#options.identities.current!
  }

  /** The identity that has worked: what transports use. */
  get proven(): ConnectorIdentity {
    return this.#proven
  }

  /** The certificate request to put into the next pull, DER, if one is due. */
  async request(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.state !== 'requesting') return undefined
    const keys = await this.#options.identities.preparePendingKey()
    return createCertificateRequest(keys, this.#options.environment.crypto)
  }

  /**
   * A pull made with `identity` was answered; `requested` says whether it carried a certificate
   * request.
   */
  answered(
    identity: ConnectorIdentity,
    { serverTime, certificate }: ConfigurationReply,
    renewAfterMs: number,
    requested: boolean,
  ): void {
    if (identity !== this.current) return
    const now = this.#now()
    this.#driver.send({ type: 'used' })
    this.#driver.send({ type: ageOf(this.#driver.state, serverTime, renewAfterMs), now })
    if (requested && certificate !== undefined)
      this.#driver.send({ type: 'issued', now, issued: certificate, serverTime })
  }

  /** A pull made with `identity` failed. */
  failed(identity: ConnectorIdentity, error: unknown): void {
    if (identity !== this.current || !refusesCertificate(error)) return
    this.#driver.send({ type: 'rejected', now: this.#now() })
    if (error.reason === 'certificate-expired') this.#driver.send({ type: 'ended' })
  }

  stop(): void {
    this.#driver.stop()
  }

  prepareKey(op: number): void {
    this.#options.identities.preparePendingKey().then(
      () => this.#driver.result(op, { type: 'prepareKeyDone' }),
      (error: unknown) => this.#failed(op, error, { type: 'prepareKeyRefused' }),
    )
  }

  store(op: number, issued: IssuedCertificate, serverTime: number): void {
    this.#options.identities.promote(issued, serverTime).then(
      (validity) => this.#driver.result(op, { type: 'storeDone', validity }),
      (error: unknown) => this.#failed(op, error, { type: 'storeRefused' }),
    )
  }

  revert(op: number): void {
    const refused = this.current
    this.#options.identities.revert().then(
      (validity) => {
        this.#driver.result(op, { type: 'revertDone', validity })
        this.#options.reverted(refused)
      },
      (error: unknown) => this.#failed(op, error, { type: 'revertRefused' }),
    )
  }

  settle(): void {
    const identity = this.current
    this.#options.identities.settle(identity).catch(this.#options.failed)
    if (identity === this.#proven) return
    this.#proven = identity
    queueMicrotask(() => this.#options.renewed(identity))
  }

  /** Once the machine has moved: what the pull carries depends on its state. */
  pull(): void {
    queueMicrotask(() => this.#options.pull())
  }

  #failed(op: number, error: unknown, event: CertificateEvent): void {
    this.#driver.result(op, event)
    this.#options.failed(error)
  }

  #now(): number {
    return this.#options.environment.clocks.now()
  }
}

const refusesCertificate = (error: unknown): error is Refused =>
  error instanceof Refused && error.reason.startsWith('certificate-')
