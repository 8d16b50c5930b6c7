/**
 * Is this the token of somebody who may register connectors, here and now?
 *
 * @see spec/PROTOCOL.md, "Registration"
 * @module
 */
import * as jose from 'jose'
import { Refused, type RegistrarIdentity } from '../../protocol/index.ts'
import { hexadecimal } from '../../protocol/wire/octets.ts'
import { claimAt, profileOf } from '../directory/issuer-configuration.ts'
import { OF_ID_TOKENS, UNMARKED_TYPES } from '../issuer/access-token.ts'
import { IssuerKeys, type IssuerKeysOptions } from '../issuer/issuer-keys.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { CryptoProvider } from '../../runtime/crypto-provider.ts'
import type { Directory, Tenant } from '../directory/directory-port.ts'
import { isForTenant } from '../issuer/tenant-claim.ts'

export interface RegistrarTokensOptions extends IssuerKeysOptions {
  readonly crypto: CryptoProvider
  readonly clocks: Clocks
  readonly directory: Pick<Directory, 'tenantOfIssuer' | 'tenants'>
  /**
   * Which `typ` a token may have. Default: what the configuration of the tenant's issuer says, and
   * `at+jwt` where it says nothing: an access token by RFC 9068, which no ID token can be taken
   * for. `any` is for issuers that do not mark their access tokens; then the audience alone tells
   * them apart.
   */
  readonly tokenType?: 'at+jwt' | 'any'
}

/** Asymmetric, and none that is broken. */
const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'Ed25519',
  'EdDSA',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
]
const LEEWAY_SECONDS = 60

/** Verifies registrars' tokens. */
export class RegistrarTokens {
  readonly #options: RegistrarTokensOptions
  readonly #issuers: IssuerKeys

  constructor(options: RegistrarTokensOptions) {
    this.#options = options
    this.#issuers = new IssuerKeys(options)
  }

  /**
   * Who a token speaks for.
   *
   * @throws Refused `token-…` for the first thing that is wrong, or `issuer-unavailable`
   */
  async verify(token: string): Promise<RegistrarIdentity> {
    const tenant = this.#tenantOf(token)
    const claims = await this.#claimsOf(token, tenant)
    const { roleClaim = profileOf(tenant).claims.roles, roles } = tenant.registrars
    if (!isForTenant(tenant, claims, this.#options.directory.tenants())) {
      throw new Refused('token-tenant', 'it was issued for another tenant')
    }
    const held = [claimAt(claims, roleClaim)].flat()
    if (!roles.some((role) => held.includes(role))) {
      throw new Refused('token-role', 'its subject may not register connectors')
    }
    return {
      tenantId: tenant.id,
      issuer: tenant.issuer,
      subject: claims.sub!,
      onceId: await this.#onceId(token, claims),
      tokenExpiresAt: (claims.exp! + LEEWAY_SECONDS) * 1000,
    }
  }

  /** The unverified issuer does nothing but choose the tenant whose keys must fit. */
  #tenantOf(token: string): Tenant {
    let issuer: unknown
    try {
      issuer = jose.decodeJwt(token).iss
    } catch (cause) {
      throw new Refused('token-malformed', 'it is not a signed JWT', { cause })
    }
    const tenant =
      typeof issuer === 'string' ? this.#options.directory.tenantOfIssuer(issuer) : undefined
    if (tenant === undefined) throw new Refused('token-issuer', 'no tenant has this issuer')
    return tenant
  }

  async #claimsOf(token: string, tenant: Tenant): Promise<jose.JWTPayload> {
    const { clocks, tokenType = profileOf(tenant).tokenType } = this.#options
    const now = clocks.wallClock()
    try {
      const payload = await this.#issuers.verify(tenant.issuer, token, {
        algorithms: ALGORITHMS,
        issuer: tenant.issuer,
        audience: tenant.registrars.audience,
        clockTolerance: LEEWAY_SECONDS,
        currentDate: new Date(now),
        requiredClaims: ['sub', 'iat', 'exp'],
        ...(tokenType === 'any' ? {} : { typ: tokenType }),
      })
      if (tokenType === 'any') refuseOtherTokens(payload, jose.decodeProtectedHeader(token))
      if (typeof payload.sub !== 'string' || payload.sub === '') {
        throw new Refused('token-malformed', '"sub" must be a string')
      }
      if (typeof payload.iat !== 'number') {
        throw new Refused('token-malformed', '"iat" must be a number')
      }
      if (payload.iat > now / 1000 + LEEWAY_SECONDS) throw new Refused('token-not-yet-valid')
      return payload
    } catch (error) {
      throw error instanceof Refused ? error : refusalOf(error)
    }
  }

  /**
   * The id under which a token is spent once: `jti`, else `uti`, else the digest of what is signed.
   * The signature is left out of the digest: an ECDSA signature can be rewritten into another valid
   * one.
   */
  async #onceId(token: string, claims: jose.JWTPayload): Promise<string> {
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

/**
 * A token that is not marked as an access token must not be marked as another kind, nor have what
 * only ID tokens have.
 */
function refuseOtherTokens(claims: jose.JWTPayload, { typ }: jose.ProtectedHeaderParameters): void {
  const type = typ?.toLowerCase().replace(/^application\//, '')
  if (!UNMARKED_TYPES.includes(type)) throw new Refused('token-malformed', 'it is no access token')
  if (OF_ID_TOKENS.some((name) => claims[name] !== undefined))
    throw new Refused('token-malformed', 'it is an ID token')
}

function refusalOf(cause: unknown): Refused {
  if (cause instanceof jose.errors.JWTExpired) return new Refused('token-expired', '', { cause })
  if (cause instanceof jose.errors.JWTClaimValidationFailed) {
    switch (cause.claim) {
      case 'aud':
        return new Refused('token-audience', 'it is not for this service', { cause })
      case 'iss':
        return new Refused('token-issuer', '', { cause })
      case 'nbf':
        return new Refused('token-not-yet-valid', '', { cause })
      default:
        return new Refused('token-malformed', `"${cause.claim}" is missing or wrong`, { cause })
    }
  }
  if (
    cause instanceof jose.errors.JWSSignatureVerificationFailed ||
    cause instanceof jose.errors.JWKSNoMatchingKey ||
    cause instanceof jose.errors.JWKSMultipleMatchingKeys ||
    cause instanceof jose.errors.JOSEAlgNotAllowed
  ) {
    return new Refused('token-signature', 'it is not signed by its issuer', { cause })
  }
  return new Refused('token-malformed', 'it cannot be verified', { cause })
}
