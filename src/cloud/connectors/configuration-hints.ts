/**
 * Tells connectors that their configuration is another: a CONFIGURATION frame on a link that they
 * hold, with the version that a pull would give them.
 *
 * Whatever a configuration is made of may change without a word: a directory is any, and the
 * instances are a function. So the versions are made anew at each look and compared with what each
 * connector was given last. Changes that come in a burst between two looks are one hint.
 *
 * @see spec/PROTOCOL.md, "Configuration"
 * @module
 */
import { tenantKey } from '../directory/tenant-key.ts'
import type { Claimer } from '../offers/submission.ts'
import type { ConfigurationService, Configured } from './configuration-service.ts'
import type { ConnectorRecord } from './connector-records.ts'

/** The links of one binding. */
export interface HintedLinks {
  /** Whose links these are; some of them more than once. */
  claimers(): Iterable<Claimer>
  /** The same of those that have introduced themselves, and carry a hint. */
  featured(): Iterable<readonly [Claimer, readonly string[]]>
  /** Whether a link carried it: one that is being opened or ends carries nothing. */
  hint(connectorId: string, version: string): boolean
}

/** Connectors told at one look: their pulls come at once, and are not to come all at once. */
export const HINTS_AT_ONCE = 200

type Hinting = Pick<
  ConfigurationService,
  'versionFor' | 'renewAfterMs' | 'given' | 'told' | 'cameAnew'
>

export class ConfigurationHints {
  readonly #service: Hinting
  readonly #links: readonly HintedLinks[]
  /** By connector id, which the cloud drew: records that changed under links that were kept. */
  readonly #changed = new Map<string, ConnectorRecord>()
  /** By link, whose claimer is its own: those that were there at a look before. */
  readonly #seen = new WeakSet<Claimer>()

  constructor(service: Hinting, links: readonly HintedLinks[]) {
    this.#service = service
    this.#links = links
  }

  /** The record of a connector is another. It is told at once: its links may be about to end. */
  changed(connector: ConnectorRecord): void {
    const isHeld = this.#links.some((links) =>
      [...links.claimers()].some(({ connectorId }) => connectorId === connector.id),
    )
    // Its next link is opened under the record of then.
    if (!isHeld) return void this.#changed.delete(connector.id)
    this.#changed.set(connector.id, connector)
    const renewAfterMs = this.#service.renewAfterMs(connector.id)
    this.#tell(connector.id, this.#service.versionFor(connector, renewAfterMs))
  }

  /**
   * Looks at every connector that holds a link, and tells those whose configuration is another.
   * Those above {@link HINTS_AT_ONCE} are told at the next look.
   *
   * @throws what the directory or the instances threw; nobody is told then
   */
  look(): void {
    for (const links of this.#links)
      for (const [claimer] of links.featured()) {
        if (this.#seen.has(claimer)) continue
        this.#seen.add(claimer)
        this.#service.cameAnew(claimer.connectorId)
      }
    const versions = new Map<string, string>()
    const seen = new Set<string>()
    let told = 0
    for (const links of this.#links)
      for (const claimer of links.claimers()) {
        const { connectorId } = claimer
        if (seen.has(connectorId)) continue
        seen.add(connectorId)
        if (told >= HINTS_AT_ONCE) continue
        if (this.#tell(connectorId, this.#versionOf(claimer, versions))) told += 1
      }
    for (const id of this.#changed.keys()) if (!seen.has(id)) this.#changed.delete(id)
  }

  #versionOf(claimer: Claimer, versions: Map<string, string>): string {
    // Whoever holds a link was active when it was opened.
    const connector: Configured = this.#changed.get(claimer.connectorId) ?? {
      ...claimer,
      standing: 'active',
    }
    const { standing, tenantId, groupId } = connector
    const renewAfterMs = this.#service.renewAfterMs(claimer.connectorId)
    const key = `${standing} ${renewAfterMs} ${tenantKey(tenantId, groupId)}`
    let version = versions.get(key)
    if (version === undefined)
      versions.set(key, (version = this.#service.versionFor(connector, renewAfterMs)))
    return version
  }

  #tell(connectorId: string, version: string): boolean {
    if (this.#service.given(connectorId) === version) return false
    let isTold = false
    for (const links of this.#links) if (links.hint(connectorId, version)) isTold = true
    if (isTold) this.#service.told(connectorId, version)
    return isTold
  }
}
