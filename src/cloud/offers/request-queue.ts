/**
 * The queue between users and connectors: offers per connector group, bounded, first come first
 * served.
 *
 * An offer goes to the link of its group with the most unspent grants: capacity is demand, there is
 * no other load balancing. A link that let an offer go unclaimed is passed over while there are
 * others. A port, so that a broker can join many instances; the embedded one is in memory.
 *
 * @module
 */
import type { Offer } from '../../protocol/index.ts'
import type { TenantKey } from '../directory/tenant-key.ts'

/** A link that takes offers. */
export interface OfferLink {
  readonly connectorId: string
  /** Unspent grants: how many offers it takes now. 0 while it drains. */
  readonly grants: number
  /** Whether it can carry a switch of protocols. */
  readonly carriesUpgrades: boolean
  /** It leads over another instance: a claim of what it carries is always confirmed. Default: no. */
  readonly isRemote?: boolean | undefined
  /** Spends one grant. */
  offer(offer: Offer): void
}

/** An offer on the queue. */
export interface QueuedOffer {
  readonly group: TenantKey
  /** Only a link that {@link OfferLink.carriesUpgrades} may take it. */
  readonly isUpgrade: boolean
  /** Connectors that do not get it. */
  readonly excluded: readonly string[]
  /** Puts it on `link`. */
  offer(link: OfferLink): void
}

/**
 * What became of an offer. `unsupported`: the group is served, but by no link that could carry it;
 * `exhausted`: by excluded connectors alone.
 */
export type QueueAnswer = 'accepted' | 'full' | 'unsupported' | 'exhausted'

export interface RequestQueue {
  /** Delivers at once when a link is free, else queues. */
  put(offer: QueuedOffer): QueueAnswer
  /** Takes back an offer that waits; whoever has it already is not told. */
  withdraw(offer: QueuedOffer): void
  /** `link` serves `group` from now on. */
  attach(group: TenantKey, link: OfferLink): void
  detach(group: TenantKey, link: OfferLink): void
  /** `link` was granted more. */
  granted(group: TenantKey, link: OfferLink): void
  /**
   * `link` let an offer go unclaimed: it is passed over until it is granted more. Whether another
   * one serves the group.
   */
  silent(group: TenantKey, link: OfferLink): boolean
  /** Whether any link serves the group. */
  isServed(group: TenantKey): boolean
  /** Offers waiting in the group. */
  waiting(group: TenantKey): number
}

interface Group {
  readonly links: Set<OfferLink>
  /** Those of them that are passed over. */
  readonly silent: Set<OfferLink>
  /** In order of arrival; a Set, so that withdrawing is O(1). */
  readonly waiting: Set<QueuedOffer>
}

/** The embedded queue. */
export class MemoryRequestQueue implements RequestQueue {
  readonly #groups = new Map<TenantKey, Group>()
  readonly #maxWaiting: number

  /** @param maxWaiting offers that may wait per group; more are refused. Default 1 000. */
  constructor(maxWaiting = 1000) {
    this.#maxWaiting = maxWaiting
  }

  put(offer: QueuedOffer): QueueAnswer {
    const group = this.#group(offer.group)
    const link = mostGrants(group, offer)
    if (link !== undefined) {
      offer.offer(link)
      return 'accepted'
    }
    if (
      offer.excluded.length > 0 &&
      group.links.size > 0 &&
      [...group.links].every(excludes(offer))
    )
      return 'exhausted'
    if (offer.isUpgrade && group.links.size > 0 && ![...group.links].some(carries)) {
      return 'unsupported'
    }
    if (group.waiting.size >= this.#maxWaiting) return 'full'
    group.waiting.add(offer)
    return 'accepted'
  }

  withdraw(offer: QueuedOffer): void {
    this.#groups.get(offer.group)?.waiting.delete(offer)
  }

  attach(key: TenantKey, link: OfferLink): void {
    this.#group(key).links.add(link)
    this.granted(key, link)
  }

  detach(key: TenantKey, link: OfferLink): void {
    const group = this.#groups.get(key)
    if (group === undefined) return
    group.links.delete(link)
    group.silent.delete(link)
    if (group.links.size === 0 && group.waiting.size === 0) this.#groups.delete(key)
  }

  granted(key: TenantKey, link: OfferLink): void {
    const group = this.#group(key)
    group.silent.delete(link)
    if (group.waiting.size === 0) return
    for (const offer of group.waiting) {
      if (link.grants === 0) return
      if (offer.isUpgrade && !link.carriesUpgrades) continue
      if (offer.excluded.includes(link.connectorId)) continue
      group.waiting.delete(offer)
      offer.offer(link)
    }
  }

  silent(key: TenantKey, link: OfferLink): boolean {
    const group = this.#group(key)
    if (group.links.has(link)) group.silent.add(link)
    return group.silent.size < group.links.size
  }

  isServed(key: TenantKey): boolean {
    return (this.#groups.get(key)?.links.size ?? 0) > 0
  }

  waiting(key: TenantKey): number {
    return this.#groups.get(key)?.waiting.size ?? 0
  }

  #group(key: TenantKey): Group {
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = { links: new Set(), silent: new Set(), waiting: new Set() }
      this.#groups.set(key, group)
    }
    return group
  }
}

function excludes({ excluded }: QueuedOffer): (link: OfferLink) => boolean {
  return ({ connectorId }) => excluded.includes(connectorId)
}

function mostGrants({ links, silent }: Group, offer: QueuedOffer): OfferLink | undefined {
  const { isUpgrade, excluded } = offer
  let best: OfferLink | undefined
  const passesOver = silent.size > 0 && silent.size < links.size
  for (const link of links) {
    if (passesOver && silent.has(link)) continue
    if (isUpgrade && !link.carriesUpgrades) continue
    if (excluded.includes(link.connectorId)) continue
    if (link.grants > (best?.grants ?? 0)) best = link
  }
  return best
}

function carries({ carriesUpgrades }: OfferLink): boolean {
  return carriesUpgrades
}
