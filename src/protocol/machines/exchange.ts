/**
 * One user request and its response, from the claim on, seen from one of its two ends.
 *
 * The *requester* (the cloud) sends the request body and receives the response; the *responder*
 * (the connector) does the opposite. Both are this class: a table per role, one body on its way
 * out, one on its way in, and the deadlines that tie them. A binding carries what {@link
 * ExchangeWire} is told and reports what the peer said through the `received…` methods; it turns a
 * PeerViolation into {@link Exchange.violated} in exactly one place.
 *
 * @see spec/PROTOCOL.md, "Exchanges"
 * @module
 */
import { isEventStream } from '../http/body-kind.ts'
import { BodyReceiver, type CreditBudget, type SavedBodyReceiver } from './body-receiver.ts'
import { BodySender, type SavedBodySender } from './body-sender.ts'
import { ApiMisuse, PeerViolation } from '../wire/errors.ts'
import type {
  ExchangeHandler,
  ExchangeOptions,
  ExchangeOutcome,
  ExchangeWire,
} from './exchange-ports.ts'
import { failureOf, idleFailure } from './exchange-failure.ts'
import { ResetCode, type HeaderList, type ResponseHead } from '../wire/frame-types.ts'
import { MAX_INTERIM, TIME_LIMITS, type TimeLimits } from '../wire/limits.ts'
import { REQUESTER, RESPONDER, type ExchangeEvent, type ExchangeState } from './exchange-tables.ts'
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

/** All that an exchange knows, both bodies included. */
export interface SavedExchange {
  readonly own: Saved<ExchangeState, ExchangeMemory>
  readonly outgoing: SavedBodySender
  readonly incoming: SavedBodyReceiver
}

/** One end of an exchange. */
export class Exchange {
  readonly role: 'requester' | 'responder'
  readonly #machine: Machine<ExchangeState, ExchangeEvent, ExchangeMemory>
  readonly #memory: ExchangeMemory
  readonly #wire: ExchangeWire
  readonly #handler: ExchangeHandler
  readonly #outgoing: BodySender
  readonly #incoming: BodyReceiver
  readonly #budget: CreditBudget | undefined
  readonly #limits: Pick<TimeLimits, 'idleMs' | 'stalledMs' | 'tunnelIdleMs' | 'drainMs'>
  readonly #responseHeadMs: number
  readonly #upgradeWindow: number

  constructor(wire: ExchangeWire, handler: ExchangeHandler, options: ExchangeOptions) {
    this.role = options.role
    // One class for both tables: each role steps only on the events of its own.
    const table = (options.role === 'requester' ? REQUESTER : RESPONDER) as never
    this.#machine = new Machine<ExchangeState, ExchangeEvent, ExchangeMemory>(
      table,
      'awaiting-response',
      { requestOpen: options.requestBody, movedAt: options.now, eventStream: false, interim: 0 },
    )
    this.#memory = this.#machine.memory
    this.#wire = wire
    this.#handler = handler
    this.#budget = options.budget
    this.#outgoing = new BodySender(handler, options.sendCreditBytes)
    this.#incoming = new BodyReceiver(
      wire,
      options.receiveWindowBytes,
      options.maxWindowBytes,
      options.budget,
    )
    this.#limits = options.limits ?? TIME_LIMITS
    this.#responseHeadMs = options.responseHeadMs ?? TIME_LIMITS.responseHeadMs
    this.#upgradeWindow = options.upgradeWindowBytes ?? 0
    // An upgrade owns a request body that only a 101 opens.
    if (!options.requestBody && this.#upgradeWindow === 0) this.#neverOpened()
  }

  get state(): ExchangeState {
    return this.#machine.state
  }

  /** Whether it is over. */
  get isClosed(): boolean {
    const { state } = this.#machine
    return state === 'done' || state === 'failed' || state === 'cancelled'
  }

  /** Bytes {@link send} would take now. */
  get writable(): number {
    return this.isClosed || !this.#maySend ? 0 : this.#outgoing.writable
  }

  /** Bytes received and not yet consumed. */
  get buffered(): number {
    return this.#incoming.buffered
  }

  /** Bytes the peer may send now. */
  get receivable(): number {
    return this.#incoming.granted
  }

  /** When to {@link expire}; O(1), so nobody need keep a timer per byte. */
  get deadline(): number {
    const { idleMs, stalledMs, tunnelIdleMs, drainMs } = this.#limits
    switch (this.#machine.state) {
      case 'awaiting-response':
        return this.#memory.movedAt + (this.#isUserSlow ? stalledMs : this.#responseHeadMs)
      case 'responding':
        if (this.#memory.eventStream) return this.#memory.movedAt + tunnelIdleMs
        return this.#memory.movedAt + (this.#isUserSlow ? stalledMs : idleMs)
      case 'tunnel':
        return this.#memory.movedAt + tunnelIdleMs
      case 'answered':
        return this.#memory.movedAt + drainMs
      default:
        return Infinity
    }
  }

  /** All that it knows. */
  save(): SavedExchange {
    return {
      own: this.#machine.save(),
      outgoing: this.#outgoing.save(),
      incoming: this.#incoming.save(),
    }
  }

  /** Becomes the exchange that was saved; it tells neither its wire nor its handler anything. */
  restore(saved: SavedExchange): void {
    this.#machine.restore(saved.own)
    this.#outgoing.restore(saved.outgoing)
    this.#incoming.restore(saved.incoming)
  }

  // ── commands: what our application asks ────────────────────────────────────────────────────

  /**
   * Sends as much of `bytes` as there is credit for; returns how many. The rest waits for
   * `writable`.
   */
  send(bytes: Uint8Array, now: number): number {
    if (!this.#maySend) return 0
    const taken = this.#outgoing.write(bytes.length)
    if (taken === 0) return 0
    this.#memory.movedAt = now
    this.#wire.data(taken === bytes.length ? bytes : bytes.subarray(0, taken), false)
    return taken
  }

  /** The body we send is complete. */
  end(now: number, trailers?: HeaderList): void {
    if (this.isClosed || !this.#outgoing.end()) return
    this.#memory.movedAt = now
    if (trailers !== undefined && trailers.length > 0) this.#wire.trailers(trailers)
    else this.#wire.data(EMPTY, true)
    this.#outgoingClosed()
  }

  /** Responder: an interim answer. */
  inform(head: ResponseHead): void {
    if (this.#machine.step('informational')) this.#wire.informational(head)
  }

  /** Responder: the final head. `end`: no body follows. */
  respond(head: ResponseHead, end: boolean, now: number): void {
    if (!this.#machine.step('respond')) return
    this.#memory.movedAt = now
    this.#memory.eventStream = isEventStream(head.headers)
    this.#wire.respond(head, end)
    if (!this.#memory.requestOpen) this.#neverOpened()
    if (end && this.#outgoing.end()) this.#outgoingClosed()
  }

  /** Responder: 101, both directions are open from here. */
  upgrade(head: ResponseHead, now: number): void {
    if (this.#upgradeWindow === 0) throw new ApiMisuse('the request asked for no upgrade')
    if (!this.#incoming.isOpen)
      throw new ApiMisuse('the request body was stopped: nothing to upgrade')
    if (this.#budget?.reserve(this.#upgradeWindow) === false) return this.abort(ResetCode.INTERNAL)
    if (!this.#machine.step('upgrade')) return
    this.#memory.movedAt = now
    this.#memory.requestOpen = true
    this.#wire.respond(head, false)
    this.#incoming.open(this.#upgradeWindow)
  }

  /** Whoever takes the incoming body has taken `bytes` of it. */
  consumed(bytes: number, now: number): void {
    this.#memory.movedAt = now
    this.#incoming.consume(bytes)
  }

  /** We want no more of the incoming body; the exchange goes on. */
  stop(now: number, code: ResetCode = ResetCode.NO_ERROR): void {
    if (this.isClosed || !this.#incoming.isOpen) return
    this.#memory.movedAt = now
    this.#incoming.stop(code)
    this.#incomingClosed()
  }

  /** Requester: the user went away. */
  cancel(): void {
    if (!this.#machine.step('cancel')) return
    this.#wire.reset(ResetCode.CANCELLED)
    this.#close({ kind: 'cancelled', code: ResetCode.CANCELLED })
  }

  /** Responder: the application failed. */
  abort(code: ResetCode): void {
    if (!this.#machine.step('abort')) return
    this.#wire.reset(code)
    this.#close({ kind: 'failed', error: failureOf(code) })
  }

  /** The transport died. */
  lost(cause?: unknown): void {
    if (!this.#machine.step('lost')) return
    if (this.state === 'done') this.#close({ kind: 'done' })
    else if (this.state === 'cancelled') this.#close({ kind: 'cancelled', code: ResetCode.LOST })
    else this.#close({ kind: 'failed', error: failureOf(ResetCode.LOST, cause) })
  }

  /** The {@link deadline} passed. */
  expire(): void {
    const error = idleFailure(this.state, this.#isUserSlow)
    if (!this.#machine.step('expire')) return
    this.#wire.reset(ResetCode.TIMEOUT)
    this.#close(this.state === 'done' ? { kind: 'done' } : { kind: 'failed', error })
  }

  /** The peer broke the protocol in this exchange. */
  violated(cause: PeerViolation): void {
    if (!this.#machine.step('violated')) return
    this.#wire.reset(ResetCode.VIOLATION)
    this.#close({ kind: 'failed', error: failureOf(ResetCode.VIOLATION, cause) })
  }

  // ── what the peer said; each may throw PeerViolation ───────────────────────────────────────

  receivedInformational(head: ResponseHead): void {
    if (!this.#machine.step('informational')) return
    this.#memory.interim += 1
    if (this.#memory.interim > MAX_INTERIM) {
      throw new PeerViolation('UNEXPECTED_EVENT', `more than ${MAX_INTERIM} interim answers`)
    }
    this.#handler.informational?.(head)
  }

  receivedResponse(head: ResponseHead, end: boolean, now: number): void {
    if (head.status === 101) return this.#receivedUpgrade(head, now)
    if (!this.#machine.step('respond')) return
    this.#memory.movedAt = now
    this.#memory.eventStream = isEventStream(head.headers)
    if (!this.#memory.requestOpen) this.#neverOpened()
    this.#handler.responded?.(head, end)
    if (end && this.#incoming.end()) this.#incomingClosed()
  }

  receivedData(bytes: Uint8Array, end: boolean, now: number): void {
    if (this.#isTooLate) return
    if (bytes.length > 0 && this.#incoming.data(bytes.length)) {
      this.#memory.movedAt = now
      this.#handler.data(bytes)
    }
    if (end) this.#receivedEnd(undefined, now)
  }

  receivedTrailers(fields: HeaderList, now: number): void {
    if (!this.#isTooLate) this.#receivedEnd(fields, now)
  }

  receivedCredit(bytes: number, now: number): void {
    this.#memory.movedAt = now
    this.#outgoing.credit(bytes)
  }

  receivedStop(code: ResetCode, now: number): void {
    if (!this.#outgoing.isOpen) return this.#outgoing.stop(code)
    if (this.role === 'responder' && this.state === 'awaiting-response')
      throw new PeerViolation('UNEXPECTED_EVENT', 'a response is stopped that has not begun')
    this.#memory.movedAt = now
    this.#outgoing.stop(code)
    this.#outgoingClosed()
  }

  receivedReset(code: ResetCode): void {
    if (!this.#machine.step('reset')) return
    if (this.state === 'done') this.#close({ kind: 'done' })
    else if (this.state === 'cancelled') this.#close({ kind: 'cancelled', code })
    else this.#close({ kind: 'failed', error: failureOf(code) })
  }

  // ── inside ─────────────────────────────────────────────────────────────────────────────────

  /** The requester's body flows from the start; the responder's only after its head. */
  get #maySend(): boolean {
    if (this.role === 'requester') return !this.isClosed
    return this.state === 'responding' || this.state === 'tunnel'
  }

  /**
   * Whether it is the user we wait for: to feed a request body there is credit for, or to take
   * response bytes that arrived. Otherwise it is the application. Told from either end by where the
   * bytes and the credit are.
   */
  get #isUserSlow(): boolean {
    const requester = this.role === 'requester'
    if (this.state === 'awaiting-response') {
      return this.#memory.requestOpen && (requester ? this.writable > 0 : this.buffered === 0)
    }
    return requester ? this.buffered > 0 : this.writable === 0
  }

  #receivedUpgrade(head: ResponseHead, now: number): void {
    if (this.#upgradeWindow === 0)
      throw new PeerViolation('UNEXPECTED_EVENT', 'a 101 nobody asked for')
    if (!this.#machine.step('upgrade')) return
    this.#memory.movedAt = now
    this.#memory.requestOpen = true
    this.#handler.responded?.(head, false)
    this.#outgoing.credit(this.#upgradeWindow)
  }

  /** Whether nobody waits for a body, or its end, any more; before its head none may come. */
  get #isTooLate(): boolean {
    if (this.role === 'requester' && this.state === 'awaiting-response')
      throw new PeerViolation('UNEXPECTED_EVENT', 'a body before the response head')
    const isUnswitched = this.#upgradeWindow > 0 && this.state === 'awaiting-response'
    if (isUnswitched) throw new PeerViolation('UNEXPECTED_EVENT', 'a body before the 101')
    return this.isClosed && this.state !== 'done'
  }

  #receivedEnd(trailers: HeaderList | undefined, now: number): void {
    if (!this.#incoming.end()) return
    this.#memory.movedAt = now
    this.#handler.ended(trailers)
    this.#incomingClosed()
  }

  /** The body we receive came to its end. */
  #incomingClosed(): void {
    if (this.role === 'responder') return this.#requestClosed('received')
    if (this.#machine.step(this.#outgoing.isOpen ? 'answer' : 'complete')) this.#closeIfDone()
  }

  /** The body we send is ended or stopped. */
  #outgoingClosed(): void {
    if (this.role === 'requester') return this.#requestClosed('sent')
    if (this.#machine.step(this.#incoming.isOpen ? 'answer' : 'complete')) this.#closeIfDone()
  }

  #requestClosed(event: 'sent' | 'received'): void {
    this.#memory.requestOpen = false
    if (this.#machine.step(event)) this.#closeIfDone()
  }

  /** There is no request body, or no upgrade came of it. */
  #neverOpened(): void {
    if (this.role === 'requester') {
      if (this.#outgoing.isOpen) this.#outgoing.end()
    } else if (this.#incoming.isOpen) this.#incoming.end()
  }

  #closeIfDone(): void {
    if (this.state === 'done') this.#close({ kind: 'done' })
  }

  #close(outcome: ExchangeOutcome): void {
    this.#outgoing.abort()
    this.#incoming.abort()
    const { window, widened } = this.#incoming
    this.#budget?.release(window - widened, widened)
    this.#wire.closed()
    this.#handler.closed(outcome)
  }
}

const EMPTY = new Uint8Array(0)
