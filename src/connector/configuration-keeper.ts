/**
 * Drives the configuration machine: the periodic pull, the last good configuration, and the
 * certificate roll that rides on it.
 *
 * @module
 */
import {
  nextConfiguration,
  unconfigured,
  type Applied,
  type ConfigurationEvent,
  type ConfigurationOutput,
  type ConfigurationState,
} from '../protocol/machines/configuration.ts'
import { ConfigurationInvalid, Refused } from '../protocol/wire/errors.ts'
import { TIME_LIMITS, type TimeLimits } from '../protocol/wire/limits.ts'
import {
  PROTOCOL_VERSION,
  type ConfigurationReply,
  type ConfigurationRequest,
  type ConnectorConfiguration,
} from '../protocol/wire/messages.ts'
import { CertificateKeeper } from './certificate-keeper.ts'
import { Identities } from './identity.ts'
import { MachineDriver } from '../runtime/machine-driver.ts'
import { atOnce, Containment, type OnError } from '../runtime/containment.ts'
import type {
  ConnectorEnvironment,
  ConnectorIdentity,
  ControlChannel,
  IdentityStore,
} from './ports.ts'

/**
 * A certificate older than this is rolled, until a configuration says otherwise: the seed's 30
 * days.
 */
export const RENEW_AFTER_MS = 30 * 24 * 60 * 60 * 1000
/** The shortest period between pulls a configuration may ask for. */
export const MIN_PULL_EVERY_MS = 100

/** What the keeper tells whoever listens. */
export type KeeperEvent =
  /** This configuration is in force. */
  | { readonly type: 'configured'; readonly configuration: ConnectorConfiguration }
  /** A pull, or applying its answer, failed; the last good configuration stays. */
  | { readonly type: 'pull-failed'; readonly error: unknown }
  /** Connect with this identity from now on; what is in flight under the one before may finish. */
  | { readonly type: 'renewed'; readonly identity: ConnectorIdentity }
  /** A rolled certificate was refused; the one before is used again. */
  | { readonly type: 'reverted'; readonly refused: ConnectorIdentity }
  /** A step of a roll failed and will be tried again. */
  | { readonly type: 'renewal-failed'; readonly error: unknown }
  /**
   * The certificate has ended: only a new registration helps. Pulls go on, in case a clock is
   * wrong.
   */
  | { readonly type: 'expired' }

/** Options of {@link ConfigurationKeeper.open}. */
export interface ConfigurationKeeperOptions {
  /** Carries pulls to the cloud. */
  readonly channel: ControlChannel
  /** Must hold an identity: {@link register} first. */
  readonly store: IdentityStore
  /** Clocks, timers, randomness and keys: `systemEnvironment()`. */
  readonly environment: ConnectorEnvironment
  /** Default {@link TIME_LIMITS}. */
  readonly limits?: TimeLimits
  /**
   * Synchronous. Refuses a configuration by throwing: the last good one stays in force and the
   * cloud is told why. Default: takes all.
   */
  readonly check?: (configuration: ConnectorConfiguration) => void
  /** Whatever it, or another listener, throws is told to `onError`, and changes nothing. */
  readonly onEvent?: (event: KeeperEvent) => void
  /** Told of listeners that fail. Default: nobody is. */
  readonly onError?: OnError
}

/**
 * Keeps a registered connector configured and its certificate young.
 *
 * @see spec/PROTOCOL.md, "Configuration"
 */
export class ConfigurationKeeper implements ConfigurationOutput {
  readonly #options: ConfigurationKeeperOptions
  readonly #certificate: CertificateKeeper
  readonly #driver: MachineDriver<ConfigurationState, ConfigurationEvent>
  readonly #containment: Containment
  readonly #listeners = new Set<(event: KeeperEvent) => void>()
  #call = new AbortController()
  #changedAt = 0
  #confirmedAt = 0

  /** Takes up the identity in the store; nothing is sent before {@link start}. */
  static async open(options: ConfigurationKeeperOptions): Promise<ConfigurationKeeper> {
    const { store, environment } = options
    return new ConfigurationKeeper(options, await Identities.open(store, environment.crypto))
  }

  private constructor(options: ConfigurationKeeperOptions, identities: Identities) {
    const { environment, limits = TIME_LIMITS, onEvent } = options
    this.#options = options
    this.#containment = new Containment(options.onError)
    if (onEvent !== undefined) this.subscribe(onEvent)
    this.#certificate = new CertificateKeeper({
      identities,
      environment,
      limits,
      pull: () => this.hint(),
      renewed: (identity) => this.#emit({ type: 'renewed', identity }),
      reverted: (refused) => this.#emit({ type: 'reverted', refused }),
      expired: () => this.#emit({ type: 'expired' }),
      failed: (error) => this.#emit({ type: 'renewal-failed', error }),
    })
    this.#driver = new MachineDriver<ConfigurationState, ConfigurationEvent>({
      initial: unconfigured(limits),
      step: (from, event) => nextConfiguration(from, event, this),
      scheduler: environment.scheduler,
      timeout: () => this.#timeout(),
    })
  }

  /**
   * The identity that has worked: what transports connect with. Changes with each `renewed` event.
   */
  get identity(): ConnectorIdentity {
    return this.#certificate.proven
  }

  /** The configuration in force, if there is one yet. */
  get configuration(): ConnectorConfiguration | undefined {
    const { state } = this.#driver
    return 'configuration' in state ? state.configuration : undefined
  }

  /**
   * When the configuration in force came, and when the cloud last said that it is the newest:
   * milliseconds since 1970, by this machine's clock.
   */
  get times(): { readonly changedAt: number; readonly confirmedAt: number } {
    return { changedAt: this.#changedAt, confirmedAt: this.#confirmedAt }
  }

  /** Where the certificate is in its life, for status pages. @internal */
  get certificateState(): CertificateKeeper['state'] {
    return this.#certificate.state
  }

  /**
   * Begins pulling; resolves with the first configuration. Failures before it are events, not
   * rejections.
   */
  start(): Promise<ConnectorConfiguration> {
    let unsubscribe = (): void => undefined
    const first = new Promise<ConnectorConfiguration>((resolve) => {
      unsubscribe = this.subscribe((event) => {
        if (event.type === 'configured') resolve(event.configuration)
      })
    })
    this.hint()
    return first.finally(() => unsubscribe())
  }

  /**
   * Pull now: the cloud says that there is something new.
   *
   * @param version what it says that there is: nothing is pulled where that is in force, unless an
   *   answer under way may put another in its place. Default: not known
   */
  hint(version?: string): void {
    const { state } = this.#driver.state
    if (state === 'current' && version === this.configuration?.version) return
    this.#driver.send({ type: 'hint', now: this.#moment().now })
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: (event: KeeperEvent) => void): () => void {
    const contained = this.#containment.notify('onEvent', listener)
    this.#listeners.add(contained)
    return () => this.#listeners.delete(contained)
  }

  /** Stops pulling. What is durable stays so; a pull under way is abandoned. */
  close(): void {
    this.#driver.stop()
    this.#certificate.stop()
    this.#call.abort()
    this.#listeners.clear()
  }

  pull(op: number, have: string | undefined, applied: Applied | undefined): void {
    this.#call.abort()
    this.#call = new AbortController()
    void this.#pull(op, this.#call.signal, {
      v: PROTOCOL_VERSION,
      type: 'configuration',
      ...(have !== undefined && { have }),
      ...(applied !== undefined && { applied }),
    })
  }

  apply(configuration: ConnectorConfiguration): void {
    // Told once the machine has moved, so that a listener sees the configuration in force.
    queueMicrotask(() => this.#emit({ type: 'configured', configuration }))
  }

  async #pull(op: number, signal: AbortSignal, question: ConfigurationRequest): Promise<void> {
    const identity = this.#certificate.current
    try {
      const request = await this.#certificate.request()
      const reply = await this.#options.channel.configuration(
        { ...question, ...(request !== undefined && { request }) },
        { signal, identity },
      )
      if (op !== this.#driver.state.op) return
      this.#certificate.answered(
        identity,
        reply,
        (reply.configuration ?? this.configuration)?.renewAfterMs ?? RENEW_AFTER_MS,
        request !== undefined,
      )
      this.#take(op, reply)
    } catch (error) {
      if (op !== this.#driver.state.op) return
      this.#certificate.failed(identity, error)
      this.#failed(op, error)
    }
  }

  #take(op: number, { configuration }: ConfigurationReply): void {
    const moment = this.#moment()
    const at = this.#options.environment.clocks.wallClock()
    if (configuration === undefined) {
      this.#confirmedAt = at
      return this.#driver.result(op, { type: 'unchanged', ...moment })
    }
    try {
      checkConfiguration(configuration)
      atOnce(this.#options.check?.(configuration))
    } catch (error) {
      const text = error instanceof Error ? error.message : 'refused'
      const applied = { version: configuration.version, error: text }
      this.#driver.result(op, { type: 'unfit', ...moment, applied })
      return this.#emit({ type: 'pull-failed', error })
    }
    this.#changedAt = this.#confirmedAt = at
    this.#driver.result(op, { type: 'changed', ...moment, configuration })
  }

  #failed(op: number, error: unknown): void {
    const retryAfterMs = error instanceof Refused ? error.retryAfterMs : undefined
    this.#driver.result(op, { type: 'failed', ...this.#moment(), retryAfterMs })
    this.#emit({ type: 'pull-failed', error })
  }

  /** The next pull is due, or the one under way is lost. */
  #timeout(): ConfigurationEvent {
    const { state } = this.#driver.state
    if (state === 'pulling' || state === 'refreshing') {
      this.#call.abort()
      this.#emit({ type: 'pull-failed', error: new Refused('unavailable', 'no answer in time') })
    }
    return { type: 'timeout', ...this.#moment() }
  }

  #emit(event: KeeperEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  #moment(): { now: number; random: number } {
    const { clocks, random } = this.#options.environment
    return { now: clocks.now(), random: random() }
  }
}

/** What every connector insists on, whatever its owner checks besides. */
function checkConfiguration({ instances, pullEveryMs }: ConnectorConfiguration): void {
  if (pullEveryMs < MIN_PULL_EVERY_MS)
    throw new ConfigurationInvalid('pullEveryMs', `must be at least ${MIN_PULL_EVERY_MS}`)
  for (const [id, url] of Object.entries(instances))
    if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
      throw new ConfigurationInvalid(`instances["${id}"]`, 'must be an https URL')
}
