/**
 * What users have agreed to, for as long as the issuer runs: nobody is asked twice, though they
 * have signed out in between.
 */
import type { default as Provider, Grant, KoaContextWithOIDC } from 'oidc-provider'

export class Consents {
  readonly #given = new Map<string, Pick<Grant, 'openid' | 'resources'>>()

  /** To be told each time that somebody agrees. */
  remember({ accountId, clientId, openid, resources }: Grant): void {
    this.#given.set(keyOf(accountId, clientId), { openid, resources })
  }

  /** The session's own grant, or one made anew from what its user agreed to before. */
  async load({ oidc }: KoaContextWithOIDC): Promise<Grant | undefined> {
    const { clientId } = oidc.client!
    const id = oidc.result?.consent?.grantId ?? oidc.session?.grantIdFor(clientId)
    const grant = id === undefined ? undefined : await oidc.provider.Grant.find(id)
    return grant ?? this.#again(oidc.provider, oidc.session?.accountId, clientId)
  }

  async #again(
    provider: Provider,
    accountId: string | undefined,
    clientId: string,
  ): Promise<Grant | undefined> {
    const given = this.#given.get(keyOf(accountId, clientId))
    if (given === undefined || accountId === undefined) return undefined
    const grant = new provider.Grant({ accountId, clientId })
    if (given.openid?.scope) grant.addOIDCScope(given.openid.scope)
    if (given.openid?.claims) grant.addOIDCClaims(given.openid.claims)
    for (const [resource, scope] of Object.entries(given.resources ?? {}))
      grant.addResourceScope(resource, scope)
    await grant.save()
    return grant
  }
}

const keyOf = (...names: readonly (string | undefined)[]) => JSON.stringify(names)
