/**
 * An application's own client at the issuer, as an operator writes it.
 *
 * @module
 */
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { text } from './configuration-values.ts'

const METHODS = [
  'client_secret_basic',
  'client_secret_basic_unescaped',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'none',
] as const

/**
 * How a client shows the issuer that it is this client: OpenID Connect's names, and one for issuers
 * that do not decode.
 */
export type ClientAuthenticationMethod = (typeof METHODS)[number]

export const ClientConfiguration = v.strictObject({
  id: text,
  secret: v.optional(text),
  key: v.pipe(
    v.optional(
      v.union([
        v.pipe(v.string(), v.regex(/^-----BEGIN PRIVATE KEY-----\r?\n/), v.maxLength(8192)),
        v.looseObject({ kty: v.picklist(['EC', 'OKP', 'RSA']), d: text }),
      ]),
    ),
    v.description(
      'The private key for `private_key_jwt`, in the place of a secret: a JWK, or PKCS #8 as PEM.',
    ),
  ),
  authentication: v.pipe(
    v.optional(v.picklist(METHODS)),
    v.description(
      "How it shows the issuer who it is. Default: what the issuer's metadata offers and `secret` or `key` allow. `client_secret_basic_unescaped` is for issuers that do not decode what RFC 6749 has encoded, where the secret has one of `%`, `+`, `:`, `&`.",
    ),
  ),
  assertionAudience: v.pipe(
    v.optional(v.picklist(['issuer', 'token-endpoint'])),
    v.description('The `aud` of what it signs for the issuer. Default: `issuer`.'),
  ),
})

/**
 * What a client has to show. A `CryptoKey` is for those who embed the cloud: its `usages` must have
 * `sign`.
 */
export interface ClientCredentials {
  readonly id: string
  readonly secret?: string
  readonly key?: string | Readonly<Record<string, unknown>> | CryptoKey
  readonly authentication?: ClientAuthenticationMethod
  readonly assertionAudience?: 'issuer' | 'token-endpoint'
}

/** @throws ConfigurationInvalid for what could not be used, or would not be */
export function readClient(
  client: v.InferOutput<typeof ClientConfiguration>,
  path: string,
): ClientCredentials {
  const { secret, key, authentication, assertionAudience } = client
  const fault = (name: string, detail: string) => {
    throw new ConfigurationInvalid(`${path}.${name}`, detail)
  }
  const usesKey = authentication === undefined ? key !== undefined : authentication === SIGNED
  const usesSecret =
    authentication === undefined ? secret !== undefined : !NO_SECRET.has(authentication)
  if (authentication === undefined && key !== undefined && secret !== undefined)
    fault('authentication', 'is needed where there are both a secret and a key')
  if (usesKey && key === undefined) fault('key', `is needed by "${SIGNED}"`)
  if (usesSecret && secret === undefined) fault('secret', `is needed by "${authentication}"`)
  if (!usesKey && key !== undefined) fault('key', `is not used by "${authentication}"`)
  if (!usesSecret && secret !== undefined) fault('secret', `is not used by "${authentication}"`)
  if (assertionAudience !== undefined && !usesKey && authentication !== 'client_secret_jwt')
    fault('assertionAudience', 'has no meaning where nothing is signed')
  return Object.fromEntries(
    Object.entries(client).filter(([, value]) => value !== undefined),
  ) as unknown as ClientCredentials
}

const SIGNED = 'private_key_jwt'
const NO_SECRET: ReadonlySet<string> = new Set([SIGNED, 'none'])
