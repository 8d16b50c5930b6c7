/**
 * Programs that show an access token: who they are, and whether the application is for them.
 *
 * A token that was found good is remembered until it ends, so that the next request with it costs
 * one look-up. Tokens themselves are the keys of that memory, which holds what comes with every
 * request anyway and goes nowhere else; they are compared whole.
 *
 * @see spec/PROTOCOL.md, "Bearer tokens"; RFC 6750; RFC 9068
 * @module
 */
import type { JWTPayload } from 'jose'
import { isAssigned } from '../policy/assignment.ts'
import { CountedWindow } from '../../runtime/counted-window.ts'
import { resourceOf, type Bearer } from '../directory/bearer-configuration.ts'
import type { Caller } from '../identity/caller.ts'
import { profileOf } from '../directory/issuer-configuration.ts'
import { identityOf } from '../issuer/identity-claims.ts'
import type { Issuers } from '../issuer/issuers.ts'
import { namedBy } from '../rules/named.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import type { SessionRevocations } from '../session/session-revocations.ts'
import { denialOf, SignInDenied } from '../identity/sign-in-errors.ts'
import { isForTenant } from '../issuer/tenant-claim.ts'

export interface BearerTokensOptions {
  readonly directory: Pick<Directory, 'tenant' | 'tenants'>
  readonly issuers: Issuers
  readonly revocations: SessionRevocations
  readonly clocks: Clocks
  readonly audit: AuditSink
  /** Good tokens remembered for each application. Default 1024. */
  readonly remembered?: number
}

/** Who shows the token, or why they are nobody here. */
export type BearerVerdict = Caller | SignInDenied

export class BearerTokens {
  readonly #options: BearerTokensOptions
  /** Those shown as Basic's password: no browser or person stands behind them that would stop. */
  readonly failedAttempts: CountedWindow
  /** Another configuration is another object, and asks anew. */
  readonly #good = new WeakMap<Application, BoundedCache<Good>>()

  constructor(options: BearerTokensOptions) {
    this.#options = options
    this.failedAttempts = new CountedWindow({
      now: () => options.clocks.now(),
      ...{ most: 20, windowMs: 60_000 },
    })
  }

  /** Whether this token was found good before: then {@link verify} costs a look-up. */
  knows(application: Application, token: string): boolean {
    return this.#good.get(application)?.get(token) !== undefined
  }

  /** Who shows this token to this application. No promise where it was found good before. */
  verify(
    application: Application,
    bearer: Bearer,
    token: string,
    requestId: string,
  ): BearerVerdict | Promise<BearerVerdict> {
    const good = this.#good.get(application)?.get(token)
    return good === undefined
      ? this.#examine(application, bearer, token, requestId)
      : this.#again(application, token, good)
  }

  #again(application: Application, token: string, good: Good): BearerVerdict {
    const { clocks, revocations } = this.#options
    const { caller } = good
    if (clocks.wallClock() >= caller.expiresAt!) {
      this.#good.get(application)!.delete(token)
      return new SignInDenied('token-expired')
    }
    if (good.foundGoodAt === revocations.version) return caller
    if (revocations.isRevoked(caller, application)) return new SignInDenied('token-revoked')
    good.foundGoodAt = revocations.version
    return caller
  }

  async #examine(
    application: Application,
    bearer: Bearer,
    token: string,
    requestId: string,
  ): Promise<BearerVerdict> {
    const { id: applicationId, tenantId } = application
    const event = { time: this.#options.clocks.wallClock(), tenantId, applicationId, requestId }
    let subject: string | undefined
    const unknown = new Set<string>()
    try {
      const claims = await this.#claims(application, bearer, token)
      subject = claims.sub
      const { version } = this.#options.revocations
      const caller = this.#caller(application, bearer, claims, unknown)
      const client = clientOf(claims)
      this.#remember(application, token, { caller, foundGoodAt: version })
      this.#options.audit.write({
        ...{ ...event, type: 'bearer.accepted', outcome: 'success', subject },
        ...(client !== undefined && { detail: { client } }),
      })
      return caller
    } catch (error) {
      const denied = denialOf(error)
      const { reason, evidence } = denied
      this.#options.audit.write({
        ...{ ...event, type: 'bearer.refused', outcome: 'refused', reason, subject },
        detail: {
          ...(evidence !== undefined && { evidence }),
          ...(unknown.size > 0 && { unknown: [...unknown] }),
        },
      })
      return denied
    }
  }

  async #claims(application: Application, bearer: Bearer, token: string): Promise<JWTPayload> {
    const { directory, issuers } = this.#options
    const tenant = directory.tenant(application.tenantId)
    if (tenant === undefined) throw new SignInDenied('internal')
    const claims = await issuers.of(tenant).verifyAccess(token, {
      audiences: bearer.audiences ?? [application.client!.id, resourceOf(application)],
      type: bearer.tokenType ?? profileOf(tenant).tokenType,
      maxCharacters: bearer.maxTokenBytes,
    })
    if (!isForTenant(tenant, claims, directory.tenants())) throw new SignInDenied('token-tenant')
    return claims
  }

  #caller(
    application: Application,
    bearer: Bearer,
    claims: JWTPayload,
    unknown: Set<string>,
  ): Caller {
    const profile = profileOf(this.#options.directory.tenant(application.tenantId)!)
    const { claims: named, custom } = namedBy(application)
    const identity = identityOf(claims, { named, custom, profile })
    const { subject, issuer, name, email, groups, roles, ...rest } = identity
    const scopes = scopesOf(claims)
    if (!bearer.scopes.every((scope) => scopes.includes(scope)))
      throw new SignInDenied('token-scope')
    if (bearer.roles.length > 0 && !bearer.roles.some((role) => roles?.includes(role)))
      throw new SignInDenied('token-role')
    if (!isAssigned(application, identity, unknown)) throw new SignInDenied('not-assigned')
    const caller: Caller = {
      user: {
        ...{ subject, issuer },
        ...(name !== undefined && { name }),
        ...(email !== undefined && { email }),
        ...(groups && { groups }),
        ...(roles && { roles }),
      },
      ...rest,
      startedAt: claims.iat! * 1000,
      // A remembered token gets the same leeway as one that is checked now.
      expiresAt: identity.expiresAt + this.#options.issuers.leewayMs,
      showsToken: true,
    }
    if (this.#options.revocations.isRevoked(caller, application))
      throw new SignInDenied('token-revoked')
    return caller
  }

  #remember(application: Application, token: string, good: Good): void {
    let recent = this.#good.get(application)
    if (recent === undefined) {
      recent = new BoundedCache(this.#options.remembered ?? 1024)
      this.#good.set(application, recent)
    }
    // Copy the token: a slice would keep the whole request head in memory.
    recent.set(JSON.parse(JSON.stringify(token)) as string, good)
  }
}

interface Good {
  readonly caller: Caller
  /** The version of the revocations that were asked. */
  foundGoodAt: number
}

/** RFC 9068 has a text with spaces, others a list. */
function scopesOf(claims: JWTPayload): readonly string[] {
  const said = claims['scope'] ?? claims['scp']
  if (typeof said === 'string') return said.split(' ')
  return Array.isArray(said) ? said.filter((scope) => typeof scope === 'string') : []
}

function clientOf(claims: JWTPayload): string | undefined {
  const client = claims['client_id'] ?? claims['azp']
  return typeof client === 'string' ? client.slice(0, 255) : undefined
}
