/**
 * Keeps one link to one cloud instance, by the dialer machine; how a link is made is the
 * transport's business.
 *
 * @see spec/PROTOCOL.md, "Dialling"
 * @module
 */
import {
  drained,
  idleDialer,
  nextDialer,
  type Binding,
  type DialerEvent,
  type DialerLimits,
  type DialerState,
} from '../protocol/internal.ts'
import { MachineDriver } from '../runtime/machine-driver.ts'
import type { ConnectorEnvironment } from './ports.ts'

/** A connection being made, or made. */
export interface CloudConnection {
  /** Takes no more offers; what is under way goes on. */
  drain(): void
  /** Ends it, at once; nothing more is told. */
  close(): void
  /** Resolves when nothing of it is left, what it said last included. */
  readonly gone: Promise<void>
}

/** What a transport tells of a link it makes; never from inside `connect`. */
export interface DialEvents {
  connected(): void
  /** The instance, or something between, does not speak this binding. */
  unsupported(cause: unknown): void
  /** It could not be made, or, once connected, it ended. */
  ended(cause: unknown): void
  /** The cloud drains it: what is under way goes on, and another is dialled. */
  draining(): void
}

/** Options of {@link LinkDialer}. */
export interface LinkDialerOptions {
  /** Timers and jitter: `systemEnvironment()`. */
  readonly environment: ConnectorEnvironment
  /** Default {@link TIME_LIMITS}. */
  readonly limits: DialerLimits
  /** The binding that is tried first. */
  readonly preferred: Binding
  /**
   * Makes a link. `epoch` grows with each. What it throws is the cause for which no link was made.
   */
  readonly connect: (binding: Binding, epoch: number, events: DialEvents) => CloudConnection
  /** Told of each state, and why. Default: nobody is. */
  readonly changed?: (state: DialerState, cause: unknown) => void
}

/** One instance's link, dialled until {@link LinkDialer.close}. */
export class LinkDialer {
  readonly #options: LinkDialerOptions
  readonly #driver: MachineDriver<DialerState, DialerEvent>
  #link: CloudConnection | undefined
  /** The number of {@link #link}: events tell theirs. */
  #op = 0
  /** Those that were replaced, and still finish what they carry. */
  readonly #retiring = new Map<number, CloudConnection>()
  #cause: unknown

  constructor(options: LinkDialerOptions) {
    const { environment, limits, preferred, changed } = options
    this.#options = options
    this.#driver = new MachineDriver<DialerState, DialerEvent>({
      initial: idleDialer(preferred, limits),
      step: (from, event) =>
        nextDialer(from, event, {
          connect: (op, binding) => this.#connect(op, binding),
          disconnect: () => this.#link?.close(),
        }),
      scheduler: environment.scheduler,
      timeout: () => ({ type: 'timeout', ...this.#moment() }),
      changed: (to, from) => {
        if (to.state !== from.state) changed?.(to, isSetback(to) ? this.#cause : undefined)
      },
    })
  }

  get state(): DialerState {
    return this.#driver.state
  }

  /** Whether the link is up. */
  get isUp(): boolean {
    return this.#driver.state.state === 'up'
  }

  /** Dial now, rather than after the backoff. */
  dial(): void {
    this.#driver.send({ type: 'dial', now: this.#moment().now })
  }

  /**
   * Dials a link that takes over from the one that is up, or being made: with a new certificate,
   * say. What waits to dial has it then.
   */
  redial(): void {
    if (this.isUp) this.#retire()
    this.#driver.send({ type: 'redial', now: this.#moment().now })
  }

  drain(): void {
    this.#driver.stop()
    this.#link?.drain()
  }

  /** Ends the link and dials no more. */
  close(): void {
    this.#driver.send({ type: 'close' })
    this.#driver.stop()
    this.#link?.close()
    for (const link of this.#retiring.values()) link.close()
  }

  /** Resolves when nothing of its links is left, what they said last included. */
  get gone(): Promise<unknown> {
    return Promise.all([this.#link, ...this.#retiring.values()].map((link) => link?.gone))
  }

  #connect(op: number, binding: Binding): void {
    this.#link?.close()
    this.#op = op
    this.#link = undefined
    const events: DialEvents = {
      connected: () => this.#tell(op, { type: 'connected', now: this.#moment().now }),
      unsupported: (cause) => {
        this.#cause = cause
        this.#tell(op, { type: 'unsupported', ...this.#moment() })
      },
      ended: (cause) => {
        if (this.#retiring.delete(op)) return
        this.#cause = cause
        const type = this.isUp ? 'lost' : 'failed'
        this.#tell(op, { type, ...this.#moment() })
      },
      draining: () => {
        if (this.#op !== op || this.#link === undefined || !this.isUp) return
        this.#retire()
        this.#tell(op, drained(this.#driver.state, this.#moment()))
      },
    }
    try {
      this.#link = this.#options.connect(binding, op, events)
    } catch (cause) {
      // As a transport tells it: later.
      queueMicrotask(() => events.ended(cause))
    }
  }

  #retire(): void {
    const link = this.#link!
    this.#link = undefined
    this.#retiring.set(this.#op, link)
    link.drain()
  }

  #tell(op: number, event: DialerEvent): void {
    this.#driver.result(op, event)
  }

  #moment(): { now: number; random: number } {
    const { clocks, random } = this.#options.environment
    return { now: clocks.now(), random: random() }
  }
}

/** What was told last is the reason of these states only. */
function isSetback({ state }: DialerState): boolean {
  return state === 'backoff' || state === 'plain-fallback'
}
