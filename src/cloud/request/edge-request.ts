/**
 * A user's request until it is an exchange: everything the edge answers by itself.
 *
 * @module
 */
import {
  ExchangeFailed,
  failureStatus,
  headerValue,
  headerValues,
  requestNumberOf,
  type Delivery,
  type ExchangeId,
  type FailureReason,
  type HeaderList,
} from '../../protocol/internal.ts'
import { challenge } from './challenge.ts'
import { ANYONE, type Caller } from '../identity/caller.ts'
import type { LiveExchange, LiveExchanges } from './live-exchanges.ts'
import type { Failure } from '../pages/answer.ts'
import { advised } from '../pages/delivery-words.ts'
import { prefersHtml } from '../pages/negotiation.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import { grpcTypeOf } from '../pages/grpc-answer.ts'
import { failureResponse, type Asked, type PageRenderer } from '../pages/pages.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import type { Maintenance } from '../directory/maintenance.ts'
import { publishedOf, type Published } from '../directory/published.ts'
import { REMOVE_ATTEMPTS } from '../directory/attempt-slots.ts'
import { isForFrame } from './navigation.ts'
import { returnTarget } from '../pages/return-target.ts'
import { unchosenGrants } from './unchosen-cors.ts'
import { maintenanceAnswer } from './maintenance.ts'
import { withSessionCookie } from './session-cookie.ts'
import type { UserEvents, UserExchange, UserRequestHead } from './user-exchange.ts'

/** What an answer of our own says. */
export type OwnAnswer = Omit<Failure, 'requestId'> & {
  readonly headers?: HeaderList
  /** Of the request that the answer is about. Default: this one. */
  readonly requestId?: string
  /** The audit has its number and its code already. */
  readonly isAudited?: true
}

/** What answers of our own need to know. */
export interface AnswerOptions {
  readonly clocks: Clocks
  /** Told of each refusal and failure that is sent. Default: nobody is. */
  readonly failed?: (request: EdgeRequest, answer: OwnAnswer) => void
  readonly directory: Pick<Directory, 'tenant' | 'applicationsOn'>
  /** Default: our own words and template. */
  readonly pages?: PageRenderer
}

/** Whom the user's connection is for: an exchange, or a reader of our own. */
export interface RequestReader {
  userData(bytes: Uint8Array): void
  userEnded(trailers: HeaderList | undefined): void
  userDrained(): void
  userGone(complete: boolean): void
  sessionEnded?(): void
}

/** Stands between the user's connection and the exchange, once there is one. */
export class EdgeRequest implements UserEvents, LiveExchange {
  readonly user: UserExchange
  /** Of the exchange that it becomes, if it becomes one. */
  readonly exchangeId: ExchangeId
  /** Where the user comes from, through whatever proxies are trusted; or `unknown`. */
  readonly address: string
  isGone = false
  /** Of the answer, when it is one of ours. */
  code: string | undefined
  caller: Caller = ANYONE
  /** What answers say to pages of other sites; undefined: nothing. */
  cors: HeaderList | undefined
  /** An application is chosen, and its rule has said what `cors` is, or has nothing to say. */
  isCorsDecided = false
  /** A `Set-Cookie` value of ours for whatever the answer is: the session goes on. */
  sessionCookie: string | undefined
  /** What a user who was known by a lost connection is asked for; undefined: nobody was. */
  challenge: (() => HeaderList) | undefined
  /**
   * The application asked for, or the first on this host: its tenant's name and logo are on the
   * answer.
   */
  site: Application | undefined
  /** Parts of the application that it reaches beside the one that decides. Default: none. */
  reaches: readonly Published[] | undefined
  /** What is asked for, where that is known for certain: it is named. */
  asked: Application | undefined
  /**
   * Where the user wanted to go, if it is not the target of this request. A target of this host.
   */
  returnTo: string | undefined
  /** Knows which rules of translation changed something. */
  translation: { readonly rules: readonly string[] } | undefined
  readonly #answers: AnswerOptions
  #exchange: RequestReader | undefined
  #application: Application | undefined
  #isChanged = false
  #live: LiveExchanges | undefined
  /** Its slot there. */
  #slot = 0
  #isAnswered = false

  constructor(user: UserExchange, exchangeId: ExchangeId, address: string, answers: AnswerOptions) {
    this.user = user
    this.exchangeId = exchangeId
    this.address = address
    this.#answers = answers
  }

  /** From now on the exchange is told, or whoever else reads the body. */
  hand(exchange: RequestReader): void {
    this.#exchange = exchange
  }

  /**
   * The exchange goes on, and ends with the caller's session, or when the application is another.
   */
  isOpenTo(caller: Caller, { application }: Published, live: LiveExchanges): void {
    this.caller = caller
    this.#application = application
    this.#live = live
    this.#slot = live.add(this)
  }

  /** Its number, for its user to quote and for logs to find. */
  get id(): string {
    return requestNumberOf(this.exchangeId)
  }

  get head(): UserRequestHead {
    return this.user.head
  }

  get application(): Application {
    return this.#application!
  }

  /** It was judged by this one, and goes on. */
  set application(application: Application) {
    this.#application = application
  }

  applicationChanged(): void {
    this.#isChanged = true
    this.sessionEnded()
  }

  sessionEnded(): void {
    this.#live?.remove(this.#slot, this)
    this.#exchange?.sessionEnded?.()
  }

  tellSessionEnded(delivery: Delivery, application = publishedOf(this.#application!)): void {
    const { maintenance } = application.application
    if (this.#isChanged && maintenance?.endsOpen === true)
      return this.tellMaintenance(maintenance, delivery)
    if (this.#isChanged || this.caller.user === undefined) {
      const { detail: said, ...changed } = OWN_ANSWERS['application-changed']
      const detail = this.#advised(said, delivery)
      return this.answer({ ...changed, detail, delivery, retryAfterMs: 1_000 })
    }
    const { detail, ...ended } = OWN_ANSWERS['session-ended']
    this.answer({
      ...{ ...ended, detail: this.#advised(detail, delivery), delivery },
      headers: ['WWW-Authenticate', challenge(application, this.user.head.headers)],
    })
  }

  /** Answers that the application is being worked on. */
  tellMaintenance(maintenance: Maintenance, delivery: Delivery = 'none'): void {
    const answer = maintenanceAnswer(maintenance, this.#answers.clocks.wallClock())
    this.answer({ ...answer, detail: this.#advised(answer.detail, delivery), delivery })
  }

  /** Answers that the body is larger than the application takes. */
  tellBodyTooLarge(delivery: Delivery = 'none'): void {
    const { detail, ...words } = OWN_ANSWERS['body-too-large']
    const said = this.#advised(detail, delivery)
    this.answer({ ...words, detail: said, delivery, error: 'http_request_error' })
  }

  data(bytes: Uint8Array): void {
    this.#exchange?.userData(bytes)
  }

  ended(trailers: HeaderList | undefined): void {
    this.#exchange?.userEnded(trailers)
  }

  drained(): void {
    this.#exchange?.userDrained()
  }

  gone(complete: boolean): void {
    this.isGone = true
    this.#live?.remove(this.#slot, this)
    this.#exchange?.userGone(complete)
  }

  fail(error: ExchangeFailed, delivery: Delivery = 'none'): void {
    const { reason, source } = error
    const { status, detail: said, ...rest } = failureStatus(reason)
    const words = { ...rest, detail: this.#advised(said, delivery), delivery }
    const waitMs = error.retryAfterMs ?? (status === 503 ? 1_000 : undefined)
    const retryAfterMs = waitMs === undefined ? {} : { retryAfterMs: waitMs }
    const headers = reason === 'head-too-large' ? setCookies(REMOVE_ATTEMPTS) : this.#asks(reason)
    this.answer({ status, code: reason, ...words, source, ...retryAfterMs, headers })
  }

  breakOff({ reason }: ExchangeFailed): void {
    const { status, detail } = failureStatus(reason)
    this.user.abort({ code: reason, status, detail, requestId: this.id })
  }

  /** A 401 says what is asked for (RFC 9110 §11.6.1). */
  #asks(reason: FailureReason): HeaderList {
    return reason === 'pin-lost' ? (this.challenge?.() ?? []) : []
  }

  /** Instead of an answer; `false`: it wants one. */
  requireHttp1(): boolean {
    if (this.user.requireHttp1?.() !== true) return false
    this.code = 'http-1-1-required'
    this.#isAnswered = true
    this.#live?.remove(this.#slot, this)
    return true
  }

  #advised(detail: string, delivery: Delivery): string {
    return advised(detail, delivery, this.user.head.method)
  }

  redirect(location: string, cookies: readonly string[]): void {
    this.reply(302, ['Location', location, ...setCookies(cookies)])
  }

  /** Sends bytes of ours that are neither a page nor a problem, and that no cache keeps. */
  reply(status: number, headers: HeaderList, body = ''): void {
    const octets = new TextEncoder().encode(body)
    const common = ['Cache-Control', 'no-store', 'Content-Length', String(octets.length)]
    this.#send(status, [...headers, ...common], octets)
  }

  empty(status: number, headers: HeaderList): void {
    this.#send(status, ['Cache-Control', 'no-store', ...headers], new Uint8Array(0))
  }

  /** Public, and not an answer to who asks. */
  json(value: unknown, maxAgeSeconds: number): void {
    const body = new TextEncoder().encode(JSON.stringify(value))
    const headers = [
      ...['Content-Type', 'application/json', 'Content-Length', String(body.length)],
      ...['Cache-Control', `public, max-age=${maxAgeSeconds}`, 'X-Content-Type-Options', 'nosniff'],
    ]
    this.#send(200, headers, body)
  }

  answer({ headers = [], isAudited, ...failure }: OwnAnswer): void {
    this.code = failure.code
    const { method, target, headers: fields } = this.user.head
    const isSafe = method === 'GET' || method === 'HEAD'
    const back = this.returnTo ?? (isSafe ? returnTarget(target) : undefined)
    const response = failureResponse(
      { requestId: this.id, ...failure },
      {
        ...this.#form(failure),
        acceptLanguage: headerValues(fields, 'accept-language').join(', '),
        ...(back !== undefined && { target: back }),
        ...this.#looks(),
      },
      this.#answers.pages,
    )
    const isSent = !this.isGone && !this.#isAnswered
    if (failure.status >= 400 && isSent && isAudited !== true) this.#answers.failed?.(this, failure)
    this.#send(response.status, [...response.headers, ...headers], response.body)
  }

  /** A refusal reaches a client of gRPC as its status. */
  #form({ status }: OwnAnswer): Pick<Asked, 'accept' | 'grpcType'> {
    const { headers, httpVersion } = this.user.head
    const grpcType = status >= 400 ? grpcTypeOf(headers, httpVersion) : undefined
    if (grpcType !== undefined) return { accept: 'grpc', grpcType }
    return { accept: prefersHtml(headers) ? 'html' : 'problem' }
  }

  /**
   * What an answer takes from the directory. An answer is given also where that is what has failed.
   */
  #looks(): Pick<Asked, 'start' | 'ancestors' | 'isFramed' | 'branding' | 'application'> {
    const { site, asked } = this
    try {
      const start = asked ?? site
      const ancestors = asked?.embedding?.ancestors
      const branding = site && this.#answers.directory.tenant(site.tenantId)?.branding
      return {
        ...(start && { start: new URL(start.externalUrl).pathname }),
        ...(asked && { application: asked.name }),
        ...(ancestors && { ancestors, isFramed: isForFrame(this.user.head) }),
        ...(branding && { branding }),
      }
    } catch {
      return {}
    }
  }

  /** An error before an application was chosen. It is given also where the directory has failed. */
  #unchosenGrants(): HeaderList | undefined {
    if (this.isCorsDecided) return undefined
    const { head } = this.user
    try {
      const { asked } = this
      const applications = asked ? [asked] : this.#answers.directory.applicationsOn(head.authority)
      return unchosenGrants(applications, head)
    } catch {
      return undefined
    }
  }

  /**
   * Sends the answer, at most once: a session that ends, or a bad body, may come after the first
   * answer. An unread body closes the connection.
   */
  #send(status: number, headers: HeaderList, body: Uint8Array): void {
    if (this.isGone || this.#isAnswered) return
    this.#live?.remove(this.#slot, this)
    const { head } = this.user
    const { sessionCookie } = this
    const cors = this.cors ?? (status < 400 ? undefined : this.#unchosenGrants())
    const granted = cors === undefined ? headers : [...headers, ...cors]
    const kept = sessionCookie === undefined ? granted : withSessionCookie(granted, sessionCookie)
    this.user.respond({ status, headers: kept }, hasBody(head))
    this.#isAnswered = true
    if (head.method !== 'HEAD' && body.length > 0) this.user.write(body)
    this.user.end()
  }
}

export function setCookies(values: readonly string[]): HeaderList {
  return values.flatMap((value) => ['Set-Cookie', value])
}

function hasBody({ headers }: UserRequestHead): boolean {
  const length = headerValue(headers, 'content-length')
  return (
    headerValue(headers, 'transfer-encoding') !== undefined ||
    (length !== undefined && length !== '0')
  )
}
