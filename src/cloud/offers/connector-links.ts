/**
 * The multiplexed links that connectors hold to this instance, and what becomes of them when a
 * connector's standing, certificate or process changes. Standing is told to a link, never looked up
 * per frame.
 *
 * @see spec/PROTOCOL.md, "The link binding"
 * @module
 */
import { Refused, type Hello, type LinkEnd, type Random } from '../../protocol/internal.ts'
import { ConnectorLink, type ConnectorLinkEvents } from './connector-link.ts'
import type { LinkAudit } from './link-audit.ts'
import type { Origin } from './origin.ts'
import type { Claimer } from './submission.ts'

/**
 * Links of one connector: its processes, and those that a crash left behind until they are found
 * silent.
 */
export const MAX_LINKS = 16

/** Who opens a link. */
export interface LinkOwner {
  readonly claimer: Claimer
  /** Serial number of the certificate that it came with. */
  readonly serial: string
}

/** All of one instance. */
export class ConnectorLinks {
  readonly #origin: Origin
  readonly #audit: LinkAudit
  readonly #random: Random | undefined
  readonly #held = new Map<ConnectorLink, LinkOwner>()
  readonly #counts = new Map<string, number>()

  /** @param random what the grease of links is made of; without it they send none */
  constructor(origin: Origin, audit: LinkAudit, random?: Random) {
    this.#origin = origin
    this.#random = random
    this.#audit = audit
  }

  get size(): number {
    return this.#held.size
  }

  /** Whose links these are; some of them more than once. */
  *claimers(): Iterable<Claimer> {
    for (const { claimer } of this.#held.values()) yield claimer
  }

  /** What each that has introduced itself can do. */
  *featured(): Iterable<readonly [Claimer, readonly string[]]> {
    for (const [link, { claimer }] of this.#held) if (link.isGreeted) yield [claimer, link.features]
  }

  /**
   * A link whose transport is told by `events`.
   *
   * @throws Refused `unavailable` when the connector holds too many
   */
  open(
    owner: LinkOwner,
    events: { wake: () => void; closed: (end: LinkEnd) => void },
  ): ConnectorLink {
    const { connectorId } = owner.claimer
    const count = this.#counts.get(connectorId) ?? 0
    if (count >= MAX_LINKS) throw new Refused('unavailable', `${MAX_LINKS} links are open already`)
    this.#counts.set(connectorId, count + 1)
    let isGreeted = false
    const told: ConnectorLinkEvents = {
      wake: () => events.wake(),
      greeted: (hello) => {
        isGreeted = true
        this.#audit.connected(owner.claimer)
        this.#replace(connectorId, hello)
      },
      closed: (end, over) => {
        if (isGreeted) this.#audit.disconnected(owner.claimer, end.reason)
        if (this.#held.delete(over)) this.#uncount(connectorId)
        events.closed(end)
      },
    }
    const link = new ConnectorLink(this.#origin, owner.claimer, told, this.#random)
    this.#held.set(link, owner)
    return link
  }

  /**
   * The links of a connector, or all, offer nothing more; it learns that it should go elsewhere.
   */
  drain(connectorId?: string): void {
    for (const { link } of this.#of(connectorId)) link.drain()
  }

  /** A newer certificate is in use: links that were made with the old one drain. */
  superseded(serial: string): void {
    for (const [{ link }, owner] of [...this.#held]) if (owner.serial === serial) link.drain()
  }

  /** Breaks every link of a connector, at once. */
  cut(connectorId: string): void {
    for (const { link } of this.#of(connectorId)) link.lost()
  }

  /** Tells a connector that its configuration is another; whether a link carried it. */
  hint(connectorId: string, version: string): boolean {
    let isTold = false
    for (const { link } of this.#of(connectorId)) if (link.hint(version)) isTold = true
    return isTold
  }

  /** Ends every link. */
  close(): void {
    for (const { link } of [...this.#held.keys()]) link.close()
  }

  #of(connectorId: string | undefined): ConnectorLink[] {
    return [...this.#held.keys()].filter(
      (link) => connectorId === undefined || link.connectorId === connectorId,
    )
  }

  /** The connector has dialled anew: it has lost the old link, or drains it. */
  #replace(connectorId: string, hello: Hello): void {
    for (const link of this.#of(connectorId)) if (link.isReplacedBy(hello)) link.retire()
  }

  #uncount(connectorId: string): void {
    const count = this.#counts.get(connectorId)! - 1
    if (count === 0) this.#counts.delete(connectorId)
    else this.#counts.set(connectorId, count)
  }
}
