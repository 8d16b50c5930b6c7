/**
 * Who has signed in: the ID token checked, and UserInfo asked for what rules name and the token
 * does not have.
 *
 * @see docs/unknown.md
 * @module
 */
import type { SignInIdentity } from '../../protocol/machines/sign-in.ts'
import { profileOf } from '../directory/issuer-configuration.ts'
import { identityOf, missingClaims, type Claims } from '../issuer/identity-claims.ts'
import type { Issuer, IssuerClient } from '../issuer/issuer.ts'
import type { RedeemedTokens } from '../issuer/refresh-grant.ts'
import { namedBy } from '../rules/named.ts'
import type { Application, Tenant } from '../directory/directory-port.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Outcome } from './callback-visit.ts'
import { denialOf, SignInDenied } from '../identity/sign-in-errors.ts'
import { isForTenant } from '../issuer/tenant-claim.ts'

export interface IdentifyOptions {
  readonly issuer: Pick<Issuer, 'verify' | 'userInfo'>
  readonly tenant: Tenant
  readonly tenants: readonly Tenant[]
  readonly application: Application
  readonly client: IssuerClient
  readonly nonce: string
  readonly tokens: RedeemedTokens
  readonly clocks: Pick<Clocks, 'wallClock'>
  /** The tokens answer a refresh token. Default false. */
  readonly isRefreshed?: boolean
}

/**
 * The identity that the tokens prove. `outcome` learns why UserInfo did not answer.
 *
 * @throws SignInDenied
 */
export async function identify(
  options: IdentifyOptions,
  outcome: Pick<Outcome, 'userInfoFault'>,
): Promise<SignInIdentity> {
  const { issuer, tenant, application, client, nonce, tokens } = options
  const token = await issuer.verify(client, nonce, tokens.token, options.isRefreshed)
  if (!isForTenant(tenant, token, options.tenants)) throw new SignInDenied('token-tenant')
  // The token passed by the clock leeway alone. Its session would end at once, and the user would
  // circle between here and the issuer.
  if (token.exp! * 1000 <= options.clocks.wallClock()) throw new SignInDenied('token-expired')
  const profile = profileOf(tenant)
  const named = namedBy(application)
  const isNeeded =
    profile.userInfo === 'when-needed' && missingClaims(token, named, profile).length > 0
  let userInfo: Claims | undefined
  if (isNeeded)
    try {
      userInfo = await issuer.userInfo(client, tokens.accessToken, token.sub!)
    } catch (error) {
      const { reason, evidence } = denialOf(error)
      outcome.userInfoFault = evidence === undefined ? reason : `${reason}: ${evidence}`
    }
  return identityOf(token, { named: named.claims, custom: named.custom, profile, userInfo })
}
