import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as jose from 'jose'

/** A real OpenID Connect issuer as far as a resource server sees one: metadata, key set, signed tokens; on 127.0.0.1. */
export interface Issuer {
  readonly url: string
  /** How often each path was asked for. */
  readonly asked: Readonly<Record<string, number>>
  /** A token with `iss`, `iat` and `exp` (five minutes) unless the claims say otherwise; `undefined` leaves one out. */
  sign(claims: Record<string, unknown>, header?: Partial<jose.JWTHeaderParameters>): Promise<string>
  /** From now on tokens are signed with a new key, which the key set lists after the old one. */
  rotate(): Promise<void>
  /** Answers a path with something else from now on. */
  override(path: string, answer: Answer): void
  close(): Promise<void>
}

export interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string
}

export async function startIssuer(): Promise<Issuer> {
  const keys: { kid: string; privateKey: CryptoKey; publicJwk: jose.JWK }[] = []
  const asked: Record<string, number> = {}
  const overrides = new Map<string, Answer>()

  const rotate = async () => {
    const { privateKey, publicKey } = await jose.generateKeyPair('ES256')
    const kid = `key-${keys.length + 1}`
    const publicJwk = { ...(await jose.exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }
    keys.push({ kid, privateKey, publicJwk })
  }
  await rotate()

  const server = createServer((request, response) => {
    const path = request.url!
    asked[path] = (asked[path] ?? 0) + 1
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': {
        issuer: url,
        ...{ authorization_endpoint: `${url}/authorize`, token_endpoint: `${url}/token` },
        jwks_uri: `${url}/jwks`,
      },
      '/jwks': { keys: keys.map(({ publicJwk }) => publicJwk) },
    }
    const answer = overrides.get(path)
    const body = answer?.body ?? JSON.stringify(answers[path] ?? {})
    response.writeHead(answer?.status ?? (path in answers ? 200 : 404), {
      'content-type': 'application/json',
      ...answer?.headers,
    })
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url,
    asked,
    rotate,
    override: (path, answer) => void overrides.set(path, answer),
    sign(claims, header = {}) {
      const { kid, privateKey } = keys.at(-1)!
      const now = Math.floor(Date.now() / 1000)
      return new jose.SignJWT({ iss: url, iat: now, exp: now + 300, ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid, ...header })
        .sign(privateKey)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
