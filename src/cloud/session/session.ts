/**
 * The session cookie (access 1.4 and 2): who the user is and until when, sealed for one application on one host. It is not persisted, and it is read back without any store.
 *
 * @see ARCHITECTURE section 7
 * @module
 */
import * as v from 'valibot'
import type { UserClaims } from '../../protocol/frame-types.ts'
import type { SignInIdentity } from '../../protocol/sign-in.ts'
import type { Caller } from '../edge/caller.ts'
import { onlyCookie, OwnCookie } from './cookies.ts'
import type { KeyRing } from './key-ring.ts'
import type { Application, AuditSink, CryptoProvider } from '../ports.ts'
import { published } from '../directory/published.ts'
import { Renewals } from '../sign-in/renewals.ts'
import { seal, unseal, type SealScope } from './sealed-cookie.ts'
import { openedSession, SealedSession, sealedSession } from './sealed-session.ts'
import {
  MemoryRevocations,
  type Revocation,
  type SessionRevocations,
} from './session-revocations.ts'

/** Authentication to one application has occurred. */
export interface Session extends Caller {
  /** 128 random bits, new at every sign-in and kept when a session is renewed; what revocation names. */
  readonly id: string
  readonly user: UserClaims
  /** It lacks groups or roles that the rules of then did not name: the version of what they named. */
  readonly cutFor?: string
  /** When this cookie was made. Milliseconds since 1970. */
  readonly startedAt: number
  /** The end of the issuer's token, or what the longest session allows. Milliseconds since 1970. */
  readonly expiresAt: number
}

export interface SessionsOptions {
  readonly keyRing: KeyRing
  /** Default: in this process's memory. */
  readonly revocations?: SessionRevocations
  /** Where revocations are written down. Default: nowhere. */
  readonly audit?: AuditSink
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
  /** Milliseconds since 1970. Default: the runtime's clock. */
  readonly wallClock?: () => number
  /** Opened cookies remembered. Default 2048, which is some 6 MB at the most. */
  readonly cached?: number
  /** A session ends after this even if the issuer's token lasts longer. Milliseconds, default 24 hours. */
  readonly longestMs?: number
}

export class Sessions {
  readonly revocations: SessionRevocations
  /** Who goes to have a session renewed. */
  readonly renewals = new Renewals()
  readonly #ring: KeyRing
  readonly #crypto: CryptoProvider
  readonly #wallClock: () => number
  /** What seals cookies. */
  readonly keyRing: KeyRing
  readonly #audit: AuditSink | undefined
  #opened = new Map<string, Opened>()
  #openedBefore = new Map<string, Opened>()
  readonly #cached: number
  readonly #longestMs: number
  /** The ring whose keys opened what is remembered. */
  #ringVersion: number

  constructor(options: SessionsOptions) {
    this.#ring = this.keyRing = options.keyRing
    this.#ringVersion = this.#ring.version
    this.#crypto = options.crypto ?? crypto
    this.#wallClock = options.wallClock ?? (() => Date.now())
    this.#audit = options.audit
    this.#cached = options.cached ?? 2048
    this.#longestMs = options.longestMs ?? 24 * 3_600_000
    this.revocations =
      options.revocations ??
      new MemoryRevocations({ keepMs: this.#longestMs, wallClock: this.#wallClock })
  }

  /**
   * A new session for a signed-in user, with its `Set-Cookie` value. One that continues `before` keeps its id: whoever ends the session ends both. `startedAt`: what is
   * revoked up to then does not touch it. Default: now.
   *
   * A cookie that would reach 3 KiB loses claims, see {@link sealedSession}.
   */
  async start(
    application: Application,
    host: string,
    identity: SignInIdentity,
    before?: Session,
    startedAt = this.#wallClock(),
  ): Promise<{ session: Session; setCookie: string }> {
    const id = before?.id ?? hexadecimal(this.#crypto.getRandomValues(new Uint8Array(16)))
    const cookie = sessionCookie(application)
    const expiresAt = Math.min(identity.expiresAt, startedAt + this.#longestMs)
    const sealed = sealedSession(id, identity, { startedAt, expiresAt }, application, cookie.name)
    const value = await seal(this.#ring, scopeOf(application, host), sealed)
    return { session: openedSession(sealed), setCookie: cookie.set(value) }
  }

  /**
   * The session that a request's `Cookie` fields carry for this application on this host.
   *
   * `undefined` when there is none, it has ended or was revoked, or it cannot be opened; also when the name comes twice: one of them was planted. `wallNow` is
   * milliseconds since 1970.
   */
  async read(
    application: Application,
    host: string,
    cookieFields: readonly string[],
    wallNow: number,
  ): Promise<Session | undefined> {
    const value = onlyCookie(cookieFields, published(application).sessionCookie)
    if (value === undefined) return undefined
    const opened =
      this.#remembered(application, host, value) ?? (await this.#open(application, host, value))
    return opened && this.#valid(opened, application, wallNow)
  }

  /** What {@link read} would answer, where that takes no decryption: the cookie was opened before, or there is none. Else `unknown`. */
  known(
    application: Application,
    host: string,
    cookieFields: readonly string[],
    wallNow: number,
  ): Session | undefined | 'unknown' {
    const value = onlyCookie(cookieFields, published(application).sessionCookie)
    if (value === undefined) return undefined
    const opened = this.#remembered(application, host, value)
    return opened === undefined ? 'unknown' : this.#valid(opened, application, wallNow)
  }

  /** Ends sessions before their time; what is open in their name is broken off. */
  async revoke(revocation: Revocation): Promise<void> {
    await this.revocations.revoke(revocation)
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

  /** The `Set-Cookie` value that ends the session in this browser. */
  end(application: Application): string {
    return sessionCookie(application).remove()
  }

  #valid(opened: Opened, application: Application, wallNow: number): Session | undefined {
    const { session } = opened
    // Its names are those of the issuer before.
    if (application.issuer !== undefined && application.issuer !== session.user.issuer)
      return undefined
    // Under other rules what was left out may matter: the issuer is asked again.
    if (session.cutFor !== undefined && session.cutFor !== published(application).names)
      return undefined
    if (wallNow >= session.expiresAt || opened.isRevoked) return undefined
    const { version } = this.revocations
    if (opened.foundGoodAt === version) return session
    opened.isRevoked = this.revocations.isRevoked(session, application)
    // Not before it was answered: who could not be asked has found nothing.
    opened.foundGoodAt = version
    return opened.isRevoked ? undefined : session
  }

  /** By the cookie's value alone: it is sealed with a nonce of its own, so no two scopes share one. */
  #remembered(application: Application, host: string, value: string): Opened | undefined {
    if (this.#ringVersion !== this.#ring.version) this.#forget()
    const opened = this.#opened.get(value) ?? this.#promoted(value)
    if (opened === undefined || opened.host !== host) return undefined
    const { applicationId, tenantId } = opened
    return applicationId === application.id && tenantId === application.tenantId
      ? opened
      : undefined
  }

  /** A key may have left the ring: what it opened is no session any more. */
  #forget(): void {
    this.#ringVersion = this.#ring.version
    this.#opened = new Map()
    this.#openedBefore = new Map()
  }

  async #open(application: Application, host: string, value: string): Promise<Opened | undefined> {
    const scope = scopeOf(application, host)
    const { version } = this.#ring
    const parsed = v.safeParse(SealedSession, await unseal(this.#ring, scope, value))
    if (!parsed.success) return undefined
    const { tenantId, applicationId } = scope
    const session = openedSession(parsed.output)
    const opened = { tenantId, applicationId, host, session, foundGoodAt: -1, isRevoked: false }
    // A copy: the value as it came keeps the whole field in memory.
    if (version === this.#ring.version && version === this.#ringVersion)
      this.#remember(JSON.parse(JSON.stringify(value)) as string, opened)
    return opened
  }

  #promoted(value: string): Opened | undefined {
    const opened = this.#openedBefore.get(value)
    if (opened !== undefined) {
      this.#openedBefore.delete(value)
      this.#remember(value, opened)
    }
    return opened
  }

  /** Two generations: whatever was not used while one filled up is forgotten. */
  #remember(value: string, opened: Opened): void {
    if (this.#opened.size >= Math.ceil(this.#cached / 2)) {
      this.#openedBefore = this.#cached > 1 ? this.#opened : new Map()
      this.#opened = new Map()
    }
    this.#opened.set(value, opened)
  }
}

/** A cookie that was opened, and where it is valid. */
interface Opened {
  readonly tenantId: string
  readonly applicationId: string
  readonly host: string
  readonly session: Session
  /** The version of the revocations that were asked last. */
  foundGoodAt: number
  isRevoked: boolean
}

/** Every application has a cookie of its own: two on one host do not overwrite each other's. */
export function sessionCookieName(application: Application): string {
  return published(application).sessionCookie
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

const hexadecimal = (bytes: Uint8Array) =>
  Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('')
