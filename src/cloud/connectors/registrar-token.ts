/**
 * Is this the token of somebody who may register connectors, here and now?
 *
 * @see spec/PROTOCOL.md, "Registration"
 * @module
 */
import { decodeJwt, type JWTPayload } from 'jose'
import { Refused, type RegistrarIdentity, type RefusalReason } from '../../protocol/internal.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { claimAt, profileOf } from '../directory/issuer-configuration.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'
import { Issuers } from '../issuer/issuers.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { inTime, timerOf, type Scheduler } from '../../runtime/scheduler.ts'
import type { Directory, Tenant } from '../directory/directory-port.ts'
import { isForTenant } from '../issuer/tenant-claim.ts'

export interface RegistrarTokensOptions {
  readonly crypto: CryptoProvider
  readonly clocks: Clocks
  /** Default: the runtime's timers. */
  readonly scheduler?: Scheduler | undefined
  readonly directory: Pick<Directory, 'tenantOfIssuer' | 'tenants'>
  /** What is known of the tenants' issuers. Default: found out for registrations alone. */
  readonly issuers?: Issuers | undefined
  /**
   * Which `typ` a token may have. Default: what the configuration of the tenant's issuer says, and
   * `at+jwt` where it says nothing: an access token by RFC 9068, which no ID token can be taken
   * for. `any` is for issuers that do not mark their access tokens; then the audience alone tells
   * them apart.
   */
  readonly tokenType?: 'at+jwt' | 'any'
}

/** Whom a token speaks for, and by which roles. */
export interface VerifiedRegistrar extends RegistrarIdentity {
  /** Those it holds that let it register connectors. */
  readonly roles: readonly string[]
}

const MAX_CHARACTERS = 32 * 1024
/** So long the issuer may take, in all: somebody waits who registers a connector. Milliseconds. */
const ISSUER_MS = 4_000
/** When to try again after the issuer did not answer. Milliseconds. */
const RETRY_MS = 5_000

/** Verifies registrars' tokens. */
export class RegistrarTokens {
  readonly #options: RegistrarTokensOptions
  readonly #issuers: Issuers

  constructor(options: RegistrarTokensOptions) {
    this.#options = options
    this.#issuers = options.issuers ?? new Issuers(options)
  }

  /**
   * Who a token speaks for.
   *
   * @throws Refused `token-…` for the first thing that is wrong, or `issuer-unavailable`
   */
  async verify(token: string): Promise<VerifiedRegistrar> {
    const tenant = this.#tenantOf(token)
    const claims = await this.#claimsOf(token, tenant)
    const { roleClaim = profileOf(tenant).claims.roles, roles } = tenant.registrars
    if (!isForTenant(tenant, claims, this.#options.directory.tenants())) {
      throw new Refused('token-tenant', 'it was issued for another tenant')
    }
    const held = [claimAt(claims, roleClaim)].flat()
    const registrarRoles = roles.filter((role) => held.includes(role))
    if (registrarRoles.length === 0) {
      throw new Refused('token-role', 'its subject may not register connectors')
    }
    return {
      tenantId: tenant.id,
      issuer: tenant.issuer,
      subject: claims.sub!,
      onceId: await this.#onceId(token, claims),
      tokenExpiresAt: claims.exp! * 1000 + this.#issuers.leewayMs,
      roles: registrarRoles,
    }
  }

  /** The unverified issuer does nothing but choose the tenant whose keys must fit. */
  #tenantOf(token: string): Tenant {
    let issuer: unknown
    try {
      issuer = decodeJwt(token).iss
    } catch (cause) {
      throw new Refused('token-malformed', 'it is not a signed JWT', { cause })
    }
    const tenant =
      typeof issuer === 'string' ? this.#options.directory.tenantOfIssuer(issuer) : undefined
    if (tenant === undefined) throw new Refused('token-issuer', 'no tenant has this issuer')
    return tenant
  }

  async #claimsOf(token: string, tenant: Tenant): Promise<JWTPayload> {
    const { tokenType: type = profileOf(tenant).tokenType } = this.#options
    const audiences = [tenant.registrars.audience]
    const verify = () =>
      this.#issuers
        .of(tenant)
        .verifyAccess(token, { audiences, type, maxCharacters: MAX_CHARACTERS })
    try {
      return await inTime(timerOf(this.#options), ISSUER_MS, verify, () => {
        throw new SignInDenied('issuer-timeout')
      })
    } catch (error) {
      throw error instanceof SignInDenied ? refusalOf(error) : error
    }
  }

  /**
   * The id under which a token is spent once: `jti`, else `uti`, else the digest of what is signed.
   * The signature is left out of the digest: an ECDSA signature can be rewritten into another valid
   * one.
   */
  async #onceId(token: string, claims: JWTPayload): Promise<string> {
    for (const claim of ['jti', 'uti'] as const) {
      const id = claims[claim]
      if (typeof id === 'string' && id !== '') return `${claim}:${await this.#digest(id)}`
    }
    return `sha256:${await this.#digest(token.slice(0, token.lastIndexOf('.')))}`
  }

  async #digest(text: string): Promise<string> {
    const octets = new TextEncoder().encode(text)
    return hexadecimal(new Uint8Array(await this.#options.crypto.subtle.digest('SHA-256', octets)))
  }
}

/** What a registrar is told of what was found wrong. */
function refusalOf(denied: SignInDenied): Refused {
  const { reason, evidence } = denied
  const refused = (as: RefusalReason, detail: string): Refused =>
    new Refused(as, detail, { cause: denied })
  if (reason.startsWith('issuer-'))
    return new Refused('issuer-unavailable', 'the identity provider does not answer', {
      cause: denied,
      retryAfterMs: RETRY_MS,
    })
  switch (reason) {
    case 'token-expired':
    case 'token-not-yet-valid':
    case 'token-issuer':
      return refused(reason, '')
    case 'token-audience':
      return refused(reason, 'it is not for this service')
    case 'token-signature':
    case 'token-key':
    case 'token-algorithm':
      return refused('token-signature', 'it is not signed by its issuer')
    case 'token-claims':
      return evidence === 'aud'
        ? refused('token-audience', 'it is not for this service')
        : refused('token-malformed', `"${evidence}" is missing or wrong`)
    case 'token-header':
      return evidence === 'typ'
        ? refused('token-malformed', 'it is no access token')
        : refused('token-malformed', `"${evidence}" has no place in its header`)
    default:
      return refused('token-malformed', 'it cannot be verified')
  }
}
