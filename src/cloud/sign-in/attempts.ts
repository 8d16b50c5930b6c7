/**
 * Attempts to sign in. What an attempt is worth is sealed in a cookie, so that any instance can
 * take the callback; where it began and where it leads to is sealed in `state`, which is not
 * bounded by what a browser carries. Without its cookie a `state` says no more than where its user
 * wanted to go. An attempt is good for one callback, within ten minutes, at the application and
 * host it was begun for.
 *
 * @module
 */
import { base64url } from 'jose'
import * as v from 'valibot'
import type { SignInAttempt } from '../../protocol/machines/sign-in.ts'
import { ownCookies } from '../directory/cookies.ts'
import type { KeyRing } from '../session/key-ring.ts'
import type { Application } from '../directory/directory-port.ts'
import { decodedId } from '../directory/encoded-id.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { seal, unseal, type SealScope } from '../session/sealed-cookie.ts'
import { isSecure } from '../session/session.ts'
import {
  attemptCookie,
  ATTEMPT_MS,
  attemptName,
  dateOf,
  datedValue,
  sealedIn,
  slotFor,
  slotOf,
} from '../directory/attempt-slots.ts'

/**
 * Attempts remembered as used; the oldest are forgotten first, and then the issuer's one-time code
 * still stands.
 */
const MAX_USED = 20_000

const text = v.string()
const flag = v.optional(v.literal(true))
/** In the cookie: of a size that is known. */
const Kept = v.object({
  v: v.literal(2),
  id: text,
  nonce: text,
  verifier: text,
  /** What the cookie was set with, and is removed with. */
  none: flag,
  part: flag,
  expiresAt: v.number(),
})
/** In `state`. */
const Told = v.object({
  v: v.literal(1),
  id: text,
  returnTo: text,
  issuer: text,
  issuerNamesItself: v.boolean(),
  isStepUp: v.optional(v.boolean()),
  keepsFragment: v.optional(v.boolean()),
  keepsAddress: v.optional(v.boolean()),
  renews: v.optional(text),
  isPosted: v.optional(v.boolean()),
})

/** What an attempt is begun with; the rest is random. */
export type AttemptBeginning = Omit<
  SignInAttempt,
  'id' | 'state' | 'nonce' | 'verifier' | 'expiresAt'
>

/** What a callback found. */
export interface Taken {
  /**
   * Undefined: the browser brings no cookie for it, or `state` is not the one that belongs to it.
   */
  readonly attempt: SignInAttempt | undefined
  readonly fault: 'attempt-missing' | 'state-mismatch' | 'attempt-used' | undefined
  /** The `Set-Cookie` values that end it. */
  readonly setCookies: readonly string[]
  /**
   * What `state` says by itself: it may lead somebody back to where they began, and do nothing
   * else.
   */
  readonly wanted: Wanted | undefined
}

/** Where somebody wanted to go. */
export type Wanted = Pick<SignInAttempt, 'returnTo' | 'keepsFragment' | 'keepsAddress'>

export class Attempts {
  readonly #ring: KeyRing
  readonly #crypto: CryptoProvider
  readonly #used = new Map<string, number>()

  constructor(options: { readonly keyRing: KeyRing; readonly crypto: CryptoProvider }) {
    this.#ring = options.keyRing
    this.#crypto = options.crypto
  }

  /** A new attempt and its `Set-Cookie` value. `wallNow` is milliseconds since 1970. */
  async begin(
    application: Application,
    host: string,
    beginning: AttemptBeginning,
    cookieFields: readonly string[],
    wallNow: number,
  ): Promise<{ attempt: SignInAttempt; setCookies: readonly string[] }> {
    const secure = isSecure(application)
    const [chance] = this.#crypto.getRandomValues(new Uint8Array(1))
    const slot = slotFor(ownCookies(cookieFields), secure, chance!)
    const id = `${slot}${this.#random(16)}`
    const told: v.InferOutput<typeof Told> = { v: 1, id, ...beginning }
    const sealed = await seal(this.#ring, scopeOf('state', application, host), told)
    const state = [id, base64url.encode(application.id), sealed].join('.')
    const secrets = { nonce: this.#random(16), verifier: this.#random(32) }
    const expiresAt = wallNow + ATTEMPT_MS
    // Lax cookies do not come with a cross-site POST, nor inside another site's frame.
    const none = beginning.isPosted === true || application.embedding !== undefined
    const part = application.embedding?.partitioned === true
    const kept: v.InferOutput<typeof Kept> = {
      ...{ v: 2, id, ...secrets },
      ...(none && { none }),
      ...(part && { part }),
      expiresAt,
    }
    const value = await seal(this.#ring, scopeOf('attempt', application, host), kept)
    return {
      attempt: { ...beginning, id, state, ...secrets, expiresAt },
      setCookies: [attemptCookie(slot, attributes(secure, kept)).set(datedValue(expiresAt, value))],
    }
  }

  /**
   * The attempt that a callback's `state` names, when the browser brings it; it is used from now
   * on.
   */
  async take(
    application: Application,
    host: string,
    state: string,
    cookieFields: readonly string[],
    wallNow: number,
  ): Promise<Taken> {
    const id = state.split('.', 1)[0]!
    const wanted = await this.#told(application, host, state)
    const slot = slotOf(id)
    const kept = await this.#kept(application, host, id, cookieFields)
    if (slot === undefined || kept === undefined)
      return { attempt: undefined, fault: 'attempt-missing', setCookies: [], wanted }
    const cookie = attemptCookie(slot, attributes(isSecure(application), kept))
    const setCookies = [cookie.remove()]
    const isUsed = this.#used.has(id)
    if (!isUsed) this.#remember(id, kept.expiresAt, wallNow)
    if (wanted === undefined)
      return { attempt: undefined, fault: 'state-mismatch', setCookies, wanted }
    const { nonce, verifier, expiresAt } = kept
    const attempt = { ...wanted, state, nonce, verifier, expiresAt }
    return { attempt, fault: isUsed ? 'attempt-used' : undefined, setCookies, wanted }
  }

  /** The id of the attempt that a `state` of ours names; undefined: it is none of ours for here. */
  async named(application: Application, host: string, state: string): Promise<string | undefined> {
    return (await this.#told(application, host, state))?.id
  }

  /** What a `state` of ours for this application and host was sealed with. */
  async #told(
    application: Application,
    host: string,
    state: string,
  ): Promise<v.InferOutput<typeof Told> | undefined> {
    const [id, , ...sealed] = state.split('.')
    const scope = scopeOf('state', application, host)
    const parsed = v.safeParse(Told, await unseal(this.#ring, scope, sealed.join('.')))
    return parsed.success && parsed.output.id === id ? parsed.output : undefined
  }

  /**
   * The one cookie that opens for this id: a jar may hold an old one of the same name, for another
   * partition.
   */
  async #kept(
    application: Application,
    host: string,
    id: string,
    cookieFields: readonly string[],
  ): Promise<v.InferOutput<typeof Kept> | undefined> {
    const slot = slotOf(id)
    if (slot === undefined) return undefined
    const name = attemptName(isSecure(application), slot)
    const values = ownCookies(cookieFields).filter((cookie) => cookie[0] === name)
    // Open only a few: planting many cookies must not cost us work.
    if (values.length > 2) return undefined
    const scope = scopeOf('attempt', application, host)
    const opened = await Promise.all(
      values.map(async ([, value]) => {
        const { date, sealed } = sealedIn(value)
        const parsed = v.safeParse(Kept, await unseal(this.#ring, scope, sealed))
        return parsed.success && date === dateOf(parsed.output.expiresAt)
          ? parsed.output
          : undefined
      }),
    )
    const good = opened.filter((kept) => kept?.id === id)
    return good.length === 1 ? good[0] : undefined
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
 * The application that a callback's `state` says it belongs to: a hint to choose among the
 * applications of one host. Nothing is believed by it: the attempt opens only for the right one.
 */
export function applicationHint(query: string): string | undefined {
  return decodedId(new URLSearchParams(query).get('state')?.split('.')[1])
}

const attributes = (secure: boolean, { none, part }: v.InferOutput<typeof Kept>) =>
  ({ secure, sameSite: none ? 'None' : 'Lax', partitioned: part === true }) as const

const scopeOf = (
  purpose: SealScope['purpose'],
  { id, tenantId }: Application,
  host: string,
): SealScope => ({ purpose, tenantId, applicationId: id, host })
