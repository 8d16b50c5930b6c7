/**
 * What the two ends of a link have in common: bytes in, frames out, a heartbeat, and one way to
 * end.
 *
 * The driver law, which every outermost machine is driven by; the names are those of a link.
 *
 * 1. Give one input, with the time: octets ({@link LinkEndpoint.receive}), the end of the transport
 *    ({@link LinkEndpoint.lost}), a command, or {@link LinkEndpoint.tick} when {@link
 *    LinkEndpoint.deadline} has come.
 * 2. Call nothing from inside what it tells: an output only collects. `wake` asks for step 3.
 * 3. Take what it has to say ({@link LinkEndpoint.takeOutput}) until nothing is left or the
 *    transport is full, and send it in that order.
 * 4. Perform each effect that it asks for, and answer it later, as an input, with one result.
 * 5. Ask for the deadline anew, and set the one timer for it: any input may have moved it.
 * 6. Wait for the next input; room in the transport leads to step 3.
 *
 * @see spec/PROTOCOL.md, "Links"
 * @module
 */
import type { DeadlineWheel } from './deadlines.ts'
import { PeerViolation } from '../wire/errors.ts'
import { FrameReader } from '../wire/frame.ts'
import { headerRule } from '../wire/frame-headers.ts'
import { FrameFlag, FrameType, ResetCode } from '../wire/frame-types.ts'
import { decodePing, encodeReset, PING_BYTES } from '../wire/control-frames.ts'
import { MAX_DATA_BYTES } from '../wire/limits.ts'
import { Grease, type Random } from './grease.ts'
import { IgnoredFrames } from './ignored-frames.ts'
import { Heartbeat } from './link-heartbeat.ts'
import type { LinkEnd, LinkLocalEvent, LinkPeerEvent, LinkState } from './link.ts'
import { Multiplexer } from './multiplexer.ts'

/** Whom either end tells; except for `wake`, never from inside a command. */
export interface LinkHandler {
  /** There is something to send: {@link LinkEndpoint.takeOutput} before this turn ends. */
  wake(): void
  /** It is over, and its exchanges are about to be lost: none of them may be put on it again. */
  ending?(): void
  /** It is over. What was said before may still be sent. */
  closed(end: LinkEnd): void
}

/** The part of an end's machine that both have. */
export interface LinkMachine {
  readonly state: LinkState
  step(event: LinkLocalEvent | LinkPeerEvent): boolean
}

/** One end of a link. */
export abstract class LinkEndpoint {
  /** @internal */
  protected readonly multiplexer: Multiplexer
  /** @internal */
  protected now: number
  readonly #machine: LinkMachine
  readonly #handler: LinkHandler
  readonly #reader: FrameReader
  readonly #ignored: IgnoredFrames
  /** What this end sends that means nothing; `undefined`: it sends none. @internal */
  protected readonly grease: Grease | undefined
  /** Both ends named the feature `extensible`. */
  #isExtensible = false
  readonly #heartbeat: Heartbeat
  #hasEnded = false

  /**
   * @param openingMs until the greetings must have been exchanged
   * @param wheel watches the deadlines of exchanges; without it somebody else does
   * @param random what grease is made of; without it this end sends none
   * @internal
   */
  constructor(
    machine: LinkMachine,
    handler: LinkHandler,
    openingMs: number,
    now: number,
    wheel?: DeadlineWheel,
    random?: Random,
  ) {
    this.#machine = machine
    this.#handler = handler
    this.now = now
    this.#heartbeat = new Heartbeat(openingMs, now)
    this.#ignored = new IgnoredFrames(now)
    this.grease = random && new Grease(random)
    this.multiplexer = new Multiplexer(
      () => handler.wake(),
      () => this.idle(),
      wheel,
    )
    this.#reader = new FrameReader(
      {
        frame: (type, flags, number, payload) => this.#frame(type, flags, number, payload),
        ignored: (type, number, length) => this.#skipped(type, number, length),
        data: (number, bytes, end) => {
          this.#ignored.known()
          if (machine.step('exchange')) {
            this.multiplexer.receivedData(number, bytes, end, this.now)
          }
        },
      },
      MAX_DATA_BYTES,
    )
  }

  get state(): LinkState {
    return this.#machine.state
  }

  /** Exchanges open. */
  get open(): number {
    return this.multiplexer.open
  }

  /** When to {@link tick}; `Infinity` when it is over. */
  get deadline(): number {
    if (this.isOver) return Infinity
    const { grease } = this
    const { long } = this.multiplexer
    let at = this.#heartbeat.deadline
    if (grease !== undefined && grease.deadline < at) at = grease.deadline
    if (long !== undefined && long.deadline < at) at = long.deadline
    return at
  }

  /** Whether DATA waits for room in the transport. */
  get hasMore(): boolean {
    return this.multiplexer.hasMore
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────

  /** Begins no exchange any more; closes when the last one ended. */
  drain(): void {
    if (!this.#machine.step('drain')) return
    this.multiplexer.send(FrameType.DRAIN, 0)
    if (this.multiplexer.open === 0) this.idle()
  }

  close(): void {
    if (this.#machine.step('close')) this.#end({ reason: 'closed' })
  }

  /** What to send, in order; DATA only while there is room. */
  takeOutput(roomBytes: number): Uint8Array[] {
    return this.multiplexer.takeOutput(roomBytes)
  }

  // ── inputs ────────────────────────────────────────────────────────────────────────────────

  /** Bytes from the transport. */
  receive(bytes: Uint8Array, now: number): void {
    if (this.isOver) return
    this.now = now
    this.#ignored.received(bytes.length, now)
    try {
      if (this.#reader.push(bytes)) this.#heartbeat.heard(now)
    } catch (cause) {
      if (!(cause instanceof PeerViolation)) throw cause
      this.multiplexer.send(FrameType.RESET, 0, encodeReset({ code: ResetCode.VIOLATION }))
      if (this.#machine.step('close')) this.#end({ reason: 'violation', cause })
    }
  }

  /** The transport ended, or broke: in the middle of a frame, if `cause` says nothing else. */
  lost(cause?: unknown): void {
    if (this.#machine.step('lost')) this.#end({ reason: 'lost', cause: cause ?? this.#reader.cut })
  }

  /** The {@link deadline} came. */
  tick(now: number): void {
    if (this.isOver) return
    this.now = now
    this.multiplexer.look(now)
    const isIdle = this.state === 'open' && this.open === 0
    const grease = this.grease?.take(now, isIdle)
    if (grease !== undefined) this.multiplexer.send(grease.type, 0, grease.octets)
    const verdict = this.#heartbeat.check(now)
    if (verdict === undefined) return
    if (verdict === 'ping' && this.state !== 'opening') {
      this.multiplexer.rest()
      this.multiplexer.send(FrameType.PING, 0, new Uint8Array(PING_BYTES))
    } else if (this.#machine.step('lost')) this.#end({ reason: 'silent' })
  }

  // ── for the end itself ────────────────────────────────────────────────────────────────────

  /** @internal */
  protected get isOver(): boolean {
    return this.state === 'closed' || this.state === 'refused'
  }

  /**
   * A frame that is not the link's own; those of exchanges go to {@link exchangeFrame}.
   *
   * @internal
   */
  protected abstract received(
    type: FrameType,
    flags: number,
    number: number,
    payload: Uint8Array,
  ): void

  /** @internal */
  protected exchangeFrame(
    type: FrameType,
    flags: number,
    number: number,
    payload: Uint8Array,
  ): void {
    if (this.#machine.step('exchange'))
      this.multiplexer.received(type, flags, number, payload, this.now)
  }

  /** The greetings were exchanged. `isExtensible`: both named the feature. @internal */
  protected greeted(pingMs: number, maxDataBytes: number, isExtensible: boolean): void {
    this.#heartbeat.restart(pingMs, this.now)
    this.#isExtensible = isExtensible
    if (isExtensible) this.grease?.begin(this.now)
    this.multiplexer.maxDataBytes = maxDataBytes
    this.#reader.maxDataBytes = maxDataBytes
  }

  /**
   * No exchange is open: a draining link ends, and one that was never open has ended by being told
   * to drain.
   *
   * @internal
   */
  protected idle(): void {
    this.#machine.step('idle')
    if (this.state === 'closed') this.#end({ reason: 'drained' })
  }

  #frame(type: FrameType, flags: number, number: number, payload: Uint8Array): void {
    this.#ignored.known()
    if (number !== 0 && headerRule(type)!.on === 'link')
      throw new PeerViolation('MALFORMED_FRAME', `type ${type} on number ${number}`)
    if (type !== FrameType.PING) return this.received(type, flags, number, payload)
    const octets = decodePing(payload)
    if (this.#machine.step('ping') && (flags & FrameFlag.ACK) === 0) {
      this.multiplexer.send(FrameType.PING, 0, octets, FrameFlag.ACK)
    }
  }

  /** The header of a frame that nobody here knows; its octets are skipped as they come. */
  #skipped(type: number, number: number, length: number): void {
    if (!this.#machine.step('unknown')) return
    if (!this.#isExtensible) throw new PeerViolation('UNKNOWN_FRAME', `type ${type}`)
    if (number > this.multiplexer.lastNumber)
      throw new PeerViolation('UNKNOWN_NUMBER', `${number} was never opened`)
    this.#ignored.skipped(length)
  }

  #end(end: LinkEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#handler.ending?.()
    this.multiplexer.lost(end.cause)
    this.#handler.closed(end)
  }
}
