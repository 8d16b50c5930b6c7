/**
 * How an application shows the issuer that it is its client: by what the issuer's metadata offers,
 * unless the application's configuration says how.
 *
 * @see RFC 6749 section 2.3; OpenID Connect Core 1.0 section 9; RFC 7523 section 2.2
 * @module
 */
import { importJWK, importPKCS8, type JWK } from 'jose'
import * as oauth from 'oauth4webapi'
import type {
  ClientAuthenticationMethod,
  ClientCredentials,
} from '../directory/client-configuration.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'

/** The endpoints at which clients show who they are; each may have a list of methods of its own. */
export type AuthenticatedEndpoint = 'token' | 'revocation'

/** With a secret, the first of these that the issuer offers. */
const WITH_SECRET = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'] as const

/**
 * What {@link oauth4webapi} puts into a call of an endpoint. The application's own choice comes
 * first; then what its credentials and the issuer's metadata leave.
 *
 * @throws SignInDenied `client-refused` with the name of the setting that must change
 */
export async function clientAuthentication(
  metadata: oauth.AuthorizationServer,
  client: ClientCredentials,
  endpoint: AuthenticatedEndpoint = 'token',
): Promise<oauth.ClientAuth> {
  const method = client.authentication ?? methodFor(metadata, client, endpoint)
  const { secret } = client
  switch (method) {
    case 'none':
      return oauth.None()
    case 'private_key_jwt': {
      const key = await privateKey(client, metadata)
      return oauth.PrivateKeyJwt(key, assertionOptions(metadata, client))
    }
    case 'client_secret_jwt':
      return oauth.ClientSecretJwt(needed(secret), assertionOptions(metadata, client))
    case 'client_secret_post':
      return oauth.ClientSecretPost(needed(secret))
    case 'client_secret_basic':
      return basic(needed(secret), escaped)
    case 'client_secret_basic_unescaped':
      return basic(needed(secret), (text) => text)
  }
}

/**
 * What the issuer offers and the client can do. Without a list it offers `client_secret_basic`
 * (Discovery section 3, RFC 8414 section 2).
 */
function methodFor(
  metadata: oauth.AuthorizationServer,
  { secret, key }: ClientCredentials,
  endpoint: AuthenticatedEndpoint,
): ClientAuthenticationMethod {
  // Nothing else can be done with it.
  if (key !== undefined) return 'private_key_jwt'
  if (secret === undefined) return 'none'
  const name = `${endpoint}_endpoint_auth_methods_supported` as const
  const own: unknown = metadata[name]
  const listed = Array.isArray(own) ? own : metadata.token_endpoint_auth_methods_supported
  const offered: readonly unknown[] = Array.isArray(listed) ? listed : ['client_secret_basic']
  const method = WITH_SECRET.find((one) => offered.includes(one))
  if (method === undefined) throw new SignInDenied('client-refused', 'authentication-method')
  return method
}

function needed(secret: string | undefined): string {
  if (secret === undefined) throw new SignInDenied('client-refused', 'secret-missing')
  return secret
}

const basic =
  (secret: string, encode: (text: string) => string): oauth.ClientAuth =>
  (_, { client_id: id }, __, headers) => {
    const octets = new TextEncoder().encode(`${encode(id)}:${encode(secret)}`)
    headers.set('authorization', `Basic ${btoa(String.fromCharCode(...octets))}`)
  }

/**
 * Form encoding of RFC 6749 appendix B, of as few characters as possible: those a decoder would
 * change, and those that are not visible ASCII. So an issuer that does not decode reads nearly
 * every secret as it is.
 */
export function escaped(text: string): string {
  return text.replace(/[%+:&]|[^\x21-\x7e]+/g, encodeURIComponent)
}

function assertionOptions(
  metadata: oauth.AuthorizationServer,
  { assertionAudience }: ClientCredentials,
): oauth.ModifyAssertionOptions {
  if (assertionAudience !== 'token-endpoint') return {}
  return {
    [oauth.modifyAssertion]: (_, payload) => {
      payload['aud'] = metadata.token_endpoint!
    },
  }
}

async function privateKey(
  { key }: ClientCredentials,
  metadata: oauth.AuthorizationServer,
): Promise<oauth.PrivateKey | CryptoKey> {
  if (key === undefined) throw new SignInDenied('client-refused', 'key-missing')
  try {
    if (isCryptoKey(key)) return key
    if (typeof key === 'string') return await fromPem(key, metadata)
    const { kid } = key as JWK
    const [algorithm] = algorithmsOf(key as JWK, metadata)
    const imported = (await importJWK(key as JWK, algorithm)) as CryptoKey
    return { key: imported, ...(typeof kid === 'string' && { kid }) }
  } catch {
    throw new SignInDenied('client-refused', 'key-unusable')
  }
}

/** PKCS #8 says what kind of key it is, and Web Crypto refuses all others. */
async function fromPem(pem: string, metadata: oauth.AuthorizationServer): Promise<CryptoKey> {
  const kinds = [{ kty: 'EC', crv: 'P-256' }, { kty: 'EC', crv: 'P-384' }, { kty: 'EC' }]
  for (const kind of [...kinds, { kty: 'OKP' }, { kty: 'RSA' }]) {
    const [algorithm] = algorithmsOf(kind, metadata)
    const key = await importPKCS8(pem, algorithm!).catch(() => undefined)
    if (key !== undefined) return key
  }
  throw new SignInDenied('client-refused', 'key-unusable')
}

/** What a key signs with: as it says, else as the issuer prefers. */
function algorithmsOf(
  { kty, crv, alg }: JWK,
  metadata: oauth.AuthorizationServer,
): readonly string[] {
  if (alg !== undefined) return [alg]
  if (kty === 'EC') return [{ 'P-256': 'ES256', 'P-384': 'ES384' }[crv ?? ''] ?? 'ES512']
  if (kty === 'OKP') return ['Ed25519']
  const taken: unknown = metadata.token_endpoint_auth_signing_alg_values_supported
  const possible = ['RS256', 'PS256', 'RS384', 'PS384', 'RS512', 'PS512']
  return Array.isArray(taken)
    ? [...possible.filter((one) => taken.includes(one)), ...possible]
    : possible
}

const isCryptoKey = (key: object | string): key is CryptoKey =>
  typeof key === 'object' && 'algorithm' in key && 'usages' in key
