/**
 * Many exchanges on one link: numbers, fair turns, and the queue of what is to be sent.
 *
 * Heads and control frames leave in the order they are said. DATA waits per exchange and is taken
 * round-robin, a frame at a time, while the transport has room: one slow reader, or one fast
 * sender, delays nobody else. Role-blind; the two ends of a link stand on it.
 *
 * @see spec/PROTOCOL.md, "Numbers"
 * @module
 */
import type { DeadlineHandle, DeadlineWheel } from './deadlines.ts'
import { PeerViolation } from '../wire/errors.ts'
import { deliverFrame } from './exchange-frames.ts'
import type { ExchangeWire } from './exchange-ports.ts'
import type { LongExchange, LongExchanges, LongSubject } from './long-exchange.ts'
import type { Exchange } from './exchange.ts'
import { slotDelete, slotGet, slotMap, slotSet, slotValues } from './slot-map.ts'
import { FrameOutput } from '../wire/frame-output.ts'
import {
  FrameFlag,
  FrameType,
  type HeaderList,
  type ResetCode,
  type ResponseHead,
} from '../wire/frame-types.ts'
import { encodeCredit, encodeReset, encodeStop, type NotSentCause } from '../wire/control-frames.ts'
import { writeResponseHead, writeTrailers } from '../wire/heads.ts'
import { DATA_BYTES } from '../wire/limits.ts'
import type { Slab } from '../wire/slab.ts'

/** Carries the exchanges of one link. */
export class Multiplexer {
  /** The largest DATA payload agreed on. */
  maxDataBytes = DATA_BYTES
  /** Once the greetings were exchanged. */
  long: LongExchanges | undefined
  /** By number, those whose exchange is open. */
  readonly #wires = slotMap<number, NumberedWire>()
  readonly #wheel: DeadlineWheel | undefined
  readonly #output = new FrameOutput()
  /** Those with DATA to send, in turn: a list through {@link NumberedWire.next}. */
  #first: NumberedWire | undefined
  #last: NumberedWire | undefined
  readonly #idle: () => void
  readonly #wake: () => void
  #awake = false
  #lastNumber = 0

  /**
   * @param wake told when there is something to send, once until {@link takeOutput}
   * @param idle told when the last exchange ended
   * @param wheel watches the exchanges' deadlines, if nobody else does
   */
  constructor(wake: () => void, idle: () => void, wheel?: DeadlineWheel) {
    this.#wake = wake
    this.#idle = idle
    this.#wheel = wheel
  }

  /** Exchanges open. */
  get open(): number {
    return this.#wires.slotOf.size
  }

  /** The largest number used. */
  get lastNumber(): number {
    return this.#lastNumber
  }

  /**
   * A number is opened: by us, or by the peer's CLAIM. Numbers strictly increase and are never
   * reused.
   */
  openNumber(number: number): NumberedWire {
    if (number <= this.#lastNumber) {
      throw new PeerViolation('NUMBER_NOT_INCREASING', `${number} after ${this.#lastNumber}`)
    }
    this.#lastNumber = number
    return new NumberedWire(this, number)
  }

  /**
   * The exchange that `wire` carries; it may be over already.
   *
   * @param owner told, at most once, that it is long
   */
  adopt(wire: NumberedWire, exchange: Exchange, owner?: { becameLong?(): void }): void {
    if (exchange.isClosed) return
    wire.exchange = exchange
    wire.owner = owner
    wire.watch = this.#wheel?.add(exchange)
    slotSet(this.#wires, wire.number, wire)
  }

  /** A frame that leaves as it is, before any DATA that waits. */
  send(type: number, number: number, payload?: Uint8Array, flags = 0): void {
    this.#output.frame(type, flags, number, payload)
    this.#rouse()
  }

  /** As {@link send}, of a payload that is a head; `write` is one of heads.ts. */
  sendHead<Head>(
    type: FrameType,
    number: number,
    write: (to: Slab, head: Head) => void,
    head: Head,
    flags = 0,
  ): void {
    this.#output.head(type, flags, number, write, head)
    this.#rouse()
  }

  /** A frame of an exchange; what belongs to one that is over is dropped. */
  received(type: FrameType, flags: number, number: number, payload: Uint8Array, now: number): void {
    const wire = this.#find(number)
    if (wire === undefined) return
    const exchange = wire.exchange!
    try {
      deliverFrame(exchange, type, flags, payload, now)
    } catch (error) {
      return violated(exchange, error)
    }
    if (type === FrameType.RESPONSE && (flags & FrameFlag.END) === 0) this.answered(wire)
  }

  receivedData(number: number, bytes: Uint8Array, end: boolean, now: number): void {
    const wire = this.#find(number)
    if (wire === undefined) return
    const exchange = wire.exchange!
    wire.octets += bytes.length
    try {
      exchange.receivedData(bytes, end, now)
    } catch (error) {
      violated(exchange, error)
    }
  }

  /** What is to be sent now, in order; DATA only up to `roomBytes`, and one frame beyond. */
  takeOutput(roomBytes: number): Uint8Array[] {
    let room = roomBytes
    while (room > 0 && this.#first !== undefined) {
      const wire = this.#first
      this.#first = wire.next
      wire.next = undefined
      if (this.#first === undefined) this.#last = undefined
      room -= wire.sendOne(this.#output, this.maxDataBytes)
      if (wire.hasMore) this.#append(wire)
    }
    this.#awake = false
    return this.#output.take()
  }

  /** Whether DATA waits for room. */
  get hasMore(): boolean {
    return this.#first !== undefined
  }

  /** Looks for exchanges that have become long. */
  look(now: number): void {
    this.long?.look(now, () => slotValues(this.#wires))
  }

  /** Nothing has been said for a while: lets go of memory. */
  rest(): void {
    this.#output.release()
  }

  /** The transport is gone: every exchange is lost. */
  lost(cause: unknown): void {
    for (const { exchange } of slotValues(this.#wires)) exchange?.lost(cause)
  }

  // ── what the wires of the exchanges ask ───────────────────────────────────────────────────

  ready(wire: NumberedWire): void {
    this.#append(wire)
    this.#rouse()
  }

  /** The head of an answer passed, and it was not all of it. */
  answered(wire: NumberedWire): void {
    if (wire.exchange !== undefined) this.long?.answered(wire)
  }

  forget(wire: NumberedWire): void {
    if (!slotDelete(this.#wires, wire.number)) return
    this.long?.ended(wire)
    if (wire.watch !== undefined) this.#wheel!.remove(wire.watch)
    wire.exchange = undefined
    wire.owner = undefined
    if (this.#wires.slotOf.size === 0) this.#idle()
  }

  #append(wire: NumberedWire): void {
    if (this.#last === undefined) this.#first = wire
    else this.#last.next = wire
    this.#last = wire
  }

  #rouse(): void {
    if (this.#awake) return
    this.#awake = true
    this.#wake()
  }

  #find(number: number): NumberedWire | undefined {
    const wire = slotGet(this.#wires, number)
    if (wire === undefined && (number === 0 || number > this.#lastNumber)) {
      throw new PeerViolation('UNKNOWN_NUMBER', `${number} was never opened`)
    }
    return wire
  }
}

/** The one place where a violation inside an exchange becomes its reset. */
function violated(exchange: Exchange, error: unknown): void {
  if (!(error instanceof PeerViolation)) throw error
  exchange.violated(error)
}

const EMPTY = new Uint8Array(0)

/** One exchange's way out. */
export class NumberedWire implements ExchangeWire, LongSubject {
  readonly number: number
  exchange: Exchange | undefined
  owner: { becameLong?(): void } | undefined
  /** Of its bodies, either way. */
  octets = 0
  isAnswered = false
  long: LongExchange | undefined
  watch: DeadlineHandle | undefined
  /** Behind this one in the turn. */
  next: NumberedWire | undefined
  readonly #link: Multiplexer
  #pending: Uint8Array[] = []
  /** Where the first that is not sent stands: the list is not moved for each. */
  #sent = 0
  #ended = false
  #trailers: HeaderList | undefined
  #isReady = false

  constructor(link: Multiplexer, number: number) {
    this.#link = link
    this.number = number
  }

  get hasMore(): boolean {
    return this.#isReady
  }

  get isStream(): boolean {
    return this.exchange?.isStream === true
  }

  get isUnread(): boolean {
    const { exchange } = this
    if (exchange?.state !== 'responding') return false
    return (exchange.role === 'responder' ? exchange.writable : exchange.receivable) === 0
  }

  lengthened(): void {
    this.owner?.becameLong?.()
  }

  informational(head: ResponseHead): void {
    this.#link.sendHead(FrameType.INFORMATIONAL, this.number, writeResponseHead, head)
  }

  respond(head: ResponseHead, end: boolean): void {
    const flags = end ? FrameFlag.END : 0
    this.#link.sendHead(FrameType.RESPONSE, this.number, writeResponseHead, head, flags)
    if (!end) this.#link.answered(this)
  }

  data(bytes: Uint8Array, end: boolean): void {
    if (bytes.length > 0) this.#pending.push(bytes)
    this.octets += bytes.length
    this.#ended ||= end
    this.#becomeReady()
  }

  trailers(fields: HeaderList): void {
    this.#ended = true
    this.#trailers = fields
    this.#becomeReady()
  }

  credit(bytes: number): void {
    this.#link.send(FrameType.CREDIT, this.number, encodeCredit(bytes))
  }

  stop(code: ResetCode): void {
    this.#link.send(FrameType.STOP, this.number, encodeStop({ code }))
  }

  reset(code: ResetCode, cause?: NotSentCause): void {
    this.#pending = []
    this.#sent = 0
    this.#ended = false
    this.#link.send(FrameType.RESET, this.number, encodeReset({ code, cause }))
  }

  /** What was said and waits for its turn is still sent. */
  closed(): void {
    this.#link.forget(this)
  }

  /** Sends one frame, or the end; returns its bytes. */
  sendOne(out: FrameOutput, maxDataBytes: number): number {
    const pending = this.#pending
    const first = pending[this.#sent] ?? EMPTY
    const bytes = first.length > maxDataBytes ? first.subarray(0, maxDataBytes) : first
    if (bytes.length < first.length) pending[this.#sent] = first.subarray(bytes.length)
    else pending[this.#sent++] = EMPTY
    const isLast = this.#sent >= pending.length
    if (isLast) {
      pending.length = 0
      this.#sent = 0
    }
    const end = isLast && this.#ended && this.#trailers === undefined
    if (bytes.length > 0 || end) out.data(this.number, bytes, end)
    if (isLast && this.#trailers !== undefined) {
      out.head(FrameType.TRAILERS, FrameFlag.END, this.number, writeTrailers, this.#trailers)
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
