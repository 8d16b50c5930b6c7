/**
 * The refresh token grant at an issuer's token endpoint.
 *
 * @see RFC 6749 section 6; OpenID Connect Core 1.0 section 12
 * @module
 */
import * as oauth from 'oauth4webapi'
import type { ClientCredentials } from '../directory/client-configuration.ts'
import { clientAuthentication } from './client-authentication.ts'
import { screenTokenAnswer } from './token-answer.ts'

export interface RefreshOptions {
  readonly metadata: oauth.AuthorizationServer
  readonly client: ClientCredentials
  readonly self: oauth.Client
  readonly refreshToken: string
  readonly http: oauth.TokenEndpointRequestOptions
  /** Of the ID token's signature. */
  readonly algorithms: readonly string[]
}

/** The answer, with the ID token that must be in it. */
export async function refreshed(options: RefreshOptions): Promise<RedeemedTokens> {
  const { metadata, client, self, refreshToken, http, algorithms } = options
  const response = await oauth.refreshTokenGrantRequest(
    ...([metadata, self, await clientAuthentication(metadata, client)] as const),
    ...([refreshToken, http] as const),
  )
  // There is no code, so nothing may claim to be of one; and it need not repeat the nonce.
  const { answer, token } = await screenTokenAnswer(response, undefined, algorithms, crypto)
  return redeemed(await oauth.processRefreshTokenResponse(metadata, self, answer), token)
}

/** What a token endpoint answers, as far as it is of use. */
export interface RedeemedTokens {
  /** The ID token. */
  readonly token: string
  readonly accessToken: string
  /** Absent: the issuer gave none, or the one that was shown stays good. */
  readonly refreshToken?: string
}

/** `token`: the ID token as it came. */
export const redeemed = (
  tokens: oauth.TokenEndpointResponse,
  token = tokens.id_token!,
): RedeemedTokens => ({
  token,
  accessToken: tokens.access_token,
  ...(tokens.refresh_token !== undefined && { refreshToken: tokens.refresh_token }),
})
