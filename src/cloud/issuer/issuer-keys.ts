/**
 * The signing keys of a tenant's issuer, found through its metadata.
 *
 * Issuers come from the directory, never from a token. What they answer is bounded in size and time, redirects are not
 * followed, and while an issuer fails, or does not know a key, it is left alone for a while: a stranger with a forged token
 * cannot make us ask it again and again.
 *
 * @module
 */
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'
import { Refused } from '../../protocol/index.ts'
import { boundedFetch, type Fetch } from './bounded-fetch.ts'
import type { Clocks } from '../ports.ts'
import { isLocalHost } from '../directory/published-url.ts'

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
  /** Milliseconds an issuer is left alone after a failure, or after an unknown key. Default 5 000. */
  readonly cooldownMs?: number
}

interface KnownIssuer {
  readonly keys: Promise<jose.JWTVerifyGetKey>
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
   * The key resolver of an issuer, for `jose`.
   *
   * @throws Refused `issuer-unavailable` with `retryAfterMs`; so does the resolver
   */
  async of(issuer: string): Promise<jose.JWTVerifyGetKey> {
    const { clocks, metadataMs } = this.#options
    const known = this.#known.get(issuer)
    if (known !== undefined && clocks.now() < known.until) return known.keys
    const keys = this.#discover(issuer)
    this.#known.set(issuer, { keys, until: clocks.now() + metadataMs })
    // Forgotten, so that the next token asks again once the issuer has rested.
    keys.catch(() => this.#known.delete(issuer))
    return keys
  }

  async #discover(issuer: string): Promise<jose.JWTVerifyGetKey> {
    const { timeoutMs, cooldownMs } = this.#options
    const url = new URL(issuer)
    const loopback = isPlainLoopback(url)
    const fetch = (resource: string, init: object) =>
      this.#ask(issuer, resource, init as RequestInit)
    return this.#guarded(issuer, async () => {
      const response = await oauth.discoveryRequest(url, {
        [oauth.customFetch]: fetch,
        // Symbol-keyed, and for a plain http issuer on this very machine only.
        [oauth.allowInsecureRequests]: loopback,
      })
      const metadata = await oauth.processDiscoveryResponse(url, response)
      const keys = jose.createRemoteJWKSet(keysAddress(metadata, loopback), {
        [jose.customFetch]: fetch,
        timeoutDuration: timeoutMs,
        cooldownDuration: cooldownMs,
      })
      return (header, token) => this.#guarded(issuer, () => keys(header, token))
    })
  }

  /** Verdicts of jose's own (an unknown key, say) pass; everything else means that the issuer did not answer properly, and may rest. */
  async #guarded<T>(issuer: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      const isVerdict = error instanceof jose.errors.JOSEError && !isTransport(error)
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
  throw new TypeError('"jwks_uri" must be https')
}

/** jose's plain `JOSEError` (a bad status, not JSON), its timeout, and a key set that is none. */
function isTransport(error: jose.errors.JOSEError): boolean {
  return (
    error.code === jose.errors.JOSEError.code ||
    error instanceof jose.errors.JWKSTimeout ||
    error instanceof jose.errors.JWKSInvalid
  )
}
