/**
 * The authorities of connectors and of the servers, as the operator of the service sees and rolls
 * them.
 *
 * @see docs/operate.md, "Keys and certificates"
 * @module
 */
import { ConfigurationInvalid, Refused } from '../../protocol/internal.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import { authorityKeyIdOf, type AuthorityRoll } from '../authority/authority-roll.ts'
import type { CertificateAuthority } from '../authority/certificate-authority.ts'
import type { ServerAuthority } from '../authority/server-certificate.ts'
import type { CertifiedConnections } from '../connectors/certified-connections.ts'
import {
  recordAsOf,
  type CertificateRecord,
  type ConnectorRecord,
} from '../connectors/connector-records.ts'
import type { ConnectorRegistry } from '../connectors/connector-registry.ts'
import type { Directory } from '../directory/directory-port.ts'
import type { AuthorityView, RemainingConnector } from './admin-views.ts'

/** The parts that are seen and operated. @internal */
export interface AuthorityServiceOptions {
  readonly authority: Pick<CertificateAuthority, 'roll'>
  /** Of the servers, if that is what connectors pin. */
  readonly servers?: Pick<ServerAuthority, 'roll'> | undefined
  readonly registry: Pick<ConnectorRegistry, 'list' | 'certificates'>
  readonly directory: Pick<Directory, 'tenants'>
  /** Of this instance. */
  readonly connections: Pick<CertifiedConnections, 'count'>
  readonly clocks: Pick<Clocks, 'wallClock'>
}

/** Instances that share a file look at it four times a second. */
const SHARED_MS = 2_000
type IsNew = (certificate: CertificateRecord) => boolean

/** So many connectors that remain are named. */
const NAMED = 100
/** So many of them in an error. */
const NAMED_IN_ERROR = 10

/** Which authority: the one that certifies connectors, which is the default, or the servers'. */
export interface AuthorityChoice {
  readonly of?: 'connectors' | 'servers'
}

/** The authorities and their rolls. */
export class AuthorityService {
  readonly #options: AuthorityServiceOptions

  /** @internal */
  constructor(options: AuthorityServiceOptions) {
    this.#options = options
  }

  /** @throws Refused `not-found` when there is no authority that is rolled here, as all of these */
  async view({ of = 'connectors' }: AuthorityChoice = {}): Promise<AuthorityView> {
    const view = this.#roll(of).view()
    const { leaving } = view
    if (leaving === undefined)
      return { ...view, remaining: { total: 0, connectors: [], connections: 0 } }
    const { keyId, leavesAt } = leaving
    // Of connectors: certified by the next root. Of servers: told of it, with any certificate.
    const remaining = await this.#remaining(
      of === 'connectors'
        ? ({ der }) => authorityKeyIdOf(der) !== keyId
        : ({ issuedAt }) => issuedAt >= leavesAt,
    )
    return {
      ...view,
      remaining: {
        total: remaining.length,
        connectors: remaining.slice(0, NAMED),
        connections: of === 'connectors' ? this.#options.connections.count(keyId) : 0,
      },
    }
  }

  /**
   * Makes the next root.
   *
   * @param order `beginsInMs`: after how long connectors are asked to renew, no sooner than every
   *   instance has it. Default 2 000, when instances that share its file do
   * @throws ConfigurationInvalid when a roll is under way; Refused `conflict`
   */
  async roll(order: AuthorityChoice & { readonly beginsInMs?: number }): Promise<AuthorityView> {
    const { of, beginsInMs = SHARED_MS } = order
    await this.#roll(of).begin(this.#now() + beginsInMs)
    return this.view(order)
  }

  /**
   * Trusts the root before no longer.
   *
   * @param order `force`: although there are connectors that would have to be registered again, or
   *   connections that end
   * @throws ConfigurationInvalid when there are, and names them; or when no roll is under way, or
   *   the next root does not sign yet; Refused `conflict`
   */
  async finish(order: AuthorityChoice & { readonly force?: boolean }): Promise<AuthorityView> {
    const { state, remaining } = await this.view(order)
    if (order.force !== true && state === 'rolling') refuseRemaining(remaining)
    await this.#roll(order.of).finish()
    return this.view(order)
  }

  /** Connectors that would be shut out: they have used no certificate that is new. */
  async #remaining(isNew: IsNew): Promise<RemainingConnector[]> {
    const { registry, directory } = this.#options
    const remaining: RemainingConnector[] = []
    for (const { id: tenantId } of directory.tenants())
      for (const record of await registry.list(tenantId)) {
        const { id, name, standing } = recordAsOf(record, this.#now())
        if (standing === 'revoked' || !(await this.#needs(record, isNew))) continue
        remaining.push({ id, tenantId, name, standing })
      }
    return remaining
  }

  async #needs({ id }: ConnectorRecord, isNew: IsNew): Promise<boolean> {
    const now = this.#now()
    let isNeeded = false
    for (const certificate of await this.#options.registry.certificates(id)) {
      const { firstUsedAt, expiresAt, supersededUntil = Infinity } = certificate
      if (now >= expiresAt || now >= supersededUntil) continue
      if (!isNew(certificate)) isNeeded = true
      else if (firstUsedAt !== undefined) return false
    }
    return isNeeded
  }

  #roll(of: AuthorityChoice['of'] = 'connectors'): AuthorityRoll {
    const { authority, servers } = this.#options
    const roll = of === 'servers' ? servers?.roll : authority.roll
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
      ? `${total} of the connectors have not come with a new certificate yet, and would have to be registered again: ${names.join(', ')}${others}`
      : `${connections} connections carry something here by certificates of the root before, and would end; they end by themselves when that does`
  throw new ConfigurationInvalid('force', detail)
}
