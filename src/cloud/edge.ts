/**
 * The edge: what happens to a user's request before and after it is on the queue.
 *
 * 1. which application is it for; is its target unambiguous
 * 2. pre-authentication, if the application asks for it
 * 3. the offer: sanitised headers, typed claims, never our cookies
 * 4. the exchange (see edge-exchange.ts)
 *
 * @see spec/PROTOCOL.md, "The edge"
 * @module
 */
import {
  bodyKindOf,
  ExchangeFailed,
  failureStatus,
  headerValue,
  headerValues,
  isReserved,
  MAX_HEAD_BYTES,
  readTarget,
  selectByPath,
  type BodyKind,
  type HeaderList,
  type Target,
  type UserClaims,
} from '../protocol/index.ts'
import { applicationHint } from './attempts.ts'
import { EdgeExchange } from './edge-exchange.ts'
import { failureResponse, prefersHtml, type Failure } from './failure-page.ts'
import { offeredHeaders } from './offered-headers.ts'
import type { Origin } from './origin.ts'
import type { Application, AuditSink, Clocks, CryptoProvider, Directory } from './ports.ts'
import type { Sessions } from './session.ts'
import { CALLBACK_PATH, type PreAuthentication } from './sign-in.ts'
import type { UserExchange, UserRequestHead } from './user-exchange.ts'

/** Options of {@link Edge}. */
export interface EdgeOptions {
  readonly directory: Directory
  readonly origin: Origin
  readonly sessions: Sessions
  readonly preAuthentication: PreAuthentication
  readonly clocks: Clocks
  readonly crypto: CryptoProvider
  readonly audit: AuditSink
}

/** Bounds of one request, as its listener sets them. */
export interface RequestLimits {
  /** Header fields. Default 200. */
  readonly maxHeaders?: number
  /** Characters of the request target. Default 8 192. */
  readonly maxTarget?: number
}

/** Room for a user's header fields in an OFFER: the rest is for target, claims and our own fields. */
const MAX_OFFERED_BYTES = MAX_HEAD_BYTES - 24 * 1024

/** Serves users. */
export class Edge {
  readonly #options: EdgeOptions

  constructor(options: EdgeOptions) {
    this.#options = options
  }

  /** Serves one request; never throws, and always answers or breaks the connection. */
  handle(user: UserExchange, limits: RequestLimits = {}): void {
    const request = new EdgeRequest(user, this.#requestId())
    user.listen(request)
    this.#serve(request, limits).catch((error: unknown) => {
      if (error instanceof ExchangeFailed) return request.fail(error)
      this.#options.audit.write({
        time: this.#options.clocks.wallClock(),
        type: 'edge.internal-error',
        outcome: 'failed',
        reason: error instanceof Error ? error.name : 'unknown',
        requestId: request.id,
      })
      request.fail(new ExchangeFailed('cloud', 'internal', { cause: error }))
    })
  }

  async #serve(request: EdgeRequest, limits: RequestLimits): Promise<void> {
    const { head } = request.user
    checkSize(head, limits)
    const body = bodyKindOf(head.method, head.headers)
    const applications = this.#options.directory.applicationsOn(head.authority)
    if (applications.length === 0) throw new ExchangeFailed('user', 'unknown-application')
    if (headerValues(head.headers, 'host').length > 1) throw malformed('more than one Host')
    const target = readTarget(head.target, head.authority)
    if (isReserved(target.path)) return this.#serveOwn(request, applications, target)
    const application = select(applications, target.path)
    if (application === undefined) throw new ExchangeFailed('user', 'unknown-application')
    if (application.preAuthentication === 'passthrough') {
      return this.#offer(request, application, target, body, undefined)
    }
    const { sessions, clocks } = this.#options
    const cookies = headerValues(head.headers, 'cookie')
    const session = await sessions.read(
      application,
      hostOf(application),
      cookies,
      clocks.wallClock(),
    )
    if (session !== undefined) return this.#offer(request, application, target, body, session.user)
    return this.#signIn(request, application, target)
  }

  /** No session: a navigation goes to the issuer, a program learns that it must authenticate. */
  async #signIn(request: EdgeRequest, application: Application, target: Target): Promise<void> {
    const { head } = request.user
    if (!isNavigation(head)) {
      return request.answer({
        status: 401,
        code: 'sign-in-required',
        title: 'Sign-in required',
        detail: 'Open this address in a browser to sign in.',
        source: 'sign-in',
        headers: ['WWW-Authenticate', `Bearer realm="${hostOf(application)}"`],
      })
    }
    const cookies = headerValues(head.headers, 'cookie')
    const begun = await this.#options.preAuthentication.begin(
      application,
      hostOf(application),
      target.path + target.query,
      cookies,
      request.id,
    )
    if (begun.kind === 'redirect') return request.redirect(begun.location, begun.setCookies)
    request.answer({ ...begun, code: begun.reason, headers: setCookies(begun.setCookies) })
  }

  /** Paths under `/.app-proxy/` are ours on every external host, and never forwarded. */
  async #serveOwn(
    request: EdgeRequest,
    applications: readonly Application[],
    { path, query }: Target,
  ): Promise<void> {
    const hint = applicationHint(query.slice(1))
    const protectedOnes = applications.filter((one) => one.preAuthentication === 'oidc')
    const application = protectedOnes.find((one) => one.id === hint) ?? protectedOnes[0]
    if (path !== CALLBACK_PATH || application === undefined || request.user.head.method !== 'GET') {
      return request.answer({
        status: 404,
        code: 'not-found',
        title: 'Nothing here',
        detail: 'This address belongs to the service itself, and there is nothing at it.',
        source: 'cloud',
      })
    }
    const result = await this.#options.preAuthentication.callback(
      application,
      hostOf(application),
      query.slice(1),
      headerValues(request.user.head.headers, 'cookie'),
      request.id,
    )
    if (result.kind === 'signed-in') return request.redirect(result.location, result.setCookies)
    request.answer({ ...result, code: result.reason, headers: setCookies(result.setCookies) })
  }

  #offer(
    request: EdgeRequest,
    application: Application,
    target: Target,
    body: BodyKind,
    claims: UserClaims | undefined,
  ): void {
    const { head } = request.user
    if (wantsUpgrade(head.headers)) throw new ExchangeFailed('cloud', 'upgrade-unsupported')
    // The connection may have gone while the session was being read.
    if (request.isGone) return
    const exchange = new EdgeExchange(request.user, application, (error) => request.fail(error))
    request.hand(exchange)
    exchange.submit(this.#options.origin, {
      applicationId: application.id,
      applicationVersion: application.version,
      method: head.method,
      target: target.path + target.query,
      headers: offeredHeaders(head, application, claims),
      user: claims,
      body,
      upgrade: undefined,
    })
  }

  #requestId(): string {
    const octets = this.#options.crypto.getRandomValues(new Uint8Array(9))
    return btoa(String.fromCharCode(...octets))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
  }
}

/** What an answer of our own says. */
type OwnAnswer = Omit<Failure, 'requestId'> & { readonly headers?: HeaderList }

/** A request until it is an exchange: everything the edge answers by itself. */
class EdgeRequest {
  readonly user: UserExchange
  readonly id: string
  isGone = false
  #exchange: EdgeExchange | undefined

  constructor(user: UserExchange, id: string) {
    this.user = user
    this.id = id
  }

  /** From now on the exchange is told. */
  hand(exchange: EdgeExchange): void {
    this.#exchange = exchange
  }

  data(bytes: Uint8Array): void {
    this.#exchange?.userData(bytes)
  }

  ended(): void {
    this.#exchange?.userEnded()
  }

  drained(): void {
    this.#exchange?.userDrained()
  }

  gone(complete: boolean): void {
    this.isGone = true
    this.#exchange?.userGone(complete)
  }

  fail(error: ExchangeFailed): void {
    const { reason, source } = error
    const { status, ...words } = failureStatus(reason)
    const retryAfterMs = status === 503 ? { retryAfterMs: 1_000 } : {}
    this.answer({ status, code: reason, ...words, source, ...retryAfterMs })
  }

  redirect(location: string, cookies: readonly string[]): void {
    const headers = ['Location', location, 'Cache-Control', 'no-store', 'Content-Length', '0']
    this.#send(302, [...headers, ...setCookies(cookies)], new Uint8Array(0))
  }

  answer({ headers = [], ...failure }: OwnAnswer): void {
    const accept = prefersHtml(this.user.head.headers) ? 'html' : 'problem'
    const response = failureResponse({ ...failure, requestId: this.id }, accept)
    this.#send(response.status, [...response.headers, ...headers], response.body)
  }

  /** A body nobody read makes the connection useless for another request. */
  #send(status: number, headers: HeaderList, body: Uint8Array): void {
    if (this.isGone) return
    const { head } = this.user
    const close = hasBody(head)
    this.user.respond({ status, headers }, close)
    if (head.method !== 'HEAD' && body.length > 0) this.user.write(body)
    this.user.end()
  }
}

function hasBody({ headers }: UserRequestHead): boolean {
  const length = headerValue(headers, 'content-length')
  return (
    headerValue(headers, 'transfer-encoding') !== undefined ||
    (length !== undefined && length !== '0')
  )
}

function setCookies(values: readonly string[]): HeaderList {
  return values.flatMap((value) => ['Set-Cookie', value])
}

/** What cookies and redirect URIs are bound to: `host[:port]` of the external URL. */
function hostOf(application: Application): string {
  return new URL(application.externalUrl).host
}

function select(applications: readonly Application[], path: string): Application | undefined {
  const paths = applications.map(({ externalUrl }) => new URL(externalUrl).pathname)
  const selected = selectByPath(path, paths)
  return selected === undefined ? undefined : applications[paths.indexOf(selected)]
}

/** A browser that goes somewhere can be sent to sign in; a program that fetches cannot. */
function isNavigation({ method, headers }: UserRequestHead): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  const mode = headerValue(headers, 'sec-fetch-mode')
  if (mode !== undefined) return mode === 'navigate'
  const accept = headerValue(headers, 'accept')
  return accept === undefined || /text\/html|\*\/\*/i.test(accept)
}

function wantsUpgrade(headers: HeaderList): boolean {
  const upgrade = headerValue(headers, 'upgrade')
  const connection = headerValues(headers, 'connection').join(',').toLowerCase()
  // h2c is an offer that a server may ignore; for a WebSocket there is no other answer.
  return upgrade?.toLowerCase() === 'websocket' && connection.includes('upgrade')
}

function checkSize({ headers, target }: UserRequestHead, limits: RequestLimits): void {
  const { maxHeaders = 200, maxTarget = 8192 } = limits
  if (headers.length / 2 > maxHeaders) throw malformed('too many header fields')
  if (target.length > maxTarget) throw malformed('a target that is too long')
  // An octet above 0x7F takes two in an OFFER, which holds 64 KiB with what we add.
  let octets = 0
  for (const text of headers)
    octets += text.length + 3 + (/[^\0-\x7f]/.test(text) ? text.length : 0)
  if (octets > MAX_OFFERED_BYTES) throw malformed('a head that is too large')
}

function malformed(cause: string): ExchangeFailed {
  return new ExchangeFailed('user', 'user-malformed', { cause })
}
