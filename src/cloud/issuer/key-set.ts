/**
 * The keys an issuer signs with, and when they are looked up again.
 *
 * A token whose key is unknown, or that the known key of that name did not sign, may be signed with
 * a newer one: issuers rotate keys, twice within seconds if they must, and some put a new key in
 * the place of the old one under the same name. So the keys are looked up again, and the token is
 * judged once more if they are others. Whoever can make up tokens can ask for that; what each
 * source of tokens may cause is bounded, and nobody uses up the look-ups of those whose tokens came
 * from the issuer itself.
 *
 * @see OpenID Connect Core 1.0 section 10.1.1
 * @module
 */
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  type JWK,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import type { Fetch } from './bounded-fetch.ts'
import { verifyClaims, withoutNulls } from './null-claims.ts'

export interface KeySetOptions {
  /** The issuer's `jwks_uri`. */
  readonly address: URL
  /** Bounded in time and size. */
  readonly fetch: Fetch
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** How long keys are used before they are looked up again in any case. Milliseconds. */
  readonly maxAgeMs: number
}

/** Where a token came from: the issuer's own answer over TLS, or a stranger who shows it. */
export type TokenSource = 'issuer' | 'anybody'

/**
 * Look-ups that unknown keys may cause: so many at once, and then one each time so many
 * milliseconds have passed.
 */
export const LOOK_UPS: Readonly<Record<TokenSource, LookUpLimits>> = {
  issuer: { burst: 5, refillMs: 2_000 },
  anybody: { burst: 5, refillMs: 10_000 },
}
/** The same name of a key causes no look-up for so long after its last one. */
export const SAME_KEY_MS = 5_000
/** Nothing causes a look-up for so long after one that failed. */
const REST_MS = 2_000
const MAX_NAMES = 64
const MAX_NAME_CHARACTERS = 256
/** Keys of one name that are tried. */
const MAX_TWINS = 8

export interface LookUpLimits {
  readonly burst: number
  readonly refillMs: number
}

interface Keys {
  readonly text: string
  readonly get: JWTVerifyGetKey
  loadedAt: number
}

export class KeySet {
  readonly #options: KeySetOptions
  readonly #lookUps: Readonly<Record<TokenSource, LookUps>>
  #keys: Keys | undefined
  #loading: Promise<Keys> | undefined
  #failure: { readonly at: number; readonly error: unknown } | undefined

  constructor(options: KeySetOptions) {
    this.#options = options
    this.#lookUps = {
      issuer: new LookUps(LOOK_UPS.issuer, options.now()),
      anybody: new LookUps(LOOK_UPS.anybody, options.now()),
    }
  }

  get address(): URL {
    return this.#options.address
  }

  /**
   * The claims of a token that one of the keys signed.
   *
   * @throws An error of jose, or SignInDenied `issuer-…` when the keys cannot be had
   */
  async verify(token: string, options: JWTVerifyOptions, source: TokenSource): Promise<JWTPayload> {
    const keys = await this.#fresh()
    try {
      return await verifyWith(keys, token, options)
    } catch (error) {
      if (!isOfKeys(error)) throw error
      const newer = await this.#newer(keys, token, source, error)
      if (newer === keys) throw error
      return await verifyWith(newer, token, options)
    }
  }

  async #fresh(): Promise<Keys> {
    const { now, maxAgeMs } = this.#options
    const keys = this.#keys
    return keys !== undefined && now() - keys.loadedAt < maxAgeMs ? keys : this.#load()
  }

  /** Other keys than these, or these. */
  async #newer(keys: Keys, token: string, source: TokenSource, error: unknown): Promise<Keys> {
    if (this.#keys !== undefined && this.#keys !== keys) return this.#keys
    const { kid } = decodeProtectedHeader(token)
    const isAllowed =
      this.#loading !== undefined || this.#lookUps[source].take(kid ?? '', this.#options.now())
    if (!isAllowed) return keys
    try {
      return await this.#load()
    } catch (failure) {
      // There is a key of that name: that it is not the token's is all that can be said.
      if (error instanceof errors.JWSSignatureVerificationFailed) return keys
      throw failure
    }
  }

  /** Once for all who ask at the same time. */
  #load(): Promise<Keys> {
    return (this.#loading ??= this.#lookUp().finally(() => (this.#loading = undefined)))
  }

  /** While it rests it fails again in the same way. */
  async #lookUp(): Promise<Keys> {
    const { now } = this.#options
    if (this.#failure !== undefined && now() - this.#failure.at < REST_MS) throw this.#failure.error
    try {
      const keys = await this.#ask()
      this.#failure = undefined
      return keys
    } catch (error) {
      this.#failure = { at: now(), error }
      throw error
    }
  }

  async #ask(): Promise<Keys> {
    const { address, fetch, now } = this.#options
    const response = await fetch(address.href, { headers: { accept: 'application/json' } })
    if (response.status !== 200) throw new SignInDenied('issuer-unavailable')
    const text = await response.text()
    if (this.#keys?.text === text) this.#keys.loadedAt = now()
    else this.#keys = { text, get: createLocalJWKSet({ keys: keysOf(text) }), loadedAt: now() }
    return this.#keys
  }
}

/** What tokens of one source may cause. */
class LookUps {
  readonly #limits: LookUpLimits
  /** By name of the key: when it was last looked up; the oldest first. */
  readonly #asked = new Map<string, number>()
  #left: number
  #at: number

  constructor(limits: LookUpLimits, now: number) {
    this.#limits = limits
    this.#left = limits.burst
    this.#at = now
  }

  take(kid: string, now: number): boolean {
    const name = kid.slice(0, MAX_NAME_CHARACTERS)
    const before = this.#asked.get(name)
    if (before !== undefined && now - before < SAME_KEY_MS) return false
    const { burst, refillMs } = this.#limits
    this.#left = Math.min(burst, this.#left + (now - this.#at) / refillMs)
    this.#at = now
    if (this.#left < 1) return false
    this.#left -= 1
    this.#asked.delete(name)
    this.#asked.set(name, now)
    if (this.#asked.size > MAX_NAMES) this.#asked.delete(this.#asked.keys().next().value!)
    return true
  }
}

/** Whether other keys could change the verdict. */
function isOfKeys(error: unknown): boolean {
  return (
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSNoMatchingKey ||
    // Keys that the runtime cannot use.
    !(error instanceof errors.JOSEError)
  )
}

async function verifyWith(
  { get }: Keys,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return await verifyClaims(token, get, options)
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    // A token must name its key where there are several.
    if (decodeProtectedHeader(token).kid === undefined) throw error
    return await verifyWithTwins(error, token, options)
  }
}

/** Old and new key have one name for a while. */
async function verifyWithTwins(
  twins: errors.JWKSMultipleMatchingKeys,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  let tried = 0
  for await (const key of twins) {
    if (++tried > MAX_TWINS) break
    try {
      return await verifyClaims(token, key, options)
    } catch (error) {
      // Claims are looked at once the signature is good.
      if (isOfKeys(error)) continue
      throw error
    }
  }
  throw new errors.JWSSignatureVerificationFailed()
}

/**
 * The usable keys of a set. Malformed members and unknown key types are skipped: they match no
 * token.
 */
function keysOf(text: string): JWK[] {
  let set: { readonly keys?: unknown } | null
  try {
    set = JSON.parse(text) as typeof set
  } catch {
    throw new SignInDenied('issuer-keys')
  }
  const members: readonly unknown[] = Array.isArray(set?.keys) ? set.keys : []
  const keys = members.filter(
    (member): member is object =>
      typeof member === 'object' && member !== null && !Array.isArray(member),
  )
  if (keys.length === 0) throw new SignInDenied('issuer-keys')
  return keys.map((key) => withoutNulls(key) as JWK)
}
