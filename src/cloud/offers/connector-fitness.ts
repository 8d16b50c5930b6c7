/**
 * Whether connectors can serve what their groups publish: which features they have not named that
 * applications need, for whoever operates them.
 *
 * @see spec/PROTOCOL.md, "Features"
 * @module
 */
import { lacking } from '../../protocol/internal.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import { needsOf } from '../directory/application-needs.ts'
import type { Directory } from '../directory/directory-port.ts'
import { tenantKey, type TenantKey } from '../directory/tenant-key.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Claimer } from './submission.ts'

/** The links of one binding. */
export interface FeaturedLinks {
  /** Whose links these are, and what they can do; some connectors more than once. */
  featured(): Iterable<readonly [Claimer, readonly string[]]>
}

interface Needy {
  readonly id: string
  readonly needs: readonly string[]
}

/**
 * Writes what a connector that holds a link lacks: once, and again when it lacks something else or
 * has come back.
 */
export class ConnectorFitness {
  readonly #directory: Pick<Directory, 'applications'>
  readonly #audit: AuditSink
  readonly #clocks: Pick<Clocks, 'wallClock'>
  readonly #links: readonly FeaturedLinks[]
  /** By connector id, which the cloud drew: what was written of it last. */
  #told = new Map<string, string>()

  constructor(
    directory: Pick<Directory, 'applications'>,
    audit: AuditSink,
    clocks: Pick<Clocks, 'wallClock'>,
    links: readonly FeaturedLinks[],
  ) {
    this.#directory = directory
    this.#audit = audit
    this.#clocks = clocks
    this.#links = links
  }

  /**
   * Looks at every connector that holds a link: a directory may change without a word.
   *
   * @throws what the directory threw; nothing is written then
   */
  look(): void {
    const needy = this.#needy()
    const told = new Map<string, string>()
    if (needy.size > 0)
      for (const [claimer, features] of this.#connectors()) {
        const group = needy.get(tenantKey(claimer.tenantId, claimer.groupId)) ?? []
        const unserved = group.filter(({ needs }) => lacking(needs, features).length > 0)
        if (unserved.length === 0) continue
        const lacks = [...new Set(unserved.flatMap(({ needs }) => lacking(needs, features)))].sort()
        const applications = unserved.map(({ id }) => id).sort()
        const { connectorId } = claimer
        told.set(connectorId, JSON.stringify([lacks, applications]))
        if (told.get(connectorId) !== this.#told.get(connectorId))
          this.#write(claimer, lacks, applications)
      }
    this.#told = told
  }

  #needy(): Map<TenantKey, Needy[]> {
    const needy = new Map<TenantKey, Needy[]>()
    for (const application of this.#directory.applications()) {
      const needs = needsOf(application)
      if (needs.length === 0) continue
      const group = tenantKey(application.tenantId, application.groupId)
      const others = needy.get(group)
      if (others === undefined) needy.set(group, [{ id: application.id, needs }])
      else others.push({ id: application.id, needs })
    }
    return needy
  }

  /** A connector can what any of its links can. */
  #connectors(): Iterable<readonly [Claimer, readonly string[]]> {
    const connectors = new Map<string, readonly [Claimer, readonly string[]]>()
    for (const links of this.#links)
      for (const [claimer, features] of links.featured()) {
        const known = connectors.get(claimer.connectorId)?.[1] ?? []
        connectors.set(claimer.connectorId, [claimer, [...known, ...features]])
      }
    return connectors.values()
  }

  #write(
    { tenantId, connectorId }: Claimer,
    features: readonly string[],
    applications: readonly string[],
  ): void {
    this.#audit.write({
      time: this.#clocks.wallClock(),
      type: 'connector.too-old',
      outcome: 'refused',
      tenantId,
      connectorId,
      detail: { features, applications },
    })
  }
}
