/**
 * A link over a transport of one's own, whatever runtime it is on: a WebSocket, a message port, a
 * stream of something else.
 *
 * @see spec/PROTOCOL.md, "Links"
 * @module
 */
import { TRANSPORT_ROOM_BYTES, type LinkEnd, type LinkEndpoint } from '../protocol/internal.ts'
import { systemClocks, type Clocks } from './clocks.ts'
import { LinkDeadline, type After } from './link-deadline.ts'
import { timerOf, type Scheduler } from './scheduler.ts'

/** What carries octets to the other end: in order, each once, until it ends. */
export interface LinkChannel {
  /** Hands octets over. They are not changed afterwards. */
  send(octets: Uint8Array): void
  /**
   * Octets that were handed over and have not left: `bufferedAmount` of a WebSocket. While it is
   * 256 KiB or more, bodies wait. Default: nothing ever waits.
   */
  unsentBytes?(): number
  /** Ends it, once; what was sent before may still arrive. */
  close(): void
}

/** Options of {@link LinkDriver}. */
export interface LinkDriverOptions {
  /** Default {@link systemClocks}. */
  readonly clocks?: Pick<Clocks, 'now'> | undefined
  /** Default: the runtime's timers, which keep no process alive. */
  readonly scheduler?: Scheduler | undefined
}

/** How often a transport that is full is looked at, unless it says `drained`. Milliseconds. */
const LOOK_AGAIN_MS = 5

/**
 * Drives one end of a link over a {@link LinkChannel}, until either is over.
 *
 * It is made before the link, whose events are its methods `wake` and `closed`. Whoever owns the
 * transport calls `received`, `lost` and, where it knows, `drained`:
 *
 *     const driver = new LinkDriver({
 *       send: (octets) => socket.send(octets),
 *       unsentBytes: () => socket.bufferedAmount,
 *       close: () => socket.close(),
 *     })
 *     driver.drive(new ConnectorLink(cloud.origin, claimer, driver).link)
 *     socket.onmessage = ({ data }) => driver.received(new Uint8Array(data))
 *     socket.onclose = () => driver.lost()
 */
export class LinkDriver {
  readonly #channel: LinkChannel
  readonly #clocks: Pick<Clocks, 'now'>
  readonly #after: After
  #link: LinkEndpoint | undefined
  #isScheduled = false
  #isEnding = false
  #isClosed = false
  #deadline: LinkDeadline | undefined
  #callOffLook: (() => void) | undefined

  constructor(channel: LinkChannel, options: LinkDriverOptions = {}) {
    this.#channel = channel
    this.#clocks = options.clocks ?? systemClocks
    this.#after = timerOf(options).after
  }

  /** From now on the link lives by this transport. Once. */
  drive(link: LinkEndpoint): void {
    this.#link = link
    this.#deadline = new LinkDeadline(link, () => this.#clocks.now(), this.#after)
    this.wake()
  }

  /** Octets of the other end; pieces may begin and end anywhere. They are kept by reference. */
  received(octets: Uint8Array): void {
    this.#link?.receive(octets, this.#clocks.now())
    this.#deadline?.watch()
  }

  /** There is room again. */
  drained(): void {
    this.#flush()
  }

  /** The transport is over; `cause`, if it broke. */
  lost(cause?: unknown): void {
    this.#isClosed = true
    this.#stop()
    this.#link?.lost(cause)
  }

  // ── what the link says ────────────────────────────────────────────────────────────────────

  /** The link has something to send: it leaves when this turn is over. */
  wake(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  /** The link is over. What it said is still sent. */
  closed({ reason }: LinkEnd): void {
    this.#isEnding = true
    if (reason === 'lost' || reason === 'silent') this.#close()
    else this.wake()
  }

  #flush(): void {
    const link = this.#link
    if (link === undefined || this.#isClosed) return
    this.#callOffLook?.()
    this.#callOffLook = undefined
    for (const octets of link.takeOutput(TRANSPORT_ROOM_BYTES - this.#unsent)) {
      this.#channel.send(octets)
    }
    if (link.hasMore) return this.#later()
    if (this.#isEnding) return this.#close()
    this.#deadline!.watch()
  }

  get #unsent(): number {
    return this.#channel.unsentBytes?.() ?? 0
  }

  #later(): void {
    if (this.#unsent < TRANSPORT_ROOM_BYTES) return this.wake()
    this.#callOffLook = this.#after(LOOK_AGAIN_MS, () => this.#flush())
    this.#deadline!.watch()
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stop()
    this.#channel.close()
  }

  #stop(): void {
    this.#deadline?.stop()
    this.#callOffLook?.()
  }
}
