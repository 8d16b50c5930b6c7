/**
 * One user's exchange, between the user's connection and the connector's: bytes pass by reference,
 * paced by credit one way and by the user's reading the other.
 *
 * @module
 */
import {
  deliveryOf,
  ExchangeFailed,
  headerValue,
  headerValues,
  isReplayable,
  joined,
  type BodyKind,
  type Delivery,
  type Exchange,
  type ExchangeOutcome,
  type FailureReason,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/index.ts'
import { withGrants } from './cors.ts'
import { offeredTrailers } from './offered-headers.ts'
import type { Origin } from '../offers/origin.ts'
import type { Submission, Submitter, Ticket } from '../offers/submission.ts'
import type { Published } from '../directory/published.ts'
import { responseHeaders, responseTrailers } from './response-headers.ts'
import { unreferenced } from '../../runtime/unreferenced.ts'
import { withSessionCookie } from '../request/session-cookie.ts'
import { isGranted } from '../request/upgrade.ts'
import type { UserExchange } from '../request/user-exchange.ts'

/** Whose request it is. */
export interface Asker {
  readonly user: UserExchange
  /**
   * What the response says to pages of other sites, by a rule of ours; undefined: what it said
   * itself.
   */
  readonly cors?: HeaderList | undefined
  /** A `Set-Cookie` value of ours, by the time the response comes. */
  readonly sessionCookie?: string | undefined
  /** Answers with an error of ours, while no response was begun. */
  fail(error: ExchangeFailed, delivery: Delivery): void
  /** Answers that the session is over, while no response was begun. */
  tellSessionEnded(delivery: Delivery): void
}

/** Ties a user's request to its exchange. */
export class EdgeExchange implements Submitter {
  readonly #asker: Asker
  readonly #user: UserExchange
  readonly #application: Published
  #origin: Origin | undefined
  #ticket: Ticket | undefined
  #exchange: Exchange | undefined
  /** The protocols the user would switch to. */
  #upgrade: string | undefined
  #isTunnel = false
  #hasBody = false
  #body: BodyKind = { kind: 'none' }
  #wasClaimed = false
  #bodyStarted = false
  /** The user has sent all of it. */
  #isRequestComplete = false
  /** The application wants no more of it. */
  #isUnwanted = false
  /** What its body ended with. */
  #trailers: HeaderList | undefined
  /** Request bytes there was no credit for. */
  #held: Uint8Array | undefined
  /** Response bytes the user has not taken yet. */
  #untaken = 0
  #responded = false
  #isGone = false
  /** The status leaves no room for content; what the application sends is taken and thrown away. */
  #hasNoContent = false
  /** What is left of a declared Content-Length; NaN when none was declared. */
  #left = Number.NaN
  /** For a tunnel that is over while its user has not closed. */
  #lingering: ReturnType<typeof setTimeout> | undefined

  constructor(asker: Asker, application: Published) {
    this.#asker = asker
    this.#user = asker.user
    this.#application = application
  }

  /** Puts the request on the queue. */
  submit(origin: Origin, submission: Submission): void {
    this.#origin = origin
    this.#body = submission.body
    this.#hasBody = submission.body.kind !== 'none'
    this.#upgrade = submission.upgrade
    this.#ticket = origin.submit(submission, this.#application.destination, this)
  }

  // ── what the user's connection says ───────────────────────────────────────────────────────

  userData(bytes: Uint8Array): void {
    if (this.#isUnwanted) return
    if (this.#held !== undefined) {
      // Pausing took one turn: at most one read of the socket is here.
      this.#held = joined(this.#held, bytes)
    } else this.#send(bytes)
  }

  /**
   * Its trailers go by the same rules as its headers. In a tunnel: the user's direction is closed.
   */
  userEnded(trailers: HeaderList | undefined): void {
    this.#isRequestComplete = true
    try {
      if (!this.#isTunnel) this.#trailers = offeredTrailers(trailers, this.#application)
    } catch (error) {
      return this.#refuse(error as ExchangeFailed)
    }
    if (this.#held === undefined) this.#exchange?.end(this.#now(), this.#trailers)
  }

  userDrained(): void {
    const bytes = this.#untaken
    this.#untaken = 0
    if (bytes > 0) this.#exchange?.consumed(bytes, this.#now())
  }

  userGone(complete: boolean): void {
    this.#isGone = true
    clearTimeout(this.#lingering)
    // Of a tunnel nothing is left, whichever direction was still open.
    if (!complete || this.#isTunnel || this.#exchange?.state === 'answered') this.#ticket?.cancel()
  }

  /** What was begun cannot be taken back: it breaks off, and nobody takes it for whole. */
  sessionEnded(): void {
    if (this.#isGone) return
    if (this.#responded) this.#user.abort()
    else this.#asker.tellSessionEnded(this.#delivery('cancelled'))
    this.#ticket?.cancel()
  }

  // ── what the origin says ──────────────────────────────────────────────────────────────────

  claimed(exchange: Exchange): void {
    this.#exchange = exchange
    this.#wasClaimed = true
    if (!this.#hasBody || this.#bodyStarted) return
    // The pull has come: only now is the user asked for body bytes.
    this.#bodyStarted = true
    this.#user.startBody()
  }

  failed(error: ExchangeFailed): void {
    this.#fail(error)
  }

  // ── what the connector says ───────────────────────────────────────────────────────────────

  /**
   * All but 100, which the pull answered: what of the rest can be sent, the user's transport knows.
   */
  informational(head: ResponseHead): void {
    if (head.status === 100 || this.#isGone) return
    try {
      this.#user.inform({
        status: head.status,
        headers: responseHeaders(head, this.#application),
      })
    } catch (error) {
      this.#unsayable(error)
    }
  }

  responded(head: ResponseHead, end: boolean): void {
    if (head.status === 101) return this.#switched(head)
    // There is no such status (RFC 9110 §15), and HTTP/2 would not carry it.
    if (head.status > 599) return this.#refuseAnswer()
    this.#hasNoContent = head.status === 205
    const headers = this.#answerHeaders(head)
    const length = declaredLength(head)
    const isUnframed =
      length === undefined || headerValue(head.headers, 'transfer-encoding') !== undefined
    const isBodiless =
      this.#user.head.method === 'HEAD' || head.status === 204 || head.status === 304
    // What says of its length what cannot be, or cannot be true, is not begun: a broken connection
    // explains nothing.
    if (isUnframed || (end && !isBodiless && length > 0)) {
      const cause = 'a length that is none, or another than that of the body'
      this.#exchange!.cancel()
      return this.#fail(new ExchangeFailed('connector', 'connector-violation', { cause }))
    }
    this.#left = isBodiless ? Number.NaN : length
    // A request body that nobody will read to its end cannot be followed by another request.
    const close = this.#hasBody && !this.#isRequestComplete
    try {
      this.#user.respond({ status: head.status, headers }, close)
    } catch (error) {
      return this.#unsayable(error)
    }
    this.#responded = true
    // With what its head promised still missing, the next answer would be taken for it.
    if (end) this.ended(undefined)
  }

  data(bytes: Uint8Array): void {
    this.#left -= bytes.length
    if (this.#left < 0) return this.#breakOff()
    if (this.#hasNoContent || this.#user.write(bytes))
      this.#exchange!.consumed(bytes.length, this.#now())
    else this.#untaken += bytes.length
  }

  ended(trailers: HeaderList | undefined): void {
    if (this.#left > 0 || this.#left < 0) return this.#breakOff()
    if (this.#isGone) return
    if (this.#isTunnel) return this.#user.end()
    try {
      this.#user.end(responseTrailers(trailers))
    } catch (error) {
      this.#unsayable(error)
    }
  }

  writable(): void {
    const held = this.#held
    if (held !== undefined) {
      this.#held = undefined
      this.#send(held)
      if (this.#held !== undefined) return
    }
    if (this.#isRequestComplete) this.#exchange!.end(this.#now(), this.#trailers)
    else this.#user.resumeBody()
  }

  stopped(): void {
    this.#held = undefined
    this.#isUnwanted = true
    // Of a tunnel the other direction goes on, and that its user leaves is noticed only while it is
    // read.
    if (this.#isTunnel) this.#user.resumeBody()
    else if (!this.#isRequestComplete) this.#user.pauseBody()
  }

  closed(outcome: ExchangeOutcome): void {
    if (outcome.kind === 'failed' && !this.#responded) {
      if (this.#ticket!.offeredAgain(outcome)) return
      this.#ticket!.settle()
      return this.#fail(outcome.error)
    }
    this.#ticket!.settle()
    if (outcome.kind === 'failed') this.#user.abort()
    else if (outcome.kind === 'done' && this.#isTunnel) this.#linger()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #fail(error: ExchangeFailed): void {
    this.#asker.fail(error, this.#delivery(error.reason))
  }

  /** Whether the application got the request, as far as anybody can know. */
  #delivery(reason: FailureReason): Delivery {
    const { method } = this.#user.head
    return deliveryOf(reason, {
      isOffered: this.#ticket?.isOffered === true,
      isClaimed: this.#wasClaimed,
      isReplayable: isReplayable({ method, body: this.#body, upgrade: this.#upgrade }),
    })
  }

  #answerHeaders(head: ResponseHead): HeaderList {
    const { cors, sessionCookie } = this.#asker
    let headers = responseHeaders(head, this.#application)
    if (head.status === 205) headers = [...headers, 'Content-Length', '0']
    if (cors !== undefined && head.status !== 101) headers = withGrants(headers, cors)
    return sessionCookie === undefined ? headers : withSessionCookie(headers, sessionCookie)
  }

  #send(bytes: Uint8Array): void {
    const exchange = this.#exchange
    if (exchange === undefined || exchange.isClosed) return
    const sent = exchange.send(bytes, this.#now())
    if (sent === bytes.length) {
      if (exchange.writable === 0) this.#user.pauseBody()
      return
    }
    this.#held = bytes.subarray(sent)
    this.#user.pauseBody()
  }

  #refuseAnswer(cause?: unknown): void {
    this.#exchange!.cancel()
    this.#fail(new ExchangeFailed('application', 'application-malformed', { cause }))
  }

  /**
   * What one application said, this user's transport does not carry: that ends their exchange, and
   * disturbs nobody else's.
   */
  #unsayable(cause: unknown): void {
    if (this.#responded) this.#breakOff()
    else this.#refuseAnswer(cause)
  }

  /** From here on both directions carry octets of another protocol, and each ends by itself. */
  #switched(head: ResponseHead): void {
    if (!isGranted(head.headers, this.#upgrade ?? '')) return this.#refuseAnswer()
    this.#responded = true
    this.#isTunnel = true
    if (this.#isGone) return
    this.#user.upgrade({ status: 101, headers: this.#answerHeaders(head) })
    this.#bodyStarted = true
    this.#user.startBody()
  }

  /**
   * The application has closed both directions. What it said last is still on its way to the user,
   * who gets time to close as well.
   */
  #linger(): void {
    if (this.#isRequestComplete || this.#isGone) return
    this.#isUnwanted = true
    this.#user.resumeBody()
    const { drainMs } = this.#origin!.limits
    this.#lingering = unreferenced(setTimeout(() => this.#user.abort(), drainMs))
  }

  /**
   * What the user sent cannot be passed on whole: so the application is not let believe that it
   * was.
   */
  #refuse(error: ExchangeFailed): void {
    if (this.#isGone || this.#ticket === undefined) return
    this.#ticket.cancel()
    if (this.#responded) this.#user.abort()
    else this.#fail(error)
  }

  /** The connector's answer is not as long as its head said: nobody may take it for whole. */
  #breakOff(): void {
    this.#user.abort()
    this.#exchange!.cancel()
  }

  #now(): number {
    return this.#origin!.clocks.now()
  }
}

/** NaN: none is declared; `undefined`: what is declared is no length. */
function declaredLength({ headers }: ResponseHead): number | undefined {
  const [length, ...more] = headerValues(headers, 'content-length')
  if (length === undefined) return Number.NaN
  return more.length === 0 && /^\d{1,15}$/.test(length) ? Number(length) : undefined
}
