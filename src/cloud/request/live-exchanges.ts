/**
 * What is open: answers that stream, WebSockets. What is open in a user's name ends with the
 * session: within a second of its revocation, and of its expiry; and when access is denied that was
 * given. All of it ends within a second where the directory says that a new request would not get
 * there.
 *
 * A request costs one entry of a set while it is open, and no timer: one slow clock looks after
 * them all, and rests when there are none.
 *
 * @module
 */
import { Slots } from '../../protocol/internal.ts'
import type { Caller } from '../identity/caller.ts'
import type { Application } from '../directory/directory-port.ts'
import type { Published } from '../directory/published.ts'
import type { SessionRevocations } from '../session/session-revocations.ts'
import { timerOf, type Timer } from '../../runtime/scheduler.ts'
import type { UserRequestHead } from './user-exchange.ts'

/** What becomes of an open exchange. */
export type Judgement = 'goes-on' | 'session-ended' | 'application-changed'

/** One exchange, as long as it is open. */
export interface LiveExchange {
  readonly head: UserRequestHead
  /** The object of the directory by which it was judged last. */
  application: Application
  /** Without a user where the application is open to anyone. */
  caller: Caller
  /** Parts of the application that it reaches beside that. Default: none. */
  readonly reaches?: readonly Published[] | undefined
  /** The request's. */
  readonly id: string
  readonly address: string
  /** Breaks it off. */
  sessionEnded(): void
  /** Breaks it off: what was asked for is gone, or another than it was. */
  applicationChanged(): void
}

export interface LiveExchangesOptions {
  readonly revocations: SessionRevocations
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** Whether it goes on; asked twice a second of all that is open. Default: it does. */
  readonly judge?: (exchange: LiveExchange) => Judgement
  /** Default: the runtime's. */
  readonly timer?: Timer | undefined
  /** Told when judging an exchange throws; the exchange ends. Default: nobody is told. */
  readonly failed?: (exchange: LiveExchange, error: unknown) => void
}

const EXPIRY_MS = 500
/** Revocations come in crowds: those of one moment are looked at together. */
const GATHER_MS = 20

export class LiveExchanges {
  readonly #revocations: SessionRevocations
  readonly #wallClock: () => number
  readonly #judge: (exchange: LiveExchange) => Judgement
  readonly #failed: LiveExchangesOptions['failed']
  readonly #open = new Slots<LiveExchange>()
  readonly #timer: Timer
  /** Ends the looks at what is open. */
  #clock: (() => void) | undefined
  #gathering: (() => void) | undefined

  constructor(options: LiveExchangesOptions) {
    const { revocations, wallClock, judge = () => 'goes-on', timer = timerOf() } = options
    this.#timer = timer
    this.#failed = options.failed
    this.#revocations = revocations
    this.#wallClock = wallClock
    this.#judge = judge
    revocations.subscribe(() => {
      if (this.#open.size > 0)
        this.#gathering ??= this.#timer.after(GATHER_MS, () => this.#endRevoked())
    })
  }

  get size(): number {
    return this.#open.size
  }

  /** All that is open. */
  values(): Iterable<LiveExchange> {
    return this.#open.values()
  }

  /** Returns its slot: what {@link remove} is told. */
  add(exchange: LiveExchange): number {
    this.#clock ??= this.#timer.every(EXPIRY_MS, () => this.#endExpired())
    return this.#open.add(exchange)
  }

  remove(slot: number, exchange: LiveExchange): void {
    this.#open.remove(slot, exchange)
  }

  /** A session goes on: so does what is open in its name. */
  renewed(session: Caller): void {
    for (const exchange of this.#open.values())
      if (exchange.caller.id === session.id) exchange.caller = session
  }

  #endRevoked(): void {
    this.#gathering = undefined
    this.#judgeAll(({ caller, application }) =>
      caller.user !== undefined && this.#revocations.isRevoked(caller, application)
        ? 'session-ended'
        : 'goes-on',
    )
  }

  #endExpired(): void {
    if (this.#open.size === 0) {
      this.#clock?.()
      this.#clock = undefined
      return
    }
    const now = this.#wallClock()
    this.#judgeAll((exchange) =>
      now >= (exchange.caller.expiresAt ?? Infinity) ? 'session-ended' : this.#judge(exchange),
    )
  }

  /**
   * Judges each exchange alone: one whose judge throws ends, and the others are judged all the
   * same.
   */
  #judgeAll(judge: (exchange: LiveExchange) => Judgement): void {
    for (const exchange of this.#open.values())
      try {
        const judgement = judge(exchange)
        if (judgement === 'session-ended') exchange.sessionEnded()
        else if (judgement === 'application-changed') exchange.applicationChanged()
      } catch (error) {
        this.#failed?.(exchange, error)
        exchange.sessionEnded()
      }
  }
}
