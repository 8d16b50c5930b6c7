/**
 * One user's exchange, between the user's connection and the connector's: bytes pass by reference,
 * paced by credit one way and by the user's reading the other.
 *
 * @module
 */
import {
  deliveryOf,
  ExchangeFailed,
  PacedRelay,
  RelayedAnswer,
  type Deadlined,
  type Delivery,
  type DeliveryFacts,
  type Exchange,
  type ExchangeOutcome,
  type FailureReason,
  type HeaderList,
  type ResponseHead,
} from '../../protocol/internal.ts'
import { asksForConnection, heedChallenge, type Affinity } from './affinities.ts'
import { withGrants } from './cors.ts'
import { offeredTrailers } from './offered-headers.ts'
import { OfferedRequest, type NumberedSubmission } from './offered-request.ts'
import type { Origin } from '../offers/origin.ts'
import type { Submitter, Ticket } from '../offers/submission.ts'
import type { Published } from '../directory/published.ts'
import { TowardsConnector, TowardsUser, RelayEnds } from './relay-ends.ts'
import { declaredLength, responseHeaders, responseTrailers } from './response-headers.ts'
import { destinationOf } from '../request/grpc-wait.ts'
import { withSessionCookie } from '../request/session-cookie.ts'
import { isGranted } from '../request/upgrade.ts'
import type { UserExchange } from '../request/user-exchange.ts'
import type { ExchangeTranslation } from '../translate/exchange-translation.ts'

/** Whose request it is. */
export interface Asker {
  readonly user: UserExchange
  /**
   * What the response says to pages of other sites, by a rule of ours; undefined: what it said
   * itself.
   */
  readonly cors?: HeaderList | undefined
  /** Tells an HTTP/2 user to come by HTTP/1.1, instead of an answer; `false`: that cannot be. */
  requireHttp1?(): boolean
  /** A `Set-Cookie` value of ours, by the time the response comes. */
  readonly sessionCookie?: string | undefined
  /** Breaks off a response that was begun, and says why where that can be said. */
  breakOff(error: ExchangeFailed): void
  /** Answers with an error of ours, while no response was begun. */
  fail(error: ExchangeFailed, delivery: Delivery): void
  /** Answers that the body is too large, while no response was begun. */
  tellBodyTooLarge(delivery: Delivery): void
  /** Answers that the session is over, while no response was begun. */
  tellSessionEnded(delivery: Delivery): void
}

/** Ties a user's request to its exchange. */
export class EdgeExchange implements Submitter, Deadlined {
  readonly #asker: Asker
  readonly #user: UserExchange
  readonly #application: Published
  readonly #origin: Origin
  readonly #affinity: Affinity | undefined
  readonly #translation: ExchangeTranslation | undefined
  readonly #ends: RelayEnds
  /** Undefined: there is no request body, and no tunnel can come of it. */
  #upwards: PacedRelay | undefined
  readonly #downwards: PacedRelay
  readonly #answer = new RelayedAnswer()
  #ticket: Ticket | undefined
  /** The protocols the user would switch to. */
  #upgrade: string | undefined
  #hasBody = false
  /** Octets of the body that may still come. */
  #bodyLeft: number

  /**
   * @param affinity the user's own connections to an application that knows its users by them
   * @param user what the answer goes through. Default: to the user as it is
   * @param translation of header fields; undefined: they stay as they are
   */
  constructor(
    asker: Asker,
    application: Published,
    origin: Origin,
    affinity?: Affinity,
    user: UserExchange = asker.user,
    translation?: ExchangeTranslation,
  ) {
    this.#affinity = affinity
    this.#translation = translation
    this.#asker = asker
    this.#user = user
    this.#application = application
    this.#origin = origin
    this.#bodyLeft = application.maxBodyBytes
    this.#ends = new RelayEnds(user, origin.clocks)
    this.#downwards = new PacedRelay(new TowardsUser(this.#ends), 'queue')
  }

  /** Puts the request on the queue. */
  submit(submission: NumberedSubmission): void {
    this.#hasBody = submission.body.kind !== 'none'
    this.#upgrade = submission.upgrade
    if (this.#hasBody || submission.upgrade !== undefined)
      this.#upwards = new PacedRelay(new TowardsConnector(this.#ends), 'credit')
    const destination = destinationOf(this.#application, submission.headers)
    this.#ticket = this.#origin.submit(new OfferedRequest(submission), destination, this)
  }

  // ── what the user's connection says ───────────────────────────────────────────────────────

  userData(bytes: Uint8Array): void {
    if (this.#bodyLeft !== Infinity && !this.#takes(bytes.length)) return
    this.#upwards?.data(bytes)
  }

  /**
   * Its trailers go by the same rules as its headers. In a tunnel: the user's direction is closed.
   */
  userEnded(trailers: HeaderList | undefined): void {
    let offered
    try {
      if (!this.#answer.isTunnel) offered = offeredTrailers(trailers, this.#application)
    } catch (error) {
      return this.#refuse(error as ExchangeFailed)
    }
    this.#upwards?.end(offered)
  }

  userDrained(): void {
    this.#downwards.ready()
  }

  userGone(complete: boolean): void {
    const wasTunnel = this.#answer.isTunnel
    this.#leave()
    // Of a tunnel nothing is left, whichever direction was still open.
    if (!complete || wasTunnel || this.#ends.exchange?.state === 'answered') this.#ticket?.cancel()
  }

  /** What was begun cannot be taken back: it breaks off, and nobody takes it for whole. */
  sessionEnded(): void {
    const { state } = this.#answer
    if (state === 'over') return
    this.#leave()
    if (state === 'unanswered') this.#asker.tellSessionEnded(this.#delivery('cancelled'))
    else this.#user.abort()
    this.#ticket?.cancel()
  }

  // ── what the origin says ──────────────────────────────────────────────────────────────────

  claimed(exchange: Exchange): void {
    this.#ends.exchange = exchange
    if (!this.#hasBody) return
    // The pull has come: only now is the user asked for body bytes. Where another connector had
    // pulled before, what was held meanwhile goes on.
    if (this.#upwards!.start()) this.#user.startBody()
    else this.#upwards!.ready()
  }

  returned(): void {
    this.#ends.exchange = undefined
    this.#upwards?.detach()
  }

  failed(error: ExchangeFailed): void {
    this.#fail(error)
  }

  // ── what the connector says ───────────────────────────────────────────────────────────────

  /**
   * All but 100, which the pull answered: what of the rest can be sent, the user's transport knows.
   */
  informational(head: ResponseHead): void {
    if (head.status === 100 || this.#answer.state === 'over') return
    try {
      this.#user.inform({
        status: head.status,
        headers: responseHeaders(head, this.#translation),
      })
    } catch (error) {
      this.#unsayable(error)
    }
  }

  responded(head: ResponseHead, end: boolean): void {
    if (head.status === 101) return this.#switched(head)
    if (this.#application.isConnectionBound && asksForConnection(head)) {
      if (this.#affinity === undefined) return this.#hasNoConnection()
      heedChallenge(this.#affinity, head)
    }
    // There is no such status (RFC 9110 §15), and HTTP/2 would not carry it.
    if (head.status > 599) return this.#refuseAnswer()
    const headers = this.#answerHeaders(head)
    const length = declaredLength(head)
    const isBodiless =
      this.#user.head.method === 'HEAD' || head.status === 204 || head.status === 304
    // What says of its length what cannot be, or cannot be true, is not begun: a broken connection
    // explains nothing.
    if (length === undefined || (end && !isBodiless && length > 0)) {
      const cause = 'a length that is none, or another than that of the body'
      this.#ends.exchange!.cancel()
      return this.#fail(new ExchangeFailed('connector', 'connector-violation', { cause }))
    }
    // A request body that nobody will read to its end cannot be followed by another request.
    const close = this.#hasBody && !this.#upwards!.isComplete
    try {
      this.#user.respond({ status: head.status, headers }, close)
    } catch (error) {
      return this.#unsayable(error)
    }
    this.#answer.respond(isBodiless || Number.isNaN(length) ? undefined : length)
    // Its status leaves no room for content.
    if (head.status === 205) this.#downwards.empty()
    else this.#downwards.start()
    // With what its head promised still missing, the next answer would be taken for it.
    if (end) this.ended(undefined)
  }

  data(bytes: Uint8Array): void {
    if (!this.#answer.data(bytes.length)) return this.#breakOff()
    this.#downwards.data(bytes)
  }

  ended(trailers: HeaderList | undefined): void {
    if (!this.#answer.isWhole) return this.#breakOff()
    try {
      this.#downwards.end(
        this.#answer.isTunnel ? undefined : responseTrailers(trailers, this.#translation),
      )
    } catch (error) {
      this.#unsayable(error)
    }
  }

  writable(): void {
    this.#upwards?.ready()
  }

  stopped(): void {
    if (this.#upwards?.stop() !== true) return
    // Of a tunnel the other direction goes on, and that its user leaves is noticed only while it is
    // read.
    if (this.#answer.isTunnel) this.#user.resumeBody()
    else if (!this.#upwards.isComplete) this.#user.pauseBody()
  }

  closed(outcome: ExchangeOutcome): void {
    const isFailed = outcome.kind === 'failed'
    if (isFailed && this.#answer.state === 'unanswered') return this.#fail(outcome.error)
    if (isFailed) {
      this.#leave()
      this.#asker.breakOff(outcome.error)
    } else if (outcome.kind === 'done' && this.#answer.isTunnel) this.#linger()
    else this.#upwards?.close()
  }

  // ── what the origin's clock says ──────────────────────────────────────────────────────────

  get deadline(): number | undefined {
    return this.#answer.deadline
  }

  expire(): void {
    this.#leave()
    this.#user.abort()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** Whether the application takes more of the body; what is too much of it is not sent. */
  #takes(bytes: number): boolean {
    if (this.#answer.isTunnel) return true
    this.#bodyLeft -= bytes
    if (this.#bodyLeft >= 0) return true
    const { state } = this.#answer
    if (state === 'over') return false
    const delivery = this.#delivery('cancelled')
    this.#leave()
    if (state === 'unanswered') this.#asker.tellBodyTooLarge(delivery)
    else this.#user.abort()
    this.#ticket?.cancel()
    return false
  }

  /** The application knows its users by connections, and this one has none that is theirs. */
  #hasNoConnection(): void {
    this.#ends.exchange!.cancel()
    this.#leave()
    if (this.#asker.requireHttp1?.() === true) return
    this.#asker.fail(new ExchangeFailed('cloud', 'connection-shared'), 'reached')
  }

  #fail(error: ExchangeFailed): void {
    const delivery = this.#delivery(error.reason)
    this.#leave()
    // Nobody was known by a connection whose request had none of its own.
    const isUntrue = error.reason === 'pin-lost' && this.#affinity === undefined
    const told = isUntrue ? new ExchangeFailed('connector', 'connector-violation') : error
    this.#asker.fail(told, delivery)
  }

  /** Whether the application got the request, as far as anybody can know. */
  #delivery(reason: FailureReason): Delivery {
    return deliveryOf(reason, this.#ticket?.delivery ?? UNOFFERED)
  }

  #answerHeaders(head: ResponseHead): HeaderList {
    const { cors, sessionCookie } = this.#asker
    let headers = responseHeaders(head, this.#translation)
    if (head.status === 205) headers = [...headers, 'Content-Length', '0']
    if (cors !== undefined && head.status !== 101) headers = withGrants(headers, cors)
    return sessionCookie === undefined ? headers : withSessionCookie(headers, sessionCookie)
  }

  #refuseAnswer(cause?: unknown): void {
    this.#ends.exchange!.cancel()
    this.#fail(new ExchangeFailed('application', 'application-malformed', { cause }))
  }

  /**
   * What one application said, this user's transport does not carry: that ends their exchange, and
   * disturbs nobody else's.
   */
  #unsayable(cause: unknown): void {
    if (this.#answer.state === 'unanswered') this.#refuseAnswer(cause)
    else this.#breakOff()
  }

  /** From here on both directions carry octets of another protocol, and each ends by itself. */
  #switched(head: ResponseHead): void {
    if (this.#answer.state === 'over') return
    if (!isGranted(head.headers, this.#upgrade ?? '')) return this.#refuseAnswer()
    try {
      this.#user.upgrade({ status: 101, headers: this.#answerHeaders(head) })
    } catch (error) {
      return this.#unsayable(error)
    }
    this.#answer.switch()
    this.#downwards.start()
    if (this.#upwards?.start() === true) this.#user.startBody()
  }

  /**
   * The application has closed both directions. What it said last is still on its way to the user,
   * who gets time to close as well.
   */
  #linger(): void {
    const { clocks, limits } = this.#origin
    if (this.#upwards!.isComplete || !this.#answer.linger(clocks.now() + limits.drainMs)) return
    this.#upwards!.stop()
    this.#user.resumeBody()
    this.#origin.watch(this)
  }

  /**
   * What the user sent cannot be passed on whole: so the application is not let believe that it
   * was.
   */
  #refuse(error: ExchangeFailed): void {
    const { state } = this.#answer
    if (state === 'over' || this.#ticket === undefined) return
    this.#ticket.cancel()
    if (state === 'unanswered') return this.#fail(error)
    this.#leave()
    this.#user.abort()
  }

  /** The connector's answer is not as long as its head said: nobody may take it for whole. */
  #breakOff(): void {
    this.#leave()
    this.#asker.breakOff(new ExchangeFailed('connector', 'connector-violation'))
    this.#ends.exchange!.cancel()
  }

  /** Nobody hears more of this exchange. */
  #leave(): void {
    this.#answer.leave()
    this.#upwards?.close()
    this.#downwards.close()
  }
}

/** Of what was never put on a queue. */
const UNOFFERED: DeliveryFacts = { isClaimed: false, mayHaveBegun: false }
