/**
 * OIDC front-channel logout: the issuer's sign-out page opens our address in a hidden frame, and
 * the session that it names ends here.
 *
 * Nothing signs such a request, and where third-party cookies are blocked no cookie comes with it.
 * Whoever knows the `sid` of a session at the issuer can end what it led to, and nothing else; how
 * many they can name is bounded, because each is remembered for as long as a session may last.
 *
 * @see OpenID Connect Front-Channel Logout 1.0
 * @module
 */
import { CountedWindow } from '../../runtime/counted-window.ts'
import { publishedOf } from '../directory/published.ts'
import type { Issuers } from '../issuer/issuers.ts'
import { clientNetwork } from '../rules/network.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import { idsOfClient } from './client-applications.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Sessions } from '../session/session.ts'

export interface FrontChannelLogoutOptions {
  readonly directory: Pick<Directory, 'tenant' | 'applications'>
  readonly sessions: Sessions
  readonly issuers: Issuers
  readonly clocks: Clocks
  readonly audit: AuditSink
}

/** Where the frame came from, and what came with it. */
export interface FrontChannelVisit {
  readonly query: URLSearchParams
  readonly cookieFields: readonly string[]
  readonly address: string
  readonly requestId: string
}

export type FrontChannelResult =
  /** `issuer`: who may show the answer in a frame. */
  | { readonly kind: 'ended'; readonly issuer: string; readonly setCookies: readonly string[] }
  /** It names no issuer of ours and no session. */
  | { readonly kind: 'refused' }
  /** Too many were named without a cookie. */
  | { readonly kind: 'too-many'; readonly retryAfterMs: number }

/** Sessions named by one address without its cookie. A household or an office shares one. */
const MOST_OF_ADDRESS = { most: 60, windowMs: 60_000 }
/** Of one client: as many as an hour of a large organisation has. */
const MOST_OF_CLIENT = { most: 500, windowMs: 3_600_000 }
/** In all. A day of them leaves room for other revocations: 100 000 are kept. */
const MOST_IN_ALL = { most: 2_000, windowMs: 3_600_000 }
const MAX_SID_CHARACTERS = 255

export class FrontChannelLogout {
  readonly #options: FrontChannelLogoutOptions
  readonly #ofAddress: CountedWindow
  readonly #ofClient: CountedWindow
  readonly #inAll: CountedWindow

  constructor(options: FrontChannelLogoutOptions) {
    this.#options = options
    const now = () => options.clocks.now()
    this.#ofAddress = new CountedWindow({ now, ...MOST_OF_ADDRESS })
    this.#ofClient = new CountedWindow({ now, ...MOST_OF_CLIENT })
    this.#inAll = new CountedWindow({ now, ...MOST_IN_ALL })
  }

  /** `applications`: those of the host that users sign in to. */
  async take(
    applications: readonly Application[],
    visit: FrontChannelVisit,
  ): Promise<FrontChannelResult> {
    const [issuer, ...otherIssuers] = visit.query.getAll('iss')
    const [sid, ...otherSids] = visit.query.getAll('sid')
    const isClear = otherIssuers.length === 0 && otherSids.length === 0
    const ours = applications.filter((one) => this.#issuerOf(one) === issuer)
    if (!isClear || !issuer || !isSid(sid) || ours.length === 0) {
      this.#write(applications[0], visit, 'refused', 'callback-malformed')
      return { kind: 'refused' }
    }
    const setCookies: string[] = []
    // All applications of a client are meant at once.
    const meant = new Set<string>()
    for (const application of ours) {
      const hasCookie = await this.#hasCookieOf(application, issuer, sid, visit)
      // Cookies of other sessions at this issuer stay.
      if (hasCookie) setCookies.push(this.#options.sessions.end(application))
      const client = JSON.stringify([application.tenantId, application.client!.id])
      if (meant.has(client) || this.#isOver(application, issuer, sid)) continue
      const retryAfterMs = hasCookie ? 0 : this.#count(application, visit.address)
      if (retryAfterMs > 0) {
        this.#write(application, visit, 'refused', 'too-many')
        return { kind: 'too-many', retryAfterMs }
      }
      await this.#revoke(application, issuer, sid)
      meant.add(client)
      this.#write(application, visit, 'success')
    }
    return { kind: 'ended', issuer, setCookies }
  }

  /** Where the issuer shows its pages: they may frame the answer. */
  async framedBy(application: Application, issuer: string): Promise<readonly string[]> {
    const tenant = this.#options.directory.tenant(application.tenantId)
    const known = tenant && this.#options.issuers.of(tenant)
    const endpoint = await known?.endSession().catch(() => undefined)
    const origins = [new URL(issuer).origin, ...(endpoint === undefined ? [] : [endpoint.origin])]
    return [...new Set(origins)]
  }

  #issuerOf({ tenantId }: Application): string | undefined {
    return this.#options.directory.tenant(tenantId)?.issuer
  }

  async #hasCookieOf(
    application: Application,
    issuer: string,
    sid: string,
    { cookieFields }: FrontChannelVisit,
  ): Promise<boolean> {
    const { sessions, clocks } = this.#options
    const { host } = publishedOf(application)
    const session = await sessions.read(application, host, cookieFields, clocks.wallClock())
    return session?.issuerSession === sid && session.user.issuer === issuer
  }

  /**
   * Asked again, or by the frame of another application of the client: nothing more is remembered.
   */
  #isOver(application: Application, issuer: string, issuerSession: string): boolean {
    const { sessions, clocks } = this.#options
    const caller = {
      ...{ user: { issuer, subject: '' }, issuerSession },
      startedAt: clocks.wallClock(),
    }
    return sessions.revocations.isRevoked(caller, application)
  }

  /** Milliseconds to wait; 0: it was counted, and may go on. */
  #count(application: Application, address: string): number {
    const network = clientNetwork(address)
    const client = JSON.stringify([application.tenantId, application.client!.id])
    const counted = [
      [this.#ofAddress, network],
      [this.#ofClient, client],
      [this.#inAll, ''],
    ] as const
    const waitMs = Math.max(...counted.map(([window, name]) => window.waitMs(name)))
    if (waitMs === 0) for (const [window, name] of counted) window.count(name)
    return waitMs
  }

  /** The issuer knows one address of each client: all applications of that client are meant. */
  async #revoke(
    { tenantId, client }: Application,
    issuer: string,
    issuerSession: string,
  ): Promise<void> {
    const { directory, sessions, clocks } = this.#options
    const at = clocks.wallClock()
    for (const applicationId of idsOfClient(directory, tenantId, client!.id))
      await sessions.revoke({
        ...{ kind: 'issuer-session', issuer, issuerSession, applicationId, at },
      })
  }

  #write(
    application: Application | undefined,
    { requestId, address }: FrontChannelVisit,
    outcome: 'success' | 'refused',
    reason?: string,
  ): void {
    this.#options.audit.write({
      time: this.#options.clocks.wallClock(),
      type: 'sign-out.front-channel',
      outcome,
      ...(reason !== undefined && { reason }),
      tenantId: application?.tenantId,
      applicationId: application?.id,
      requestId,
      address,
    })
  }
}

const isSid = (sid: string | undefined): sid is string =>
  sid !== undefined && sid !== '' && sid.length <= MAX_SID_CHARACTERS && !/[\0-\x1f\x7f]/.test(sid)
