/**
 * The session cookie (access 1.4 and 2): who the user is and until when, sealed for one application
 * on one host. It is not persisted, and it is read back without any store.
 *
 * @see ARCHITECTURE section 7
 * @module
 */
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { systemClocks } from '../../runtime/clocks.ts'
import * as v from 'valibot'
import type { UserClaims } from '../../protocol/wire/frame-types.ts'
import type { SessionGrant } from '../../protocol/machines/session-renewal.ts'
import type { SignInIdentity } from '../../protocol/machines/sign-in.ts'
import type { Caller } from '../identity/caller.ts'
import { onlyCookie, OwnCookie } from '../directory/cookies.ts'
import type { KeyRing } from './key-ring.ts'
import type { Application } from '../directory/directory-port.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { publishedOf } from '../directory/published.ts'
import { Renewals } from './renewals.ts'
import { LONGEST_SESSION_MS } from '../directory/session-configuration.ts'
import { slideMs, spanOf, type SessionSpan } from './session-lifetime.ts'
import { labelOf, MemorySessionGrants, type SessionGrants } from './session-grants.ts'
import { seal, unseal, type SealScope } from './sealed-cookie.ts'
import { OpenedSessions, type Opened } from './opened-sessions.ts'
import { openedSession, SealedSession, sealedSession } from './sealed-session.ts'
import {
  MemoryRevocations,
  revocationName,
  type Revocation,
  type SessionRevocations,
} from './session-revocations.ts'

/** Authentication to one application has occurred. */
export interface Session extends Caller {
  /**
   * 128 random bits, new at every sign-in and kept when a session is renewed; what revocation
   * names.
   */
  readonly id: string
  readonly user: UserClaims
  /**
   * It lacks groups or roles that the rules of then did not name: the version of what they named.
   */
  readonly cutFor?: string
  /** It has the claims that the application was told then: the version of their names. */
  readonly toldFor?: string
  /** When this cookie was made. Milliseconds since 1970. */
  readonly startedAt: number
  /**
   * The end of the issuer's token, or what the tenant's policy or the longest session allows.
   * Milliseconds since 1970.
   */
  readonly expiresAt: number
  /** Where a policy says how long it lasts: from when. Milliseconds since 1970. */
  readonly since?: number
  /**
   * Where it ends when it is not used: when it was used last, as far as its cookie tells.
   * Milliseconds since 1970.
   */
  readonly activeAt?: number
}

export interface SessionsOptions {
  readonly keyRing: KeyRing
  /** Default: in this process's memory. */
  readonly revocations?: SessionRevocations
  /** Refresh tokens. Default: in this process's memory. */
  readonly grants?: SessionGrants
  /** Where revocations are written down. Default: nowhere. */
  readonly audit?: AuditSink
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly wallClock?: () => number
  /** Opened cookies remembered. Default 2048, which is some 6 MB at the most. */
  readonly cached?: number
  /**
   * A session ends after this even if the issuer's token lasts longer. Milliseconds, default 24
   * hours.
   */
  readonly longestMs?: number
}

/** The sessions of users: started, read back from cookies, revoked. */
export class Sessions {
  readonly revocations: SessionRevocations
  readonly grants: SessionGrants
  /** Who goes to have a session renewed. @internal */
  readonly renewals = new Renewals()
  readonly #ring: KeyRing
  readonly #crypto: CryptoProvider
  readonly #wallClock: () => number
  /** What seals cookies. */
  readonly keyRing: KeyRing
  readonly #audit: AuditSink | undefined
  /** When a session that ends by not being used was used last, on this instance. */
  readonly #usedAt = new WeakMap<Session, number>()
  readonly #listeners = new Set<(session: Session) => void>()
  /** By the whole sealed cookie; tenant, application and host are compared. */
  readonly #opened: OpenedSessions
  readonly #longestMs: number
  /** The ring whose keys opened what is remembered. */
  #ringVersion: number

  /** @internal */
  constructor(options: SessionsOptions) {
    this.#ring = this.keyRing = options.keyRing
    this.#ringVersion = this.#ring.version
    this.#crypto = options.crypto ?? crypto
    this.#wallClock = options.wallClock ?? systemClocks.wallClock
    this.#audit = options.audit
    this.#opened = new OpenedSessions(options.cached ?? 2048)
    this.#longestMs = options.longestMs ?? LONGEST_SESSION_MS
    const wallClock = this.#wallClock
    this.grants = options.grants ?? new MemorySessionGrants({ wallClock })
    this.revocations =
      options.revocations ?? new MemoryRevocations({ keepMs: this.#longestMs, wallClock })
  }

  /**
   * A new session for a signed-in user, with its `Set-Cookie` value. One that continues `before`
   * keeps its id: whoever ends the session ends both. `startedAt`: what is revoked up to then does
   * not touch it. Default: now. `hasGrant`: a refresh token is kept for it.
   *
   * A cookie that would reach 3 KiB loses claims, see {@link sealedSession}.
   */
  async start(
    application: Application,
    host: string,
    identity: SignInIdentity,
    before?: Session,
    startedAt = this.#wallClock(),
    hasGrant = false,
  ): Promise<StartedSession> {
    const id = before?.id ?? hexadecimal(this.#crypto.getRandomValues(new Uint8Array(16)))
    const { lifetime } = application.session ?? {}
    const longestMs = this.#longestMs
    const span = spanOf({ lifetime, identity, startedAt, before, hasGrant, longestMs })
    return this.#seal(application, host, id, identity, span)
  }

  /**
   * The same session with what a new ID token says. It began when it began: a renewal escapes no
   * revocation.
   *
   * @internal
   */
  continue(
    application: Application,
    host: string,
    before: Session,
    { identity, renewedAt }: Pick<SessionGrant, 'identity' | 'renewedAt'>,
  ): Promise<StartedSession> {
    const { lifetime } = application.session ?? {}
    const longestMs = this.#longestMs
    const options = { lifetime, identity, before, hasGrant: true, longestMs }
    const span = {
      ...spanOf({ ...options, startedAt: before.startedAt }),
      renewedAt,
      // A renewal is no use: a script may renew by itself.
      ...(lifetime?.idleMs !== undefined && { activeAt: this.#lastUse(before) }),
    }
    return this.#tell(this.#seal(application, host, before.id, identity, span))
  }

  /** Told of sessions that go on under another cookie. @internal */
  onContinued(listener: (session: Session) => void): void {
    this.#listeners.add(listener)
  }

  async #tell(starting: Promise<StartedSession>): Promise<StartedSession> {
    const started = await starting
    for (const listener of this.#listeners) listener(started.session)
    return started
  }

  /**
   * Notes that the session was used. An answer with a cookie that says so is due once in a while:
   * then it is made.
   *
   * @internal
   */
  use(
    application: Application,
    host: string,
    session: Session,
    wallNow: number,
  ): Promise<StartedSession> | undefined {
    const { idleMs } = application.session?.lifetime ?? {}
    if (idleMs === undefined || session.activeAt === undefined) return undefined
    this.#usedAt.set(session, wallNow)
    if (wallNow < session.activeAt + slideMs(idleMs)) return undefined
    const identity = { ...session, ...session.user }
    const { cutFor, toldFor } = session
    const span = { ...session, activeAt: wallNow }
    const notes = { cut: cutFor, told: toldFor }
    return this.#tell(this.#seal(application, host, session.id, identity, span, notes))
  }

  async #seal(
    application: Application,
    host: string,
    id: string,
    identity: SignInIdentity,
    span: SessionSpan,
    notes?: { readonly cut: string | undefined; readonly told: string | undefined },
  ): Promise<StartedSession> {
    const cookie = sessionCookie(application)
    const made = sealedSession(id, identity, span, application, cookie.name)
    const sealed =
      notes === undefined ? made : { ...made, told: notes.told, cut: notes.cut ?? made.cut }
    const value = await seal(this.#ring, scopeOf(application, host), sealed)
    return { session: openedSession(sealed), setCookie: cookie.set(value) }
  }

  /** When it was used last, as this process or the cookie knows. Milliseconds since 1970. */
  #lastUse(session: Session): number {
    const { activeAt = session.startedAt } = session
    return Math.max(activeAt, this.#usedAt.get(session) ?? 0)
  }

  /**
   * The session that a request's `Cookie` fields carry for this application on this host.
   *
   * `undefined` when there is none, it has ended or was revoked, or it cannot be opened; also when
   * the name comes twice: one of them was planted. `wallNow` is milliseconds since 1970.
   */
  async read(
    application: Application,
    host: string,
    cookieFields: readonly string[],
    wallNow: number,
  ): Promise<Session | undefined> {
    const value = onlyCookie(cookieFields, publishedOf(application).sessionCookie)
    if (value === undefined) return undefined
    const opened =
      this.#remembered(application, host, value) ?? (await this.#open(application, host, value))
    return opened && this.#valid(opened, application, wallNow)
  }

  /**
   * What {@link read} would answer, if that needs no decryption: the cookie was opened before, or
   * there is none. Else `unknown`.
   *
   * @internal
   */
  known(
    application: Application,
    host: string,
    cookieFields: readonly string[],
    wallNow: number,
  ): Session | undefined | 'unknown' {
    const value = onlyCookie(cookieFields, publishedOf(application).sessionCookie)
    if (value === undefined) return undefined
    const opened = this.#remembered(application, host, value)
    return opened === undefined ? 'unknown' : this.#valid(opened, application, wallNow)
  }

  /** Ends sessions before their time; what is open in their name is broken off. */
  async revoke(revocation: Revocation): Promise<void> {
    await this.revocations.revoke(revocation)
    if (revocation.kind === 'session') await this.grants.remove(revocation.id)
    else {
      const label = await labelOf(this.#crypto, revocationName(revocation))
      await this.grants.removeLabelled(label, revocation.at)
    }
    const { kind, at } = revocation
    const application = 'applicationId' in revocation ? revocation.applicationId : undefined
    this.#audit?.write({
      time: this.#wallClock(),
      type: 'session.revoked',
      outcome: 'success',
      subject: 'subject' in revocation ? revocation.subject : undefined,
      sessionId: kind === 'session' ? revocation.id : undefined,
      detail: { kind, at, application },
    })
  }

  /** When a session ends if nobody uses it. Milliseconds since 1970. @internal */
  endOf(application: Application, session: Session): number {
    const { absoluteMs, idleMs = Infinity } = application.session?.lifetime ?? {}
    if (session.since === undefined) return session.expiresAt
    if (absoluteMs === undefined) return Math.min(session.expiresAt, session.freshUntil!)
    const ends = [session.expiresAt, session.since + absoluteMs, this.#lastUse(session) + idleMs]
    return Math.min(...ends)
  }

  /** The `Set-Cookie` value that ends the session in this browser. */
  end(application: Application): string {
    return sessionCookie(application).remove()
  }

  #valid(opened: Opened, application: Application, wallNow: number): Session | undefined {
    const { session } = opened
    // The application has another issuer now: the session's names mean nothing there.
    if (application.issuer !== undefined && application.issuer !== session.user.issuer)
      return undefined
    // The cookie was cut to fit the rules of then. Other rules may need what was cut: ask the
    // issuer.
    if (session.cutFor !== undefined && session.cutFor !== publishedOf(application).names)
      return undefined
    // The application is told other claims now: ask the issuer.
    const { custom } = publishedOf(application)
    if (custom !== undefined && custom !== session.toldFor) return undefined
    if (wallNow >= session.expiresAt || opened.isRevoked) return undefined
    if (session.since !== undefined && wallNow >= this.endOf(application, session)) return undefined
    const { version } = this.revocations
    if (opened.foundGoodAt === version) return session
    opened.isRevoked = this.revocations.isRevoked(session, application)
    // Note the version only after the answer: a look-up that throws has checked nothing.
    opened.foundGoodAt = version
    return opened.isRevoked ? undefined : session
  }

  /**
   * By the cookie's value alone: it is sealed with a nonce of its own, so no two scopes share one.
   */
  #remembered(application: Application, host: string, value: string): Opened | undefined {
    if (this.#ringVersion !== this.#ring.version) this.#forget()
    const opened = this.#opened.get(value)
    if (opened === undefined || opened.host !== host) return undefined
    const { applicationId, tenantId } = opened
    return applicationId === application.id && tenantId === application.tenantId
      ? opened
      : undefined
  }

  /** A key may have left the ring: what it opened is no session any more. */
  #forget(): void {
    this.#ringVersion = this.#ring.version
    this.#opened.clear()
  }

  async #open(application: Application, host: string, value: string): Promise<Opened | undefined> {
    const scope = scopeOf(application, host)
    const { version } = this.#ring
    const parsed = v.safeParse(SealedSession, await unseal(this.#ring, scope, value))
    if (!parsed.success) return undefined
    const { tenantId, applicationId } = scope
    const session = openedSession(parsed.output)
    // A slice would keep the whole header field in memory.
    const copy = JSON.parse(JSON.stringify(value)) as string
    const where = { tenantId, applicationId, host }
    const opened: Opened = { ...where, value: copy, session, foundGoodAt: -1, isRevoked: false }
    if (version === this.#ring.version && version === this.#ringVersion) this.#opened.add(opened)
    return opened
  }
}

/** A session, and the `Set-Cookie` value that makes a browser show it. */
export interface StartedSession {
  readonly session: Session
  readonly setCookie: string
}

/** Every application has a cookie of its own: two on one host do not overwrite each other's. */
export function sessionCookieName(application: Application): string {
  return publishedOf(application).sessionCookie
}

function sessionCookie(application: Application): OwnCookie {
  return new OwnCookie(sessionCookieName(application), {
    secure: isSecure(application),
    sameSite: application.session?.sameSite === 'none' ? 'None' : 'Lax',
    partitioned: application.embedding?.partitioned,
  })
}

/** Whether users reach it over https. */
export function isSecure(application: Application): boolean {
  return application.externalUrl.startsWith('https:')
}

const scopeOf = ({ id, tenantId }: Application, host: string): SealScope => ({
  purpose: 'session',
  tenantId,
  applicationId: id,
  host,
})
