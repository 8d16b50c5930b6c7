/**
 * The two bodies of an exchange, and what their ends mean to it.
 *
 * @see spec/PROTOCOL.md, "Bodies"
 * @module
 */
import { BodyReceiver, type CreditBudget, type SavedBodyReceiver } from './body-receiver.ts'
import { BodySender, type BodySenderOutput, type SavedBodySender } from './body-sender.ts'
import { PeerViolation } from '../wire/errors.ts'
import type {
  ExchangeHandler,
  ExchangeOptions,
  ExchangeOutcome,
  ExchangeWire,
} from './exchange-ports.ts'
import type { PatienceLimits } from './exchange-patience.ts'
import { REQUESTER, RESPONDER, type ExchangeEvent, type ExchangeState } from './exchange-tables.ts'
import { ResetCode, type HeaderList } from '../wire/frame-types.ts'
import type { KeptBody } from './kept-body.ts'
import { TIME_LIMITS } from '../wire/limits.ts'
import { Machine, type Saved } from './table.ts'

/** What an exchange remembers beside the states of its bodies. */
export interface ExchangeMemory {
  /** Whether the request body was there from the start; an upgraded one is opened by the 101. */
  requestOpen: boolean
  /** When either body last moved. */
  movedAt: number
  eventStream: boolean
  /** Interim answers so far: nothing paces them, so they are counted. */
  interim: number
}

class FreshExchange implements ExchangeMemory {
  eventStream = false
  interim = 0
  requestOpen: boolean
  movedAt: number

  constructor(requestOpen: boolean, now: number) {
    this.requestOpen = requestOpen
    this.movedAt = now
  }
}

/** All that an exchange knows, both bodies included. */
export interface SavedExchange {
  readonly own: Saved<ExchangeState, ExchangeMemory>
  readonly outgoing: SavedBodySender
  readonly incoming: SavedBodyReceiver
}

/** The part of an exchange that carries bytes. */
export abstract class ExchangeBodies {
  readonly role: 'requester' | 'responder'
  /** @internal */
  protected readonly machine: Machine<ExchangeState, ExchangeEvent, ExchangeMemory>
  /** @internal */
  protected readonly memory: ExchangeMemory
  /** @internal */
  protected readonly wire: ExchangeWire
  /** @internal */
  protected readonly handler: ExchangeHandler
  /** @internal */
  protected readonly outgoing: BodySender
  /** @internal */
  protected readonly incoming: BodyReceiver
  /** @internal */
  protected readonly budget: CreditBudget | undefined
  /** @internal */
  protected readonly keptBody: KeptBody | undefined
  /** @internal */
  protected readonly limits: PatienceLimits
  /** @internal */
  protected readonly responseHeadMs: number
  /** @internal */
  protected readonly upgradeWindow: number

  constructor(wire: ExchangeWire, handler: ExchangeHandler, options: ExchangeOptions) {
    this.role = options.role
    // One class for both tables: each role steps only on the events of its own.
    const table = (options.role === 'requester' ? REQUESTER : RESPONDER) as never
    this.machine = new Machine<ExchangeState, ExchangeEvent, ExchangeMemory>(
      table,
      'claimed',
      new FreshExchange(options.requestBody, options.now),
    )
    this.memory = this.machine.memory
    this.wire = wire
    this.handler = handler
    this.budget = options.budget
    this.keptBody = options.kept
    this.keptBody?.rewind()
    this.outgoing = new BodySender(this.#outputOfSender, options.sendCreditBytes)
    this.incoming = new BodyReceiver(
      wire,
      options.receiveWindowBytes,
      options.maxWindowBytes,
      options.budget,
    )
    this.limits = options.limits ?? TIME_LIMITS
    this.responseHeadMs = options.responseHeadMs ?? TIME_LIMITS.responseHeadMs
    this.upgradeWindow = options.upgradeWindowBytes ?? 0
    // An upgrade owns a request body that only a 101 opens.
    if (!options.requestBody && this.upgradeWindow === 0) this.neverOpened()
    this.#sendAgain(options.now)
  }

  get state(): ExchangeState {
    return this.machine.state
  }

  /** Whether it is over. */
  get isClosed(): boolean {
    const { state } = this.machine
    return state === 'done' || state === 'failed' || state === 'cancelled'
  }

  /** Bytes {@link send} would take now. */
  get writable(): number {
    return this.#maySend ? this.outgoing.writable : 0
  }

  /** Whether it is a tunnel or an event stream, by its head. */
  get isStream(): boolean {
    return this.state === 'tunnel' || this.memory.eventStream
  }

  /** Bytes received and not yet consumed. */
  get buffered(): number {
    return this.incoming.buffered
  }

  /** Bytes the peer may send now. */
  get receivable(): number {
    return this.incoming.granted
  }

  /** Bytes of earlier attempts, and of this one, that can be sent again. */
  get keptBytes(): number {
    return this.keptBody?.bytes ?? 0
  }

  /** Responder: whether {@link notSent} may be said. */
  get mayBeNotSent(): boolean {
    return this.role === 'responder' && this.state === 'claimed'
  }

  /** Whether the answer has not begun; interim answers do not count. */
  get isUnanswered(): boolean {
    const { state } = this.machine
    return state === 'claimed' || state === 'awaiting-response'
  }

  /** All that it knows. @internal */
  save(): SavedExchange {
    return {
      own: this.machine.save(),
      outgoing: this.outgoing.save(),
      incoming: this.incoming.save(),
    }
  }

  /**
   * Becomes the exchange that was saved; it tells neither its wire nor its handler anything.
   *
   * @internal
   */
  restore(saved: SavedExchange): void {
    this.machine.restore(saved.own)
    this.outgoing.restore(saved.outgoing)
    this.incoming.restore(saved.incoming)
  }

  // ── the body we send ──────────────────────────────────────────────────────────────────────

  /**
   * Sends as much of `bytes` as there is credit for; returns how many. The rest waits for
   * `writable`.
   */
  send(bytes: Uint8Array, now: number): number {
    if (!this.#maySend) return 0
    const taken = this.outgoing.write(bytes.length)
    if (taken === 0) return 0
    this.memory.movedAt = now
    const sent = taken === bytes.length ? bytes : bytes.subarray(0, taken)
    this.keptBody?.keep(sent)
    this.wire.data(sent, false)
    return taken
  }

  /** The body we send is complete; of one that is kept, it may have been so before. */
  end(now: number, trailers?: HeaderList): void {
    const kept = this.keptBody
    if (kept?.end !== undefined) return
    // Said between two attempts, it is the next one that ends with it.
    kept?.complete(trailers)
    if (!this.isClosed && kept?.hasMore !== true) this.#end(now, trailers)
  }

  #end(now: number, trailers: HeaderList | undefined): void {
    if (!this.outgoing.end()) return
    this.memory.movedAt = now
    if (trailers !== undefined && trailers.length > 0) this.wire.trailers(trailers)
    else this.wire.data(EMPTY, true)
    this.outgoingClosed()
  }

  // ── the body we receive ───────────────────────────────────────────────────────────────────

  /** Whoever takes the incoming body has taken `bytes` of it. */
  consumed(bytes: number, now: number): void {
    this.memory.movedAt = now
    const { granted } = this.incoming
    this.incoming.consume(bytes)
    if (this.role === 'responder' && this.incoming.granted > granted) this.machine.step('asked')
  }

  /** We want no more of the incoming body; the exchange goes on. */
  stop(now: number, code: ResetCode = ResetCode.NO_ERROR): void {
    if (this.isClosed || !this.incoming.isOpen) return
    if (this.role === 'responder') this.machine.step('asked')
    this.memory.movedAt = now
    this.incoming.stop(code)
    this.incomingClosed()
  }

  // ── what the peer said; each may throw PeerViolation ───────────────────────────────────────

  receivedData(bytes: Uint8Array, end: boolean, now: number): void {
    if (this.#isTooLate) return
    if (bytes.length > 0 && this.incoming.data(bytes.length)) {
      this.memory.movedAt = now
      this.handler.data(bytes)
    }
    if (end) this.#receivedEnd(undefined, now)
  }

  receivedTrailers(fields: HeaderList, now: number): void {
    if (!this.#isTooLate) this.#receivedEnd(fields, now)
  }

  receivedCredit(bytes: number, now: number): void {
    if (this.role === 'requester') this.#asked()
    this.granted(bytes, now)
  }

  /** The binding lets us send more, where no CREDIT is on the wire. */
  granted(bytes: number, now: number): void {
    this.memory.movedAt = now
    this.outgoing.credit(bytes)
  }

  receivedStop(code: ResetCode, now: number): void {
    if (!this.outgoing.isOpen) return this.outgoing.stop(code)
    if (this.role === 'requester') this.#asked()
    else if (this.isUnanswered)
      throw new PeerViolation('UNEXPECTED_EVENT', 'a response is stopped that has not begun')
    this.memory.movedAt = now
    this.outgoing.stop(code)
    this.outgoingClosed()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /**
   * The requester's body flows from the start, behind what must be sent again; the responder's only
   * after its head.
   */
  get #maySend(): boolean {
    if (this.role === 'requester') return !this.isClosed && this.keptBody?.hasMore !== true
    return this.state === 'responding' || this.state === 'tunnel'
  }

  /** Where the sender tells us first: what is sent again goes ahead of what is new. */
  get #outputOfSender(): BodySenderOutput {
    const handler = this.handler
    if (this.keptBody?.hasMore !== true) return handler
    return {
      stopped: (code) => handler.stopped(code),
      writable: () => {
        this.#sendAgain(this.memory.movedAt)
        if (this.writable > 0) handler.writable()
      },
    }
  }

  /** What earlier attempts sent, as far as there is credit for it. */
  #sendAgain(now: number): void {
    const kept = this.keptBody
    if (kept === undefined || this.isClosed) return
    while (kept.hasMore && this.outgoing.writable > 0) {
      const bytes = kept.take(this.outgoing.writable)
      this.outgoing.write(bytes.length)
      this.memory.movedAt = now
      this.wire.data(bytes, false)
    }
    if (!kept.hasMore && kept.end !== undefined && this.outgoing.isOpen)
      this.#end(now, kept.end.trailers)
  }

  /** The responder wants more of our body, or no more: it has a connection to the application. */
  #asked(): void {
    this.machine.step('asked')
    this.keptBody?.release()
  }

  /** Whether nobody waits for a body, or its end, any more; before its head none may come. */
  get #isTooLate(): boolean {
    if (this.role === 'requester' && this.isUnanswered)
      throw new PeerViolation('UNEXPECTED_EVENT', 'a body before the response head')
    const isUnswitched = this.upgradeWindow > 0 && this.isUnanswered
    if (isUnswitched) throw new PeerViolation('UNEXPECTED_EVENT', 'a body before the 101')
    return this.isClosed && this.state !== 'done'
  }

  #receivedEnd(trailers: HeaderList | undefined, now: number): void {
    if (!this.incoming.end()) return
    this.memory.movedAt = now
    this.handler.ended(trailers)
    this.incomingClosed()
  }

  /** The body we receive came to its end. @internal */
  protected incomingClosed(): void {
    if (this.role === 'responder') return this.#requestClosed('received')
    if (this.machine.step(this.outgoing.isOpen ? 'answer' : 'complete')) this.#closeIfDone()
  }

  /** The body we send is ended or stopped. @internal */
  protected outgoingClosed(): void {
    if (this.role === 'requester') return this.#requestClosed('sent')
    if (this.machine.step(this.incoming.isOpen ? 'answer' : 'complete')) this.#closeIfDone()
  }

  #requestClosed(event: 'sent' | 'received'): void {
    this.memory.requestOpen = false
    if (this.machine.step(event)) this.#closeIfDone()
  }

  /** There is no request body, or no upgrade came of it. @internal */
  protected neverOpened(): void {
    if (this.role === 'requester') {
      if (this.outgoing.isOpen) this.outgoing.end()
    } else if (this.incoming.isOpen) this.incoming.end()
  }

  #closeIfDone(): void {
    if (this.state === 'done') this.close({ kind: 'done' })
  }

  /** @internal */
  protected close(outcome: ExchangeOutcome): void {
    this.outgoing.abort()
    this.incoming.abort()
    const { window, widened } = this.incoming
    this.budget?.release(window - widened, widened)
    this.wire.closed()
    this.handler.closed(outcome)
  }
}

const EMPTY = new Uint8Array(0)
