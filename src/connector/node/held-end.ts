/**
 * The end of a connection, kept from its reader until the reader has taken all that came before it.
 *
 * undici may pause inside the last octets that came, and its parser must hear of no end while it is
 * paused: it asserts that, where nobody can catch it, and the process ends with it. A reader that
 * goes on by itself is told when nothing is left to read; one that is paused, when it has gone on
 * and nothing is left.
 *
 * @module
 */
import type { Socket } from 'node:net'

export class HeldEnd {
  readonly #socket: Socket
  readonly #push: Socket['push']
  #isPaused = false
  #isHeld = false

  /** Watches a connection from its beginning. */
  constructor(socket: Socket) {
    this.#socket = socket
    this.#push = socket.push.bind(socket)
    socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk !== null) return this.#push(chunk, encoding)
      this.#isHeld = true
      // Heard after the reader, which listens from before.
      socket.on('readable', () => this.#settle())
      this.#settle()
      return false
    }
  }

  /** Its reader is paused, and reads nothing. */
  paused(): void {
    this.#isPaused = true
  }

  /** Its reader goes on. To be told again once it has: it may be paused anew, or have read all. */
  resumed(): void {
    this.#isPaused = false
  }

  /** Its reader has read what it could. */
  settled(): void {
    this.#settle()
  }

  #settle(): void {
    const { readableLength, destroyed } = this.#socket
    if (!this.#isHeld || this.#isPaused || readableLength > 0 || destroyed) return
    this.#isHeld = false
    this.#push(null)
    this.#socket.read(0)
  }
}
