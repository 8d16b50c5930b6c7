import {
  absentDetails,
  answers,
  nextApplicationDetails,
  type ApplicationDetailsEvent,
  type ApplicationDetailsLimits,
  type ApplicationDetailsState,
} from '../protocol/machines/application-details.ts'
import { PeerViolation, Refused } from '../protocol/wire/errors.ts'
import { CONNECTION_TIME_LIMITS, TIME_LIMITS } from '../protocol/wire/limits.ts'
import { PROTOCOL_VERSION, type ApplicationDetails } from '../protocol/wire/messages.ts'
import { MachineDriver } from '../runtime/machine-driver.ts'
import type { ConnectorEnvironment, ConnectorIdentity, ControlChannel } from './ports.ts'

/** Options of {@link ApplicationCache}. */
export interface ApplicationCacheOptions {
  /** Carries questions to the cloud. */
  readonly channel: ControlChannel
  /** Clocks and timers: `systemEnvironment()`. */
  readonly environment: ConnectorEnvironment
  /** Whose certificate to ask with. */
  readonly identity: () => ConnectorIdentity
  /** Applications remembered, known or not; the one unused longest goes first. Default 1000. */
  readonly capacity?: number
  /** Default: {@link TIME_LIMITS}, and 60 s for an application that the cloud does not know. */
  readonly limits?: ApplicationDetailsLimits
}

/**
 * The details of the applications this connector serves: asked for once, however many offers wait
 * for them.
 *
 * @see spec/PROTOCOL.md, "Application details"
 */
export class ApplicationCache {
  readonly #options: ApplicationCacheOptions
  /** In order of use, the one unused longest first. */
  readonly #entries = new Map<string, Entry>()
  /** The one used last: it is in its place already. */
  #latest: string | undefined
  /** Of the last configuration: one before it is worked on no more. */
  #turn = 0

  constructor(options: ApplicationCacheOptions) {
    this.#options = options
  }

  /** How many applications are remembered. */
  get size(): number {
    return this.#entries.size
  }

  /**
   * The details to serve an offer by: at once if they are known in the version the offer names,
   * otherwise fetched.
   *
   * @returns undefined if the cloud does not know the application
   * @throws whatever the channel threw if the cloud could not be asked
   */
  details(
    applicationId: string,
    version: string,
  ): ApplicationDetails | undefined | Promise<ApplicationDetails | undefined> {
    const entry = this.#entry(applicationId)
    return entry.answers(version) ? entry.answer : entry.details(version)
  }

  /**
   * The versions that the configuration names: what is remembered in another one is fetched anew,
   * one after the other, and what the group serves no more is forgotten.
   */
  async expect(versions: Readonly<Record<string, string>>): Promise<void> {
    const turn = (this.#turn += 1)
    for (const [id, entry] of [...this.#entries]) {
      if (turn !== this.#turn) return
      const version = Object.hasOwn(versions, id) ? versions[id]! : undefined
      if (version === undefined) this.#forget(id, entry)
      else if (!entry.answers(version)) await entry.details(version).catch(nothing)
    }
  }

  /** Abandons what is being fetched. */
  close(): void {
    this.#turn += 1
    for (const entry of this.#entries.values()) entry.close()
    this.#entries.clear()
    this.#latest = undefined
  }

  #entry(id: string): Entry {
    const known = this.#entries.get(id)
    if (known !== undefined && id === this.#latest) return known
    const entry = known ?? new Entry(id, this.#options)
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    this.#latest = id
    this.#evict()
    return entry
  }

  #evict(): void {
    const { capacity = 1000 } = this.#options
    for (const [id, entry] of this.#entries) {
      if (this.#entries.size <= capacity) return
      this.#forget(id, entry)
    }
  }

  #forget(id: string, entry: Entry): void {
    entry.close()
    this.#entries.delete(id)
    if (this.#latest === id) this.#latest = undefined
  }
}

function nothing(): void {
  // The next offer asks again.
}

/** Drives the machine of one application. */
class Entry {
  readonly #id: string
  readonly #options: ApplicationCacheOptions
  readonly #driver: MachineDriver<ApplicationDetailsState, ApplicationDetailsEvent>
  #call = new AbortController()
  #waiting: (() => void)[] = []
  #error: unknown
  #closed = false

  constructor(id: string, options: ApplicationCacheOptions) {
    this.#id = id
    this.#options = options
    this.#driver = new MachineDriver<ApplicationDetailsState, ApplicationDetailsEvent>({
      initial: absentDetails(options.limits ?? { ...TIME_LIMITS, ...CONNECTION_TIME_LIMITS }),
      step: (from, event) =>
        nextApplicationDetails(from, event, { fetch: (op) => void this.#fetch(op) }),
      scheduler: options.environment.scheduler,
      timeout: () => ({ type: 'timeout' }),
      changed: (to, from) => {
        if (from.state === 'fetching' && to.state !== 'fetching') this.#settled()
      },
    })
  }

  /** Whether nothing need be asked. */
  answers(version: string): boolean {
    const { state } = this.#driver
    // The one case that every request meets, before the rule.
    if (state.state === 'known' && state.details.version === version) return true
    return answers(state, version)
  }

  /** The details, unless the cloud knows none. */
  get answer(): ApplicationDetails | undefined {
    const { state } = this.#driver
    return state.state === 'known' ? state.details : undefined
  }

  async details(version: string): Promise<ApplicationDetails | undefined> {
    // Twice: the fetch under way may be for another version than the one wanted now.
    for (let tries = 0; tries < 2; tries++) {
      this.#driver.send({ type: 'wanted', version, now: this.#now() })
      if (this.#driver.state.state === 'fetching') await this.#answer()
      const { state } = this.#driver
      if (state.state === 'absent') throw this.#error
      if (answers(state, version)) break
    }
    return this.answer
  }

  close(): void {
    this.#closed = true
    this.#driver.stop()
    this.#call.abort()
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async #answer(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.#closed) throw new Refused('unavailable', 'the cache is closed')
  }

  async #fetch(op: number): Promise<void> {
    this.#error = new Refused('unavailable', 'no answer in time')
    this.#call = new AbortController()
    try {
      const reply = await this.#options.channel.application(
        { v: PROTOCOL_VERSION, type: 'application', applicationId: this.#id },
        { signal: this.#call.signal, identity: this.#options.identity() },
      )
      if (reply.type === 'unknown-application')
        return this.#driver.result(op, { type: 'fetchUnknown', now: this.#now() })
      if (reply.application.id !== this.#id)
        throw new PeerViolation('MALFORMED_MESSAGE', 'the answer is about another application')
      this.#driver.result(op, { type: 'fetchDone', details: reply.application })
    } catch (error) {
      if (op === this.#driver.state.op) this.#error = error
      this.#driver.result(op, { type: 'fetchRefused' })
    }
  }

  #settled(): void {
    this.#call.abort()
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #now(): number {
    return this.#options.environment.clocks.now()
  }
}
