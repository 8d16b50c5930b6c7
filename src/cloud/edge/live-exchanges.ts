/**
 * What is open in users' names: answers that stream, WebSockets. It ends with the session: within a second of its revocation, and of its expiry; and when access is
 * denied that was given.
 *
 * A request costs one entry of a set while it is open, and no timer: one slow clock looks after them all, and rests when there are none.
 *
 * @module
 */
import type { Caller } from './caller.ts'
import type { Application } from '../ports.ts'
import type { SessionRevocations } from '../session/session-revocations.ts'
import { unreferenced } from '../unreferenced.ts'

/** One exchange, as long as it is open. */
export interface LiveExchange {
  readonly application: Application
  caller: Caller
  /** The request's. */
  readonly id: string
  readonly address: string
  /** Breaks it off. */
  sessionEnded(): void
}

export interface LiveExchangesOptions {
  readonly revocations: SessionRevocations
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** Whether access is still given; asked twice a second of all that is open. Default: it is. */
  readonly mayGoOn?: (exchange: LiveExchange) => boolean
  /** Told when it cannot be judged whether an exchange goes on: it ends. Default: nobody is told. */
  readonly failed?: (exchange: LiveExchange, error: unknown) => void
}

const EXPIRY_MS = 500
/** Revocations come in crowds: those of one moment are looked at together. */
const GATHER_MS = 20

export class LiveExchanges {
  readonly #revocations: SessionRevocations
  readonly #wallClock: () => number
  readonly #mayGoOn: (exchange: LiveExchange) => boolean
  readonly #failed: LiveExchangesOptions['failed']
  readonly #open = new Set<LiveExchange>()
  #clock: ReturnType<typeof setInterval> | undefined
  #gathering: ReturnType<typeof setTimeout> | undefined

  constructor(options: LiveExchangesOptions) {
    const { revocations, wallClock, mayGoOn = () => true } = options
    this.#failed = options.failed
    this.#revocations = revocations
    this.#wallClock = wallClock
    this.#mayGoOn = mayGoOn
    revocations.subscribe(() => {
      if (this.#open.size > 0)
        this.#gathering ??= unreferenced(setTimeout(() => this.#endRevoked(), GATHER_MS))
    })
  }

  get size(): number {
    return this.#open.size
  }

  add(exchange: LiveExchange): void {
    this.#open.add(exchange)
    this.#clock ??= unreferenced(setInterval(() => this.#endExpired(), EXPIRY_MS))
  }

  remove(exchange: LiveExchange): void {
    this.#open.delete(exchange)
  }

  /** A session goes on: so does what is open in its name. */
  renewed(session: Caller): void {
    for (const exchange of this.#open)
      if (exchange.caller.id === session.id) exchange.caller = session
  }

  #endRevoked(): void {
    this.#gathering = undefined
    this.#endUnless(({ caller, application }) => !this.#revocations.isRevoked(caller, application))
  }

  #endExpired(): void {
    if (this.#open.size === 0) {
      clearInterval(this.#clock)
      this.#clock = undefined
      return
    }
    const now = this.#wallClock()
    this.#endUnless(
      (exchange) => now < (exchange.caller.expiresAt ?? Infinity) && this.#mayGoOn(exchange),
    )
  }

  /** Each by itself: one that cannot be judged ends, and the others are judged all the same. */
  #endUnless(goesOn: (exchange: LiveExchange) => boolean): void {
    for (const exchange of [...this.#open])
      try {
        if (!goesOn(exchange)) exchange.sessionEnded()
      } catch (error) {
        this.#failed?.(exchange, error)
        exchange.sessionEnded()
      }
  }
}
