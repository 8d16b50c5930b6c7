/**
 * A link over a stream that goes both ways: what the two ends of the multiplexed binding have in
 * common.
 *
 * The loop of the driver law: bytes in, then what there is to send. Everything said in one turn of
 * the event loop leaves in one write, for the turn may have read from a hundred sockets.
 *
 * @see spec/PROTOCOL.md, "The link binding"
 * @module
 */
import type { Duplex } from 'node:stream'
import { TRANSPORT_ROOM_BYTES, type LinkEndpoint, type LinkEnd } from '../../protocol/internal.ts'
import { LinkDeadline, type After } from '../link-deadline.ts'

/** `Upgrade` of the call that becomes a link, and its path. */
export const LINK_UPGRADE = 'app-proxy/1'
export const LINK_PATH = '/link'

/**
 * Heads are not held back by the transport's room. A peer that reads none of them is not listened
 * to beyond this.
 */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024
/**
 * How long the other end may take to read what was said before the link's end, and what of it was
 * handed over last.
 */
const FAREWELL_MS = 10_000
const LINGER_MS = 1_000

const after: After = (ms, run) => {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}

/**
 * Drives one end of a link over `stream`, until either is over.
 *
 * It is made before the link, whose events are its methods `wake` and `closed`. It reads nothing
 * until {@link LinkTransport.drive}: whatever an event uses is there before the first octet is.
 */
export class LinkTransport {
  readonly #stream: Duplex
  readonly #now: () => number
  #link: LinkEndpoint | undefined
  #scheduled = false
  #ending = false
  #deadline: LinkDeadline | undefined
  /** Ends the wait for a peer that reads nothing of the farewell. */
  #farewell: NodeJS.Timeout | undefined
  #cause: unknown

  constructor(stream: Duplex, now: () => number) {
    this.#stream = stream
    this.#now = now
  }

  /**
   * From now on the link lives by this stream.
   *
   * @param head octets of the peer that were read with the handshake
   */
  drive(link: LinkEndpoint, head: Uint8Array): void {
    const stream = this.#stream
    this.#link = link
    this.#deadline = new LinkDeadline(link, this.#now, after)
    stream.on('data', (chunk: Uint8Array) => this.#received(chunk))
    stream.on('drain', () => this.#drained())
    stream.on('end', () => link.lost())
    stream.on('error', (error) => (this.#cause = error))
    stream.on('close', () => {
      this.#deadline!.stop()
      clearTimeout(this.#farewell)
      link.lost(this.#cause)
    })
    if (head.length > 0) this.#received(head)
    // An end that came before anybody listened is not told again.
    if (stream.readableEnded || stream.destroyed) link.lost()
    this.wake()
  }

  /** The link has something to send: it leaves at the end of this turn. */
  wake(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  /** The link is over. What it said is still sent, unless the transport broke. */
  closed({ reason }: LinkEnd): void {
    this.#ending = true
    this.#deadline?.stop()
    if (reason === 'lost' || reason === 'silent') return void this.#stream.destroy()
    // Nobody pings any more: a peer that reads nothing would keep the connection.
    this.#farewell = setTimeout(() => this.#stream.destroy(), FAREWELL_MS).unref()
    this.wake()
  }

  #received(chunk: Uint8Array): void {
    this.#link!.receive(chunk, this.#now())
    this.#deadline!.watch()
  }

  #drained(): void {
    if (this.#stream.isPaused()) this.#stream.resume()
    this.#flush()
  }

  #flush(): void {
    const stream = this.#stream
    const link = this.#link
    if (link === undefined || stream.destroyed || stream.writableEnded) return
    const chunks = link.takeOutput(TRANSPORT_ROOM_BYTES - stream.writableLength)
    if (chunks.length > 1) stream.cork()
    for (const chunk of chunks) stream.write(chunk)
    if (chunks.length > 1) stream.uncork()
    if (stream.writableLength > MAX_UNSENT_BYTES) stream.pause()
    if (this.#ending) return this.#end(link)
    // A stream that took all at once says no `drain`.
    if (link.hasMore && !stream.writableNeedDrain) this.wake()
    this.#deadline!.watch()
  }

  #end(link: LinkEndpoint): void {
    if (link.hasMore) return this.#stream.writableNeedDrain ? undefined : this.wake()
    this.#stream.end()
    setTimeout(() => this.#stream.destroy(), LINGER_MS).unref()
  }
}
