/**
 * Between a user's connection and its exchange: what a relay of each direction does with either.
 *
 * @module
 */
import type { Exchange, HeaderList, PacedRelayOutput } from '../../protocol/internal.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { UserExchange } from '../request/user-exchange.ts'

/** The user's connection, and the exchange from its claim on. */
export class RelayEnds {
  readonly user: UserExchange
  readonly clocks: Clocks
  exchange: Exchange | undefined

  constructor(user: UserExchange, clocks: Clocks) {
    this.user = user
    this.clocks = clocks
  }
}

/** The request body: paced by the connector's credit. */
export class TowardsConnector implements PacedRelayOutput {
  readonly #ends: RelayEnds

  constructor(ends: RelayEnds) {
    this.#ends = ends
  }

  /** Of an exchange that is over, nobody takes anything. */
  send(bytes: Uint8Array): number {
    const { exchange, clocks, user } = this.#ends
    if (exchange === undefined || exchange.isClosed) return bytes.length
    const sent = exchange.send(bytes, clocks.now())
    // The rest of the credit is used: what the user has now would only be held here.
    if (sent === bytes.length && exchange.writable === 0) user.pauseBody()
    return sent
  }

  end(trailers: HeaderList | undefined): void {
    this.#ends.exchange?.end(this.#ends.clocks.now(), trailers)
  }

  pause(): void {
    this.#ends.user.pauseBody()
  }

  resume(): void {
    this.#ends.user.resumeBody()
  }

  taken(): void {
    // A user's connection is paced by pauses alone.
  }
}

/** The response body: paced by the user's reading. */
export class TowardsUser implements PacedRelayOutput {
  readonly #ends: RelayEnds

  constructor(ends: RelayEnds) {
    this.#ends = ends
  }

  send(bytes: Uint8Array): number {
    return this.#ends.user.write(bytes) ? bytes.length : 0
  }

  end(trailers: HeaderList | undefined): void {
    if (trailers === undefined) this.#ends.user.end()
    else this.#ends.user.end(trailers)
  }

  pause(): void {
    // A connector is paced by its credit alone.
  }

  resume(): void {
    // see pause()
  }

  taken(bytes: number): void {
    this.#ends.exchange?.consumed(bytes, this.#ends.clocks.now())
  }
}
