/**
 * OIDC back-channel logout: the issuer says that a user's session there has ended, and what it led
 * to ends here.
 *
 * @see OpenID Connect Back-Channel Logout 1.0
 * @module
 */
import { claimedAudiences, LOGOUT_TOKEN_MS, type LogoutClaims } from '../issuer/logout-token.ts'
import type { Issuers } from '../issuer/issuers.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import { idsOfClient } from './client-applications.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Sessions } from '../session/session.ts'
import { denialOf, SignInDenied } from '../identity/sign-in-errors.ts'

export interface BackChannelLogoutOptions {
  readonly directory: Pick<Directory, 'tenant' | 'applications'>
  readonly sessions: Sessions
  readonly issuers: Issuers
  readonly clocks: Clocks
  readonly audit: AuditSink
}

/** Ids of tokens remembered as taken; they need not be for longer than a token is good. */
const MAX_TAKEN = 100_000

export class BackChannelLogout {
  readonly #options: BackChannelLogoutOptions
  /** Issuer and id of a token → until when it would be good. */
  readonly #taken = new Map<string, number>()

  constructor(options: BackChannelLogoutOptions) {
    this.#options = options
  }

  /**
   * Takes a logout token sent to the host of these applications. `false`: it is refused, and
   * nothing was revoked.
   *
   * @throws PortFailed when it is good and could not be obeyed; it may be sent again
   */
  async take(
    applications: readonly Application[],
    token: string,
    requestId?: string,
  ): Promise<boolean> {
    const audiences = claimedAudiences(token)
    const application = applications.find(({ client }) => client && audiences.includes(client.id))
    try {
      if (application === undefined) throw new SignInDenied('token-audience')
      const claims = await this.#verify(application, token)
      try {
        await this.#revoke(application, claims)
      } catch (error) {
        // Not everything was revoked: let the issuer send the same token again.
        this.#taken.delete(nameOf(claims))
        throw error
      }
      this.#write(application, requestId, claims)
      return true
    } catch (error) {
      this.#write(application, requestId, denialOf(error))
      return false
    }
  }

  async #verify(application: Application, token: string): Promise<LogoutClaims> {
    const { directory, issuers, clocks } = this.#options
    const tenant = directory.tenant(application.tenantId)
    if (tenant === undefined) throw new SignInDenied('internal')
    const claims = await issuers.of(tenant).verifyLogout(application.client!.id, token)
    const wallNow = clocks.wallClock()
    const name = nameOf(claims)
    for (const [old, until] of this.#taken) {
      if (until > wallNow && this.#taken.size < MAX_TAKEN) break
      this.#taken.delete(old)
    }
    if (this.#taken.has(name)) throw new SignInDenied('token-malformed', 'jti')
    this.#taken.set(name, wallNow + 2 * LOGOUT_TOKEN_MS)
    return claims
  }

  /**
   * One session at the issuer, where it names one; else all of the user's. Only of the client's
   * applications, of which the issuer knows one address: other clients get a token of their own.
   */
  async #revoke({ tenantId, client }: Application, claims: LogoutClaims): Promise<void> {
    const { directory, sessions, clocks } = this.#options
    const { issuer, issuerSession, subject } = claims
    const at = clocks.wallClock()
    for (const applicationId of idsOfClient(directory, tenantId, client!.id)) {
      const rest = { issuer, applicationId, at }
      await sessions.revoke(
        issuerSession === undefined
          ? { kind: 'user', subject: subject!, ...rest }
          : { kind: 'issuer-session', issuerSession, ...rest },
      )
    }
  }

  #write(
    application: Application | undefined,
    requestId: string | undefined,
    result: LogoutClaims | SignInDenied,
  ): void {
    const { audit, clocks } = this.#options
    const common = {
      time: clocks.wallClock(),
      type: 'sign-out.back-channel',
      tenantId: application?.tenantId,
      applicationId: application?.id,
      requestId,
    } as const
    if (result instanceof SignInDenied) {
      const { reason, evidence } = result
      audit.write({
        ...common,
        outcome: 'refused',
        reason,
        ...(evidence && { detail: { evidence } }),
      })
    } else audit.write({ ...common, outcome: 'success', subject: result.subject })
  }
}

/** Names a token, once for ever. */
const nameOf = ({ issuer, id }: LogoutClaims) => JSON.stringify([issuer, id])
