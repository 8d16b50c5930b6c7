/**
 * How an application takes access tokens, as an operator writes it.
 *
 * @see spec/PROTOCOL.md, "Bearer tokens"
 * @module
 */
import * as v from 'valibot'
import type { BearerInput } from './application-input.ts'
import type { IssuerProfile } from './issuer-configuration.ts'
import { isHttps, tellFault, text, texts } from './configuration-values.ts'
import { resourceFault } from './published-url.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'

export const BearerConfiguration = v.strictObject({
  resource: v.exactOptional(text),
  audiences: v.optional(v.pipe(texts, v.minLength(1))),
  scopes: v.optional(texts, []),
  roles: v.optional(texts, []),
  tokenType: v.exactOptional(v.picklist(['at+jwt', 'any'])),
  maxTokenBytes: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(256), v.maxValue(32_768)),
    8192,
  ),
  basicToken: v.optional(v.boolean(), false),
  forward: v.optional(v.boolean(), false),
})
/** How an application takes access tokens, its defaults filled in. */
export interface Bearer extends BearerInput {
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly maxTokenBytes: number
  readonly basicToken: boolean
  readonly forward: boolean
}

/** What a token that is asked for by the application's metadata is for. */
export function resourceOf({
  bearer,
  externalUrl,
}: {
  readonly bearer?: Pick<Bearer, 'resource'> | undefined
  readonly externalUrl: string
}): string {
  return bearer?.resource ?? externalUrl
}

/** Tells what a schema cannot say. */
export function tellBearer(
  { resource, audiences, scopes, tokenType, basicToken, forward }: Bearer,
  externalUrl: string | undefined,
  issuer: Pick<IssuerProfile, 'tokenType'> | undefined,
  path: string,
  tell: TellMistake,
): void {
  if (resource !== undefined)
    tellFault(tell, `${path}.resource`, resourceFault(resource, externalUrl))
  if (basicToken && !isHttps(externalUrl))
    tell(`${path}.basicToken`, 'needs https: a password is readable')
  if (basicToken && forward)
    tell(
      `${path}.forward`,
      'cannot be combined with "basicToken": the application would take the token for its own Basic authentication',
    )
  if ((tokenType ?? issuer?.tokenType) === 'any' && audiences === undefined)
    tell(`${path}.audiences`, 'is needed by "any"')
  scopes.forEach((scope, i) => {
    // RFC 6749, section 3.3.
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)) tell(`${path}.scopes[${i}]`, 'is no scope')
  })
}
