/**
 * One OpenID Connect issuer as the sign-in sees it: its metadata, its token endpoint and its keys.
 *
 * Everything is fetched with a time limit and a size cap and without redirects, from addresses that
 * the pinned issuer's own metadata names.
 *
 * @see OpenID Connect Core 1.0 section 3.1.3.7; RFC 8725
 * @module
 */
import type { JWTPayload } from 'jose'
import * as oauth from 'oauth4webapi'
import type { SignInAttempt } from '../../protocol/machines/sign-in.ts'
import { verifyAccessToken, type AccessTokenOptions } from './access-token.ts'
import { boundedFetch, type Fetch } from './bounded-fetch.ts'
import { clientAuthentication } from './client-authentication.ts'
import type { ClientCredentials } from '../directory/client-configuration.ts'
import { isLocalHost } from '../directory/published-url.ts'
import { verifyLogoutToken, type LogoutClaims } from './logout-token.ts'
import { MAX_CLAIM_CHARACTERS, type Claims } from './identity-claims.ts'
import { readUserInfo } from './user-info.ts'
import { KeySet } from './key-set.ts'
import { denialOf, SignInDenied } from '../identity/sign-in-errors.ts'
import { abortedAfter, timerOf, type Timer } from '../../runtime/scheduler.ts'
import { redeemed, refreshed, type RedeemedTokens } from './refresh-grant.ts'
import { withoutNulls } from './null-claims.ts'
import { checkJson, screenTokenAnswer } from './token-answer.ts'
import { SIGNATURE_ALGORITHMS } from './token-screen.ts'

export interface IssuerOptions {
  /** The issuer identifier: https, or http on a loopback address. */
  readonly issuer: string
  /** Default: the runtime's. */
  readonly fetch?: Fetch
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Default: the runtime's. */
  readonly timer?: Timer | undefined
  /** How long one answer may take. Milliseconds. */
  readonly timeoutMs: number
  /** How long metadata and keys are used before they are fetched again. Milliseconds. */
  readonly metadataMs: number
  /** How far clocks may differ. Milliseconds. */
  readonly leewayMs: number
}

/** A client of the issuer: one application. */
export interface IssuerClient extends ClientCredentials {
  readonly redirectUri: string
}

/**
 * Metadata is not asked for so long after it could not be had: short, for a user waits who tries
 * again.
 */
const METADATA_REST_MS = 500
/** An issuer that does not answer within this is not there for somebody who can do without… */
const THERE_MS = 2_000
/** …and whether it was is believed for so long. */
const SEEN_MS = 5_000

interface Known {
  readonly metadata: oauth.AuthorizationServer
  readonly keys: KeySet
  readonly until: number
}

export class Issuer {
  readonly #options: IssuerOptions
  readonly #fetch: Fetch
  readonly #insecure: boolean
  readonly #ask: () => Promise<Known>
  #known: Known | undefined
  #asking: Promise<Known> | undefined
  #looking: Promise<boolean> | undefined
  #seen = { at: Number.NEGATIVE_INFINITY, isThere: false }

  constructor(options: IssuerOptions) {
    this.#options = options
    this.#fetch = boundedFetch(options)
    this.#insecure = isLoopback(new URL(options.issuer))
    this.#ask = rested(METADATA_REST_MS, options.wallClock, () => this.#discover())
  }

  /** The issuer's metadata; fetched once for all who ask at the same time. */
  async metadata(): Promise<oauth.AuthorizationServer> {
    return (await this.#know()).metadata
  }

  /**
   * Whether the issuer answers now, asked anew: no signed-in user may be sent to an issuer that is
   * down.
   */
  async isThere(): Promise<boolean> {
    const { wallClock } = this.#options
    if (Math.abs(wallClock() - this.#seen.at) < SEEN_MS) return this.#seen.isThere
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    const isThere = await this.#looking
    this.#seen = { at: wallClock(), isThere }
    return isThere
  }

  #look(): Promise<boolean> {
    const url = new URL(this.#options.issuer)
    return abortedAfter(this.#options.timer ?? timerOf(), THERE_MS, (signal) =>
      oauth.discoveryRequest(url, { algorithm: 'oidc', ...this.#http(), signal }),
    ).then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  /** Exchanges the code for an ID token, and checks the claims that need no key. */
  async redeem(
    client: IssuerClient,
    attempt: SignInAttempt,
    code: string,
  ): Promise<RedeemedTokens> {
    const { metadata } = await this.#know()
    try {
      const self = this.#client(client)
      const parameters = oauth.validateAuthResponse(
        // The callback's own `iss` was compared with the attempt's: what is said here is what was
        // checked there.
        metadata,
        self,
        new URLSearchParams({ code, state: attempt.state, iss: attempt.issuer }),
        attempt.state,
      )
      const response = await oauth.authorizationCodeGrantRequest(
        metadata,
        self,
        await clientAuthentication(metadata, client),
        parameters,
        client.redirectUri,
        attempt.verifier,
        this.#http(),
      )
      const { answer, token } = await screenTokenAnswer(
        response,
        code,
        algorithmsOf(metadata),
        crypto,
      )
      const tokens = await oauth.processAuthorizationCodeResponse(metadata, self, answer, {
        expectedNonce: attempt.nonce,
        requireIdToken: true,
      })
      return redeemed(tokens, token)
    } catch (error) {
      throw denialOf(error)
    }
  }

  /**
   * Shows a refresh token, and checks the claims of the new ID token that need no key; there must
   * be one.
   */
  async refresh(client: IssuerClient, refreshToken: string): Promise<RedeemedTokens> {
    const { metadata } = await this.#know()
    try {
      return await refreshed({
        ...{ metadata, client, refreshToken },
        ...{ self: this.#client(client), http: this.#http(), algorithms: algorithmsOf(metadata) },
      })
    } catch (error) {
      throw denialOf(error)
    }
  }

  /**
   * Checks the ID token's signature by the issuer's keys, and every claim again by our own clock. A
   * refreshed one need not repeat the nonce.
   */
  async verify(
    client: IssuerClient,
    nonce: string,
    token: string,
    isRefreshed = false,
  ): Promise<JWTPayload> {
    const { metadata, keys } = await this.#know()
    const wallNow = this.#options.wallClock()
    const leewayMs = this.#options.leewayMs
    let claims: JWTPayload
    try {
      const expected = {
        issuer: metadata.issuer,
        audience: client.id,
        algorithms: algorithmsOf(metadata),
        requiredClaims: ['sub', 'iat', 'exp', ...(isRefreshed ? [] : ['nonce'])],
        clockTolerance: leewayMs / 1000,
        currentDate: new Date(wallNow),
      }
      claims = await keys.verify(token, expected, 'issuer')
    } catch (error) {
      throw verificationDenial(error)
    }
    const { aud, azp, iat, sub } = claims
    if (typeof sub !== 'string' || sub === '' || sub.length > MAX_CLAIM_CHARACTERS)
      throw new SignInDenied('token-claims', 'sub')
    if (claims['nonce'] !== nonce && !(isRefreshed && claims['nonce'] === undefined))
      throw new SignInDenied('token-nonce')
    if (azp === undefined ? Array.isArray(aud) && aud.length > 1 : azp !== client.id)
      throw new SignInDenied('token-party')
    if (iat! * 1000 > wallNow + leewayMs) throw new SignInDenied('token-not-yet-valid')
    return claims
  }

  /**
   * What UserInfo tells of the subject of an ID token. `undefined`: the issuer's metadata names no
   * such endpoint.
   *
   * @throws SignInDenied when nothing can be believed of it
   */
  async userInfo(
    client: IssuerClient,
    accessToken: string,
    subject: string,
  ): Promise<Claims | undefined> {
    const { metadata, keys } = await this.#know()
    if ((metadata.userinfo_endpoint ?? undefined) === undefined) return undefined
    const { issuer, wallClock, leewayMs } = this.#options
    try {
      return await readUserInfo({
        timer: this.#options.timer,
        ...{ issuer, accessToken, subject, clientId: client.id, keys, leewayMs },
        ...{ endpoint: this.#endpoint(metadata.userinfo_endpoint), fetch: this.#fetch },
        wallNow: wallClock(),
      })
    } catch (error) {
      throw verificationDenial(error)
    }
  }

  /** Checks a logout token that is meant for this client. */
  async verifyLogout(clientId: string, token: string): Promise<LogoutClaims> {
    const { metadata, keys } = await this.#know()
    const { wallClock, leewayMs } = this.#options
    try {
      return await verifyLogoutToken(token, {
        ...{
          issuer: metadata.issuer,
          clientId,
          keys,
          algorithms: algorithmsOf(metadata),
          leewayMs,
        },
        wallNow: wallClock(),
      })
    } catch (error) {
      throw denialOf(error)
    }
  }

  /** Where a user is sent to sign out of the issuer, if it offers that. */
  async endSession(): Promise<URL | undefined> {
    const { metadata } = await this.#know()
    const address = metadata.end_session_endpoint
    return address === undefined ? undefined : this.#endpoint(address)
  }

  /** Checks an access token that a program shows. */
  async verifyAccess(
    token: string,
    options: Pick<AccessTokenOptions, 'audiences' | 'type' | 'maxCharacters'>,
  ): Promise<JWTPayload> {
    const { issuer, wallClock, leewayMs } = this.#options
    const keys = async () => (await this.#know()).keys
    try {
      const wallNow = wallClock()
      return await verifyAccessToken(token, keys, { ...options, issuer, wallNow, leewayMs })
    } catch (error) {
      throw verificationDenial(error)
    }
  }

  async #know(): Promise<Known> {
    if (this.#known !== undefined && this.#options.wallClock() < this.#known.until)
      return this.#known
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined))
    return this.#asking
  }

  async #discover(): Promise<Known> {
    const { issuer, metadataMs, wallClock } = this.#options
    const url = new URL(issuer)
    try {
      const response = await oauth.discoveryRequest(url, { algorithm: 'oidc', ...this.#http() })
      if (response.status === 200) checkJson(response)
      const metadata = withoutNulls(await oauth.processDiscoveryResponse(url, response))
      // Octet by octet: it is what tokens name (Discovery section 4.3).
      if (metadata.issuer !== issuer) throw new SignInDenied('issuer-mismatch')
      const keys = this.#keysAt(this.#endpoint(metadata.jwks_uri))
      this.#endpoint(metadata.authorization_endpoint)
      this.#endpoint(metadata.token_endpoint)
      return (this.#known = { metadata, keys, until: wallClock() + metadataMs })
    } catch (error) {
      throw denialOf(error)
    }
  }

  /**
   * An endpoint the metadata must name, over https unless the issuer itself is on a loopback
   * address.
   */
  #endpoint(address: unknown): URL {
    if (typeof address !== 'string' || !URL.canParse(address))
      throw new SignInDenied('issuer-malformed', 'endpoint')
    const url = new URL(address)
    if (url.protocol === 'https:' || (this.#insecure && isLoopback(url))) return url
    throw new SignInDenied('issuer-insecure')
  }

  /** What was known of them stays known when metadata is asked for again. */
  #keysAt(address: URL): KeySet {
    const { now, metadataMs } = this.#options
    const before = this.#known?.keys
    if (before?.address.href === address.href) return before
    return new KeySet({ address, fetch: this.#fetch, now, maxAgeMs: metadataMs })
  }

  #http(): oauth.HttpRequestOptions<'GET'> & oauth.HttpRequestOptions<'POST', URLSearchParams> {
    return {
      [oauth.customFetch]: (url: string, init: object) => this.#fetch(url, init as RequestInit),
      [oauth.allowInsecureRequests]: this.#insecure,
    }
  }

  #client(client: IssuerClient): oauth.Client {
    return {
      client_id: client.id,
      // The library reads the machine's clock: the skew leads it to ours.
      [oauth.clockSkew]: Math.round((this.#options.wallClock() - Date.now()) / 1000),
      [oauth.clockTolerance]: this.#options.leewayMs / 1000,
    }
  }
}

/** Does the work, but for a while after it failed, when it fails again in the same way at once. */
function rested<A extends readonly unknown[], T>(
  restMs: number,
  wallClock: () => number,
  work: (...args: A) => Promise<T>,
): (...args: A) => Promise<T> {
  let failure: { readonly at: number; readonly denied: SignInDenied } | undefined
  return async (...args) => {
    // A clock that was put back does not prolong the rest.
    if (failure !== undefined && Math.abs(wallClock() - failure.at) < restMs) throw failure.denied
    try {
      return await work(...args)
    } catch (error) {
      const denied = denialOf(error)
      failure = { at: wallClock(), denied }
      throw denied
    }
  }
}

function verificationDenial(error: unknown): SignInDenied {
  // Keys that the runtime cannot use, or must not: too short, for example.
  return error instanceof TypeError || error instanceof DOMException
    ? new SignInDenied('issuer-keys', error.name)
    : denialOf(error)
}

/**
 * Of the algorithms the issuer signs with, those we accept; without a word of it, what every issuer
 * must know.
 */
function algorithmsOf(metadata: oauth.AuthorizationServer): string[] {
  const said = metadata.id_token_signing_alg_values_supported
  const list: readonly unknown[] = Array.isArray(said) ? said : ['RS256']
  return SIGNATURE_ALGORITHMS.filter((algorithm) => list.includes(algorithm))
}

/** `http:` on an address that only this machine can mean. */
function isLoopback({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && isLocalHost(hostname)
}
