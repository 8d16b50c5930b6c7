/**
 * One exchange over the two calls of the plain binding, as both of its ends have it in common.
 *
 * `…/body` brings the request body to the connector, `…/response` the answer to the cloud. What is
 * said on them are frames; which call is open, and what it means that one breaks, is in the tables
 * of the two ends. Byte credit is not on this wire: whoever drives an end reports what the HTTP
 * stream took, and does not read while the end {@link PlainExchange.isFull is full}.
 *
 * @see spec/PROTOCOL.md, "The plain binding"
 * @module
 */
import { PeerViolation } from '../wire/errors.ts'
import { encodeReset, encodeStop, type NotSentCause } from '../wire/control-frames.ts'
import { FrameOutput } from '../wire/frame-output.ts'
import { FrameReader } from '../wire/frame.ts'
import {
  FrameFlag,
  FrameType,
  type HeaderList,
  type ResetCode,
  type ResponseHead,
} from '../wire/frame-types.ts'
import { encodeTrailers, writeResponseHead } from '../wire/heads.ts'
import { MAX_DATA_BYTES } from '../wire/limits.ts'
import type { ExchangeWire } from './exchange-ports.ts'
import type { Exchange } from './exchange.ts'

/** What a sender may have on its way before the HTTP stream took any of it; a pull's credit too. */
export const PLAIN_CREDIT_BYTES = 128 * 1024
/** A receiver's window: twice what one read of a socket can bring, twice over. */
export const PLAIN_WINDOW_BYTES = 256 * 1024

/** Whom either end tells; it never calls back from inside. */
export interface PlainExchangePort {
  /** There is something to send: {@link PlainExchange.takeOutput} before this turn ends. */
  wake(): void
  /** There is room again: what is not read because the end was full may be. */
  resume(): void
  /** Breaks what is open of the two calls. */
  cut(): void
}

/** What both ends keep beside their state, as one plain value. */
export interface PlainExchangeMemory {
  /** When the last input came. */
  now: number
  /** Octets of DATA that the HTTP stream was given and did not take yet. */
  untaken: number
}

/** One end of an exchange over the plain binding. */
export abstract class PlainExchange<
  Memory extends PlainExchangeMemory = PlainExchangeMemory,
> implements ExchangeWire {
  /** @internal */
  protected readonly memory: Memory
  /** @internal */
  protected exchange: Exchange | undefined
  /** @internal */
  protected readonly output = new FrameOutput()
  readonly #port: PlainExchangePort
  readonly #reader: FrameReader
  readonly #maxDataBytes: number
  /** The last DATA of this turn, kept back in case END follows. */
  #last: Uint8Array | undefined

  /** @param maxDataBytes the largest DATA payload that was agreed on, either way @internal */
  constructor(port: PlainExchangePort, maxDataBytes: number, memory: Memory) {
    this.memory = memory
    this.#port = port
    this.#maxDataBytes = maxDataBytes
    const sink = {
      frame: (type: FrameType, flags: number, _number: number, payload: Uint8Array) =>
        this.received(type, flags, payload, this.memory.now),
      data: (_number: number, bytes: Uint8Array, end: boolean) =>
        this.receivedData(bytes, end, this.memory.now),
    }
    this.#reader = new FrameReader(sink, maxDataBytes)
  }

  /**
   * Whether the incoming call is not to be read now. One read of a socket brings at most 64 KiB;
   * with less room than that, do not read. Half a window free is always said, so `resume` follows.
   */
  get isFull(): boolean {
    const { exchange } = this
    return exchange !== undefined && !exchange.isClosed && exchange.receivable < MAX_DATA_BYTES
  }

  /** Whether something was said that is not taken yet. */
  get hasOutput(): boolean {
    return this.#last !== undefined || this.output.hasMore
  }

  // ── inputs ────────────────────────────────────────────────────────────────────────────────

  /** Octets of the incoming call; after a fault they say nothing more. */
  receive(bytes: Uint8Array, now: number): void {
    this.memory.now = now
    if (this.isOver) return
    this.#guard(() => this.#reader.push(bytes))
  }

  /** The incoming call came to its end. Without END of the body in it, that is an abort. */
  receivedEnd(now: number): void {
    this.memory.now = now
    if (this.isOver) return
    this.#guard(() => {
      this.#reader.end()
      this.ended()
    })
  }

  /** The HTTP stream took all that it was given. */
  took(now: number): void {
    const bytes = this.memory.untaken
    this.memory.untaken = 0
    if (bytes > 0) this.exchange?.granted(bytes, now)
  }

  /** A call broke, or must: both end, and with them the exchange. */
  lost(cause?: unknown): void {
    if (this.stepLost()) this.#port.cut()
    this.exchange?.lost(cause)
  }

  /** What was said since the last time, in order. */
  takeOutput(): Uint8Array[] {
    this.#writeLast(0)
    return this.output.take()
  }

  // ── what the exchange says ────────────────────────────────────────────────────────────────

  abstract informational(head: ResponseHead): void
  abstract respond(head: ResponseHead, end: boolean): void
  abstract stop(code: ResetCode): void
  abstract reset(code: ResetCode, cause?: NotSentCause): void
  abstract closed(): void

  data(bytes: Uint8Array, end: boolean): void {
    if (end && bytes.length === 0 && this.#last !== undefined) this.#writeLast(FrameFlag.END)
    else {
      this.#writeLast(0)
      this.#last = bytes
      if (end) this.#writeLast(FrameFlag.END)
    }
    if (end) this.sentAll()
    this.#port.wake()
  }

  trailers(fields: HeaderList): void {
    this.say(FrameType.TRAILERS, encodeTrailers(fields), FrameFlag.END)
    this.sentAll()
  }

  credit(): void {
    if (!this.isFull) this.#port.resume()
  }

  // ── for the end itself ────────────────────────────────────────────────────────────────────

  /** @internal */
  protected abstract get isOver(): boolean
  /** @internal */
  protected abstract stepLost(): boolean
  /** @internal */
  protected abstract received(
    type: FrameType,
    flags: number,
    payload: Uint8Array,
    now: number,
  ): void
  /** @internal */
  protected abstract receivedData(bytes: Uint8Array, end: boolean, now: number): void
  /** The incoming call ended where a frame may end. @internal */
  protected abstract ended(): void
  /** @internal */
  protected abstract violated(error: PeerViolation): void
  /** The body that we send is complete. @internal */
  protected abstract sentAll(): void

  /** @internal */
  protected say(type: FrameType, payload: Uint8Array, flags = 0): void {
    this.#writeLast(0)
    this.output.frame(type, flags, 0, payload)
    this.#port.wake()
  }

  /** @internal */
  protected sayHead(type: FrameType, head: ResponseHead, flags = 0): void {
    this.#writeLast(0)
    this.output.head(type, flags, 0, writeResponseHead, head)
    this.#port.wake()
  }

  /** @internal */
  protected sayStop(code: ResetCode): void {
    this.say(FrameType.STOP, encodeStop({ code }))
  }

  /** @internal */
  protected sayReset(code: ResetCode, cause?: NotSentCause): void {
    this.say(FrameType.RESET, encodeReset({ code, cause }))
  }

  /** Nothing that was said and not taken is sent any more. @internal */
  protected unsay(): void {
    this.#last = undefined
    this.output.release()
    this.output.take()
  }

  /** The one place where a violation on a call becomes its end. */
  #guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!(error instanceof PeerViolation)) throw error
      this.violated(error)
    }
  }

  #writeLast(flags: number): void {
    const bytes = this.#last
    if (bytes === undefined) return
    this.#last = undefined
    this.memory.untaken += bytes.length
    const most = this.#maxDataBytes
    let rest = bytes
    for (; rest.length > most; rest = rest.subarray(most))
      this.output.data(0, rest.subarray(0, most), false)
    this.output.data(0, rest, flags === FrameFlag.END)
  }
}
