/**
 * What an issuer may say instead of signing a user in: the registered error codes, and what each
 * means here.
 *
 * Nothing else of what it says is kept: a description is free text, and whoever writes a code of
 * their own may write anything.
 *
 * @see The IANA registry "OAuth Extensions Error Registration"; RFC 6749 sections 4.1.2.1 and 5.2;
 *   OpenID Connect Core 1.0 section 3.1.2.6
 * @module
 */
import type { SignInReason } from './sign-in-denials.ts'

interface Meaning {
  readonly reason: SignInReason
  /** Where an operator looks first, where it is their mistake. */
  readonly setting?: string
}

const asked = (setting: string): Meaning => ({ reason: 'request-refused', setting })
const CLIENT: Meaning = {
  reason: 'client-refused',
  setting: 'client.id, client.secret, client.key, client.authentication',
}
const INTERACTION: Meaning = { reason: 'interaction-needed' }
/**
 * For what we never ask: an issuer that says so speaks of another request, or refuses what it need
 * not.
 */
const ODD = asked('issuer')

/**
 * Every registered code that an authorization, token, revocation, UserInfo or end-of-session
 * endpoint may say.
 */
export const ISSUER_ERRORS = {
  // RFC 6749
  access_denied: { reason: 'access-denied' },
  invalid_client: CLIENT,
  invalid_grant: { reason: 'code-refused' },
  invalid_request: asked('client, and the redirect URI that the issuer knows'),
  invalid_scope: asked('issuer.scopes'),
  server_error: { reason: 'issuer-failed' },
  temporarily_unavailable: { reason: 'issuer-busy' },
  unauthorized_client: CLIENT,
  unsupported_grant_type: asked('client, and the grants that the issuer allows it'),
  unsupported_response_type: asked('client, and the response types that the issuer allows it'),
  // RFC 6750
  insufficient_scope: asked('issuer.scopes'),
  invalid_token: { reason: 'issuer-failed' },
  // OpenID Connect Core
  account_selection_required: INTERACTION,
  consent_required: INTERACTION,
  interaction_required: INTERACTION,
  login_required: INTERACTION,
  invalid_request_object: ODD,
  invalid_request_uri: ODD,
  registration_not_supported: ODD,
  request_not_supported: asked('client: the issuer wants signed requests'),
  request_uri_not_supported: ODD,
  // OpenID Connect Core, error code unmet_authentication_requirements 1.0; RFC 9470
  unmet_authentication_requirements: { reason: 'strength-refused' },
  insufficient_user_authentication: { reason: 'strength-refused' },
  // Extensions of which we use none
  authorization_pending: ODD,
  expired_token: ODD,
  invalid_authorization_details: ODD,
  invalid_dpop_proof: ODD,
  invalid_target: asked('issuer.scopes'),
  slow_down: { reason: 'issuer-busy' },
  unsupported_token_type: ODD,
  use_dpop_nonce: asked('client: the issuer wants a proof of possession'),
} as const satisfies Readonly<Record<string, Meaning>>

/** A registered code; or that there was one that is not. */
export type IssuerErrorCode = keyof typeof ISSUER_ERRORS | 'unregistered'

/** What of an issuer's error may be written down. */
export function issuerErrorCode(said: unknown): IssuerErrorCode {
  return typeof said === 'string' && Object.hasOwn(ISSUER_ERRORS, said)
    ? (said as keyof typeof ISSUER_ERRORS)
    : 'unregistered'
}

/** What it means here. */
export function issuerErrorMeaning(code: IssuerErrorCode): Meaning {
  return code === 'unregistered' ? { reason: 'issuer-refused' } : ISSUER_ERRORS[code]
}
