/**
 * Tickets of users for services: kept for a while, each asked for once.
 *
 * Whose name a ticket is in is looked at before anybody gets it. A token in the connector's own
 * name would let every user be the connector.
 *
 * @module
 */
import { SignOnFailed } from '../../protocol/wire/errors.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Scheduler } from '../../runtime/scheduler.ts'
import type { Handle } from './foreign-library.ts'
import type { GssapiCalls } from './gssapi.ts'
import { LaneAccounts, usedMs } from './lane-accounts.ts'
import { Lanes, type LaneCall } from './lanes.ts'
import { at, atOnce, isExpired, mustBe } from './steps.ts'
import { Ticket, type FetchedTicket, type TicketLease } from './ticket.ts'

/** Options of {@link Tickets}. */
export interface TicketsOptions {
  readonly gssapi: GssapiCalls
  /** Where the connector's account has its key. */
  readonly keytab: string
  /** `account@REALM`; undefined: the keytab's first entry. */
  readonly principal: string | undefined
  readonly capacity: number
  readonly ticketAgeMs: number
  /** How many questions to the KDC are under way at once. */
  readonly lanes: number
  readonly limitMs: number
  readonly clocks: Pick<Clocks, 'now'>
  readonly scheduler: Scheduler
}

/** For whom, and for what. */
export interface TicketKey {
  /** `user@REALM`. */
  readonly user: string
  /** `class/host@REALM`. */
  readonly service: string
}

export class Tickets {
  readonly #options: TicketsOptions
  /** By user and service, the one unused longest first. */
  readonly #tickets = new Map<string, Ticket>()
  readonly #accounts: LaneAccounts
  readonly #questions: Lanes
  #isClosed = false

  constructor(options: TicketsOptions) {
    this.#options = options
    this.#accounts = new LaneAccounts(options)
    this.#questions = new Lanes(options)
  }

  /** How many pairs of a user and a service are remembered. */
  get size(): number {
    return this.#tickets.size
  }

  /**
   * The right to use a ticket; whoever gets it ends it.
   *
   * @param signal aborted when nobody waits for it any more
   * @throws SignOnFailed
   */
  async lease(key: TicketKey, signal: AbortSignal): Promise<TicketLease> {
    const leasing = this.#ticket(key).lease()
    try {
      return await unlessAborted(leasing, signal)
    } catch (error) {
      // It may come yet.
      leasing.then(
        (lease) => lease.end(),
        () => undefined,
      )
      throw error
    }
  }

  /** The next one asks the KDC anew. */
  forget(key: TicketKey): void {
    const id = idOf(key)
    this.#tickets.get(id)?.drop()
    this.#tickets.delete(id)
  }

  /** Gives everything back, once nobody uses it: no KDC that is silent is waited for. */
  close(): void {
    this.#isClosed = true
    for (const ticket of this.#tickets.values()) ticket.drop()
    this.#tickets.clear()
    void this.#questions.close().then(() => this.#accounts.close())
  }

  #ticket(key: TicketKey): Ticket {
    if (this.#isClosed) throw new SignOnFailed('unavailable', 'this connector is being stopped')
    const { clocks, capacity, gssapi } = this.#options
    const id = idOf(key)
    const known = this.#tickets.get(id)
    this.#tickets.delete(id)
    if (known?.isUsable(clocks.now()) === true) {
      this.#tickets.set(id, known)
      return known
    }
    known?.drop()
    const ticket = new Ticket({
      fetch: () => this.#fetch(key),
      release: (credential) => gssapi.releaseCredential(credential),
    })
    this.#tickets.set(id, ticket)
    for (const [other, old] of this.#tickets) {
      if (this.#tickets.size <= capacity) break
      this.#tickets.delete(other)
      old.drop()
    }
    return ticket
  }

  #fetch(key: TicketKey): Promise<FetchedTicket> {
    const { gssapi, limitMs } = this.#options
    return this.#questions.do({
      limitMs,
      run: async (call) => {
        try {
          return await this.#ask(call, key)
        } catch (error) {
          // The account's own ticket, as a rule: once more with another.
          if (!isExpired(error) || !this.#accounts.forget(call.lane)) throw error
          return await this.#ask(call, key)
        }
      },
      discard: ({ credential }) => gssapi.releaseCredential(credential),
    })
  }

  async #ask(call: LaneCall, { user, service }: TicketKey): Promise<FetchedTicket> {
    const { gssapi } = this.#options
    const account = await this.#accounts.credential(call)
    unlessGivenUp(call)
    const credential = await at('user', gssapi.impersonate(account, user))
    try {
      unlessGivenUp(call)
      return { credential, usableUntil: await this.#trial(credential, { user, service }) }
    } catch (error) {
      gssapi.releaseCredential(credential)
      throw error
    }
  }

  /** Makes one token, which nobody gets: now the library says in whose name they are. */
  async #trial(credential: Handle, { user, service }: TicketKey): Promise<number> {
    const { gssapi, ticketAgeMs, clocks } = this.#options
    const { principal, hasSpnego, lifetimeSeconds } = await at(
      'user',
      gssapi.credentialFacts(credential),
    )
    mustBe(user, principal)
    if (!hasSpnego) throw new SignOnFailed('misconfigured', 'the ticket is not for SPNEGO')
    const { context } = await at('service', gssapi.begin(credential, service, false))
    try {
      const facts = atOnce('service', () => gssapi.contextFacts(context))
      mustBe(user, facts.initiator)
      mustBe(service, facts.target)
      const bestMs = usedMs(Math.min(lifetimeSeconds, facts.lifetimeSeconds))
      return clocks.now() + Math.min(ticketAgeMs, bestMs)
    } finally {
      gssapi.releaseContext(context)
    }
  }
}

/** Neither name has a blank. */
const idOf = ({ user, service }: TicketKey) => `${user} ${service}`

function unlessGivenUp({ isGivenUp }: LaneCall): void {
  if (isGivenUp) throw new SignOnFailed('timeout')
}

/** What `work` comes to, unless nobody waits for it any more. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new SignOnFailed('timeout', 'nobody waits for it any more'))
    if (signal.aborted) return giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
