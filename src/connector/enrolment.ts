/**
 * Drives the registration machine: installation steps 1 and 3 on the connector's side.
 *
 * @module
 */
import { ApiMisuse, ConfigurationInvalid, PeerViolation, Refused } from '../protocol/wire/errors.ts'
import { ENROLMENT_TICKET } from '../protocol/wire/features.ts'
import { MAX_TEXT_CHARACTERS, MAX_TOKEN_CHARACTERS, TIME_LIMITS } from '../protocol/wire/limits.ts'
import { PROTOCOL_VERSION, type RegistrationRequest } from '../protocol/wire/messages.ts'
import {
  idleRegistration,
  nextRegistration,
  type Registered,
  type RegistrationEvent,
  type RegistrationLimits,
  type RegistrationOutput,
  type RegistrationState,
} from '../protocol/machines/registration.ts'
import { Containment } from '../runtime/containment.ts'
import { createCertificateRequest, identityOf } from './certificate-request.ts'
import { Identities } from './identity.ts'
import { MachineDriver } from '../runtime/machine-driver.ts'
import { refusalReason } from './refusal-reasons.ts'
import type {
  ConnectorEnvironment,
  ConnectorIdentity,
  ControlChannel,
  IdentityStore,
} from './ports.ts'

/** What a connector shows to be registered: exactly one of the two. */
export interface RegistrationProof {
  /**
   * A registrar's access token; asked for once, before the first try, and only if there is no
   * identity yet. White space around it is left out.
   */
  readonly token?: (() => string | Promise<string>) | undefined
  /**
   * A one-time enrolment ticket, where the tenant allows them; asked for once, before the first
   * try, and only if there is no identity yet. White space around it is left out. All tries show
   * the same: with another the cloud could not tell a lost reply from a second connector.
   */
  readonly ticket?: (() => string | Promise<string>) | undefined
}

/** Options of {@link register}. */
export interface RegisterOptions extends RegistrationProof {
  /** Carries the call to the cloud. */
  readonly channel: ControlChannel
  /** Where key and certificate are kept. */
  readonly store: IdentityStore
  /** Clocks, timers, randomness and keys: `systemEnvironment()`. */
  readonly environment: ConnectorEnvironment
  /** What an operator recognises the connector by. */
  readonly instance: RegistrationRequest['instance']
  /** Default none. */
  readonly features?: readonly string[]
  /** Default {@link TIME_LIMITS}. */
  readonly limits?: RegistrationLimits
  /** Gives up; what is durable by then serves the next try. */
  readonly signal?: AbortSignal
  /** A try failed and another will follow. Whatever it throws is ignored. */
  readonly onRetry?: (error: unknown) => void
}

/**
 * Registers the connector, or returns the identity it has already.
 *
 * The key is durable before the first request; a lost reply is asked for again with the same key
 * and token or ticket, under full-jitter backoff, until the cloud answers or `signal` aborts.
 *
 * @throws Refused when the cloud says no for good; ConfigurationInvalid when there is neither token
 *   nor ticket, or both, or the ticket or token is none, or the name is too long;
 *   PeerViolation when the cloud's answer cannot be used; the store's own error when the key cannot
 *   be kept; the signal's reason
 * @see spec/PROTOCOL.md, "Registration"
 */
export async function register(options: RegisterOptions): Promise<ConnectorIdentity> {
  const identities = await Identities.open(options.store, options.environment.crypto)
  if (identities.current !== undefined) return identities.current
  options.signal?.throwIfAborted()
  const { name } = options.instance
  if (name === '' || name.length > MAX_TEXT_CHARACTERS)
    throw new ConfigurationInvalid('name', `must have 1 to ${MAX_TEXT_CHARACTERS} characters`)
  return new Enrolment(options, identities, await shown(options)).run()
}

type Shown = Pick<RegistrationRequest, 'token' | 'ticket'>

async function shown({ token, ticket }: RegistrationProof): Promise<Shown> {
  if (token !== undefined && ticket !== undefined)
    throw new ConfigurationInvalid('ticket', 'is one of two: there is a "token" as well')
  if (ticket !== undefined) {
    const text = (await ticket()).trim()
    // What is none may be another secret, which the cloud has no business with.
    if (!/^[\w-]{43}$/.test(text))
      throw new ConfigurationInvalid('ticket', 'is no ticket: one is 43 characters of base64url')
    return { ticket: text }
  }
  if (token === undefined)
    throw new ConfigurationInvalid('token', 'or "ticket" is needed to register')
  const text = (await token()).trim()
  if (text === '') throw new ConfigurationInvalid('token', 'is empty')
  if (text.length > MAX_TOKEN_CHARACTERS)
    throw new ConfigurationInvalid('token', `is longer than ${MAX_TOKEN_CHARACTERS} characters`)
  return { token: text }
}

class Enrolment implements RegistrationOutput {
  readonly #options: RegisterOptions
  readonly #identities: Identities
  readonly #shown: Shown
  readonly #driver: MachineDriver<RegistrationState, RegistrationEvent>
  /** Aborts the request under way. */
  #call = new AbortController()
  /** One key for all tries: with another the token would count as replayed. */
  #keys: CryptoKeyPair | undefined
  #identity: ConnectorIdentity | undefined
  #error: unknown
  readonly #onRetry: (error: unknown) => void
  #settle: { resolve(identity: ConnectorIdentity): void; reject(error: unknown): void } | undefined

  constructor(options: RegisterOptions, identities: Identities, shown: Shown) {
    this.#options = options
    this.#identities = identities
    this.#shown = shown
    this.#onRetry = new Containment().notify('onRetry', (error) => options.onRetry?.(error))
    this.#driver = new MachineDriver<RegistrationState, RegistrationEvent>({
      initial: idleRegistration(options.limits ?? TIME_LIMITS),
      step: (from, event) => nextRegistration(from, event, this),
      scheduler: options.environment.scheduler,
      timeout: () => ({ type: 'timeout', ...this.#moment() }),
      changed: (to, from) => this.#changed(to, from),
    })
  }

  async run(): Promise<ConnectorIdentity> {
    const { signal } = this.#options
    const aborted = () => this.#settle?.reject(signal?.reason)
    try {
      return await new Promise<ConnectorIdentity>((resolve, reject) => {
        this.#settle = { resolve, reject }
        signal?.addEventListener('abort', aborted, { once: true })
        this.#driver.send({ type: 'register', now: this.#moment().now })
      })
    } finally {
      signal?.removeEventListener('abort', aborted)
      this.#driver.stop()
      this.#call.abort()
    }
  }

  prepareKey(op: number): void {
    this.#identities.preparePendingKey().then(
      (keys) => {
        this.#keys = keys
        this.#driver.result(op, { type: 'prepareKeyDone', now: this.#moment().now })
      },
      (error: unknown) => {
        this.#error = error
        this.#driver.result(op, { type: 'prepareKeyRefused' })
      },
    )
  }

  request(op: number): void {
    this.#call.abort()
    this.#call = new AbortController()
    this.#request(this.#call.signal).then(
      (reply) => this.#driver.result(op, { type: 'requestDone', now: this.#moment().now, reply }),
      (error: unknown) => this.#requestFailed(op, error),
    )
  }

  store(op: number): void {
    this.#identities.adopt(this.#identity!).then(
      () => this.#driver.result(op, { type: 'storeDone' }),
      (error: unknown) => {
        this.#error = error
        this.#driver.result(op, { type: 'storeRefused', ...this.#moment() })
      },
    )
  }

  async #request(signal: AbortSignal): Promise<Registered> {
    const { channel, environment, instance, features = [] } = this.#options
    const { ticket } = this.#shown
    const keys = this.#keys!
    const reply = await channel.register(
      {
        v: PROTOCOL_VERSION,
        type: 'registration',
        ...this.#shown,
        request: await createCertificateRequest(keys, environment.crypto),
        instance,
        features: [...features, ...(ticket === undefined ? [] : [ENROLMENT_TICKET])],
      },
      { signal },
    )
    if (reply.type === 'refused')
      throw new Refused(refusalReason(reply.reason) ?? 'unavailable', reply.detail, {
        retryAfterMs: reply.retryAfterMs,
      })
    const { tenantId, connectorId, certificate, chain, cloudAuthorities, serverTime } = reply
    this.#identity = await identityOf(
      { tenantId, connectorId, keys, certificate, chain, cloudAuthorities, serverTime },
      environment.crypto,
    )
    return reply
  }

  #requestFailed(op: number, error: unknown): void {
    this.#error = error
    // A cloud that answers and breaks the protocol would do so again.
    if (error instanceof PeerViolation)
      return this.#driver.result(op, { type: 'requestRefused', reason: 'unavailable' })
    if (error instanceof Refused && error.retryAfterMs === undefined)
      return this.#driver.result(op, { type: 'requestRefused', reason: error.reason })
    const retryAfterMs = error instanceof Refused ? error.retryAfterMs : undefined
    this.#driver.result(op, { type: 'requestDeferred', ...this.#moment(), retryAfterMs })
  }

  #changed(to: RegistrationState, from: RegistrationState): void {
    if (to === from) return
    if (to.state === 'backoff') {
      this.#call.abort()
      this.#onRetry(this.#error ?? new Refused('unavailable', 'no answer in time'))
      this.#error = undefined
    } else if (to.state === 'registered') this.#settle?.resolve(this.#identity!)
    else if (to.state === 'refused') this.#settle?.reject(this.#error)
    else if (to.state === 'idle')
      this.#settle?.reject(this.#error ?? new ApiMisuse('the identity store does not answer'))
  }

  #moment(): { now: number; random: number } {
    const { clocks, random } = this.#options.environment
    return { now: clocks.now(), random: random() }
  }
}
