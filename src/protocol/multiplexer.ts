/**
 * Many exchanges on one link: numbers, fair turns, and the queue of what is to be sent.
 *
 * Heads and control frames leave in the order they are said. DATA waits per exchange and is taken round-robin, a frame at a
 * time, while the transport has room: one slow reader, or one fast sender, delays nobody else. Role-blind; the two ends of
 * a link stand on it.
 *
 * @see spec/PROTOCOL.md, "Numbers"
 * @module
 */
import type { CreditBudget } from './body-receiver.ts'
import { PeerViolation } from './errors.ts'
import { deliverFrame } from './exchange-frames.ts'
import type { ExchangeWire } from './exchange-ports.ts'
import type { Exchange } from './exchange.ts'
import { encodeFrame, frameHeader } from './frame.ts'
import {
  FrameFlag,
  FrameType,
  type HeaderList,
  type ResetCode,
  type ResponseHead,
} from './frame-types.ts'
import {
  encodeCredit,
  encodeReset,
  encodeResponseHead,
  encodeStop,
  encodeTrailers,
} from './heads.ts'
import { DATA_BYTES, LINK_BUDGET_BYTES } from './limits.ts'

/** What all receivers of a link have granted together. */
export class LinkBudget implements CreditBudget {
  #left: number

  /** @param bytes default 16 MiB */
  constructor(bytes = LINK_BUDGET_BYTES) {
    this.#left = bytes
  }

  reserve(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  release(bytes: number): void {
    this.#left += bytes
  }
}

/** Carries the exchanges of one link. */
export class Multiplexer {
  readonly budget = new LinkBudget()
  /** The largest DATA payload agreed on. */
  maxDataBytes = DATA_BYTES
  readonly #exchanges = new Map<number, Exchange>()
  /** Those with DATA to send, in turn. */
  readonly #ready: NumberedWire[] = []
  readonly #idle: () => void
  readonly #wake: () => void
  #awake = false
  #out: Uint8Array[] = []
  #lastNumber = 0

  /**
   * @param wake told when there is something to send, once until {@link takeOutput}
   * @param idle told when the last exchange ended
   */
  constructor(wake: () => void, idle: () => void) {
    this.#wake = wake
    this.#idle = idle
  }

  /** Exchanges open. */
  get open(): number {
    return this.#exchanges.size
  }

  /** The largest number used. */
  get lastNumber(): number {
    return this.#lastNumber
  }

  /** A number is opened: by us, or by the peer's CLAIM. Numbers strictly increase and are never reused. */
  openNumber(number: number): ExchangeWire {
    if (number <= this.#lastNumber) {
      throw new PeerViolation('NUMBER_NOT_INCREASING', `${number} after ${this.#lastNumber}`)
    }
    this.#lastNumber = number
    return new NumberedWire(this, number)
  }

  adopt(number: number, exchange: Exchange): void {
    if (!exchange.isClosed) this.#exchanges.set(number, exchange)
  }

  /** A frame that leaves as it is, before any DATA that waits. */
  send(type: FrameType, number: number, payload?: Uint8Array, flags = 0): void {
    this.#out.push(encodeFrame(type, flags, number, payload))
    this.#rouse()
  }

  /** A frame of an exchange; what belongs to one that is over is dropped. */
  received(type: FrameType, flags: number, number: number, payload: Uint8Array, now: number): void {
    const exchange = this.#find(number)
    if (exchange === undefined) return
    guard(exchange, () => deliverFrame(exchange, type, flags, payload, now))
  }

  receivedData(number: number, bytes: Uint8Array, end: boolean, now: number): void {
    const exchange = this.#find(number)
    if (exchange === undefined) return
    guard(exchange, () => exchange.receivedData(bytes, end, now))
  }

  /** What is to be sent now, in order; DATA only up to `roomBytes`, and one frame beyond. */
  takeOutput(roomBytes: number): Uint8Array[] {
    let room = roomBytes
    while (room > 0 && this.#ready.length > 0) {
      const wire = this.#ready.shift()!
      room -= wire.sendOne(this.#out, this.maxDataBytes)
      if (wire.hasMore) this.#ready.push(wire)
    }
    const out = this.#out
    this.#out = []
    this.#awake = false
    return out
  }

  /** Whether DATA waits for room. */
  get hasMore(): boolean {
    return this.#ready.length > 0
  }

  /** The transport is gone: every exchange is lost. */
  lost(cause: unknown): void {
    for (const exchange of [...this.#exchanges.values()]) exchange.lost(cause)
  }

  // ── what the wires of the exchanges ask ───────────────────────────────────────────────────

  ready(wire: NumberedWire): void {
    this.#ready.push(wire)
    this.#rouse()
  }

  forget(number: number): void {
    if (this.#exchanges.delete(number) && this.#exchanges.size === 0) this.#idle()
  }

  #rouse(): void {
    if (this.#awake) return
    this.#awake = true
    this.#wake()
  }

  #find(number: number): Exchange | undefined {
    const exchange = this.#exchanges.get(number)
    if (exchange === undefined && (number === 0 || number > this.#lastNumber)) {
      throw new PeerViolation('UNKNOWN_NUMBER', `${number} was never opened`)
    }
    return exchange
  }
}

/** The one place where a violation inside an exchange becomes its reset. */
function guard(exchange: Exchange, step: () => void): void {
  try {
    step()
  } catch (error) {
    if (!(error instanceof PeerViolation)) throw error
    exchange.violated(error)
  }
}

const EMPTY = new Uint8Array(0)

/** One exchange's way out. */
class NumberedWire implements ExchangeWire {
  readonly #link: Multiplexer
  readonly #number: number
  #pending: Uint8Array[] = []
  #ended = false
  #trailers: HeaderList | undefined
  #isReady = false

  constructor(link: Multiplexer, number: number) {
    this.#link = link
    this.#number = number
  }

  get hasMore(): boolean {
    return this.#isReady
  }

  informational(head: ResponseHead): void {
    this.#link.send(FrameType.INFORMATIONAL, this.#number, encodeResponseHead(head))
  }

  respond(head: ResponseHead, end: boolean): void {
    const flags = end ? FrameFlag.END : 0
    this.#link.send(FrameType.RESPONSE, this.#number, encodeResponseHead(head), flags)
  }

  data(bytes: Uint8Array, end: boolean): void {
    if (bytes.length > 0) this.#pending.push(bytes)
    this.#ended ||= end
    this.#becomeReady()
  }

  trailers(fields: HeaderList): void {
    this.#ended = true
    this.#trailers = fields
    this.#becomeReady()
  }

  credit(bytes: number): void {
    this.#link.send(FrameType.CREDIT, this.#number, encodeCredit(bytes))
  }

  stop(code: ResetCode): void {
    this.#link.send(FrameType.STOP, this.#number, encodeStop({ code }))
  }

  reset(code: ResetCode): void {
    this.#pending = []
    this.#ended = false
    this.#link.send(FrameType.RESET, this.#number, encodeReset({ code }))
  }

  /** What was said and waits for its turn is still sent. */
  closed(): void {
    this.#link.forget(this.#number)
  }

  /** Sends one frame, or the end; returns its bytes. */
  sendOne(out: Uint8Array[], maxDataBytes: number): number {
    const [first = EMPTY] = this.#pending
    const bytes = first.length > maxDataBytes ? first.subarray(0, maxDataBytes) : first
    if (bytes.length < first.length) this.#pending[0] = first.subarray(bytes.length)
    else this.#pending.shift()
    const isLast = this.#pending.length === 0
    const end = isLast && this.#ended && this.#trailers === undefined
    if (bytes.length > 0 || end) {
      out.push(frameHeader(FrameType.DATA, end ? FrameFlag.END : 0, this.#number, bytes.length))
      if (bytes.length > 0) out.push(bytes)
    }
    if (isLast && this.#trailers !== undefined) {
      const payload = encodeTrailers(this.#trailers)
      out.push(encodeFrame(FrameType.TRAILERS, FrameFlag.END, this.#number, payload))
    }
    if (isLast) this.#isReady = false
    return bytes.length
  }

  #becomeReady(): void {
    if (this.#isReady) return
    this.#isReady = true
    this.#link.ready(this)
  }
}
