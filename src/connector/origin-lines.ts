/**
 * The lines to all listed instances: a link that stands already, or else one that is dialled for
 * claims alone and let go of when it is no longer used.
 *
 * @see spec/PROTOCOL.md, "Claims"
 * @module
 */
import {
  idleOriginLine,
  nextOriginLine,
  ORIGIN_LINE_LIMITS,
  type OriginLineEvent,
  type OriginLineLimits,
  type OriginLineState,
} from '../protocol/internal.ts'
import { MachineDriver } from '../runtime/machine-driver.ts'
import type { ClaimLine, Origins } from './claim-line.ts'
import type { CloudConnection } from './link-dialer.ts'
import type { ConnectorEnvironment } from './ports.ts'

/** A connection that was dialled for claims alone. */
export type ClaimConnection = CloudConnection & ClaimLine

/** Options of {@link OriginLines}. */
export interface OriginLinesOptions {
  /** Clocks and timers: `systemEnvironment()`. */
  readonly environment: Pick<ConnectorEnvironment, 'clocks' | 'scheduler'>
  /**
   * Dials a link that takes no offers. `connected` and `ended` are told later, never from inside.
   * What it throws means that there is none.
   */
  readonly dial: (
    instance: string,
    epoch: number,
    events: { connected: () => void; ended: () => void },
  ) => ClaimConnection
  /** Default {@link ORIGIN_LINE_LIMITS}. */
  readonly limits?: OriginLineLimits | undefined
}

/** Knows the line to each listed instance. */
export class OriginLines implements Origins {
  readonly #options: OriginLinesOptions
  /** Those that the configuration lists; dialled for claims when first needed. */
  readonly #listed = new Map<string, DemandedLine | undefined>()
  /** Links that take offers, and are up. */
  readonly #standing = new Map<string, ClaimLine>()

  constructor(options: OriginLinesOptions) {
    this.#options = options
  }

  /** The configuration lists these instances and no others. */
  list(instances: readonly string[]): void {
    for (const instance of [...this.#listed.keys()])
      if (!instances.includes(instance)) this.forget(instance)
    for (const instance of instances)
      if (!this.#listed.has(instance)) this.#listed.set(instance, undefined)
  }

  /** The instance is listed no more, or at another address. */
  forget(instance: string): void {
    this.#listed.get(instance)?.close()
    this.#listed.delete(instance)
    this.#standing.delete(instance)
  }

  /** The link that takes offers of `instance` is up. */
  up(instance: string, line: ClaimLine): void {
    this.#standing.set(instance, line)
  }

  /** It ended, or another takes its place. */
  down(instance: string, line: ClaimLine): void {
    if (this.#standing.get(instance) === line) this.#standing.delete(instance)
  }

  isListed(instance: string): boolean {
    return this.#listed.has(instance)
  }

  line(instance: string): ClaimLine | Promise<ClaimLine | undefined> {
    const standing = this.#standing.get(instance)
    if (standing !== undefined) return standing
    if (!this.isListed(instance)) return Promise.resolve(undefined)
    let demanded = this.#listed.get(instance)
    if (demanded === undefined) {
      demanded = new DemandedLine(instance, this.#options)
      this.#listed.set(instance, demanded)
    }
    return demanded.line()
  }

  /** What was dialled for claims carries what it carries, and no more. */
  close(): void {
    for (const demanded of this.#listed.values()) demanded?.close()
  }

  /** Ends it at once. */
  end(): void {
    for (const demanded of this.#listed.values()) demanded?.end()
  }
}

/** Drives the link to one instance that is dialled for claims. */
class DemandedLine {
  readonly #driver: MachineDriver<OriginLineState, OriginLineEvent>
  readonly #options: OriginLinesOptions
  readonly #instance: string
  #connection: ClaimConnection | undefined
  /** Those that still carry something. */
  readonly #draining = new Set<ClaimConnection>()
  #waiting: ((line: ClaimLine | undefined) => void)[] = []

  constructor(instance: string, options: OriginLinesOptions) {
    this.#instance = instance
    this.#options = options
    this.#driver = new MachineDriver<OriginLineState, OriginLineEvent>({
      initial: idleOriginLine(options.limits ?? ORIGIN_LINE_LIMITS),
      step: (from, event) =>
        nextOriginLine(from, event, {
          connect: (op) => this.#connect(op),
          disconnect: () => this.#disconnect(),
        }),
      scheduler: options.environment.scheduler,
      timeout: () => ({
        type: 'timeout',
        now: this.#now(),
        isBusy: (this.#connection?.open ?? 0) > 0,
      }),
      changed: (to) => {
        if (to.state !== 'dialling') this.#tell(to.state === 'up' ? this.#connection : undefined)
      },
    })
  }

  /** The link, dialled if it is not up; at most one dial at a time. */
  line(): ClaimLine | Promise<ClaimLine | undefined> {
    this.#driver.send({ type: 'wanted', now: this.#now() })
    if (this.#driver.state.state === 'up') return this.#connection!
    return new Promise((found) => this.#waiting.push(found))
  }

  close(): void {
    this.#driver.send({ type: 'close' })
  }

  end(): void {
    this.close()
    for (const connection of this.#draining) connection.close()
  }

  #connect(op: number): void {
    try {
      this.#connection = this.#options.dial(this.#instance, op, {
        connected: () => this.#driver.result(op, { type: 'connected', now: this.#now() }),
        ended: () => this.#driver.result(op, { type: 'failed' }),
      })
    } catch {
      queueMicrotask(() => this.#driver.result(op, { type: 'failed' }))
    }
  }

  /** What it carries goes on; an attempt that took too long ends. */
  #disconnect(): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#connection = undefined
    this.#draining.add(connection)
    void connection.gone.then(() => this.#draining.delete(connection))
    connection.drain()
  }

  #tell(line: ClaimLine | undefined): void {
    for (const found of this.#waiting.splice(0)) found(line)
  }

  #now(): number {
    return this.#options.environment.clocks.now()
  }
}
