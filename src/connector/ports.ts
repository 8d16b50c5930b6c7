/**
 * What the connector needs from the world around it.
 *
 * @module
 */
import type {
  ApplicationReply,
  ApplicationRequest,
  ConfigurationReply,
  ConfigurationRequest,
  RegistrationReply,
  RegistrationRequest,
} from '../protocol/wire/messages.ts'
import type { Clocks } from '../runtime/clocks.ts'
import type { CryptoProvider } from '../runtime/crypto-provider.ts'
import type { Scheduler } from '../runtime/scheduler.ts'

/** Everything that is not pure: a test passes its own, and time is virtual. */
export interface ConnectorEnvironment {
  readonly crypto: CryptoProvider
  readonly clocks: Clocks
  readonly scheduler: Scheduler
  /** A number in [0, 1); for jitter only. */
  random(): number
}

/** Who a connector is: the key that is its identity, and what the cloud signed for it. */
export interface ConnectorIdentity {
  readonly tenantId: string
  readonly connectorId: string
  /** ECDSA P-256. */
  readonly keys: CryptoKeyPair
  /** The client certificate, DER. */
  readonly certificate: Uint8Array
  /** Its issuers up to the root, DER. */
  readonly chain: readonly Uint8Array[]
  /**
   * The only authorities the connector trusts for the cloud's servers, DER; empty: those it was
   * given.
   */
  readonly cloudAuthorities: readonly Uint8Array[]
  /** When the certificate was issued, by the cloud's clock; milliseconds since 1970. */
  readonly issuedAt: number
  /** When it ends; milliseconds since 1970. */
  readonly expiresAt: number
}

/** Everything a connector must remember to stay itself. */
export interface StoredIdentities {
  /** A key that a certificate request was, or will be, made with. */
  readonly pendingKey?: CryptoKeyPair | undefined
  readonly current?: ConnectorIdentity | undefined
  /** The identity before; present while `current` has not been used successfully. */
  readonly previous?: ConnectorIdentity | undefined
}

/** Durable memory for keys and certificates. */
export interface IdentityStore {
  /** Whether keys must be made extractable to be kept here. */
  readonly extractable: boolean
  load(): Promise<StoredIdentities>
  /**
   * Replaces everything, atomically, and resolves when it is durable: after a crash either all of
   * it is there or all of what was before.
   */
  save(identities: StoredIdentities): Promise<void>
}

/** How a control call is made. */
export interface ControlCall {
  /** Aborted when the answer is no longer awaited. */
  readonly signal: AbortSignal
}

/** How a control call is made by a connector that has its certificate. */
export interface IdentifiedCall extends ControlCall {
  /** Whose client certificate to show. */
  readonly identity: ConnectorIdentity
}

/**
 * Carries control calls to the cloud: one message there, one message back.
 *
 * An implementation throws `Refused` for a considered no (final unless it has `retryAfterMs`),
 * `PeerViolation` for an answer that breaks the protocol, and anything else when the call was, or
 * may have been, lost.
 */
export interface ControlChannel {
  /**
   * Without a client certificate, the only call that is; the cloud is verified before token or
   * ticket are sent.
   */
  register(request: RegistrationRequest, call: ControlCall): Promise<RegistrationReply>
  configuration(request: ConfigurationRequest, call: IdentifiedCall): Promise<ConfigurationReply>
  application(request: ApplicationRequest, call: IdentifiedCall): Promise<ApplicationReply>
}
