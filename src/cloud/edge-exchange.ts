/**
 * One user's exchange, between the user's connection and the connector's: bytes pass by reference, paced by credit one way
 * and by the user's reading the other.
 *
 * @module
 */
import {
  dropSetCookies,
  headerValues,
  joined,
  withoutHopByHop,
  type Exchange,
  type ExchangeFailed,
  type ExchangeOutcome,
  type HeaderList,
  type ResponseHead,
} from '../protocol/index.ts'
import { isOwnCookie } from './cookies.ts'
import type { Origin, Submission, Submitter, Ticket } from './origin.ts'
import type { Application } from './ports.ts'
import type { UserExchange } from './user-exchange.ts'

/** Ties a user's request to its exchange. */
export class EdgeExchange implements Submitter {
  readonly #user: UserExchange
  readonly #application: Application
  readonly #refuse: (error: ExchangeFailed) => void
  #origin: Origin | undefined
  #ticket: Ticket | undefined
  #exchange: Exchange | undefined
  #hasBody = false
  #bodyStarted = false
  /** The user has sent all of it. */
  #isRequestComplete = false
  /** Request bytes there was no credit for. */
  #held: Uint8Array | undefined
  /** Response bytes the user has not taken yet. */
  #untaken = 0
  #responded = false
  #isGone = false
  /** What is left of a declared Content-Length; NaN when none was declared. */
  #left = Number.NaN

  /** @param refuse answers with an error of ours, while no response was begun */
  constructor(
    user: UserExchange,
    application: Application,
    refuse: (error: ExchangeFailed) => void,
  ) {
    this.#user = user
    this.#application = application
    this.#refuse = refuse
  }

  /** Puts the request on the queue. */
  submit(origin: Origin, submission: Submission): void {
    const { groupId, tenantId, responseHeadMs } = this.#application
    this.#origin = origin
    this.#hasBody = submission.body.kind !== 'none'
    this.#ticket = origin.submit(submission, { groupId, tenantId, responseHeadMs }, this)
  }

  // ── what the user's connection says ───────────────────────────────────────────────────────

  userData(bytes: Uint8Array): void {
    if (this.#held !== undefined) {
      // Pausing took one turn: at most one read of the socket is here.
      this.#held = joined(this.#held, bytes)
    } else this.#send(bytes)
  }

  /** Its trailers end here: until they pass the same rules as headers, nobody is shown them. */
  userEnded(): void {
    this.#isRequestComplete = true
    if (this.#held === undefined) this.#exchange?.end(this.#now())
  }

  userDrained(): void {
    const bytes = this.#untaken
    this.#untaken = 0
    if (bytes > 0) this.#exchange?.consumed(bytes, this.#now())
  }

  userGone(complete: boolean): void {
    this.#isGone = true
    if (!complete || this.#exchange?.state === 'answered') this.#ticket?.cancel()
  }

  // ── what the origin says ──────────────────────────────────────────────────────────────────

  claimed(exchange: Exchange): void {
    this.#exchange = exchange
    if (!this.#hasBody || this.#bodyStarted) return
    // The pull has come: only now is the user asked for body bytes.
    this.#bodyStarted = true
    this.#user.startBody()
  }

  failed(error: ExchangeFailed): void {
    this.#refuse(error)
  }

  // ── what the connector says ───────────────────────────────────────────────────────────────

  informational(head: ResponseHead): void {
    this.#user.inform(head)
  }

  responded(head: ResponseHead, end: boolean): void {
    this.#responded = true
    const headers = responseHeaders(head, this.#application)
    this.#left = declaredLength(this.#user.head.method, head)
    // A request body that nobody will read to its end cannot be followed by another request.
    const close = this.#hasBody && !this.#isRequestComplete
    this.#user.respond({ status: head.status, headers }, close)
    // With what its head promised still missing, the next answer would be taken for it.
    if (end) this.ended()
  }

  data(bytes: Uint8Array): void {
    this.#left -= bytes.length
    if (this.#left < 0) return this.#breakOff()
    if (this.#user.write(bytes)) this.#exchange!.consumed(bytes.length, this.#now())
    else this.#untaken += bytes.length
  }

  ended(): void {
    if (this.#left > 0 || this.#left < 0) return this.#breakOff()
    if (!this.#isGone) this.#user.end()
  }

  writable(): void {
    const held = this.#held
    if (held !== undefined) {
      this.#held = undefined
      this.#send(held)
      if (this.#held !== undefined) return
    }
    if (this.#isRequestComplete) this.#exchange!.end(this.#now())
    else this.#user.resumeBody()
  }

  stopped(): void {
    this.#held = undefined
    if (!this.#isRequestComplete) this.#user.pauseBody()
  }

  closed(outcome: ExchangeOutcome): void {
    if (outcome.kind === 'failed' && !this.#responded) {
      if (this.#ticket!.offeredAgain(outcome)) return
      this.#ticket!.settle()
      return this.#refuse(outcome.error)
    }
    this.#ticket!.settle()
    if (outcome.kind === 'failed') this.#user.abort()
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

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

  /** The connector's answer is not as long as its head said: nobody may take it for whole. */
  #breakOff(): void {
    this.#user.abort()
    this.#exchange!.cancel()
  }

  #now(): number {
    return this.#origin!.clocks.now()
  }
}

/** The response head as the user gets it: our cookie names are ours. That no octet in it forges a line, the frame's decoder saw to. */
function responseHeaders({ headers }: ResponseHead, application: Application): HeaderList {
  return translateLocation(dropSetCookies(withoutHopByHop(headers), isOwnCookie), application)
}

/** A redirect to the application's internal URL would lead the user nowhere, and tell what is inside. */
function translateLocation(headers: HeaderList, application: Application): HeaderList {
  const { internalUrl, externalUrl } = application
  const origin = new URL(internalUrl).origin
  return headers.map((value, i) => {
    const isLocation = i % 2 === 1 && /^(content-)?location$/i.test(headers[i - 1]!)
    if (!isLocation || !value.startsWith(origin)) return value
    if (value.startsWith(internalUrl)) return externalUrl + value.slice(internalUrl.length)
    return value === origin ? externalUrl : value
  })
}

function declaredLength(method: string, { status, headers }: ResponseHead): number {
  if (method === 'HEAD' || status === 204 || status === 304) return Number.NaN
  const [length, ...more] = headerValues(headers, 'content-length')
  if (length === undefined) return Number.NaN
  return more.length === 0 && /^\d{1,15}$/.test(length) ? Number(length) : -1
}
