/**
 * An application's own client at the issuer, as an operator writes it.
 *
 * @module
 */
import * as v from 'valibot'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { text } from './configuration-values.ts'

const METHODS = [
  'client_secret_basic',
  'client_secret_basic_unescaped',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'none',
] as const satisfies readonly ClientAuthenticationMethod[]

/**
 * How a client shows the issuer that it is this client: OpenID Connect's names, and one for issuers
 * that do not decode.
 */
export type ClientAuthenticationMethod =
  | 'client_secret_basic'
  | 'client_secret_basic_unescaped'
  | 'client_secret_post'
  | 'client_secret_jwt'
  | 'private_key_jwt'
  | 'none'

export const ClientConfiguration = v.strictObject({
  id: text,
  secret: v.optional(text),
  key: v.optional(
    v.union([
      v.pipe(
        v.string(),
        v.regex(/^-----BEGIN PRIVATE KEY-----\r?\n/, 'must be PKCS #8 as PEM, or a JWK'),
        v.maxLength(8192),
      ),
      v.looseObject({ kty: v.picklist(['EC', 'OKP', 'RSA']), d: text }),
    ]),
  ),
  authentication: v.optional(v.picklist(METHODS)),
  assertionAudience: v.optional(v.picklist(['issuer', 'token-endpoint'])),
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

type Checked = v.InferOutput<typeof ClientConfiguration>

/** Tells what could not be used, or would not be. */
export function tellClient(client: Checked, path: string, tell: TellMistake): void {
  const { secret, key, authentication, assertionAudience } = client
  const fault = (name: string, detail: string) => tell(`${path}.${name}`, detail)
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
}

/** The client without what is not said of it. */
export const readClient = (client: Checked) =>
  Object.fromEntries(
    Object.entries(client).filter(([, value]) => value !== undefined),
  ) as unknown as ClientCredentials

const SIGNED = 'private_key_jwt'
const NO_SECRET: ReadonlySet<string> = new Set([SIGNED, 'none'])
