/**
 * What the two ends of a link have in common: bytes in, frames out, a heartbeat, and one way to
 * end.
 *
 * Driver law: one input ({@link LinkEndpoint.receive}, a command, or {@link LinkEndpoint.tick} at
 * {@link LinkEndpoint.deadline}), then {@link LinkEndpoint.takeOutput} until the transport is full
 * or nothing is left, then wait.
 *
 * @see spec/PROTOCOL.md, "Links"
 * @module
 */
import type { DeadlineWheel } from './deadlines.ts'
import { PeerViolation } from '../wire/errors.ts'
import { FrameReader } from '../wire/frame.ts'
import { FrameFlag, FrameType, ResetCode } from '../wire/frame-types.ts'
import { decodePing, encodeReset, PING_BYTES } from '../wire/control-frames.ts'
import { MAX_DATA_BYTES } from '../wire/limits.ts'
import { Heartbeat } from './link-heartbeat.ts'
import type { LinkEnd, LinkLocalEvent, LinkPeerEvent, LinkState } from './link.ts'
import { Multiplexer } from './multiplexer.ts'

/** Whom either end tells; except for `wake`, never from inside a command. */
export interface LinkHandler {
  /** There is something to send: {@link LinkEndpoint.takeOutput} before this turn ends. */
  wake(): void
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
  protected readonly multiplexer: Multiplexer
  protected now: number
  readonly #machine: LinkMachine
  readonly #handler: LinkHandler
  readonly #reader: FrameReader
  #heartbeat: Heartbeat
  #hasEnded = false

  /**
   * @param openingMs until the greetings must have been exchanged
   * @param wheel watches the deadlines of exchanges; without it somebody else does
   */
  constructor(
    machine: LinkMachine,
    handler: LinkHandler,
    openingMs: number,
    now: number,
    wheel?: DeadlineWheel,
  ) {
    this.#machine = machine
    this.#handler = handler
    this.now = now
    this.#heartbeat = new Heartbeat(openingMs, now)
    this.multiplexer = new Multiplexer(
      () => handler.wake(),
      () => this.idle(),
      wheel,
    )
    this.#reader = new FrameReader(
      {
        frame: (type, flags, number, payload) => this.#frame(type, flags, number, payload),
        data: (number, bytes, end) => {
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
    return this.isOver ? Infinity : this.#heartbeat.deadline
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
    this.#heartbeat.heard(now)
    try {
      this.#reader.push(bytes)
    } catch (cause) {
      if (!(cause instanceof PeerViolation)) throw cause
      this.multiplexer.send(FrameType.RESET, 0, encodeReset({ code: ResetCode.VIOLATION }))
      if (this.#machine.step('close')) this.#end({ reason: 'violation', cause })
    }
  }

  /** The transport ended, or broke. */
  lost(cause?: unknown): void {
    if (this.#machine.step('lost')) this.#end({ reason: 'lost', cause })
  }

  /** The {@link deadline} came. */
  tick(now: number): void {
    if (this.isOver) return
    this.now = now
    const verdict = this.#heartbeat.check(now)
    if (verdict === undefined) return
    if (verdict === 'ping' && this.state !== 'opening') {
      this.multiplexer.rest()
      this.multiplexer.send(FrameType.PING, 0, new Uint8Array(PING_BYTES))
    } else if (this.#machine.step('lost')) this.#end({ reason: 'silent' })
  }

  // ── for the end itself ────────────────────────────────────────────────────────────────────

  protected get isOver(): boolean {
    return this.state === 'closed' || this.state === 'refused'
  }

  /** A frame that is not the link's own; those of exchanges go to {@link exchangeFrame}. */
  protected abstract received(
    type: FrameType,
    flags: number,
    number: number,
    payload: Uint8Array,
  ): void

  protected exchangeFrame(
    type: FrameType,
    flags: number,
    number: number,
    payload: Uint8Array,
  ): void {
    if (this.#machine.step('exchange'))
      this.multiplexer.received(type, flags, number, payload, this.now)
  }

  /** The greetings were exchanged. */
  protected greeted(pingMs: number, maxDataBytes: number): void {
    this.#heartbeat = new Heartbeat(pingMs, this.now)
    this.multiplexer.maxDataBytes = maxDataBytes
    this.#reader.maxDataBytes = maxDataBytes
  }

  /**
   * No exchange is open: a draining link ends, and one that was never open has ended by being told
   * to drain.
   */
  protected idle(): void {
    this.#machine.step('idle')
    if (this.state === 'closed') this.#end({ reason: 'drained' })
  }

  #frame(type: FrameType, flags: number, number: number, payload: Uint8Array): void {
    if (number !== 0 && isOfLink(type))
      throw new PeerViolation('MALFORMED_FRAME', `type ${type} on number ${number}`)
    if (type !== FrameType.PING) return this.received(type, flags, number, payload)
    const octets = decodePing(payload)
    if (this.#machine.step('ping') && (flags & FrameFlag.ACK) === 0) {
      this.multiplexer.send(FrameType.PING, 0, octets, FrameFlag.ACK)
    }
  }

  #end(end: LinkEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.multiplexer.lost(end.cause)
    this.#handler.closed(end)
  }
}

/** Frames that are of no exchange. */
function isOfLink(type: FrameType): boolean {
  switch (type) {
    case FrameType.HELLO:
    case FrameType.WELCOME:
    case FrameType.OFFER:
    case FrameType.DECLINE:
    case FrameType.PING:
    case FrameType.DRAIN:
    case FrameType.CONFIGURATION:
      return true
    default:
      return false
  }
}
