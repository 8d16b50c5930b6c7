/**
 * The one connection of an instance to its broker: whether it stands, how fresh is what was read
 * over it, and messages with a limit in time.
 *
 * Nothing waits here for a broker that is away: what cannot be sent now is told so at once. Whoever
 * keeps a copy of what the broker stores gives it to {@link NatsConnection.keep}, which has it read
 * again after each reconnection, and whenever it is found to lag.
 *
 * @module
 */
import {
  connect,
  NoRespondersError,
  type Msg,
  type NatsConnection as Client,
  type Subscription,
} from '@nats-io/transport-node'
import { ApiMisuse, Machine, PortFailed } from '../../protocol/internal.ts'
import { Containment } from '../../runtime/containment.ts'
import { inTime, timerOf, type Timer } from '../../runtime/scheduler.ts'
import { FRESHNESS, type FreshnessEvent, type FreshnessState } from './freshness.ts'
import { checkOptions, type CheckedOptions, type NatsConnectionOptions } from './nats-options.ts'

/** The largest message that is sent: 512 KiB. Debian's server takes 1 MB by default. @internal */
export const MAX_MESSAGE_BYTES = 512 * 1024

/** A copy of what the broker stores. @internal */
export interface NatsCopy {
  /** Reads all of it, and watches from there; what it read and watched before is over. */
  readAnew(): Promise<void>
  /** Whether it knows all that was stored when this was asked. */
  isCurrent(): Promise<boolean>
  /** Ends the watch. */
  end(): void
}

/** A message that came. */
export interface NatsMessage {
  readonly subject: string
  readonly data: Uint8Array
  /** Answers it. `false`: it asked for no answer, or the connection does not stand. */
  respond(data: Uint8Array): boolean
}

/** What became of a request. */
export type NatsAnswer =
  | { readonly kind: 'answer'; readonly data: Uint8Array }
  /** Nobody listens there: known in about a millisecond. */
  | { readonly kind: 'no-responders' }
  /** Nothing came in time, or the connection was lost meanwhile: it may have been done. */
  | { readonly kind: 'unknown' }
  /** The connection does not stand: it was not sent. */
  | { readonly kind: 'unreachable' }

/** Listens to a subject. */
export interface NatsSubscription {
  /** No more come; resolves when those that were on their way are through. */
  drain(): Promise<void>
}

/** How fresh an instance's knowledge of the others is. */
export interface Freshness {
  readonly state: FreshnessState
  /** Milliseconds since all of it was last confirmed; infinite: never. */
  readonly sinceMs: number
}

/** Between two tries to read everything. Milliseconds. */
const READ_AGAIN_MS = 500
/** Between two confirmations. Milliseconds. */
const CONFIRM_MS = 2_000
/** A large bucket takes a while. Milliseconds. */
const READ_MS = 30_000

/**
 * A connection to a broker. It is made once, and makes itself anew whenever it is lost.
 *
 *     const nats = await openNatsConnection({ servers: 'nats.example:4222', credentials })
 */
export class NatsConnection {
  /** The client library's own connection: for engines of this folder. @internal */
  readonly client: Client
  /** @internal */
  readonly options: CheckedOptions
  readonly #freshness = new Machine<FreshnessState, FreshnessEvent>(FRESHNESS, 'never-fresh')
  readonly #containment: Containment
  readonly #timer: Timer
  readonly #copies = new Set<NatsCopy>()
  readonly #listeners = new Set<() => void>()
  readonly #stopTicking: () => void
  #isConnected = true
  /** Counts connections: what was begun over an earlier one says nothing of this one. */
  #epoch = 1
  #freshAt = Number.NEGATIVE_INFINITY
  #isConfirming = false

  /** @internal */
  constructor(client: Client, options: CheckedOptions) {
    this.client = client
    this.options = options
    this.#containment = new Containment(options.onError)
    this.#timer = timerOf({ clocks: options.clocks })
    const tick = new Containment(options.onError).notify('nats.confirm', () => this.#tick())
    this.#stopTicking = this.#timer.every(Math.min(CONFIRM_MS, options.staleAfterMs / 4), tick)
    void this.#follow()
    void this.#read()
  }

  /** Whether the broker answers, as far as is known: its silence is noticed after three pings. */
  get isConnected(): boolean {
    return this.#isConnected && this.#freshness.state !== 'closed'
  }

  /** What can be relied on now. @see freshness.ts */
  get state(): FreshnessState {
    return this.#freshness.state
  }

  /** Whether what must be decided in one place may be decided now. */
  get isFresh(): boolean {
    return this.#freshness.state === 'fresh'
  }

  /** When everything here was last known to be what is stored, by the clocks' `now`. */
  get freshAt(): number {
    return this.#freshAt
  }

  /** For readiness and the operator's view. */
  freshness(): Freshness {
    return { state: this.state, sinceMs: this.options.clocks.now() - this.#freshAt }
  }

  /** Calls `listener` when {@link isConnected} or {@link state} changes; returns the end of it. */
  onChange(listener: () => void): () => void {
    const contained = this.#containment.notify('nats.onChange.listener', listener)
    this.#listeners.add(contained)
    return () => void this.#listeners.delete(contained)
  }

  /**
   * Whether it was handed to a connection that stands. Nothing is kept for later.
   *
   * @throws ApiMisuse above 512 KiB
   */
  publish(subject: string, data: Uint8Array, reply?: string): boolean {
    if (data.length > MAX_MESSAGE_BYTES)
      throw new ApiMisuse(`a message of ${data.length} octets is too large`)
    if (!this.isConnected) return false
    this.client.publish(subject, data, reply === undefined ? {} : { reply })
    return true
  }

  /** One question, and the first answer. Never rejects but for {@link ApiMisuse}. */
  async request(
    subject: string,
    data: Uint8Array,
    withinMs = this.options.answerMs,
  ): Promise<NatsAnswer> {
    if (data.length > MAX_MESSAGE_BYTES)
      throw new ApiMisuse(`a message of ${data.length} octets is too large`)
    if (!this.isConnected) return { kind: 'unreachable' }
    try {
      const answer = await this.client.request(subject, data, { timeout: withinMs })
      return { kind: 'answer', data: answer.data }
    } catch (error) {
      return { kind: isNoResponders(error) ? 'no-responders' : 'unknown' }
    }
  }

  /**
   * Calls `listener` for each message; after a reconnection by itself too. Of those that name the
   * same queue, one gets it. What the listener throws is told, and ends nothing.
   */
  subscribe(
    subject: string,
    listener: (message: NatsMessage) => void,
    { queue }: { readonly queue?: string } = {},
  ): NatsSubscription {
    const heard = this.#containment.notify('nats.subscribe.listener', listener)
    const subscription: Subscription = this.client.subscribe(subject, {
      ...(queue !== undefined && { queue }),
      callback: (error, message) => {
        if (error !== null) this.#containment.tell('nats.subscribe', error, true)
        else heard(this.#messageOf(message))
      },
    })
    return {
      drain: async () => {
        // Without a connection nothing is on its way.
        if (!this.isConnected) return subscription.unsubscribe()
        await this.within(subscription.drain()).catch(() => subscription.unsubscribe())
      },
    }
  }

  /**
   * Reads the copy, and has it read again whenever that is needed.
   *
   * @throws PortFailed `nats` when it cannot be read now
   * @internal
   */
  async keep(copy: NatsCopy): Promise<() => void> {
    if (!this.isConnected) throw new PortFailed('nats', { detail: 'it is not connected' })
    await inTime(this.#timer, READ_MS, copy.readAnew(), tooLate)
    this.#copies.add(copy)
    return () => {
      this.#copies.delete(copy)
      copy.end()
    }
  }

  /** What `work` comes to. @throws PortFailed `nats` when that takes too long. @internal */
  within<T>(work: PromiseLike<T>, ms = this.options.answerMs): Promise<T> {
    return inTime(this.#timer, ms, work, tooLate)
  }

  /** Resolves when what was sent is sent, or cannot be. */
  async close(): Promise<void> {
    if (!this.#step('close')) return
    this.#stopTicking()
    for (const copy of this.#copies) copy.end()
    const drained = this.#isConnected ? this.client.drain() : this.client.close()
    await this.within(drained).catch(() => this.client.close())
  }

  #messageOf({ subject, data, reply }: Msg): NatsMessage {
    return {
      ...{ subject, data },
      respond: (answer) => reply !== undefined && reply !== '' && this.publish(reply, answer),
    }
  }

  async #follow(): Promise<void> {
    for await (const { type } of this.client.status()) {
      if (type === 'disconnect') this.#lost()
      if (type === 'reconnect') this.#connected()
    }
  }

  #lost(): void {
    if (!this.#isConnected) return
    this.#isConnected = false
    this.#epoch += 1
    if (!this.#step('lost')) this.#tell()
  }

  #connected(): void {
    if (this.#isConnected) return
    this.#isConnected = true
    this.#epoch += 1
    if (!this.#step('connected')) this.#tell()
    void this.#read()
  }

  /** Reads all copies, again and again until that is done or the connection is another. */
  async #read(): Promise<void> {
    const epoch = this.#epoch
    while (epoch === this.#epoch && this.state !== 'closed') {
      const at = this.options.clocks.now()
      try {
        const copies = [...this.#copies]
        // Without a copy, the answer of the broker is all there is to read.
        const all = Promise.all([this.client.rtt(), ...copies.map((copy) => copy.readAnew())])
        await inTime(this.#timer, READ_MS, all, tooLate)
        if (epoch === this.#epoch) this.#confirmed(at)
        return
      } catch (error) {
        if (epoch === this.#epoch) this.#containment.tell('nats.read', error, true)
        await new Promise<void>((resolve) => this.#timer.after(READ_AGAIN_MS, resolve))
      }
    }
  }

  #confirmed(at: number): void {
    this.#freshAt = Math.max(this.#freshAt, at)
    this.#step('read')
  }

  async #tick(): Promise<void> {
    const at = this.options.clocks.now()
    if (at - this.#freshAt > this.options.staleAfterMs) this.#step('late')
    if (this.#isConfirming || !this.isConnected || this.state === 'healing') return
    this.#isConfirming = true
    const epoch = this.#epoch
    try {
      const copies = [...this.#copies]
      const asked = [this.client.rtt(), ...copies.map((copy) => copy.isCurrent())]
      const [, ...current] = await this.within(Promise.all(asked), 2 * this.options.answerMs)
      const silent = copies.filter((_, i) => current[i] !== true)
      const read = Promise.all(silent.map((copy) => copy.readAnew()))
      await inTime(this.#timer, READ_MS, read, tooLate)
      if (epoch === this.#epoch) this.#confirmed(at)
    } catch (error) {
      if (epoch === this.#epoch) this.#containment.tell('nats.confirm', error, true)
    } finally {
      this.#isConfirming = false
    }
  }

  #step(event: FreshnessEvent): boolean {
    const isMoved = this.#freshness.step(event)
    if (isMoved) this.#tell()
    return isMoved
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

/**
 * Connects to a broker.
 *
 * @throws ConfigurationInvalid that names the option; PortFailed `nats` when it cannot be reached,
 *   or refuses this service
 */
export async function openNatsConnection(options: NatsConnectionOptions): Promise<NatsConnection> {
  const checked = checkOptions(options)
  let client: Client
  try {
    client = await connect(checked.client)
  } catch (cause) {
    const because = cause instanceof Error ? ` (${cause.message})` : ''
    const detail = `no connection to ${[options.servers].flat().join(', ')}${because}`
    throw new PortFailed('nats', { detail, cause })
  }
  return new NatsConnection(client, checked)
}

function tooLate(): never {
  throw new PortFailed('nats', { detail: 'no answer in time' })
}

/** The client says so in the error itself, or in what caused it. */
function isNoResponders(error: unknown): boolean {
  return (
    error instanceof NoRespondersError ||
    (error instanceof Error && error.cause instanceof NoRespondersError)
  )
}
