/**
 * A real OpenID Connect issuer on a loopback address that does one thing wrong at a time: discovery, keys, authorization redirect and token endpoint.
 *
 * Without a misbehaviour it is as good as any.
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTHeaderParameters } from 'jose'

export type Json = Record<string, unknown>

/** One way to answer a request: a JSON value, or all of it by hand. */
export type Answer =
  Json | ((response: ServerResponse, request: IncomingMessage) => void | Promise<void>)

/** What a misbehaviour may look at. */
export interface Scene {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly nonce: string
  readonly code: string
  readonly accessToken: string
  readonly seconds: number
  /** The claims of a good ID token. */
  readonly claims: Json
  /** Signs with the issuer's key, or another; `header` adds to the good one, `undefined` takes away. */
  sign(claims: Json, header?: Json, key?: CryptoKey): Promise<string>
  readonly keys: readonly SigningKey[]
}

export interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
}

/** What is done wrong; everything absent is done right. */
export interface Misbehaviour {
  readonly metadata?: (good: Json) => Answer
  /** Changes the parameters of the callback. */
  readonly callback?: (parameters: URLSearchParams, scene: Scene) => void
  /** The ID token. */
  readonly idToken?: (scene: Scene) => string | Promise<string>
  /** The token endpoint's answer. */
  readonly token?: (good: Json, scene: Scene) => Answer
  readonly keys?: (good: { keys: JWK[] }) => Answer
  /** What UserInfo answers; by itself the subject alone. */
  readonly userInfo?: (good: Json, scene: Scene) => Answer | Promise<Answer>
}

export class HostileIssuer {
  /** How often each path was asked for. */
  readonly asked = new Map<string, number>()
  /** Everything it said that nobody may write down. */
  readonly secrets = new Set<string>()
  readonly keys: SigningKey[] = []
  /** What its token endpoint was sent. */
  readonly tokenCalls: { headers: IncomingHttpHeaders; body: string }[] = []
  misbehaviour: Misbehaviour = {}
  readonly clientId = 'intranet'
  readonly clientSecret = 'intranet-secret-for-tests-of-a-hostile-issuer'
  url = ''
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  readonly #nonces = new Map<string, string>()

  static async start(): Promise<HostileIssuer> {
    const issuer = new HostileIssuer()
    await issuer.rotate()
    issuer.#server.listen(0, '127.0.0.1')
    await once(issuer.#server, 'listening')
    issuer.url = `http://127.0.0.1:${(issuer.#server.address() as AddressInfo).port}`
    return issuer
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** A new key; tokens are signed with it from now on, and the key set lists it last. */
  async rotate(): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const kid = `key-${this.keys.length + 1}`
    const publicJwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }
    this.keys.push({ kid, privateKey, publicJwk })
  }

  /** Where it says it is, when it is reached through something that speaks https. */
  publicUrl: string | undefined

  /** A token by the last key, with `iss`, `iat` and `exp` (five minutes) unless the claims say otherwise. */
  sign(claims: Json, header: Json = {}): Promise<string> {
    const { issuer, seconds, sign } = this.#scene('')
    return sign({ iss: issuer, iat: seconds, exp: seconds + 300, ...claims }, header)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, this.url)
    this.asked.set(pathname, (this.asked.get(pathname) ?? 0) + 1)
    const { metadata, keys } = this.misbehaviour
    const issuer = this.publicUrl ?? this.url
    if (pathname === '/.well-known/openid-configuration') {
      const good = {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        userinfo_endpoint: `${issuer}/userinfo`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        authorization_response_iss_parameter_supported: true,
        id_token_signing_alg_values_supported: ['RS256', 'ES256', 'HS256', 'none'],
      }
      return answer(request, response, metadata?.(good) ?? good)
    }
    if (pathname === '/keys') {
      const good = { keys: this.keys.map(({ publicJwk }) => publicJwk) }
      return answer(request, response, keys?.(good) ?? good)
    }
    if (pathname === '/authorize') return this.#authorize(searchParams, response)
    if (pathname === '/token') return this.#token(request, response)
    if (pathname === '/userinfo') {
      const token = request.headers.authorization ?? ''
      if (!this.secrets.has(token.slice('Bearer '.length)) || !token.startsWith('Bearer '))
        return void response.writeHead(401).end()
      const { userInfo } = this.misbehaviour
      const good = { sub: 'u1' }
      return answer(request, response, (await userInfo?.(good, this.#scene(''))) ?? good)
    }
    response.writeHead(404).end()
  }

  #authorize(asked: URLSearchParams, response: ServerResponse): void {
    const code = crypto.randomUUID()
    const nonce = asked.get('nonce')!
    this.#nonces.set(code, nonce)
    for (const secret of [code, nonce, asked.get('state')!]) this.secrets.add(secret)
    const location = new URL(asked.get('redirect_uri')!)
    const good = { code, state: asked.get('state')!, iss: this.publicUrl ?? this.url }
    const parameters = new URLSearchParams(good)
    this.misbehaviour.callback?.(parameters, this.#scene(code))
    location.search = parameters.toString()
    response.writeHead(302, { location: location.href }).end()
  }

  async #token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    this.tokenCalls.push({ headers: request.headers, body })
    const scene = this.#scene(new URLSearchParams(body).get('code')!)
    const { idToken, token } = this.misbehaviour
    const id_token = await (idToken ?? (({ sign, claims }) => sign(claims)))(scene)
    this.secrets.add(scene.accessToken)
    for (const part of id_token.split('.')) if (part.length > 20) this.secrets.add(part)
    const good = {
      access_token: scene.accessToken,
      token_type: 'Bearer',
      expires_in: 300,
      id_token,
    }
    return answer(request, response, token?.(good, scene) ?? good)
  }

  #scene(code: string): Scene {
    const issuer = this.publicUrl ?? this.url
    const seconds = Math.floor(Date.now() / 1000)
    const nonce = this.#nonces.get(code) ?? ''
    const claims = {
      iss: issuer,
      sub: 'u1',
      aud: this.clientId,
      nonce,
      iat: seconds,
      exp: seconds + 300,
      groups: ['staff'],
      tid: 'contoso',
    }
    const last = this.keys.at(-1)!
    return {
      ...{ issuer, nonce, code, seconds, claims, keys: this.keys },
      ...{ clientId: this.clientId, clientSecret: this.clientSecret },
      accessToken: `access-token-of-${code}`,
      sign: (some, header = {}, key = last.privateKey) =>
        new SignJWT(some)
          .setProtectedHeader({ alg: 'ES256', kid: last.kid, ...header } as JWTHeaderParameters)
          .sign(key),
    }
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  what: Answer,
): Promise<void> {
  if (typeof what === 'function') return what(response, request)
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(what))
}

// ── answers by hand ─────────────────────────────────────────────────────────────────────────

export const status =
  (code: number, body: Json = {}): Answer =>
  (response) =>
    void response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))

export const text =
  (body: string, type = 'application/json'): Answer =>
  (response) =>
    void response.writeHead(200, { 'content-type': type }).end(body)

/** To somewhere that would answer well. */
export const redirect =
  (location: string, code = 302): Answer =>
  (response) =>
    void response.writeHead(code, { location }).end()

/** Says nothing, ever. */
export const silence: Answer = () => undefined

/** The head comes at once, and then an octet now and then. */
export const dripping: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const timer = setInterval(() => response.write(' '), 20)
  response.on('close', () => clearInterval(timer))
}

/** Octets without end. */
export const endless: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const block = Buffer.alloc(64 * 1024, 0x20)
  const pour = () => {
    while (!response.destroyed && response.write(block));
  }
  response.on('drain', pour)
  pour()
}

export const hangUp: Answer = (response) => void response.destroy()

/** One part of a token made by hand. */
export const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
