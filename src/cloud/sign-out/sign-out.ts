/**
 * Sign-out: ends the user's sessions on a host, here and then at the issuer.
 *
 * The session is revoked, not only its cookie removed: a copy of the cookie opens nothing, and what
 * is open in its name ends.
 *
 * @see OpenID Connect RP-Initiated Logout 1.0
 * @module
 */
import { base64url } from 'jose'
import { ownCookies } from '../directory/cookies.ts'
import type { Issuers } from '../issuer/issuers.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { publishedOf } from '../directory/published.ts'
import { OWN_PATH } from '../pages/return-target.ts'
import { readTokenHint, tokenHintCookie } from './token-hint.ts'
import { sessionCookieName, type Session, type Sessions } from '../session/session.ts'

/** Where it ends; register it with the issuer as `post_logout_redirect_uri`. */
export const SIGNED_OUT_PATH = `${OWN_PATH}signed-out`

export interface SignOutOptions {
  readonly directory: Pick<Directory, 'tenant'>
  readonly sessions: Sessions
  readonly issuers: Issuers
  readonly clocks: Clocks
  readonly audit: AuditSink
  /** Where users come back to from the issuer, for applications that are called back there. */
  readonly serviceUrl?: string | undefined
}

/** Send the user there. */
export interface SignedOut {
  readonly location: string
  /** `Set-Cookie` values. */
  readonly setCookies: readonly string[]
}

export class SignOut {
  readonly #options: SignOutOptions

  constructor(options: SignOutOptions) {
    this.#options = options
  }

  /**
   * Ends every session that the request's cookies carry for these applications, all of one host.
   *
   * `leaving`: the issuer's session is ended in any case, and `state` is what comes back with the
   * user; `here`: it goes on.
   */
  async signOut(
    applications: readonly Application[],
    cookieFields: readonly string[],
    requestId?: string,
    leaving?: { readonly application: Application; readonly state?: string } | 'here',
  ): Promise<SignedOut> {
    const { sessions, clocks } = this.#options
    const names = new Set(ownCookies(cookieFields).map(([name]) => name))
    let first: Application | undefined
    let hint: Hint = {}
    const setCookies: string[] = []
    for (const application of applications) {
      if (!names.has(sessionCookieName(application))) continue
      // Remove the cookie even if it opens no session.
      setCookies.push(sessions.end(application), tokenHintCookie(application).remove())
      const { host } = publishedOf(application)
      const now = clocks.wallClock()
      const session = await sessions.read(application, host, cookieFields, now)
      if (session === undefined) continue
      if (first === undefined) {
        first = application
        hint = await this.#hint(application, session, cookieFields)
      }
      await sessions.revoke({ kind: 'session', id: session.id, at: now })
      this.#write(application, session, requestId)
    }
    if (leaving === 'here') return { location: signedOutLocation(first), setCookies }
    const from = first ?? leaving?.application
    const location =
      from === undefined ? SIGNED_OUT_PATH : await this.#atIssuer(from, hint, leaving?.state)
    return { location, setCookies }
  }

  /** Whether the request's own cookies still carry a session for one of these applications. */
  async isSignedIn(
    applications: readonly Application[],
    cookieFields: readonly string[],
  ): Promise<boolean> {
    const { sessions, clocks } = this.#options
    for (const application of applications) {
      const { host } = publishedOf(application)
      const now = clocks.wallClock()
      if ((await sessions.read(application, host, cookieFields, now)) !== undefined) return true
    }
    return false
  }

  /**
   * What tells the issuer whose session is to end: the ID token, else a name it knows the user by.
   * Without either it asks whether they mean it.
   */
  async #hint(
    application: Application,
    { user }: Session,
    cookieFields: readonly string[],
  ): Promise<Hint> {
    const { keyRing } = this.#options.sessions
    const { host } = publishedOf(application)
    const fields = [host, cookieFields, user.subject] as const
    const token = await readTokenHint(keyRing, application, ...fields)
    if (token !== undefined) return { id_token_hint: token }
    return user.email === undefined ? {} : { logout_hint: user.email }
  }

  /** The issuer's end of the session, if it offers one and can be reached. */
  async #atIssuer(
    application: Application,
    hint: Hint,
    state = base64url.encode(application.id),
  ): Promise<string> {
    const { directory, issuers, serviceUrl } = this.#options
    const tenant = directory.tenant(application.tenantId)
    const endpoint = tenant && (await issuers.of(tenant).endSession().catch(nothing))
    if (endpoint === undefined) return signedOutLocation(application, state)
    const { searchParams } = endpoint
    searchParams.set('client_id', application.client!.id)
    for (const [name, value] of Object.entries(hint)) searchParams.set(name, value)
    const { callback, externalUrl } = application
    const { origin } = new URL((callback && serviceUrl) ?? externalUrl)
    searchParams.set('post_logout_redirect_uri', origin + SIGNED_OUT_PATH)
    searchParams.set('state', state)
    return endpoint.href
  }

  #write({ id, tenantId }: Application, session: Session, requestId: string | undefined): void {
    this.#options.audit.write({
      time: this.#options.clocks.wallClock(),
      type: 'sign-out.signed-out',
      outcome: 'success',
      tenantId,
      applicationId: id,
      subject: session.user.subject,
      sessionId: session.id,
      requestId,
    })
  }
}

function signedOutLocation(
  application: Application | undefined,
  state = application && base64url.encode(application.id),
): string {
  return state === undefined ? SIGNED_OUT_PATH : `${SIGNED_OUT_PATH}?state=${state}`
}

/**
 * The application that a visit of {@link SIGNED_OUT_PATH} came from, as its query says; only ever
 * one of those given.
 */
export function signedOutOf(
  applications: readonly Application[],
  query: string,
): Application | undefined {
  const state = new URLSearchParams(query).get('state')
  return applications.find(({ id }) => base64url.encode(id) === state) ?? applications[0]
}

/** A parameter for the issuer's end of the session. */
type Hint = Readonly<Partial<Record<'id_token_hint' | 'logout_hint', string>>>

const nothing = () => undefined
