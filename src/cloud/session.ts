/**
 * The session cookie (access 1.4 and 2): who the user is and until when, sealed for one application on one host. It is not persisted, and it is read back without any store.
 *
 * @see ARCHITECTURE section 7
 * @module
 */
import * as v from 'valibot'
import type { UserClaims } from '../protocol/frame-types.ts'
import type { SignInIdentity } from '../protocol/sign-in.ts'
import { clearOwnCookie, onlyCookie, setOwnCookie } from './cookies.ts'
import type { KeyRing } from './key-ring.ts'
import type { Application, CryptoProvider } from './ports.ts'
import { published } from './published.ts'
import { seal, unseal, type SealScope } from './sealed-cookie.ts'

/** Authentication to one application has occurred. */
export interface Session {
  /** 128 random bits, new at every sign-in; what revocation names. */
  readonly id: string
  readonly user: UserClaims
  /** Milliseconds since 1970. */
  readonly authenticatedAt: number
  /** Milliseconds since 1970: the end of the issuer's token. */
  readonly expiresAt: number
}

export interface SessionsOptions {
  readonly keyRing: KeyRing
  /** Default: the runtime's Web Crypto. */
  readonly crypto?: CryptoProvider
  /** Opened cookies remembered. Default 2048, which is some 6 MB at the most. */
  readonly cached?: number
}

/** The whole cookie, name and value, stays below this. */
export const MAX_SESSION_CHARACTERS = 3 * 1024

const text = v.string()
/** The sealed form; short keys, because it travels with every request. */
const Sealed = v.object({
  v: v.literal(1),
  id: text,
  sub: text,
  iss: text,
  name: v.optional(text),
  email: v.optional(text),
  groups: v.optional(v.array(text)),
  roles: v.optional(v.array(text)),
  auth: v.number(),
  exp: v.number(),
})
type Sealed = v.InferOutput<typeof Sealed>

export class Sessions {
  readonly #ring: KeyRing
  readonly #crypto: CryptoProvider
  #opened = new Map<string, Opened>()
  #openedBefore = new Map<string, Opened>()
  readonly #cached: number

  constructor(options: SessionsOptions) {
    this.#ring = options.keyRing
    this.#crypto = options.crypto ?? crypto
    this.#cached = options.cached ?? 2048
  }

  /**
   * A new session for a signed-in user, with its `Set-Cookie` value.
   *
   * A cookie that would reach 3 KiB loses roles, then groups, from the end of the lists, those the application is assigned by last; then e-mail and name.
   */
  async start(
    application: Application,
    host: string,
    identity: SignInIdentity,
  ): Promise<{ session: Session; setCookie: string }> {
    const id = hexadecimal(this.#crypto.getRandomValues(new Uint8Array(16)))
    const secure = isSecure(application)
    const name = sessionCookieName(application)
    const sealed = fit(asSealed(id, identity, application), roomFor(name))
    const value = await seal(this.#ring, scopeOf(application, host), sealed)
    return { session: asSession(sealed), setCookie: setOwnCookie(name, value, { secure }) }
  }

  /**
   * The session that a request's `Cookie` fields carry for this application on this host.
   *
   * `undefined` when there is none, it has ended, or it cannot be opened; also when the name comes twice: one of them was planted. `wallNow` is milliseconds since 1970.
   */
  async read(
    application: Application,
    host: string,
    cookieFields: readonly string[],
    wallNow: number,
  ): Promise<Session | undefined> {
    const value = onlyCookie(cookieFields, published(application).sessionCookie)
    if (value === undefined) return undefined
    const session =
      this.#remembered(application, host, value) ?? (await this.#open(application, host, value))
    return session !== undefined && wallNow < session.expiresAt ? session : undefined
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
    const session = this.#remembered(application, host, value)
    if (session === undefined) return 'unknown'
    return wallNow < session.expiresAt ? session : undefined
  }

  /** The `Set-Cookie` value that ends the session in this browser. */
  end(application: Application): string {
    return clearOwnCookie(sessionCookieName(application), isSecure(application))
  }

  /** By the cookie's value alone: it is sealed with a nonce of its own, so no two scopes share one. */
  #remembered(application: Application, host: string, value: string): Session | undefined {
    const opened = this.#opened.get(value) ?? this.#promoted(value)
    if (opened === undefined || opened.host !== host) return undefined
    const { applicationId, tenantId, session } = opened
    return applicationId === application.id && tenantId === application.tenantId
      ? session
      : undefined
  }

  async #open(application: Application, host: string, value: string): Promise<Session | undefined> {
    const scope = scopeOf(application, host)
    const parsed = v.safeParse(Sealed, await unseal(this.#ring, scope, value))
    if (!parsed.success) return undefined
    const session = asSession(parsed.output)
    const { tenantId, applicationId } = scope
    // A copy: the value as it came keeps the whole field in memory.
    this.#remember(JSON.parse(JSON.stringify(value)) as string, {
      ...{ tenantId, applicationId, host, session },
    })
    return session
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
}

/** Every application has a cookie of its own: two on one host do not overwrite each other's. */
export function sessionCookieName(application: Application): string {
  return published(application).sessionCookie
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

function asSealed(id: string, user: SignInIdentity, application: Application): Sealed {
  const assigned = new Set(application.assigned?.groups)
  return {
    v: 1,
    id,
    sub: user.subject,
    iss: user.issuer,
    ...(user.name !== undefined && { name: user.name }),
    ...(user.email !== undefined && { email: user.email }),
    ...(user.groups && {
      groups: user.groups.toSorted((a, b) => Number(assigned.has(b)) - Number(assigned.has(a))),
    }),
    ...(user.roles && { roles: [...user.roles] }),
    auth: user.authenticatedAt,
    exp: user.expiresAt,
  }
}

const asSession = ({ id, sub, iss, name, email, groups, roles, auth, exp }: Sealed): Session => ({
  id,
  user: {
    subject: sub,
    issuer: iss,
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
    ...(groups && { groups }),
    ...(roles && { roles }),
  },
  authenticatedAt: auth,
  expiresAt: exp,
})

/** Octets of JSON that fit: base64url makes four characters of three octets; header, nonce and tag take some 150. */
const roomFor = (name: string) =>
  Math.floor(((MAX_SESSION_CHARACTERS - name.length - 1 - 150) * 3) / 4)

function fit(sealed: Sealed, room: number): Sealed {
  const { groups = [], roles = [], name, email, ...least } = sealed
  let left = room - octets({ ...least, name, email, groups: [], roles: [] })
  const take = (list: readonly string[]) => list.filter((item) => (left -= octets(item) + 1) >= 0)
  if (left < 0) return least
  return {
    ...sealed,
    ...(sealed.groups && { groups: take(groups) }),
    ...(sealed.roles && { roles: take(roles) }),
  }
}

const octets = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length

const hexadecimal = (bytes: Uint8Array) =>
  Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('')
