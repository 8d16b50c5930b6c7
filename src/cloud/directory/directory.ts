import { canonicalHost, type TimeLimits } from '../../protocol/internal.ts'
import { systemClocks } from '../../runtime/clocks.ts'
import type { ConfigurationSource } from '../../runtime/configuration-mistakes.ts'
import {
  directoryContent,
  type DirectoryContent,
  type DirectoryLimits,
} from './directory-configuration.ts'
import type { DirectoryInput } from './directory-input.ts'
import type { Application, ConnectorGroup, Directory, Tenant } from './directory-port.ts'
import { withReservedHeaders } from './reserved-headers.ts'

/** A directory that holds a configuration, and may be given another. */
export interface ConfiguredDirectory extends Directory {
  /**
   * Puts another configuration in force, all of it at once.
   *
   * @param source said with each mistake. Default: as at the beginning
   * @throws ConfigurationInvalid and stays with the last good one
   */
  replace(input: DirectoryInput, source?: ConfigurationSource): void
}

/**
 * The embedded directory: what a configuration object says, once all of it is checked.
 *
 *     const directory = createDirectory({
 *       tenants: [
 *         { id: 'contoso', issuer: 'https://login.example', registrars: { audience: 'cloud' } },
 *       ],
 *       groups: [{ id: 'berlin', tenantId: 'contoso' }],
 *       applications: [
 *         {
 *           id: 'wiki',
 *           groupId: 'berlin',
 *           externalUrl: 'https://wiki.contoso.example/',
 *           internalUrl: 'http://10.0.0.7:8080/',
 *           preAuthentication: 'oidc',
 *           client: { id: 'wiki', secret: process.env.WIKI_SECRET },
 *         },
 *       ],
 *     })
 *
 * @param source said with each mistake. Default: nothing
 * @param limits of applications that have none of their own, always: the cloud's, as a rule
 * @throws ConfigurationInvalid with all mistakes, what types cannot say among them
 * @see {@link readDirectory} for JSON out of a file
 */
export function createDirectory(
  input: DirectoryInput,
  source?: ConfigurationSource,
  limits?: Partial<Pick<TimeLimits, 'responseHeadMs'>>,
): ConfiguredDirectory {
  return new InMemoryDirectory(input, source, limits)
}

class InMemoryDirectory implements ConfiguredDirectory {
  readonly #source: ConfigurationSource | undefined
  readonly #limits: DirectoryLimits | undefined
  #index: Index
  #since = systemClocks.wallClock()

  constructor(
    input: DirectoryInput,
    source: ConfigurationSource | undefined,
    limits: DirectoryLimits | undefined,
  ) {
    this.#source = source
    this.#limits = limits
    this.#index = indexed(directoryContent(input, source, limits))
  }

  replace(input: DirectoryInput, source = this.#source): void {
    this.#index = indexed(directoryContent(input, source, this.#limits))
    this.#since = systemClocks.wallClock()
  }

  inForceSince(): number {
    return this.#since
  }

  tenant(id: string): Tenant | undefined {
    return this.#index.tenants.get(id)
  }

  tenantOfIssuer(issuer: string): Tenant | undefined {
    return this.#index.issuers.get(issuer)
  }

  group(id: string): ConnectorGroup | undefined {
    return this.#index.groups.get(id)
  }

  application(id: string): Application | undefined {
    return this.#index.applications.get(id)
  }

  applicationsOn(host: string): readonly Application[] {
    const { hosts, spellings } = this.#index
    let published = hosts.get(host) ?? spellings.get(host)
    if (published !== undefined) return published
    published = hosts.get(canonicalHost(host) ?? '')
    if (published === undefined) return []
    if (spellings.size >= SPELLINGS) spellings.clear()
    spellings.set(host, published)
    return published
  }

  tenants(): readonly Tenant[] {
    return [...this.#index.tenants.values()]
  }

  applications(): readonly Application[] {
    return [...this.#index.applications.values()]
  }
}

/** A user request costs look-ups, never a search. */
interface Index {
  readonly tenants: ReadonlyMap<string, Tenant>
  readonly issuers: ReadonlyMap<string, Tenant>
  readonly groups: ReadonlyMap<string, ConnectorGroup>
  readonly applications: ReadonlyMap<string, Application>
  readonly hosts: ReadonlyMap<string, readonly Application[]>
  /** Other ways to write these hosts, with a port for example, as they were met. */
  readonly spellings: Map<string, readonly Application[]>
}

const SPELLINGS = 256

function indexed({ tenants, groups, applications: listed }: DirectoryContent): Index {
  const applications = withReservedHeaders(listed)
  const hosts = new Map<string, Application[]>()
  for (const application of applications) {
    const host = canonicalHost(new URL(application.externalUrl).host)!
    const others = hosts.get(host)
    if (others === undefined) hosts.set(host, [application])
    else others.push(application)
  }
  for (const published of hosts.values())
    published.sort((a, b) => pathOf(b).length - pathOf(a).length)
  return {
    tenants: new Map(tenants.map((tenant) => [tenant.id, tenant])),
    issuers: new Map(tenants.map((tenant) => [tenant.issuer, tenant])),
    groups: new Map(groups.map((group) => [group.id, group])),
    applications: new Map(applications.map((application) => [application.id, application])),
    hosts,
    spellings: new Map(),
  }
}

function pathOf(application: Application): string {
  return new URL(application.externalUrl).pathname
}
