/**
 * What the issuer says of a session that it granted a refresh token for, and whether the user may
 * still go on by that.
 *
 * @module
 */
import { continuedIdentity } from '../../protocol/machines/session-renewal.ts'
import type { SignInReason } from '../../protocol/machines/sign-in-denials.ts'
import type { IssuerClient } from '../issuer/issuer.ts'
import type { Issuers } from '../issuer/issuers.ts'
import type { AccessControl } from '../policy/access-control.ts'
import type { Application, Directory, Tenant } from '../directory/directory-port.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { AskAgain } from '../session/session-renewals.ts'
import type { Outcome } from './callback-visit.ts'
import { identify } from './identify.ts'
import { denialOf, SignInDenied } from '../identity/sign-in-errors.ts'

export interface AskAgainOptions {
  readonly directory: Pick<Directory, 'tenant' | 'tenants'>
  readonly issuers: Pick<Issuers, 'of'>
  readonly access: Pick<AccessControl, 'atSignIn'>
  readonly clocks: Pick<Clocks, 'wallClock'>
  /** @throws SignInDenied */
  readonly parties: (application: Application, host: string) => Parties
}

export interface Parties {
  readonly tenant: Tenant
  readonly client: IssuerClient
}

/**
 * With these the issuer, or its token, says that the session is over; after any other it is asked
 * again.
 */
const ENDS: ReadonlySet<SignInReason> = new Set([
  ...(['code-refused', 'access-denied'] as const),
  ...(['token-issuer', 'token-audience', 'token-party'] as const),
  ...(['token-nonce', 'token-tenant'] as const),
])

export function askAgain(options: AskAgainOptions): AskAgain {
  return async (application, host, grant, { id: requestId, address }) => {
    const { access, clocks, issuers, parties } = options
    const renewedAt = clocks.wallClock()
    let { refreshToken } = grant
    try {
      const { tenant, client } = parties(application, host)
      const issuer = issuers.of(tenant)
      const tokens = await issuer.refresh(client, refreshToken)
      refreshToken = tokens.refreshToken ?? refreshToken
      const outcome: Pick<Outcome, 'userInfoFault'> = {}
      const told = await identify(
        {
          ...{ issuer, tenant, application, client, tokens, clocks, nonce: grant.nonce },
          ...{ tenants: options.directory.tenants(), isRefreshed: true },
        },
        outcome,
      )
      const identity = continuedIdentity(grant.identity, told)
      if (typeof identity === 'string') return { kind: 'ended', reason: identity }
      const decision = access.atSignIn(application, identity, { address, requestId })
      if (decision.effect === 'deny') {
        // Unreadable rules and missing claims are no verdict about the user.
        const isKnown = decision.code !== 'policy-broken' && outcome.userInfoFault === undefined
        if (!isKnown) throw new SignInDenied(decision.code)
        return { kind: 'ended', reason: decision.code }
      }
      // The next request that needs a stronger sign-in asks for it.
      return { kind: 'renewed', grant: { ...grant, refreshToken, identity, renewedAt } }
    } catch (error) {
      const { reason } = denialOf(error)
      if (ENDS.has(reason)) return { kind: 'ended', reason }
      return { kind: 'failed', reason, grant: { ...grant, refreshToken } }
    }
  }
}
