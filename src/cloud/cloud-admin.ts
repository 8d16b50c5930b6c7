/**
 * The admin API over a cloud instance, assembled: everything but its listener.
 *
 * @module
 */
import type { AdminHandler } from './admin/admin-handler.ts'
import { createAdminHandler } from './admin/admin-handler.ts'
import { AdminService } from './admin/admin-service.ts'
import { AuthorityService } from './admin/authority-service.ts'
import { AdminTokens, type AdminAccess } from './admin/admin-tokens.ts'
import type { Cloud } from './cloud.ts'
import type { InstancePresence } from './connectors/instance-presence.ts'
import { Issuers } from './issuer/issuers.ts'
import type { ConfigurationVersions } from './versions/configuration-versions.ts'

/** Options of {@link createAdminApi}. */
export interface AdminApiOptions {
  /** Who may call it. */
  readonly access: AdminAccess
  /**
   * Hosts that calls are for, beside this machine's own names: `admin.example`, or with a port.
   * Calls for others are refused, whatever leads here. Default: none.
   */
  readonly hosts?: readonly string[] | undefined
  /**
   * Versions of the configuration: {@link openConfigurationVersions}. Default: none are kept, and
   * the configuration is neither shown nor changed.
   */
  readonly versions?: ConfigurationVersions | undefined
  /** Which instances there are. Default: this one alone is shown. */
  readonly presence?: Pick<InstancePresence, 'known'> | undefined
}

/** The admin API. */
export interface AdminApi {
  /** The same by calls of this process: whoever has it may do everything. Nothing is audited. */
  readonly service: AdminService
  /** Answers one call of HTTP. Never rejects. */
  readonly handle: AdminHandler
}

const OWN_NAMES = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i

/**
 * Opens the admin API of a cloud, for a listener of its own: `createAdminListener` of
 * `app-proxy/cloud/node`, or whatever serves `Request` and `Response`. It must not be the listener
 * of users or of connectors.
 *
 * @throws ConfigurationInvalid when the audience is that of a tenant's registrars
 */
export function createAdminApi(
  cloud: Cloud,
  { access, hosts = [], versions, presence }: AdminApiOptions,
): AdminApi {
  const { authority, clocks, crypto, directory, registry, timer, containment } = cloud
  const own = new Set(hosts.map((host) => host.toLowerCase()))
  const service = new AdminService({
    ...{ directory, registry, clocks, versions },
    authority: new AuthorityService({
      ...{ authority, servers: cloud.servers, registry, directory, clocks },
      connections: cloud.certificates.connections,
    }),
    origin: cloud.origin,
    sessions: cloud.sessions,
    sightings: cloud.sightings,
    tickets: cloud.registration.tickets,
    certificates: cloud.shownCertificates,
    presence: presence && {
      known: containment.demand('presence.known', () => presence.known()),
    },
    openExchanges: () => cloud.edge.live.values(),
  })
  const tokens = new AdminTokens({
    ...{ access, directory, clocks, crypto, issuers: new Issuers({ clocks }) },
  })
  const handle = createAdminHandler({
    ...{ admin: service, tokens, audit: cloud.strictAudit, registry, clocks, timer, containment },
    hosts: (host) => OWN_NAMES.test(host) || own.has(host.toLowerCase()),
  })
  return { service, handle }
}
