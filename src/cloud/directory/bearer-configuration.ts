/**
 * How an application takes access tokens, as an operator writes it.
 *
 * @see spec/PROTOCOL.md, "Bearer tokens"
 * @module
 */
import * as v from 'valibot'
import type { IssuerProfile } from './issuer-configuration.ts'
import { texts } from './configuration-values.ts'
import type { Application } from './directory-port.ts'
import { ConfigurationInvalid } from '../../protocol/internal.ts'

export const BearerConfiguration = v.strictObject({
  audiences: v.pipe(
    v.optional(v.pipe(texts, v.minLength(1))),
    v.description(
      "What `aud` may name the application as; one is enough. Default: its client's id.",
    ),
  ),
  scopes: v.pipe(
    v.optional(texts, []),
    v.description('Scopes (`scope` or `scp`) of which a token must have every one.'),
  ),
  roles: v.pipe(
    v.optional(texts, []),
    v.description('Roles (`roles`) of which a token must have one; none: it needs no role.'),
  ),
  tokenType: v.pipe(
    v.exactOptional(v.picklist(['at+jwt', 'any'])),
    v.description(
      'The `typ` of tokens: `at+jwt` (RFC 9068), which no ID token can be taken for; or `any`, for issuers that do not mark their access tokens, with `audiences`. Default: what its issuer is configured with.',
    ),
  ),
  maxTokenBytes: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(256), v.maxValue(32_768)), 8192),
    v.description('A longer token is not looked at.'),
  ),
  basicToken: v.pipe(
    v.optional(v.boolean(), false),
    v.description(
      "Whether the token may also come as the password of `Basic`, with any user name, for clients that know nothing else: git, package and container clients, WebDAV of operating systems. Needs https; the application's own Basic authentication cannot be used then.",
    ),
  ),
  forward: v.pipe(
    v.optional(v.boolean(), false),
    v.description('Whether the application is shown the token.'),
  ),
})
export type Bearer = v.InferOutput<typeof BearerConfiguration>

/** @throws ConfigurationInvalid */
export function checkBearer(
  { audiences, scopes, tokenType, basicToken, forward }: Bearer,
  { preAuthentication, externalUrl }: Pick<Application, 'preAuthentication' | 'externalUrl'>,
  issuer: Pick<IssuerProfile, 'tokenType'>,
  path: string,
): void {
  if (preAuthentication !== 'oidc')
    throw new ConfigurationInvalid(path, 'has no meaning with "passthrough": nobody signs in')
  if (basicToken && !externalUrl.startsWith('https:'))
    throw new ConfigurationInvalid(`${path}.basicToken`, 'needs https: a password is readable')
  if (basicToken && forward)
    throw new ConfigurationInvalid(
      `${path}.forward`,
      'cannot be combined with "basicToken": the application would take the token for its own Basic authentication',
    )
  if ((tokenType ?? issuer.tokenType) === 'any' && audiences === undefined)
    throw new ConfigurationInvalid(`${path}.audiences`, 'is needed by "any"')
  scopes.forEach((scope, i) => {
    // RFC 6749, section 3.3.
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
      throw new ConfigurationInvalid(`${path}.scopes[${i}]`, 'is no scope')
  })
}
