/**
 * The edge: what happens to a user's request before and after it is on the queue.
 *
 * 1. which application is it for; is its target unambiguous
 * 2. admission: who asks, and may they (see admission.ts); what is under `/.app-proxy/` is ours
 *    (see own-paths.ts)
 * 3. the offer: sanitised headers, typed claims, never our cookies
 * 4. the exchange (see edge-exchange.ts)
 *
 * @see spec/PROTOCOL.md, "The edge"
 * @module
 */
import {
  bodyKindOf,
  ExchangeFailed,
  isReserved,
  PortFailed,
  readTarget,
  requestNumberOf,
  type BodyKind,
  type ExchangeId,
  type Target,
} from '../../protocol/internal.ts'
import { Containment } from '../../runtime/containment.ts'
import { Admission, type AdmissionOptions } from './admission.ts'
import type { DecideAccess } from '../policy/verdict.ts'
import type { Caller } from '../identity/caller.ts'
import { withoutHiddenToken } from '../bearer/bearer.ts'
import { BearerTokens } from '../bearer/bearer-tokens.ts'
import { Affinities, challengeAgain } from './affinities.ts'
import { answerCors } from './cors.ts'
import { BackChannelLogout } from '../sign-out/back-channel-logout.ts'
import { EdgeExchange } from './edge-exchange.ts'
import { EdgeRequest, type AnswerOptions } from '../request/edge-request.ts'
import { writeFailure, writeUnread, type UnreadRequest } from './failure-audit.ts'
import { offeredHeaders } from './offered-headers.ts'
import { judgedAgain } from './judged-again.ts'
import { reachedPart } from './reached-segments.ts'
import { LiveExchanges } from '../request/live-exchanges.ts'
import { ExchangeIds, NO_ID } from '../offers/exchange-ids.ts'
import type { Origin } from '../offers/origin.ts'
import { OwnPaths } from '../request/own-paths.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import { AccessControl } from '../policy/access-control.ts'
import { ClientAddresses, type TrustedProxies } from '../policy/client-address.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { Directory } from '../directory/directory-port.ts'
import { timerOf, type Scheduler } from '../../runtime/scheduler.ts'
import { publishedOf, selectApplication, type Published } from '../directory/published.ts'
import { SoleApplications } from '../directory/sole-applications.ts'
import { isProtectedResourcePath, serveProtectedResource } from '../bearer/protected-resource.ts'
import { RecordedUser } from './recorded-user.ts'
import { checkHost, unknownHost } from './request-host.ts'
import { ServiceHost } from './service-host.ts'
import { checkSize, type RequestLimits } from './request-limits.ts'
import { RequestRates } from './request-rates.ts'
import { otherAccountPaths, signInAgain } from '../sign-in/other-account.ts'
import { EdgeTranslations } from './translations.ts'
import { SessionUpkeep } from './session-upkeep.ts'
import { shareOf } from './share.ts'
import { TranslatedBodies } from './translated-bodies.ts'
import { sessionPaths } from '../sign-in/session-paths.ts'
import { signInPaths } from '../sign-in/sign-in-paths.ts'
import { resultPaths } from '../sign-in/sign-in-result.ts'
import { windowPaths } from '../sign-in/window-paths.ts'
import { FrontChannelLogout } from '../sign-out/front-channel-logout.ts'
import { serviceSignInPaths } from '../sign-in/service-paths.ts'
import { assertionKeyPaths } from '../sign-on/assertion-key-paths.ts'
import { Assertions } from '../sign-on/assertions.ts'
import { SignOut } from '../sign-out/sign-out.ts'
import type { ContentCodings } from '../translate/bodies/content-codings.ts'
import { PublishedUrls } from '../translate/published-urls.ts'
import { serviceSignOutPaths } from '../sign-out/service-paths.ts'
import { signOutPaths } from '../sign-out/sign-out-paths.ts'
import { answerHttp1, isUnmetWebSocket, upgradeWish } from '../request/upgrade.ts'
import type { UserExchange } from '../request/user-exchange.ts'

export type { RequestLimits } from './request-limits.ts'

/** Options of {@link Edge}. */
export interface EdgeOptions
  extends Pick<AdmissionOptions, 'sessions' | 'preAuthentication' | 'clocks'>, AnswerOptions {
  readonly directory: Directory
  readonly origin: Origin
  readonly crypto: CryptoProvider
  readonly audit: AuditSink
  /** Default: the runtime's timers. */
  readonly scheduler?: Scheduler | undefined
  /** Default: the assignment and the policies of the directory, without places and risk. */
  readonly decideAccess?: DecideAccess
  /** Where faults are told. Default: nowhere but in the audit event. */
  readonly containment?: Containment
  /** Makes assertions for the applications that are told by them. Default: with keys of its own. */
  readonly assertions?: Assertions
  /** For bodies that are translated. Default: those that are coded are not. */
  readonly contentCodings?: ContentCodings | undefined
  /** Where the issuer knows applications by one address. Default: nowhere. */
  readonly serviceUrl?: string | undefined
  /** Whether each request is an audit event, when it is over. Default false. */
  readonly auditRequests?: boolean
  /**
   * Reverse proxies before the user listener. Default: none, and the peer of a connection is the
   * user.
   */
  readonly trustedProxies?: TrustedProxies
}

const DEFAULT_LIMITS: RequestLimits = {}

/** Serves users. */
export class Edge {
  readonly #options: EdgeOptions
  readonly #ids: ExchangeIds
  readonly #admission: Admission
  readonly #ownPaths: OwnPaths
  readonly #service: ServiceHost
  readonly #upkeep: SessionUpkeep | undefined
  /** What is open on this instance. @internal */
  readonly live: LiveExchanges
  readonly #addresses: ClientAddresses
  readonly #affinities: Affinities
  readonly #containment: Containment
  readonly #answers: AnswerOptions
  readonly #sole: SoleApplications
  readonly #assertions: Assertions
  readonly #bodies: TranslatedBodies
  readonly #rates: RequestRates
  readonly #translations: EdgeTranslations

  /** @internal */
  constructor(options: EdgeOptions) {
    this.#options = options
    this.#sole = new SoleApplications(options.directory)
    this.#assertions = options.assertions ?? new Assertions(options)
    this.#containment = options.containment ?? new Containment()
    const urls = new PublishedUrls(options.directory)
    this.#translations = new EdgeTranslations(urls, options)
    this.#bodies = new TranslatedBodies({ ...options, urls, containment: this.#containment })
    this.#ids = new ExchangeIds(options.crypto)
    this.#rates = new RequestRates(options)
    // Where requests are audited, their failures are as well.
    this.#answers = options.auditRequests
      ? options
      : { ...options, failed: (request, answer) => writeFailure(options, request, answer) }
    const decideAccess = options.decideAccess ?? new AccessControl(options).onRequest
    this.live = new LiveExchanges({
      revocations: options.sessions.revocations,
      wallClock: () => options.clocks.wallClock(),
      timer: timerOf(options),
      judge: (exchange) => {
        const judgement = judgedAgain(exchange, options.directory, decideAccess)
        if (judgement !== 'goes-on' || this.#upkeep === undefined) return judgement
        const mayStay = this.#upkeep.mayStayOpen(exchange, publishedOf(exchange.application))
        return mayStay ? judgement : 'session-ended'
      },
      failed: (exchange, error) => this.#tellInternal(exchange.id, error),
    })
    this.#addresses = new ClientAddresses(options.trustedProxies)
    this.#affinities = new Affinities({ ...options, addresses: this.#addresses })
    const { preAuthentication, sessions } = options
    const { issuers, renewals } = preAuthentication
    const { revocations } = sessions
    const bearerTokens = new BearerTokens({ ...options, issuers, revocations })
    this.#upkeep = renewals && new SessionUpkeep({ ...options, renewals })
    sessions.onContinued((session) => this.live.renewed(session))
    this.#admission = new Admission({
      ...{ ...options, decideAccess, bearerTokens },
      upkeep: this.#upkeep,
    })
    const signOut = new SignOut({ ...options, issuers })
    const signOuts = signOutPaths(
      signOut,
      new BackChannelLogout({ ...options, issuers }),
      new FrontChannelLogout({ ...options, issuers }),
      (call) => signInAgain(preAuthentication, call),
    )
    this.#service = new ServiceHost(
      ...([this.#assertions, options.directory] as const),
      serviceSignInPaths({ ...options, handOvers: preAuthentication.handOvers }),
      serviceSignOutPaths(options.directory, signOuts),
    )
    this.#ownPaths = new OwnPaths(
      signInPaths(preAuthentication, this.live),
      resultPaths(preAuthentication),
      windowPaths(options),
      assertionKeyPaths(this.#assertions),
      renewals ? sessionPaths({ ...options, renewals }) : {},
      otherAccountPaths(preAuthentication, signOut),
      signOuts,
    )
  }

  /**
   * Whether a request is for this edge: where it shares a server with others, what it should be
   * handed.
   *
   * @param host the `Host` field, as it came
   * @param target the request target, as it came: whether it is for an application, for the service
   *   itself (`/.app-proxy/`), or to be refused. Default: any target of a host with an application
   */
  publishes(host: string | undefined, target?: string): boolean {
    if (host === undefined) return false
    const applications = this.#options.directory.applicationsOn(host)
    if (target === undefined) return applications.length > 0
    if (applications.length === 0) return this.#service.has(host, target)
    try {
      const { path } = readTarget(target, host)
      if (isReserved(path) || selectApplication(applications, path) !== undefined) return true
      return (
        isProtectedResourcePath(path) && applications.some(({ bearer }) => bearer !== undefined)
      )
    } catch {
      // What can be read in two ways is refused here, and by nobody else.
      return true
    }
  }

  /** Serves one request; never throws, and always answers or breaks the connection. */
  handle(user: UserExchange, limits: RequestLimits = DEFAULT_LIMITS): void {
    try {
      this.#handle(user, limits)
    } catch (error) {
      this.#unanswered(user, error)
    }
  }

  /** The number of an answer to what a listener could not read as a request; it is in the audit. */
  unread(refused: UnreadRequest): string {
    const requestId = requestNumberOf(this.#nextId())
    writeUnread(this.#options, { ...refused, requestId })
    return requestId
  }

  /** Not even an answer could be made. */
  #unanswered(user: UserExchange, error: unknown): void {
    this.#containment.tellInternal('edge', error)
    user.abort()
  }

  #handle(user: UserExchange, limits: RequestLimits): void {
    const { remoteAddress, headers } = user.head
    const address = this.#addresses.of(remoteAddress, headers)
    const recorded = this.#options.auditRequests ? new RecordedUser(user, this.#options) : undefined
    const id = this.#nextId()
    const request = new EdgeRequest(recorded ?? user, id, address, this.#answers)
    if (recorded !== undefined) recorded.request = request
    request.user.listen(request)
    if (id === NO_ID) return request.fail(new ExchangeFailed('cloud', 'internal'))
    try {
      this.#serve(request, limits)
        ?.catch((error: unknown) => this.#failed(request, error))
        .catch((error: unknown) => this.#unanswered(user, error))
    } catch (error) {
      this.#failed(request, error)
    }
  }

  /** {@link NO_ID} where none can be drawn: whoever asked is told so, and goes nowhere. */
  #nextId(): ExchangeId {
    try {
      return this.#ids.next()
    } catch (error) {
      this.#tellInternal(NO_ID, error)
      return NO_ID
    }
  }

  #failed(request: EdgeRequest, error: unknown): void {
    if (error instanceof ExchangeFailed) return request.fail(error)
    this.#tellInternal(request.id, error)
    request.fail(new ExchangeFailed('cloud', 'internal', { cause: error }))
  }

  #tellInternal(requestId: string, error: unknown): void {
    this.#containment.tellInternal('edge', error)
    this.#options.audit.write({
      time: this.#options.clocks.wallClock(),
      type: 'edge.internal-error',
      outcome: 'failed',
      reason: error instanceof Error ? error.name : 'unknown',
      requestId,
      ...(error instanceof PortFailed && { detail: { port: error.port } }),
    })
  }

  #serve(request: EdgeRequest, limits: RequestLimits): Promise<void> | void {
    const { head } = request.user
    const applications = this.#options.directory.applicationsOn(head.authority)
    // Before anything is refused: the answer to what is too large names the application as well.
    request.site = applications[0]
    if (applications.length === 1) request.asked = applications[0]
    checkSize(head, limits)
    // It asks for a tunnel to anywhere; what it names is no path of an application.
    if (head.method === 'CONNECT') throw new ExchangeFailed('cloud', 'method-unsupported')
    const body = bodyKindOf(head.method, head.headers)
    if (head.isMisdirected === true) return request.answer(OWN_ANSWERS.misdirected)
    if (applications.length === 0) {
      if (!this.#service.serves(head)) throw unknownHost(head)
      checkHost(head)
      return this.#service.serve(request)
    }
    checkHost(head)
    // It is about the service, and no application has it (RFC 9110 §9.3.7).
    if (head.target === '*' && head.method === 'OPTIONS') return request.empty(204, [])
    const target = readTarget(head.target, head.authority)
    if (isReserved(target.path)) return this.#ownPaths.serve({ request, applications, target })
    if (
      isProtectedResourcePath(target.path) &&
      serveProtectedResource(request, applications, target.path, this.#options.directory)
    )
      return
    const selected = selectApplication(applications, target.path)
    if (selected === undefined) throw new ExchangeFailed('user', 'unknown-application')
    request.site = request.asked = selected.application
    const application = reachedPart(request, selected, target, applications)
    if (answerCors(request, application, target.path) || answerHttp1(request, application)) return
    const { maintenance } = application.application
    if (maintenance !== undefined) return request.tellMaintenance(maintenance)
    if (body.kind === 'length' && body.bytes > application.maxBodyBytes)
      return request.tellBodyTooLarge()
    const admitted = this.#admission.admit(request, application, target)
    if (!(admitted instanceof Promise))
      return admitted && this.#offer(request, application, target, body, admitted)
    return admitted.then((caller) => {
      if (caller === undefined) return
      // Its user may have signed out since: what is open is told of that only once it is.
      const { revocations } = this.#options.sessions
      if (revocations.isRevoked(caller, application.application))
        return request.tellSessionEnded('none', application)
      this.#offer(request, application, target, body, caller)
    })
  }

  #offer(
    request: EdgeRequest,
    application: Published,
    target: Target,
    body: BodyKind,
    caller: Caller,
  ): void {
    const { head } = request.user
    const upgrade = body.kind === 'none' ? upgradeWish(head) : undefined
    if (upgrade === undefined && isUnmetWebSocket(head))
      throw new ExchangeFailed('cloud', 'upgrade-unsupported')
    // The connection may have gone while the session was being read.
    if (request.isGone) return
    if (application.isPaced && this.#rates.refuses(request, application)) return
    const affinity = application.isConnectionBound
      ? this.#affinities.of(request.user, application, caller)
      : undefined
    const { origin } = this.#options
    const answer = this.#bodies.before(request.user, application)
    const translation = this.#translations.begin(application, request, target.path)
    request.translation = translation
    const exchange = new EdgeExchange(request, application, origin, affinity, answer, translation)
    request.hand(answer?.handTo(exchange) ?? exchange)
    if (affinity !== undefined) request.challenge = () => challengeAgain(affinity, head.headers)
    request.isOpenTo(caller, application, this.live)
    const { id: applicationId, version } = application.application
    const headers = offeredHeaders(
      withoutHiddenToken(head, application, caller),
      request.address,
      application,
      caller,
      translation,
    )
    exchange.submit({
      id: request.exchangeId,
      share: shareOf(caller, request.address),
      needs: application.needs,
      isAlone: this.#sole.has(application.destination.group, this.#options.clocks.now()),
      applicationId,
      applicationVersion: version,
      method: head.method,
      target: target.query === '' ? target.path : target.path + target.query,
      headers: answer?.asked(headers) ?? headers,
      user: application.offered(caller),
      body,
      upgrade,
      prepare: this.#assertions.prepare(application, caller, {
        method: head.method,
        path: target.path,
      }),
      affinity: affinity?.id,
      isAffinityShared: affinity?.isShared,
    })
  }
}
