/**
 * The signing keys of a tenant's issuer, found through its metadata.
 *
 * Issuers come from the directory, never from a token. What they answer is bounded in size and
 * time, redirects are not followed, and while an issuer fails, or does not know a key, it is left
 * alone for a while: a stranger with a forged token cannot make us ask it again and again.
 *
 * @module
 */
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'
import { Refused } from '../../protocol/index.ts'
import { boundedFetch, type Fetch } from './bounded-fetch.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { isLocalHost } from '../directory/published-url.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import { KeySet } from './key-set.ts'

/** How long keys are used before they are looked up again. Milliseconds. */
const KEYS_MS = 600_000

export interface IssuerKeysOptions {
  readonly clocks: Clocks
  /** Default: the runtime's own. */
  readonly fetch?: Fetch
  /** Milliseconds one answer may take. Default 2 000. */
  readonly timeoutMs?: number
  /** Largest answer, in bytes. Default 262 144. */
  readonly maxBytes?: number
  /** Milliseconds metadata is kept. Default 3 600 000. */
  readonly metadataMs?: number
  /** Milliseconds an issuer is left alone after a failure. Default 5 000. */
  readonly cooldownMs?: number
}

interface KnownIssuer {
  readonly keys: Promise<KeySet>
  readonly until: number
}

/** Resolves the keys of issuers; remembers each. */
export class IssuerKeys {
  readonly #options: Required<Omit<IssuerKeysOptions, 'fetch'>>
  readonly #fetch: Fetch
  readonly #known = new Map<string, KnownIssuer>()
  /** By issuer: when it may be asked again. */
  readonly #resting = new Map<string, number>()

  constructor(options: IssuerKeysOptions) {
    this.#options = {
      timeoutMs: 2_000,
      maxBytes: 256 * 1024,
      metadataMs: 60 * 60 * 1000,
      cooldownMs: 5_000,
      ...options,
    }
    this.#fetch = boundedFetch({ ...options, ...this.#options })
  }

  /**
   * The claims of a token that the issuer signed.
   *
   * @throws Refused `issuer-unavailable` with `retryAfterMs`, or an error of jose
   */
  async verify(
    issuer: string,
    token: string,
    expected: jose.JWTVerifyOptions,
  ): Promise<jose.JWTPayload> {
    const keys = await this.#of(issuer)
    return this.#guarded(issuer, () => keys.verify(token, expected, 'anybody'))
  }

  async #of(issuer: string): Promise<KeySet> {
    const { clocks, metadataMs } = this.#options
    const known = this.#known.get(issuer)
    if (known !== undefined && clocks.now() < known.until) return known.keys
    const keys = this.#discover(issuer)
    this.#known.set(issuer, { keys, until: clocks.now() + metadataMs })
    // Forgotten, so that the next token asks again once the issuer has rested.
    keys.catch(() => this.#known.delete(issuer))
    return keys
  }

  async #discover(issuer: string): Promise<KeySet> {
    const { clocks } = this.#options
    const url = new URL(issuer)
    const loopback = isPlainLoopback(url)
    const fetch: Fetch = (resource, init) => this.#ask(issuer, resource, init)
    return this.#guarded(issuer, async () => {
      const response = await oauth.discoveryRequest(url, {
        [oauth.customFetch]: (resource: string, init: object) =>
          fetch(resource, init as RequestInit),
        // Symbol-keyed, and for a plain http issuer on this very machine only.
        [oauth.allowInsecureRequests]: loopback,
      })
      const metadata = await oauth.processDiscoveryResponse(url, response)
      const address = keysAddress(metadata, loopback)
      return new KeySet({ address, fetch, now: () => clocks.now(), maxAgeMs: KEYS_MS })
    })
  }

  /**
   * Verdicts of jose's own (an unknown key, say) pass; everything else means that the issuer did
   * not answer properly, and may rest.
   */
  async #guarded<T>(issuer: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      const isVerdict = error instanceof jose.errors.JOSEError
      if (error instanceof Refused || isVerdict) throw error
      const { clocks, cooldownMs } = this.#options
      this.#resting.set(issuer, clocks.now() + cooldownMs)
      throw this.#unavailable(error)
    }
  }

  async #ask(issuer: string, resource: string, init: RequestInit): Promise<Response> {
    const restsUntil = this.#resting.get(issuer) ?? Number.NEGATIVE_INFINITY
    if (this.#options.clocks.now() < restsUntil) throw this.#unavailable(undefined)
    return this.#fetch(resource, init)
  }

  #unavailable(cause: unknown): Refused {
    return new Refused('issuer-unavailable', 'the identity provider does not answer', {
      cause,
      retryAfterMs: this.#options.cooldownMs,
    })
  }
}

/** Whether plain http is tolerated: on this very machine, for trying things out. */
function isPlainLoopback({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && isLocalHost(hostname)
}

function keysAddress({ jwks_uri: address }: oauth.AuthorizationServer, loopback: boolean): URL {
  const url = address !== undefined && URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol === 'https:' || (url !== undefined && loopback && isPlainLoopback(url))) {
    return url
  }
  throw new SignInDenied('issuer-insecure')
}
