/**
 * Attempts to sign in, each in a sealed cookie of its own, so that tabs do not clobber each other and any instance can take the callback. An attempt is good for
 * one callback, within ten minutes, at the application and host it was begun for.
 *
 * @module
 */
import { base64url } from 'jose'
import * as v from 'valibot'
import type { SignInAttempt } from '../../protocol/sign-in.ts'
import { clearOwnCookie, ownCookieName, ownCookies, setOwnCookie } from '../session/cookies.ts'
import type { KeyRing } from '../session/key-ring.ts'
import type { Application, CryptoProvider } from '../ports.ts'
import { seal, unseal, type SealScope } from '../session/sealed-cookie.ts'
import { isSecure } from '../session/session.ts'

/** How long a user may take at the issuer, in milliseconds. */
export const ATTEMPT_MS = 10 * 60_000
/** Attempts one browser keeps per host; beginning another clears the oldest. */
export const MAX_ATTEMPTS_KEPT = 5
/** Their octets together: Node refuses request heads above 16 KiB. */
const MAX_OCTETS_KEPT = 6 * 1024
/** Attempts remembered as used; the oldest are forgotten first, and then the issuer's one-time code still stands. */
const MAX_USED = 20_000

const text = v.string()
const Sealed = v.object({
  v: v.literal(1),
  id: text,
  state: text,
  nonce: text,
  verifier: text,
  returnTo: text,
  issuer: text,
  issuerNamesItself: v.boolean(),
  isStepUp: v.optional(v.boolean()),
  keepsFragment: v.optional(v.boolean()),
  renews: v.optional(text),
  isPosted: v.optional(v.boolean()),
  expiresAt: v.number(),
})

/** What an attempt is begun with; the rest is random. */
export type AttemptBeginning = Omit<
  SignInAttempt,
  'id' | 'state' | 'nonce' | 'verifier' | 'expiresAt'
>

export class Attempts {
  readonly #ring: KeyRing
  readonly #crypto: CryptoProvider
  readonly #used = new Map<string, number>()

  constructor(options: { readonly keyRing: KeyRing; readonly crypto: CryptoProvider }) {
    this.#ring = options.keyRing
    this.#crypto = options.crypto
  }

  /** A new attempt and its `Set-Cookie` values: its own cookie, and the ends of those that are too many. `wallNow` is milliseconds since 1970. */
  async begin(
    application: Application,
    host: string,
    beginning: AttemptBeginning,
    cookieFields: readonly string[],
    wallNow: number,
  ): Promise<{ attempt: SignInAttempt; setCookies: readonly string[] }> {
    const id = `${Math.floor(wallNow / 1000)
      .toString(36)
      .padStart(7, '0')}${this.#random(6)}`
    const attempt: SignInAttempt = {
      ...beginning,
      id,
      state: [id, this.#random(16), base64url.encode(application.id)].join('.'),
      nonce: this.#random(16),
      verifier: this.#random(32),
      expiresAt: wallNow + ATTEMPT_MS,
    }
    const secure = isSecure(application)
    const name = cookieName(secure, id)
    const value = await seal(this.#ring, scopeOf(application, host), { v: 1, ...attempt })
    // A form that another site posts brings no cookie that is kept to its own site.
    const sameSite = attempt.isPosted ? 'None' : 'Lax'
    const maxAgeSeconds = ATTEMPT_MS / 1000
    const cookie = setOwnCookie(name, value, { secure, maxAgeSeconds, sameSite })
    const tooMany = surplus(secure, cookieFields, name.length + value.length)
    return { attempt, setCookies: [cookie, ...tooMany.map((old) => clearOwnCookie(old, secure))] }
  }

  /** The attempt that a callback's `state` names, when the browser brings it, and whether it was given out before. */
  async take(
    application: Application,
    host: string,
    state: string,
    cookieFields: readonly string[],
    wallNow: number,
  ): Promise<{ readonly attempt: SignInAttempt; readonly isUsed: boolean } | 'missing'> {
    const id = state.split('.', 1)[0]!
    const name = cookieName(isSecure(application), id)
    const values = ownCookies(cookieFields).filter((cookie) => cookie[0] === name)
    if (values.length !== 1) return 'missing'
    const opened = await unseal(this.#ring, scopeOf(application, host), values[0]![1])
    const parsed = v.safeParse(Sealed, opened)
    if (!parsed.success || parsed.output.id !== id) return 'missing'
    const attempt = parsed.output
    const isUsed = this.#used.has(id)
    if (!isUsed) this.#remember(id, attempt.expiresAt, wallNow)
    return { attempt, isUsed }
  }

  /** The `Set-Cookie` value that ends the attempt a callback's `state` names. */
  end(application: Application, state: string): string {
    const secure = isSecure(application)
    return clearOwnCookie(cookieName(secure, state.split('.', 1)[0]!), secure)
  }

  #remember(id: string, expiresAt: number, wallNow: number): void {
    this.#used.set(id, expiresAt)
    for (const [old, end] of this.#used) {
      if (end > wallNow && this.#used.size <= MAX_USED) break
      this.#used.delete(old)
    }
  }

  #random(octets: number): string {
    return base64url.encode(this.#crypto.getRandomValues(new Uint8Array(octets)))
  }
}

/**
 * The application that a callback's `state` says it belongs to: a hint to choose among the applications of one host. Nothing is believed by it: the attempt opens only for the right one.
 */
export function applicationHint(query: string): string | undefined {
  const encoded = new URLSearchParams(query).get('state')?.split('.')[2]
  if (encoded === undefined || !/^[A-Za-z0-9_-]{1,1024}$/.test(encoded)) return undefined
  try {
    return new TextDecoder().decode(base64url.decode(encoded))
  } catch {
    return undefined
  }
}

const cookieName = (secure: boolean, id: string) => ownCookieName(secure, 'attempt', id)

/** Ids begin with their time at a fixed width: the order of names is the order of age. */
function surplus(secure: boolean, cookieFields: readonly string[], octets: number): string[] {
  const prefix = cookieName(secure, '')
  const kept = ownCookies(cookieFields)
    .filter(([name]) => name.startsWith(prefix) && /^[0-9a-z]{7}/.test(name.slice(prefix.length)))
    .sort(([a], [b]) => (a < b ? 1 : -1))
  let count = 1
  return kept.flatMap(([name, value]) => {
    count += 1
    octets += name.length + value.length
    return count > MAX_ATTEMPTS_KEPT || octets > MAX_OCTETS_KEPT ? [name] : []
  })
}

const scopeOf = ({ id, tenantId }: Application, host: string): SealScope => ({
  purpose: 'attempt',
  tenantId,
  applicationId: id,
  host,
})
