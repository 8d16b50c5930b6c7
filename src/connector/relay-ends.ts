/**
 * Between an exchange and the call that serves it: what a relay of each direction does with either.
 *
 * @module
 */
import type { Exchange, HeaderList, PacedRelayOutput } from '../protocol/internal.ts'
import type { Clocks } from '../runtime/clocks.ts'
import type { BackendCall } from './backend.ts'

/** The response body: paced by the cloud's credit. */
export class TowardsCloud implements PacedRelayOutput {
  readonly #exchange: Exchange
  readonly #call: BackendCall
  readonly #clocks: Clocks

  constructor(exchange: Exchange, call: BackendCall, clocks: Clocks) {
    this.#exchange = exchange
    this.#call = call
    this.#clocks = clocks
  }

  send(bytes: Uint8Array): number {
    return this.#exchange.send(bytes, this.#clocks.now())
  }

  end(trailers: HeaderList | undefined): void {
    this.#exchange.end(this.#clocks.now(), trailers)
  }

  pause(): void {
    this.#call.pause()
  }

  resume(): void {
    this.#call.resume()
  }

  taken(): void {
    // A call is paced by pauses alone.
  }
}

/** The request body: paced by the application's reading. */
export class TowardsApplication implements PacedRelayOutput {
  readonly #exchange: Exchange
  readonly #call: BackendCall
  readonly #clocks: Clocks

  constructor(exchange: Exchange, call: BackendCall, clocks: Clocks) {
    this.#exchange = exchange
    this.#call = call
    this.#clocks = clocks
  }

  send(bytes: Uint8Array): number {
    return this.#call.write(bytes) ? bytes.length : 0
  }

  end(trailers: HeaderList | undefined): void {
    this.#call.end(trailers)
  }

  pause(): void {
    // The cloud is paced by its credit alone.
  }

  resume(): void {
    // see pause()
  }

  taken(bytes: number): void {
    this.#exchange.consumed(bytes, this.#clocks.now())
  }
}
