/**
 * Frames over one direction of an HTTP call: what the plain binding's two ends have in common.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import type { OutgoingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { PlainExchange } from '../../protocol/internal.ts'

/** The HTTP field of an exchange's token: `…/body` returns it, `…/response` must show it. */
export const EXCHANGE_TOKEN_HEADER = 'app-proxy-exchange'

/** Something that has said what is to leave. */
export interface Flushed {
  flush(): void
}

/** What is said in one turn of the event loop leaves together, at its end. */
export class TurnEnd {
  #awake = new Set<Flushed>()

  /** `it` is flushed at the end of this turn, once. */
  wake(it: Flushed): void {
    this.#awake.add(it)
    if (this.#awake.size > 1) return
    setImmediate(() => {
      const awake = this.#awake
      this.#awake = new Set()
      for (const each of awake) each.flush()
    })
  }
}

/** Writes what an exchange says to a stream, and tells it what the stream took. */
export class CallOutput {
  readonly #stream: OutgoingMessage
  readonly #exchange: PlainExchange
  readonly #now: () => number

  constructor(stream: OutgoingMessage, exchange: PlainExchange, now: () => number) {
    this.#stream = stream
    this.#exchange = exchange
    this.#now = now
    stream.on('drain', () => exchange.took(now()))
  }

  /** @param end nothing follows */
  flush(end: boolean): void {
    const stream = this.#stream
    if (stream.writableEnded || stream.destroyed) return
    const chunks = this.#exchange.takeOutput()
    // The connection is corked, not the message: Node 22 loses what a message holds when it ends.
    // Before there is a connection, the message keeps what it is given anyway.
    const { socket } = stream
    socket?.cork()
    for (const chunk of chunks) stream.write(chunk)
    if (end) stream.end()
    socket?.uncork()
    if (!stream.writableNeedDrain) this.#exchange.took(this.#now())
  }
}

/** Gives an exchange what a stream brings, and pauses the stream while there is no room. */
export class CallInput {
  readonly #stream: Readable
  readonly #exchange: PlainExchange

  constructor(stream: Readable, exchange: PlainExchange, now: () => number) {
    this.#stream = stream
    this.#exchange = exchange
    stream.on('data', (chunk: Uint8Array) => {
      exchange.receive(chunk, now())
      if (exchange.isFull) stream.pause()
    })
    stream.on('end', () => exchange.receivedEnd(now()))
  }

  /** There is room again. */
  resume(): void {
    if (this.#stream.isPaused() && !this.#exchange.isFull) this.#stream.resume()
  }
}
