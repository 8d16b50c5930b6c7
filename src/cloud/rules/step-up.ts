/**
 * How a stronger sign-in is asked for: of the issuer, and of a program.
 *
 * @module
 */
import type { StepUpRequest } from '../../protocol/machines/sign-in.ts'

/** By which parameter an issuer is asked for contexts. */
export type ContextsParameter = 'acr_values' | 'acr' | 'acrs'

/** Parameters of the authorization request. @see OpenID Connect Core section 3.1.2.1 */
export function stepUpParameters(
  stepUp: StepUpRequest | undefined,
  contexts: ContextsParameter = 'acr_values',
): Readonly<Record<string, string>> {
  const { acrValues, maxAgeMs } = stepUp ?? {}
  return {
    ...(acrValues && askedFor(acrValues, contexts)),
    ...(maxAgeMs !== undefined && { max_age: String(Math.floor(maxAgeMs / 1000)) }),
  }
}

/**
 * By the parameter of its own, which asks; or by the `claims` parameter, which insists.
 *
 * @see OpenID Connect Core section 5.5.1.1
 */
function askedFor(
  values: readonly string[],
  contexts: ContextsParameter,
): Readonly<Record<string, string>> {
  if (contexts === 'acr_values') return { acr_values: values.join(' ') }
  const which = values.length === 1 ? { value: values[0] } : { values }
  return { claims: JSON.stringify({ id_token: { [contexts]: { essential: true, ...which } } }) }
}

/**
 * The `WWW-Authenticate` value for a program, which cannot follow the user to the issuer: it learns
 * what to ask for. `Bearer` is named only where tokens are taken; `Cookie`: the session counts.
 *
 * @see RFC 9470 section 3
 */
export function stepUpChallenge(
  scheme: 'Bearer' | 'Cookie',
  realm: string,
  stepUp: StepUpRequest,
): string {
  const parameters = {
    realm,
    error: 'insufficient_user_authentication',
    error_description: 'A stronger or more recent sign-in is needed',
    ...stepUpParameters(stepUp),
  }
  // No value needs escaping: hosts and acr values have no quote and no backslash.
  const written = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`)
  return `${scheme} ${written.join(', ')}`
}
