/**
 * Whom a token of the admin API speaks for: an access token of a tenant's issuer, or of the
 * service's own, for this API alone; or the local token of whoever is at the machine.
 *
 * @see RFC 9068
 * @module
 */
import { decodeJwt, type JWTPayload } from 'jose'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import { claimAt, profileOf } from '../directory/issuer-configuration.ts'
import type { Directory, Tenant } from '../directory/directory-port.ts'
import { denialOf, SignInDenied } from '../identity/sign-in-errors.ts'
import type { Issuers } from '../issuer/issuers.ts'
import { isForTenant } from '../issuer/tenant-claim.ts'
import type { AdminCaller, AdminRole } from './admin-caller.ts'

/** Who may call the admin API. */
export interface AdminAccess {
  /**
   * The `aud` of tokens for the admin API: it must be the only one of the token, and not that of
   * registrars or of an application. Default: no token of an issuer is taken.
   */
  readonly audience?: string | undefined
  /**
   * What the roles are called at the tenants' issuers. Default: `app-proxy.reader`,
   * `app-proxy.operator`, `app-proxy.publisher`.
   */
  readonly roles?: Partial<Readonly<Record<Exclude<AdminRole, 'service'>, string>>> | undefined
  /**
   * An issuer whose tokens speak for the operator of the service, where they have the role. It must
   * not be a tenant's. Default: there is none.
   */
  readonly service?: { readonly issuer: string; readonly role: string } | undefined
  /**
   * SHA-256 of the local token, hexadecimal: `openLocalToken` of `app-proxy/cloud/node`. It is
   * taken from callers on this machine alone. Default: there is none.
   */
  readonly localTokenHash?: string | undefined
}

export interface AdminTokensOptions {
  readonly access: AdminAccess
  readonly directory: Pick<Directory, 'tenant' | 'tenants' | 'tenantOfIssuer'>
  readonly issuers: Issuers
  readonly clocks: Pick<Clocks, 'wallClock'>
  readonly crypto: CryptoProvider
}

const MAX_CHARACTERS = 16 * 1024
const USUAL_ROLES = {
  reader: 'app-proxy.reader',
  operator: 'app-proxy.operator',
  publisher: 'app-proxy.publisher',
} as const

/** Reads tokens. */
export class AdminTokens {
  readonly #options: AdminTokensOptions

  /** @throws ConfigurationInvalid when the audience is that of a tenant's registrars */
  constructor(options: AdminTokensOptions) {
    this.#options = options
    const { access, directory } = options
    if (directory.tenants().some(({ registrars }) => registrars.audience === access.audience))
      throw new ConfigurationInvalid('access.audience', 'is that of registrars: choose another')
  }

  /**
   * Who shows this token; a denial: they are nobody here.
   *
   * @param isLocal whether they are on this machine
   */
  async verify(token: string, isLocal: boolean): Promise<AdminCaller | SignInDenied> {
    try {
      return token.includes('.') ? await this.#ofIssuer(token) : await this.#local(token, isLocal)
    } catch (error) {
      return denialOf(error)
    }
  }

  async #local(token: string, isLocal: boolean): Promise<AdminCaller> {
    const { access, crypto } = this.#options
    const octets = new TextEncoder().encode(token.slice(0, 256))
    const hash = hexadecimal(new Uint8Array(await crypto.subtle.digest('SHA-256', octets)))
    const known = access.localTokenHash
    // Digests are compared: how long that takes tells nothing of the token.
    const isIt = known !== undefined && isSame(hash, known)
    if (!isIt || !isLocal) throw new SignInDenied('token-malformed')
    return { name: 'local', by: 'local token', roles: ['service'] }
  }

  async #ofIssuer(token: string): Promise<AdminCaller> {
    const { access, directory } = this.#options
    const { audience } = access
    if (audience === undefined) throw new SignInDenied('token-audience')
    const issuer = issuerIn(token)
    // The unverified issuer does nothing but choose whose keys must fit.
    const tenant = directory.tenantOfIssuer(issuer)
    if (tenant !== undefined) return this.#ofTenant(token, tenant, audience)
    if (access.service?.issuer !== issuer) throw new SignInDenied('token-issuer')
    const claims = await this.#claims(token, { issuer } as Tenant, audience)
    if (!rolesIn(claims, ['roles']).includes(access.service.role))
      throw new SignInDenied('token-role')
    return { ...known(claims, issuer), roles: ['service'] }
  }

  async #ofTenant(token: string, tenant: Tenant, audience: string): Promise<AdminCaller> {
    const { access, directory } = this.#options
    const claims = await this.#claims(token, tenant, audience)
    if (!isForTenant(tenant, claims, directory.tenants())) throw new SignInDenied('token-tenant')
    const names: Readonly<Record<string, string>> = { ...USUAL_ROLES, ...access.roles }
    const held = rolesIn(claims, profileOf(tenant).claims.roles)
    const roles = (['reader', 'operator', 'publisher'] as const).filter((role) =>
      held.includes(names[role]!),
    )
    if (roles.length === 0) throw new SignInDenied('token-role')
    return { ...known(claims, tenant.issuer), roles, tenantId: tenant.id }
  }

  async #claims(token: string, tenant: Tenant, audience: string): Promise<JWTPayload> {
    const { issuers, directory } = this.#options
    if (directory.tenants().some(({ registrars }) => registrars.audience === audience))
      throw new SignInDenied('token-audience')
    const claims = await issuers.of(tenant).verifyAccess(token, {
      ...{ audiences: [audience], type: 'at+jwt', maxCharacters: MAX_CHARACTERS },
    })
    // One that is good elsewhere as well is not for here.
    if ([claims.aud].flat().length !== 1) throw new SignInDenied('token-audience')
    return claims
  }
}

function known(claims: JWTPayload, issuer: string) {
  return { name: claims.sub!, by: 'token', issuer, expiresAt: claims.exp! * 1000 } as const
}

function issuerIn(token: string): string {
  let issuer: unknown
  try {
    if (token.length <= MAX_CHARACTERS) issuer = decodeJwt(token).iss
  } catch {
    // It is none.
  }
  if (typeof issuer !== 'string') throw new SignInDenied('token-malformed')
  return issuer
}

function rolesIn(claims: JWTPayload, at: readonly string[]): readonly unknown[] {
  return [claimAt(claims, at)].flat()
}

function isSame(one: string, other: string): boolean {
  const encoder = new TextEncoder()
  const [a, b] = [encoder.encode(one), encoder.encode(other.toLowerCase())]
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i] ?? 0)
  return difference === 0
}
