/**
 * Who may pass: from a request for an application either an answer of ours, or a caller whose
 * request goes on.
 *
 * 1. a passthrough application asks nobody
 * 2. a token that a program shows decides alone, where the application takes tokens
 * 3. a session cookie that opens
 * 4. none: a navigation goes to the issuer, a program learns that it must authenticate
 * 5. whoever is known passes the decision that is made for each request
 * 6. a session near its end is renewed on the way, see renewals.ts and session-upkeep.ts
 *
 * @see ARCHITECTURE section 7
 * @module
 */
import { headerValues, type Target } from '../../protocol/internal.ts'
import { bearerOf } from '../bearer/bearer.ts'
import { challenge } from '../request/challenge.ts'
import type { BearerTokens } from '../bearer/bearer-tokens.ts'
import { checkOtherSite } from './other-site.ts'
import { ANYONE, type Caller } from '../identity/caller.ts'
import { setCookies, type EdgeRequest } from '../request/edge-request.ts'
import { sendToIssuer, takesPage } from '../sign-in/fragment-page.ts'
import { wayIn } from '../request/navigation.ts'
import { prefersHtml } from '../pages/negotiation.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Published } from '../directory/published.ts'
import { isDue } from '../session/renewals.ts'
import type { Session, Sessions } from '../session/session.ts'
import type { DecideAccess } from '../policy/verdict.ts'
import type { PreAuthentication } from '../sign-in/sign-in.ts'
import type { SignInWishes } from '../sign-in/sign-in-outcome.ts'
import { canBeSent, FORM_WINDOW_PATH } from '../pages/return-target.ts'
import type { SessionUpkeep, Upkept } from './session-upkeep.ts'
import { checkOrigin, upgradeWish } from '../request/upgrade.ts'

export interface AdmissionOptions {
  readonly sessions: Sessions
  readonly preAuthentication: PreAuthentication
  readonly clocks: Clocks
  readonly decideAccess: DecideAccess
  readonly bearerTokens: BearerTokens
  /** Default: a session is renewed by its user's browser alone. */
  readonly upkeep?: SessionUpkeep | undefined
}

/** When users may ask again whom nobody can tell to be signed in. Milliseconds. */
const STALE_RETRY_MS = 5_000

/** The caller, or `undefined` when the request was answered. */
export type Admitted = Caller | undefined

export class Admission {
  readonly #options: AdmissionOptions

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Only sign-in, and a session cookie not seen before, take a promise. */
  admit(
    request: EdgeRequest,
    application: Published,
    target: Target,
  ): Admitted | Promise<Admitted> {
    if (application.application.preAuthentication === 'passthrough') return ANYONE
    if (this.#options.sessions.revocations.isStale === true)
      return void request.answer({ ...OWN_ANSWERS['state-stale'], retryAfterMs: STALE_RETRY_MS })
    const shown = bearerOf(request, application, this.#options.bearerTokens)
    if (shown instanceof Promise)
      return shown.then((caller) => caller && this.#decided(request, application, target, caller))
    if (shown !== 'none') return shown && this.#decided(request, application, target, shown)
    const { sessions, clocks } = this.#options
    const cookies = headerValues(request.user.head.headers, 'cookie')
    const now = clocks.wallClock()
    const known = sessions.known(application.application, application.host, cookies, now)
    if (known !== 'unknown') return this.#bySession(request, application, target, known)
    return sessions
      .read(application.application, application.host, cookies, now)
      .then((session) => this.#bySession(request, application, target, session))
  }

  #bySession(
    request: EdgeRequest,
    application: Published,
    target: Target,
    session: Session | undefined,
  ): Admitted | Promise<Admitted> {
    if (session === undefined) return this.#unknown(request, application, target)
    const { head } = request.user
    if (head.upgrade !== undefined && upgradeWish(head) !== undefined)
      checkOrigin(head, application)
    checkOtherSite(head, application, target.path)
    const decided = this.#decided(request, application, target, session)
    if (decided === undefined || decided instanceof Promise) return decided
    if (session.since !== undefined) return this.#keptUp(request, application, target, session)
    if (!isDue(session, this.#options.clocks.wallClock())) return decided
    return this.#renew(request, application, target, session)
  }

  /** A session that may outlive its ID token. */
  #keptUp(
    request: EdgeRequest,
    application: Published,
    target: Target,
    session: Session,
  ): Admitted | Promise<Admitted> {
    const { upkeep } = this.#options
    upkeep?.use(request, application, session)
    if (!isDue(session, this.#options.clocks.wallClock())) return session
    if (session.hasGrant !== true || upkeep === undefined)
      return this.#renew(request, application, target, session)
    const goOn = (upkept: Upkept) => {
      if (upkept === session) return session
      if (upkept === 'over') return this.#unknown(request, application, target)
      if (upkept === 'unrenewable') return this.#renew(request, application, target, session)
      return this.#decided(request, application, target, upkept)
    }
    const upkept = upkeep.renewed(request, application, session)
    return upkept instanceof Promise ? upkept.then(goOn) : goOn(upkept)
  }

  /**
   * One page that a browser opens near the session's end goes past the issuer; everything else is
   * served as before.
   */
  #renew(
    request: EdgeRequest,
    application: Published,
    target: Target,
    session: Session,
  ): Admitted | Promise<Admitted> {
    const { sessions, clocks } = this.#options
    if (!takesPage(request, wayIn(request.user.head, application.application))) return session
    // Another page will do.
    if (!canBeSent(target.path + target.query)) return session
    if (!sessions.renewals.takes(session, clocks.wallClock())) return session
    return this.#begin(request, application, target, { renews: session })
  }

  #decided(
    request: EdgeRequest,
    application: Published,
    target: Target,
    caller: Caller,
  ): Admitted | Promise<Admitted> {
    request.caller = caller
    const { head } = request.user
    const verdict = this.#options.decideAccess(application, caller, request)
    if (verdict.kind === 'allow')
      return request.reaches === undefined ? caller : this.#reaching(request, caller)
    const way = wayIn(head, application.application)
    if (verdict.kind === 'step-up' && !caller.showsToken && way !== 'refuse' && way !== 'form')
      return way === 'window'
        ? tellToOpenWindow(request, application)
        : this.#begin(request, application, target, { stepUp: verdict.stepUp })
    return void request.answer(verdict.answer)
  }

  /** What reaches several parts of an application is for whoever is admitted to each. */
  #reaching(request: EdgeRequest, caller: Caller): Admitted {
    const { decideAccess } = this.#options
    const isAdmitted = (part: Published) =>
      part.application.preAuthentication === 'passthrough' ||
      decideAccess(part, caller, request).kind === 'allow'
    if (request.reaches!.every(isAdmitted)) return caller
    return void request.answer(OWN_ANSWERS['segment-out-of-reach'])
  }

  /** No session: a navigation goes to the issuer, a program learns that it must authenticate. */
  #unknown(
    request: EdgeRequest,
    application: Published,
    target: Target,
  ): Admitted | Promise<Admitted> {
    const way = wayIn(request.user.head, application.application)
    if (way === 'window') return tellToOpenWindow(request, application)
    if (way === 'form') return tellNotDelivered(request, application)
    if (way !== 'refuse') return this.#begin(request, application, target)
    request.answer({
      ...OWN_ANSWERS['sign-in-required'],
      headers: ['WWW-Authenticate', challenge(application, request.user.head.headers)],
    })
    return undefined
  }

  /** A session that cannot be renewed now goes on: its request is served. */
  async #begin(
    request: EdgeRequest,
    published: Published,
    target: Target,
    wishes: SignInWishes = {},
  ): Promise<Session | undefined> {
    const { application, host } = published
    const { head } = request.user
    const wanted = target.path + target.query
    const keepsAddress = !canBeSent(wanted)
    const keepsFragment = takesPage(request, wayIn(head, application))
    // What no page can keep is not lost without a word.
    if (keepsAddress && !prefersHtml(head.headers))
      return void request.answer(OWN_ANSWERS['address-too-long'])
    const begun = await this.#options.preAuthentication.begin(
      application,
      host,
      keepsAddress ? new URL(application.externalUrl).pathname : wanted,
      headerValues(head.headers, 'cookie'),
      request.id,
      { ...wishes, keepsFragment, keepsAddress },
    )
    if (begun.kind === 'redirect') sendToIssuer(request, { ...begun, keepsFragment, keepsAddress })
    else if (wishes.renews !== undefined) return wishes.renews
    else {
      const headers = setCookies(begun.setCookies)
      request.answer({ ...begun, code: begun.reason, headers, isAudited: true })
    }
    return undefined
  }
}

function tellToOpenWindow(request: EdgeRequest, application: Published): undefined {
  request.answer({
    ...OWN_ANSWERS['sign-in-framed'],
    headers: ['WWW-Authenticate', challenge(application, request.user.head.headers)],
  })
}

/**
 * Answers a posted form that came without a session. The body is not read: the browser may still
 * have it one step back.
 */
function tellNotDelivered(request: EdgeRequest, application: Published): undefined {
  const path = encodeURIComponent(new URL(application.application.externalUrl).pathname)
  const href = `${FORM_WINDOW_PATH}?for=${path}`
  request.answer({
    ...OWN_ANSWERS['form-not-delivered'],
    actions: [{ label: 'Sign in in a new window', href, opensWindow: true }],
    headers: ['WWW-Authenticate', challenge(application, request.user.head.headers)],
  })
}
