/**
 * The connectors' authority, as the operator of the service sees and rolls it.
 *
 * @see docs/operate.md, "Keys and certificates"
 * @module
 */
import { ConfigurationInvalid, Refused } from '../../protocol/internal.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { authorityKeyIdOf, type AuthorityRoll } from '../authority/authority-roll.ts'
import type { CertificateAuthority } from '../authority/certificate-authority.ts'
import type { CertifiedConnections } from '../connectors/certified-connections.ts'
import { recordAsOf, type ConnectorRecord } from '../connectors/connector-records.ts'
import type { ConnectorRegistry } from '../connectors/connector-registry.ts'
import type { Directory } from '../directory/directory-port.ts'
import type { AuthorityView, RemainingConnector } from './admin-views.ts'

/** The parts that are seen and operated. @internal */
export interface AuthorityServiceOptions {
  readonly authority: Pick<CertificateAuthority, 'roll'>
  readonly registry: Pick<ConnectorRegistry, 'list' | 'certificates'>
  readonly directory: Pick<Directory, 'tenants'>
  /** Of this instance. */
  readonly connections: Pick<CertifiedConnections, 'count'>
  readonly clocks: Pick<Clocks, 'wallClock'>
}

/** Instances that share a file look at it four times a second. */
const SHARED_MS = 2_000
/** So many connectors that remain are named. */
const NAMED = 100
/** So many of them in an error. */
const NAMED_IN_ERROR = 10

/** The connectors' authority and its roll. */
export class AuthorityService {
  readonly #options: AuthorityServiceOptions

  /** @internal */
  constructor(options: AuthorityServiceOptions) {
    this.#options = options
  }

  /** @throws Refused `not-found` when there is no authority that is rolled here, as all of these */
  async view(): Promise<AuthorityView> {
    const roll = this.#roll()
    const { leaving } = roll.view()
    const remaining = leaving === undefined ? [] : await this.#remaining(leaving.keyId)
    return {
      ...roll.view(),
      remaining: {
        total: remaining.length,
        connectors: remaining.slice(0, NAMED),
        connections: leaving === undefined ? 0 : this.#options.connections.count(leaving.keyId),
      },
    }
  }

  /**
   * Makes the next root.
   *
   * @param signsInMs after how long it signs: no sooner than every instance has it. Default 2 000,
   *   when instances that share its file do
   * @throws ConfigurationInvalid when a roll is under way; Refused `conflict`
   */
  async roll({ signsInMs = SHARED_MS }: { readonly signsInMs?: number }): Promise<AuthorityView> {
    await this.#roll().begin(this.#options.clocks.wallClock() + signsInMs)
    return this.view()
  }

  /**
   * Trusts the root before no longer.
   *
   * @param force although there are connectors that would have to be registered again, or
   *   connections that end
   * @throws ConfigurationInvalid when there are, and names them; or when no roll is under way, or
   *   the next root does not sign yet; Refused `conflict`
   */
  async finish({ force = false }: { readonly force?: boolean }): Promise<AuthorityView> {
    const { state, remaining } = await this.view()
    if (!force && state === 'rolling') refuseRemaining(remaining)
    await this.#roll().finish()
    return this.view()
  }

  /** Connectors that would be shut out: they have used no certificate of the next root yet. */
  async #remaining(leaving: string): Promise<RemainingConnector[]> {
    const { registry, directory } = this.#options
    const remaining: RemainingConnector[] = []
    for (const { id: tenantId } of directory.tenants())
      for (const record of await registry.list(tenantId)) {
        const { id, name, standing } = recordAsOf(record, this.#now())
        if (standing === 'revoked' || !(await this.#needs(record, leaving))) continue
        remaining.push({ id, tenantId, name, standing })
      }
    return remaining
  }

  async #needs({ id }: ConnectorRecord, leaving: string): Promise<boolean> {
    const now = this.#now()
    let isNeeded = false
    for (const certificate of await this.#options.registry.certificates(id)) {
      const { der, firstUsedAt, expiresAt, supersededUntil = Infinity } = certificate
      if (now >= expiresAt || now >= supersededUntil) continue
      if (authorityKeyIdOf(der) === leaving) isNeeded = true
      else if (firstUsedAt !== undefined) return false
    }
    return isNeeded
  }

  #roll(): AuthorityRoll {
    const { roll } = this.#options.authority
    if (roll === undefined) throw new Refused('not-found', 'the authority is not rolled here')
    return roll
  }

  #now(): number {
    return this.#options.clocks.wallClock()
  }
}

function refuseRemaining({ total, connectors, connections }: AuthorityView['remaining']): void {
  if (total === 0 && connections === 0) return
  const names = connectors.slice(0, NAMED_IN_ERROR).map(({ id, name }) => `${id} "${name}"`)
  const others = total > names.length ? `, and ${total - names.length} more` : ''
  const detail =
    total > 0
      ? `${total} of the connectors have not come with a certificate of the next root yet, and would have to be registered again: ${names.join(', ')}${others}`
      : `${connections} connections are open here by certificates of the root before, and would end; they end by themselves when what they carry does`
  throw new ConfigurationInvalid('force', detail)
}
