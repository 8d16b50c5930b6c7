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
import { ApiMisuse, PeerViolation } from '../wire/errors.ts'
import { ExchangeBodies } from './exchange-bodies.ts'
import { failureOf, idleFailure } from './exchange-failure.ts'
import { ResetCode, type ResponseHead } from '../wire/frame-types.ts'
import { patienceOf } from './exchange-patience.ts'
import { MAX_INTERIM } from '../wire/limits.ts'
import type { NotSentCause } from '../wire/control-frames.ts'

/** One end of an exchange. */
export class Exchange extends ExchangeBodies {
  /** When to {@link expire}; O(1), so nobody need keep a timer per byte. */
  get deadline(): number {
    const { movedAt, eventStream } = this.memory
    const isUserSlow = this.#isUserSlow
    return (
      movedAt + patienceOf(this.state, isUserSlow, eventStream, this.responseHeadMs, this.limits)
    )
  }

  // ── commands: what our application asks ────────────────────────────────────────────────────

  /** Responder: an interim answer. */
  inform(head: ResponseHead): void {
    if (this.machine.step('informational')) this.wire.informational(head)
  }

  /** Responder: the final head. `end`: no body follows. */
  respond(head: ResponseHead, end: boolean, now: number): void {
    if (!this.machine.step('respond')) return
    this.memory.movedAt = now
    this.memory.eventStream = isEventStream(head.headers)
    this.wire.respond(head, end)
    if (!this.memory.requestOpen) this.neverOpened()
    if (end && this.outgoing.end()) this.outgoingClosed()
  }

  /** Responder: 101, both directions are open from here. */
  upgrade(head: ResponseHead, now: number): void {
    if (this.upgradeWindow === 0) throw new ApiMisuse('the request asked for no upgrade')
    if (!this.incoming.isOpen)
      throw new ApiMisuse('the request body was stopped: nothing to upgrade')
    if (this.budget?.reserve(this.upgradeWindow) === false) return this.abort(ResetCode.INTERNAL)
    if (!this.machine.step('upgrade')) return
    this.memory.movedAt = now
    this.memory.requestOpen = true
    this.wire.respond(head, false)
    this.incoming.open(this.upgradeWindow)
  }

  /** Requester: the user went away. */
  cancel(): void {
    if (!this.machine.step('cancel')) return
    this.wire.reset(ResetCode.CANCELLED)
    this.close({ kind: 'cancelled', code: ResetCode.CANCELLED })
  }

  /** Responder: the application failed. */
  abort(code: ResetCode): void {
    if (!this.machine.step('abort')) return
    this.wire.reset(code)
    this.close({ kind: 'failed', error: failureOf(code) })
  }

  /** Responder: nothing of the request was handed to any transport towards the application. */
  notSent(cause: NotSentCause): void {
    if (!this.machine.step('notSent')) return
    this.wire.reset(ResetCode.NOT_SENT, cause)
    this.close({ kind: 'failed', error: failureOf(cause), notSent: true })
  }

  /** The transport died. */
  lost(cause?: unknown): void {
    if (!this.machine.step('lost')) return
    if (this.state === 'done') this.close({ kind: 'done' })
    else if (this.state === 'cancelled') this.close({ kind: 'cancelled', code: ResetCode.LOST })
    else this.close({ kind: 'failed', error: failureOf(ResetCode.LOST, cause) })
  }

  /** The {@link deadline} passed. */
  expire(): void {
    const error = idleFailure(this.isUnanswered, this.#isUserSlow)
    if (!this.machine.step('expire')) return
    this.wire.reset(ResetCode.TIMEOUT)
    this.close(this.state === 'done' ? { kind: 'done' } : { kind: 'failed', error })
  }

  /** The peer broke the protocol in this exchange. */
  violated(cause: PeerViolation): void {
    if (!this.machine.step('violated')) return
    this.wire.reset(ResetCode.VIOLATION)
    this.close({ kind: 'failed', error: failureOf(ResetCode.VIOLATION, cause) })
  }

  // ── what the peer said; each may throw PeerViolation ───────────────────────────────────────

  receivedInformational(head: ResponseHead): void {
    if (!this.machine.step('informational')) return
    this.keptBody?.release()
    this.memory.interim += 1
    if (this.memory.interim > MAX_INTERIM) {
      throw new PeerViolation('UNEXPECTED_EVENT', `more than ${MAX_INTERIM} interim answers`)
    }
    this.handler.informational?.(head)
  }

  receivedResponse(head: ResponseHead, end: boolean, now: number): void {
    if (head.status === 101) return this.#receivedUpgrade(head, now)
    if (!this.machine.step('respond')) return
    this.keptBody?.release()
    this.memory.movedAt = now
    this.memory.eventStream = isEventStream(head.headers)
    if (!this.memory.requestOpen) this.neverOpened()
    this.handler.responded?.(head, end)
    if (end && this.incoming.end()) this.incomingClosed()
  }

  /** `cause`: with NOT_SENT alone. */
  receivedReset(code: ResetCode, cause?: NotSentCause): void {
    if (code === ResetCode.NOT_SENT && this.role === 'requester')
      return this.#receivedNotSent(cause)
    // Both ends have the same limit; whichever looks first, it is the user who was slow.
    const isUserSlow = code === ResetCode.TIMEOUT && this.#isUserSlow
    const error = isUserSlow ? idleFailure(this.isUnanswered, true) : failureOf(code)
    if (!this.machine.step('reset')) return
    if (this.state === 'done') this.close({ kind: 'done' })
    else if (this.state === 'cancelled') this.close({ kind: 'cancelled', code })
    else this.close({ kind: 'failed', error })
  }

  // ── inside ─────────────────────────────────────────────────────────────────────────────────

  /**
   * Whether it is the user we wait for: to feed a request body there is credit for, or to take
   * response bytes that arrived. Otherwise it is the application. Told from either end by where the
   * bytes and the credit are.
   */
  get #isUserSlow(): boolean {
    const requester = this.role === 'requester'
    if (this.isUnanswered) {
      return this.memory.requestOpen && (requester ? this.writable > 0 : this.buffered === 0)
    }
    return requester ? this.buffered > 0 : this.writable === 0
  }

  #receivedNotSent(cause: NotSentCause = ResetCode.UNREACHABLE): void {
    if (this.machine.step('notSent'))
      this.close({ kind: 'failed', error: failureOf(cause), notSent: true })
  }

  #receivedUpgrade(head: ResponseHead, now: number): void {
    if (this.upgradeWindow === 0)
      throw new PeerViolation('UNEXPECTED_EVENT', 'a 101 nobody asked for')
    if (!this.machine.step('upgrade')) return
    this.memory.movedAt = now
    this.memory.requestOpen = true
    this.handler.responded?.(head, false)
    this.outgoing.credit(this.upgradeWindow)
  }
}
