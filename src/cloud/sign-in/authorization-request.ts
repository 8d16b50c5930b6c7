/**
 * The request that a user brings to the issuer.
 *
 * @see OpenID Connect Core 1.0 section 3.1.2.1; RFC 7636 section 4.3
 * @module
 */
import type { AuthorizationServer } from 'oauth4webapi'
import type { SignInAttempt, StepUpRequest } from '../../protocol/machines/sign-in.ts'
import { profileOf } from '../directory/issuer-configuration.ts'
import type { IssuerClient } from '../issuer/issuer.ts'
import { stepUpParameters } from '../rules/step-up.ts'
import type { Application, Tenant } from '../directory/directory-port.ts'
import { promptForOther } from './other-account.ts'
import type { SignInWishes } from './sign-in-outcome.ts'

export interface AuthorizationRequest {
  readonly application: Application
  readonly tenant: Tenant
  readonly client: IssuerClient
  readonly metadata: AuthorizationServer
  readonly attempt: SignInAttempt
  /** Of the attempt's verifier. */
  readonly codeChallenge: string
  readonly wishes: SignInWishes
}

/** Where the user is sent. */
export function authorizationUrl(request: AuthorizationRequest): URL {
  const { application, tenant, client, metadata, attempt, codeChallenge, wishes } = request
  const location = new URL(metadata.authorization_endpoint!)
  const parameters = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: client.redirectUri,
    scope: profileOf(tenant).scopes.join(' '),
    state: attempt.state,
    nonce: attempt.nonce,
    code_challenge: codeChallenge,
    code_challenge_method: 'S256',
    ...stepUpParameters(strengthFor(application, wishes), profileOf(tenant).authenticationContexts),
    ...(wishes.renews && { prompt: 'none' }),
    ...(wishes.otherAccount && { prompt: promptForOther(metadata) }),
    ...(attempt.isPosted && { response_mode: 'form_post' }),
  }
  for (const [name, value] of Object.entries(parameters)) location.searchParams.set(name, value)
  return location
}

/** A session that may not last longer than its policy needs an authentication that is no older. */
function strengthFor(
  { session }: Application,
  { stepUp, renews }: SignInWishes,
): StepUpRequest | undefined {
  const { absoluteMs } = session?.lifetime ?? {}
  if (absoluteMs === undefined || renews !== undefined) return stepUp
  return { ...stepUp, maxAgeMs: Math.min(absoluteMs, stepUp?.maxAgeMs ?? Infinity) }
}
