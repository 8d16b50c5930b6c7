/**
 * Sessions that may outlive their ID token, while they are used: on the way of each request they
 * are noted as used, and renewed when that is due.
 *
 * A request waits only where what is known of its user is no longer fresh. Everything else is done
 * beside it: its answer takes the new cookie along if that is there in time, else the next one
 * does.
 *
 * @see docs/sessions.md
 * @module
 */
import type { Published } from '../directory/published.ts'
import type { Application } from '../directory/directory-port.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { renewalDueAt, slideMs } from '../session/session-lifetime.ts'
import type { Renewal, SessionRenewals } from '../session/session-renewals.ts'
import type { Session, Sessions } from '../session/session.ts'
import type { Caller } from '../identity/caller.ts'
import type { EdgeRequest } from '../request/edge-request.ts'
import type { LiveExchange } from '../request/live-exchanges.ts'

export interface SessionUpkeepOptions {
  readonly sessions: Sessions
  readonly renewals: SessionRenewals
  readonly clocks: Pick<Clocks, 'wallClock'>
}

/** Goes on as this session, `'unrenewable'` for as long as its token is fresh, or not at all. */
export type Upkept = Session | 'unrenewable' | 'over'

export class SessionUpkeep {
  readonly #options: SessionUpkeepOptions

  constructor(options: SessionUpkeepOptions) {
    this.#options = options
  }

  /** The session was used. Its answer says so in a cookie, once in a while. */
  use(request: EdgeRequest, { application, host }: Published, session: Session): void {
    if (session.activeAt === undefined) return
    const { sessions, renewals, clocks } = this.#options
    void sessions
      .use(application, host, session, clocks.wallClock())
      ?.then(async (started) => {
        request.sessionCookie ??= started.setCookie
        await renewals.used(application, started.session)
      })
      // The cookie stays as it was, and the next request tries again.
      .catch(() => undefined)
  }

  /** What becomes of a session with a refresh token. A promise only where the request must wait. */
  renewed(
    request: EdgeRequest,
    { application, host }: Published,
    session: Session,
  ): Upkept | Promise<Upkept> {
    const { renewals, clocks } = this.#options
    const now = clocks.wallClock()
    if (now < renewalDueAt(session)) return session
    if (now >= session.freshUntil!)
      return renewals
        .renewInTime(application, host, session, request)
        .then((renewal) => this.#taken(request, session, renewal))
    const renewing = renewals.renew(application, host, session, request)
    if (!(renewing instanceof Promise)) return this.#taken(request, session, renewing)
    void renewing
      .then((renewal) => {
        if (renewal.kind === 'renewed') request.sessionCookie = renewal.setCookie
      })
      // The session is fresh still: the next request tries again.
      .catch(() => undefined)
    return session
  }

  #taken(request: EdgeRequest, session: Session, renewal: Renewal): Upkept {
    const now = this.#options.clocks.wallClock()
    switch (renewal.kind) {
      case 'renewed':
        request.sessionCookie = renewal.setCookie
        return renewal.session
      case 'ended':
        return 'over'
      case 'unrenewable':
        return now < session.freshUntil! ? 'unrenewable' : 'over'
      case 'postponed':
        return this.#options.renewals.isCarried(session, now) ? session : 'over'
    }
  }

  /**
   * Whether an open exchange may stay open. Asked twice a second for each session. Renews the
   * session when that is due.
   */
  mayStayOpen(exchange: LiveExchange, { application, host }: Published): boolean {
    const { caller } = exchange
    if (!isSession(caller) || caller.since === undefined) return true
    const { renewals, sessions, clocks } = this.#options
    const now = clocks.wallClock()
    if (now >= sessions.endOf(application, caller) + toleranceOf(application)) return false
    if (caller.hasGrant !== true || now < renewalDueAt(caller)) return true
    const renewal = renewals.renew(application, host, caller, exchange)
    if (renewal instanceof Promise || renewal.kind === 'postponed')
      return renewals.isCarried(caller, now)
    if (renewal.kind === 'unrenewable') return now < caller.freshUntil!
    if (renewal.kind !== 'renewed') return false
    exchange.caller = renewal.session
    return true
  }
}

/** Of use that no cookie has told of yet. */
function toleranceOf({ session }: Application): number {
  const { idleMs } = session?.lifetime ?? {}
  return idleMs === undefined ? 0 : slideMs(idleMs)
}

const isSession = (caller: Caller): caller is Session =>
  caller.id !== undefined && caller.user !== undefined && caller.expiresAt !== undefined
