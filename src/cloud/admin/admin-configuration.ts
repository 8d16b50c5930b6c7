/**
 * What an operator sees and does of the configuration, as typed operations. A tenant's caller sees
 * and changes the tenant's part, and the numbers of the versions that changed it.
 *
 * @module
 */
import { ConfigurationInvalid, Refused } from '../../protocol/internal.ts'
import type { DirectoryInput } from '../directory/directory-input.ts'
import type { ConfigurationVersions, VersionOrder } from '../versions/configuration-versions.ts'
import type { ReadVersion } from '../versions/version-content.ts'
import type { VersionHead } from '../versions/configuration-store.ts'
import { withoutSecrets } from '../versions/kept-secrets.ts'
import { scopedNumber, type Scope } from '../versions/version-history.ts'
import type { AdminCaller } from './admin-caller.ts'
import type {
  AppliedView,
  ConfigurationChangesView,
  ConfigurationMistakesView,
  ConfigurationView,
  VersionView,
} from './admin-views.ts'

/** How a change of the configuration is asked for. */
export interface ConfigurationOrder {
  /** The `etag` of what was looked at. Absent: whichever it is. */
  readonly expected?: string | undefined
  /** Why; kept with the version. */
  readonly comment?: string | undefined
}

/** The configuration, as its versions say it. */
export class AdminConfiguration {
  readonly #kept: ConfigurationVersions | undefined

  /** @param versions absent: none are kept @internal */
  constructor(versions: ConfigurationVersions | undefined) {
    this.#kept = versions
  }

  /** What this instance does with the versions; `undefined`: none are kept. */
  get state(): ConfigurationVersions['state'] | undefined {
    return this.#kept?.state
  }

  /** The newest version; no secret is in it. @throws Refused `not-found`: none are kept */
  async current(caller: AdminCaller): Promise<ConfigurationView> {
    return configurationView(await this.#versions.newest(caller.tenantId), caller.tenantId)
  }

  /** Those that changed something that the caller may see, the newest first. */
  async versions({ tenantId }: AdminCaller): Promise<VersionView[]> {
    return (await this.#versions.list(tenantId)).map((head) => versionView(head, tenantId))
  }

  /** @throws Refused `not-found` */
  async version({ tenantId }: AdminCaller, id: string): Promise<ConfigurationView> {
    return configurationView(await this.#versions.version(numberOf(id), tenantId), tenantId)
  }

  /** Every mistake of it. */
  async validate(
    { tenantId }: AdminCaller,
    configuration: unknown,
  ): Promise<ConfigurationMistakesView> {
    try {
      await this.#versions.changes(configuration, tenantId)
      return { mistakes: [] }
    } catch (error) {
      if (!(error instanceof ConfigurationInvalid)) throw error
      const mistakes = error.mistakes.map(({ path, detail, meant }) => ({
        ...{ path, detail, ...(meant !== undefined && { meant }) },
      }))
      return { mistakes }
    }
  }

  /** What would be other. @throws ConfigurationInvalid */
  async diff({ tenantId }: AdminCaller, configuration: unknown): Promise<ConfigurationChangesView> {
    return { changes: await this.#versions.changes(configuration, tenantId) }
  }

  /**
   * Puts it in force, on every instance.
   *
   * @throws ConfigurationInvalid with all mistakes; Refused `conflict`, `too-large`, `unavailable`
   */
  async apply(
    caller: AdminCaller,
    configuration: unknown,
    change: ConfigurationOrder,
  ): Promise<AppliedView> {
    const { tenantId } = caller
    return appliedView(
      await this.#versions.apply(configuration, tenantId, orderOf(caller, change)),
      tenantId,
    )
  }

  /**
   * Puts an earlier version in force again. Default: the one before.
   *
   * @throws as {@link AdminConfiguration.apply}; Refused `not-found`
   */
  async rollBack(
    caller: AdminCaller,
    { version, ...change }: ConfigurationOrder & { readonly version?: number | undefined },
  ): Promise<AppliedView> {
    const { tenantId } = caller
    return appliedView(
      await this.#versions.rollBack(version, tenantId, orderOf(caller, change)),
      tenantId,
    )
  }

  get #versions(): ConfigurationVersions {
    if (this.#kept === undefined) throw new Refused('not-found', 'no versions are kept')
    return this.#kept
  }
}

function orderOf(
  { name, tenantId }: AdminCaller,
  { expected, comment }: ConfigurationOrder,
): VersionOrder {
  return {
    by: { as: 'operator', name, ...(tenantId !== undefined && { tenantId }) },
    ...(comment !== undefined && { comment }),
    ...(expected !== undefined && { expected: numberOf(expected) }),
  }
}

/** A number as it is written here, and no other way; NaN is no version's. */
const numberOf = (text: string) => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : NaN)

function versionView(head: VersionHead, scope: Scope): VersionView {
  const { number, at, by, comment, restored } = head
  // What the service's operator says of several tenants is for none of them.
  const isOwn = scope === undefined || by.tenantId === scope
  return {
    ...{ version: number, at, by: { as: by.as, name: by.name } },
    ...(comment !== undefined && isOwn && { comment }),
    ...(restored !== undefined && { restored }),
  }
}

function configurationView({ head, content }: ReadVersion, scope: Scope): ConfigurationView {
  const version = scopedNumber(head, scope)
  return {
    ...{ version, etag: `${version}` },
    configuration: withoutSecrets(content) as unknown as DirectoryInput,
  }
}

function appliedView(
  { head, changes, isMade }: Awaited<ReturnType<ConfigurationVersions['apply']>>,
  scope: Scope,
): AppliedView {
  const version = scopedNumber(head, scope)
  return { version, isMade, changes, etag: `${version}` }
}
