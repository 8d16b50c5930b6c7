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
  canonicalHost,
  ExchangeFailed,
  headerValue,
  headerValues,
  isNamed,
  isReserved,
  readTarget,
  type BodyKind,
  type Target,
  type UserClaims,
} from '../protocol/index.ts'
import { applicationHint } from './attempts.ts'
import { EdgeExchange } from './edge-exchange.ts'
import { EdgeRequest, setCookies } from './edge-request.ts'
import { offeredHeaders } from './offered-headers.ts'
import type { Origin } from './origin.ts'
import type { Application, AuditSink, Clocks, CryptoProvider, Directory } from './ports.ts'
import { published, selectApplication, type Published } from './published.ts'
import { RequestIds } from './request-ids.ts'
import { checkSize, type RequestLimits } from './request-limits.ts'
import type { Session, Sessions } from './session.ts'
import { CALLBACK_PATH, type PreAuthentication } from './sign-in.ts'
import { checkOrigin, isUnmetWebSocket, upgradeWish } from './upgrade.ts'
import type { UserExchange, UserRequestHead } from './user-exchange.ts'

export type { RequestLimits } from './request-limits.ts'

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

const DEFAULT_LIMITS: RequestLimits = {}

/** Serves users. */
export class Edge {
  readonly #options: EdgeOptions
  readonly #ids: RequestIds

  constructor(options: EdgeOptions) {
    this.#options = options
    this.#ids = new RequestIds(options.crypto)
  }

  /** Serves one request; never throws, and always answers or breaks the connection. */
  handle(user: UserExchange, limits: RequestLimits = DEFAULT_LIMITS): void {
    const request = new EdgeRequest(user, this.#ids.next())
    user.listen(request)
    try {
      // Only sign-in, and a session cookie not seen before, take a promise.
      this.#serve(request, limits)?.catch((error: unknown) => this.#failed(request, error))
    } catch (error) {
      this.#failed(request, error)
    }
  }

  #failed(request: EdgeRequest, error: unknown): void {
    if (error instanceof ExchangeFailed) return request.fail(error)
    this.#options.audit.write({
      time: this.#options.clocks.wallClock(),
      type: 'edge.internal-error',
      outcome: 'failed',
      reason: error instanceof Error ? error.name : 'unknown',
      requestId: request.id,
    })
    request.fail(new ExchangeFailed('cloud', 'internal', { cause: error }))
  }

  #serve(request: EdgeRequest, limits: RequestLimits): Promise<void> | void {
    const { directory, sessions, clocks } = this.#options
    const { head } = request.user
    checkSize(head, limits)
    const body = bodyKindOf(head.method, head.headers)
    const applications = directory.applicationsOn(head.authority)
    if (applications.length === 0) throw new ExchangeFailed('user', 'unknown-application')
    checkHost(head)
    const target = readTarget(head.target, head.authority)
    if (isReserved(target.path)) return this.#serveOwn(request, applications, target)
    const selected = selectApplication(applications, target.path)
    if (selected === undefined) throw new ExchangeFailed('user', 'unknown-application')
    const { application } = selected
    if (application.preAuthentication === 'passthrough')
      return this.#offer(request, selected, target, body, undefined)
    const cookies = headerValues(head.headers, 'cookie')
    const now = clocks.wallClock()
    const session = sessions.known(application, selected.host, cookies, now)
    if (session !== 'unknown') return this.#admit(request, selected, target, body, session)
    return sessions
      .read(application, selected.host, cookies, now)
      .then((opened) => this.#admit(request, selected, target, body, opened))
  }

  #admit(
    request: EdgeRequest,
    application: Published,
    target: Target,
    body: BodyKind,
    session: Session | undefined,
  ): Promise<void> | void {
    if (session === undefined) return this.#signIn(request, application, target)
    const { head } = request.user
    if (head.upgrade !== undefined && upgradeWish(head) !== undefined)
      checkOrigin(head, application)
    return this.#offer(request, application, target, body, session.user)
  }

  /** No session: a navigation goes to the issuer, a program learns that it must authenticate. */
  #signIn(
    request: EdgeRequest,
    { application, host }: Published,
    target: Target,
  ): Promise<void> | void {
    const { head } = request.user
    if (isNavigation(head)) return this.#begin(request, application, host, target)
    request.answer({
      status: 401,
      code: 'sign-in-required',
      title: 'Sign-in required',
      detail: 'Open this address in a browser to sign in.',
      source: 'sign-in',
      headers: ['WWW-Authenticate', `Bearer realm="${host}"`],
    })
  }

  async #begin(
    request: EdgeRequest,
    application: Application,
    host: string,
    target: Target,
  ): Promise<void> {
    const begun = await this.#options.preAuthentication.begin(
      application,
      host,
      target.path + target.query,
      headerValues(request.user.head.headers, 'cookie'),
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
      published(application).host,
      query.slice(1),
      headerValues(request.user.head.headers, 'cookie'),
      request.id,
    )
    if (result.kind === 'signed-in') return request.redirect(result.location, result.setCookies)
    request.answer({ ...result, code: result.reason, headers: setCookies(result.setCookies) })
  }

  #offer(
    request: EdgeRequest,
    application: Published,
    target: Target,
    body: BodyKind,
    claims: UserClaims | undefined,
  ): void {
    const { head } = request.user
    const upgrade = body.kind === 'none' ? upgradeWish(head) : undefined
    if (upgrade === undefined && isUnmetWebSocket(head))
      throw new ExchangeFailed('cloud', 'upgrade-unsupported')
    // The connection may have gone while the session was being read.
    if (request.isGone) return
    const exchange = new EdgeExchange(request, application)
    request.hand(exchange)
    const { id, version } = application.application
    exchange.submit(this.#options.origin, {
      applicationId: id,
      applicationVersion: version,
      method: head.method,
      target: target.query === '' ? target.path : target.path + target.query,
      headers: offeredHeaders(head, application, claims),
      user: claims,
      body,
      upgrade,
    })
  }
}

/** One host, said once: over HTTP/2 a `Host` field may come beside `:authority`. */
function checkHost({ headers, authority }: UserRequestHead): void {
  let hosts = 0
  for (let i = 0; i < headers.length; i += 2) {
    if (!isNamed(headers[i]!, 'host')) continue
    hosts += 1
    const host = headers[i + 1]!
    if (hosts > 1 || (host !== authority && canonicalHost(host) !== canonicalHost(authority)))
      throw new ExchangeFailed('user', 'user-malformed', { cause: 'more than one host' })
  }
}

/** A browser that goes somewhere can be sent to sign in; a program that fetches, or a WebSocket, cannot. */
function isNavigation(head: UserRequestHead): boolean {
  const { method, headers } = head
  if (method !== 'GET' && method !== 'HEAD') return false
  if (upgradeWish(head) !== undefined || isUnmetWebSocket(head)) return false
  const mode = headerValue(headers, 'sec-fetch-mode')
  if (mode !== undefined) return mode === 'navigate'
  const accept = headerValue(headers, 'accept')
  return accept === undefined || /text\/html|\*\/\*/i.test(accept)
}
