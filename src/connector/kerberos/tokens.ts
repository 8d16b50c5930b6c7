/**
 * Tokens: one for each request, never kept.
 *
 * @module
 */
import { SignOnFailed } from '../../protocol/wire/errors.ts'
import { GssFailure } from './gss-failure.ts'
import type { Begun } from './gssapi.ts'
import { Lanes } from './lanes.ts'
import { at, isExpired, mustBe, toldAt } from './steps.ts'
import type { TicketLease } from './ticket.ts'
import { Tickets, unlessAborted, type TicketKey, type TicketsOptions } from './tickets.ts'

/** Who asks for a token. */
export interface TokenRequest extends TicketKey {
  /** Whether the service is to show who it is, too. */
  readonly isMutual: boolean
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal
}

/** A token for one request, and what its answer is held against. */
export interface ServiceToken {
  readonly octets: Uint8Array
  /**
   * Looks at the token that the service answered to a mutual one.
   *
   * @throws SignOnFailed `rejected`: it is not the service that was meant
   */
  verify(answer: Uint8Array): void
  /** Gives back what it holds; more than once does no harm. */
  readonly end: () => void
}

export class Tokens {
  readonly #options: TicketsOptions
  readonly #tickets: Tickets
  /** Not those on which the KDC is asked: a slow one is no matter for whoever has tickets. */
  readonly #lanes: Lanes

  constructor(options: TicketsOptions) {
    this.#options = options
    this.#tickets = new Tickets(options)
    this.#lanes = new Lanes({ ...options, lanes: 1 })
  }

  /** @throws SignOnFailed */
  async token(request: TokenRequest): Promise<ServiceToken> {
    for (let isSecond = false; ; isSecond = true) {
      const lease = await this.#tickets.lease(request, request.signal)
      try {
        return this.#checked(await this.#begin(lease, request), lease, request)
      } catch (error) {
        if (!(error instanceof SignOnFailed) || !(error.cause instanceof GssFailure)) throw error
        this.#tickets.forget(request)
        if (isSecond || !isExpired(error)) throw error
      }
    }
  }

  async close(): Promise<void> {
    this.#tickets.close()
    await this.#lanes.close()
  }

  /** The lease ends with what is begun, or when there will be nothing. */
  async #begin(lease: TicketLease, request: TokenRequest): Promise<Begun> {
    const { gssapi, limitMs } = this.#options
    const { service, isMutual, signal } = request
    const giveBack = ({ context }: Begun) => {
      gssapi.releaseContext(context)
      lease.end()
    }
    let isOnLane = false
    const making = this.#lanes.do({
      limitMs,
      run: async () => {
        isOnLane = true
        try {
          return await at('service', gssapi.begin(lease.credential, service, isMutual))
        } catch (error) {
          lease.end()
          throw error
        }
      },
      discard: giveBack,
    })
    try {
      return await unlessAborted(making, signal)
    } catch (error) {
      making.then(giveBack, () => {
        if (!isOnLane) lease.end()
      })
      throw error
    }
  }

  #checked({ context, token }: Begun, lease: TicketLease, request: TokenRequest): ServiceToken {
    const { gssapi } = this.#options
    const { user, service, isMutual } = request
    const end = () => {
      gssapi.releaseContext(context)
      lease.end()
    }
    const check = () => {
      const { initiator, target } = gssapi.contextFacts(context)
      mustBe(user, initiator)
      mustBe(service, target)
    }
    // Of a mutual one the library says so when the service has answered; its ticket was tried.
    if (!isMutual) {
      try {
        check()
      } catch (error) {
        throw toldAt('service', error)
      } finally {
        end()
      }
    }
    return {
      octets: token,
      verify(answer) {
        try {
          gssapi.proceed(context, lease.credential, service, answer)
          check()
        } catch (error) {
          throw toldAt('answer', error)
        } finally {
          end()
        }
      },
      end,
    }
  }
}
