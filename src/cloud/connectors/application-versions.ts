/**
 * Which applications the connectors of a group serve, and in which versions: what their
 * configuration says of them.
 *
 * @module
 */
import { BoundedCache } from '../../runtime/bounded-cache.ts'
import { contentVersion } from '../directory/content-version.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import { tenantKey } from '../directory/tenant-key.ts'

/** A group with more applications is told of none; offers name their versions. */
export const MAX_NAMED_APPLICATIONS = 1_000
/** Groups whose digest is remembered. */
const REMEMBERED = 4_096

/** The applications of one group. */
export interface GroupApplications {
  /** Id → version; `undefined` beyond {@link MAX_NAMED_APPLICATIONS}. */
  readonly versions: Readonly<Record<string, string>> | undefined
  /** Another one whenever `versions` is. */
  readonly digest: string
}

const MANY: GroupApplications = { versions: undefined, digest: '' }

/** Reads them from the directory at each call; digests only what changed since the last. */
export class ApplicationVersions {
  readonly #directory: Pick<Directory, 'applications'>
  readonly #remembered = new BoundedCache<{
    readonly of: readonly Application[]
    readonly applications: GroupApplications
  }>(REMEMBERED)

  constructor(directory: Pick<Directory, 'applications'>) {
    this.#directory = directory
  }

  of(tenantId: string, groupId: string): GroupApplications {
    const served = this.#directory
      .applications()
      .filter((one) => one.groupId === groupId && one.tenantId === tenantId)
    if (served.length > MAX_NAMED_APPLICATIONS) return MANY
    const key = tenantKey(tenantId, groupId)
    const before = this.#remembered.get(key)
    if (before !== undefined && areSame(before.of, served)) return before.applications
    const versions = Object.fromEntries(served.map(({ id, version }) => [id, version]))
    const applications = { versions, digest: contentVersion(versions) }
    this.#remembered.set(key, { of: served, applications })
    return applications
  }
}

/** A directory may make its applications anew for each call: what counts is what they say. */
function areSame(before: readonly Application[], now: readonly Application[]): boolean {
  return (
    before.length === now.length &&
    before.every(({ id, version }, i) => id === now[i]!.id && version === now[i]!.version)
  )
}
