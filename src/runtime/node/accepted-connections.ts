/**
 * Every connection that a listener accepted, and the deadline that ends it.
 *
 * Node ends a connection of HTTP/1.1 that waits for a request, and one whose request does not come.
 * It knows nothing of a session of HTTP/2 that it stopped reading after an error, of connections
 * that it handed over, nor of an answer that is written and never read. So each connection is
 * looked at every now and then: what has not moved for the limit is closed, whatever the reason
 * was.
 *
 * When each is closed:
 *
 * - nothing is under way on it: when no octet moved, either way, for the limit
 * - an exchange is under way, HTTP/1.1: never here: every exchange has deadlines of its own
 * - an exchange is under way, HTTP/2: when the peer, asked at half the limit, says nothing until ¾
 *   of it
 *
 * @module
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { answerOn } from './request-turns.ts'

/** What is known of a connection by whoever serves it. */
export interface ConnectionOwner {
  /**
   * Whether an exchange is under way: it has deadlines of its own, and is told when the connection
   * ends.
   */
  readonly isServing: boolean
  /** Asks the peer for a sign of life. Absent: the protocol has none to ask for. */
  probe?(): void
}

interface Kept {
  readonly owner: ConnectionOwner
  /** Octets that were read, and these together with those that left, at the last look. */
  heard: number
  moved: number
  /** When they were other than they are now. */
  heardAt: number
  movedAt: number
  isProbed: boolean
}

/** Where Node counts what left a socket: no public property tells what of a large write has. */
interface Counted {
  readonly _parent?: Counted | null
  readonly _handle?: { bytesWritten: number; writeQueueSize: number } | null
}

const LOOKS = 16
const LONGEST_LOOK_MS = 5_000

/** The connections of one listener. */
export class AcceptedConnections {
  readonly #limitMs: number
  readonly #kept = new Map<Socket, Kept>()
  #timer: NodeJS.Timeout | undefined

  /** @param limitMs milliseconds in which nothing moves before a connection is closed */
  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /**
   * Looks after what `server` accepts; once, before it listens. TLS handshakes under way are
   * bounded by the server's `handshakeTimeout`.
   */
  of(server: Server, event: 'connection' | 'secureConnection'): this {
    server.on(event, (socket: Socket) => this.keep(socket, new Http1Connection(socket)))
    server.on('upgrade', (_request, socket) =>
      this.keep(socket as Socket, new Handed(socket as Socket)),
    )
    return this
  }

  /** Keeps a connection, or gives one that is kept to another owner. */
  keep(socket: Socket, owner: ConnectionOwner): void {
    const now = performance.now()
    const isKnown = this.#kept.has(socket)
    const nothingYet = { heard: -1, moved: -1, isProbed: false }
    this.#kept.set(socket, { owner, heardAt: now, movedAt: now, ...nothingYet })
    if (isKnown) return
    socket.once('close', () => this.#forget(socket))
    // Node takes its own listener from a connection that it hands over, and an error that nobody
    // hears ends the process.
    socket.on('error', nothing)
    const everyMs = Math.min(LONGEST_LOOK_MS, Math.ceil(this.#limitMs / LOOKS))
    this.#timer ??= setInterval(() => this.#look(performance.now()), everyMs).unref()
  }

  /**
   * Closes what has nothing under way and has not moved for so many milliseconds; to be called
   * every now and then, for that is how it sees what moves.
   */
  closeSilent(silentMs: number): void {
    this.#look(performance.now(), silentMs)
  }

  #forget(socket: Socket): void {
    this.#kept.delete(socket)
    if (this.#kept.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(now: number, idleMs = this.#limitMs): void {
    for (const [socket, kept] of this.#kept)
      if (this.#isOver(socket, kept, now, idleMs)) socket.destroy()
  }

  #isOver(socket: Socket, kept: Kept, now: number, idleMs: number): boolean {
    const heard = socket.bytesRead
    const moved = heard + octetsLeft(socket as Counted)
    if (heard !== kept.heard) {
      kept.heard = heard
      kept.heardAt = now
      kept.isProbed = false
    }
    if (moved !== kept.moved) {
      kept.moved = moved
      kept.movedAt = now
    }
    const { owner } = kept
    if (!owner.isServing) return now - kept.movedAt >= idleMs
    // What it waited for while it was served does not count.
    kept.movedAt = now
    if (owner.probe === undefined) return false
    const silentMs = now - kept.heardAt
    if (kept.isProbed) return silentMs >= this.#limitMs * 0.75
    if (silentMs >= this.#limitMs / 2) {
      kept.isProbed = true
      owner.probe()
    }
    return false
  }
}

/** A connection of HTTP/1.1: something is under way while an answer is not written to its end. */
class Http1Connection implements ConnectionOwner {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get isServing(): boolean {
    const answer = answerOn(this.#socket)
    return answer !== undefined && !answer.writableEnded
  }
}

/**
 * A connection that Node's parser gave away: a tunnel, once no answer is under way. It is over when
 * our direction is, and nobody takes its end.
 */
class Handed implements ConnectionOwner {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get isServing(): boolean {
    const answer = answerOn(this.#socket)
    if (answer !== undefined) return !answer.writableEnded
    return !this.#socket.writableEnded || this.#socket.writableFinished
  }
}

/** Octets that the kernel took; under TLS, of the connection that carries it. */
function octetsLeft(socket: Counted): number {
  const handle = (socket._parent ?? socket)._handle
  return handle ? handle.bytesWritten - handle.writeQueueSize : 0
}

function nothing(): void {
  // the close that follows says it
}
