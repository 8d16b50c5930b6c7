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
import { ignored, Machine, type Table } from '../../protocol/internal.ts'

/**
 * - `reading`, `paused`: what its reader does; the end has not come
 * - `ending`: the end has come, behind octets that are still to be read
 * - `held`: the same, and its reader is paused
 * - `told`: its reader was told
 */
export type HeldEndState = 'reading' | 'paused' | 'ending' | 'held' | 'told'

/** `come`: the connection has ended; `empty`: nothing is left to read. */
export type HeldEndEvent = 'pause' | 'resume' | 'come' | 'empty'

/** Every state × event pair of the end of one connection. */
// prettier-ignore
export const HELD_END = {
  reading: { pause: 'paused', resume: ignored,   come: 'ending', empty: ignored },
  paused:  { pause: ignored,  resume: 'reading', come: 'held',   empty: ignored },
  ending:  { pause: 'held',   resume: ignored,   come: ignored,  empty: 'told'  },
  held:    { pause: ignored,  resume: 'ending',  come: ignored,  empty: ignored },
  told:    { pause: ignored,  resume: ignored,   come: ignored,  empty: ignored },
} as const satisfies Table<HeldEndState, HeldEndEvent>

export class HeldEnd {
  readonly #machine = new Machine<HeldEndState, HeldEndEvent>(HELD_END, 'reading')
  readonly #socket: Socket
  readonly #push: Socket['push']

  /** Watches a connection from its beginning. */
  constructor(socket: Socket) {
    this.#socket = socket
    this.#push = socket.push.bind(socket)
    socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk !== null) return this.#push(chunk, encoding)
      this.#come()
      return false
    }
  }

  /** Its reader is paused, and reads nothing. */
  paused(): void {
    this.#machine.step('pause')
  }

  /** Its reader goes on. To be told again once it has: it may be paused anew, or have read all. */
  resumed(): void {
    this.#machine.step('resume')
  }

  /** Its reader has read what it could. */
  settled(): void {
    const { readableLength, destroyed } = this.#socket
    if (readableLength > 0 || destroyed || !this.#machine.step('empty')) return
    this.#push(null)
    this.#socket.read(0)
  }

  #come(): void {
    this.#machine.step('come')
    // Heard after the reader, which listens from before.
    this.#socket.on('readable', () => this.settled())
    this.settled()
  }
}
