/**
 * What this instance says to others of the room that it has: of each group that its links serve.
 *
 * It is said when it matters to them, and now and then at most: most of what changes here is that
 * this instance uses its own links, and nobody else would do anything else for it.
 *
 * @module
 */
import { idsOf, type TenantKey } from '../directory/tenant-key.ts'
import { Later } from './foreign-offer.ts'
import type { OfferPresence, OfferQueue } from './offer-queue.ts'
import type { RemoteHost } from './remote-offers.ts'

/** Room is announced at most so often, and up to a half later. Milliseconds. */
export const ANNOUNCE_MS = 100
/** Room that could not be used is announced again after so long, at the latest. Milliseconds. */
const AGAIN_MS = 1_000

/** What was announced of a group, last. */
interface Announced {
  readonly said: OfferPresence
  /** When it was looked at, last. Monotonic milliseconds. */
  at: number
  /** It is looked at again soon. */
  isDue: boolean
  /** Another instance may have used some of it since. */
  isUsed: boolean
}

type AnnouncementHost = Pick<RemoteHost, 'instance' | 'now' | 'group' | 'random' | 'watch'>

export class Announcements {
  readonly #host: AnnouncementHost
  readonly #queue: Pick<OfferQueue, 'announce'>
  readonly #announced = new Map<TenantKey, Announced>()
  /** Groups that are to be announced again. */
  readonly #owed = new Set<TenantKey>()
  #isRetired = false
  #isOver = false

  constructor(host: AnnouncementHost, queue: Pick<OfferQueue, 'announce'>) {
    this.#host = host
    this.#queue = queue
  }

  /** There is no room any more, of any group. */
  retire(): void {
    this.#isRetired = true
    for (const group of [...this.#announced.keys()]) this.#announce(group)
  }

  /** Nothing is said any more. */
  end(): void {
    this.#isOver = true
  }

  /** Another instance has asked for some of what was announced. */
  used(group: TenantKey): void {
    const last = this.#announced.get(group)
    if (last !== undefined) last.isUsed = true
  }

  /** The links of a group, or their grants, are others. */
  changed(group: TenantKey): void {
    const last = this.#announced.get(group)
    if (last?.isDue === true) return
    const now = this.#host.now()
    if (last === undefined || now - last.at >= ANNOUNCE_MS) return this.#announce(group)
    last.isDue = true
    // Not all at once, where many have heard of the same thing.
    const at = last.at + ANNOUNCE_MS * (1 + this.#host.random() / 2)
    this.#host.watch(
      new Later(at, () => {
        last.isDue = false
        this.#announce(group)
      }),
    )
  }

  /**
   * What was announced could not be used. Those who were told so wait for another word: it comes
   * when somebody pauses no more, or soon.
   */
  again(group: TenantKey): void {
    if (this.#owed.has(group)) return
    this.#owed.add(group)
    const now = this.#host.now()
    let at = now + AGAIN_MS
    for (const { pausedUntil } of this.#host.group(group)?.connectors.values() ?? [])
      if (pausedUntil > now) at = Math.min(at, pausedUntil)
    const again = (): void => {
      this.#owed.delete(group)
      this.used(group)
      this.changed(group)
    }
    this.#host.watch(new Later(at, again))
  }

  #announce(group: TenantKey): void {
    if (this.#isOver) return
    const last = this.#announced.get(group)
    const presence = this.#presence(group)
    if (presence.offers === 0) {
      if (!this.#announced.delete(group)) return
      this.#owed.delete(group)
    } else {
      const at = this.#host.now()
      if (last !== undefined && !last.isUsed && !isNews(last.said, presence)) {
        last.at = at
        return
      }
      this.#announced.set(group, { said: presence, at, isDue: false, isUsed: false })
    }
    this.#queue.announce(presence)
  }

  #presence(group: TenantKey): OfferPresence {
    const [tenantId, groupId] = idsOf(group)
    const features = new Set<string>()
    const connectors = new Set<string>()
    let [offers, granted] = [0, 0]
    const served = this.#isRetired ? undefined : this.#host.group(group)
    for (const { id, links } of served?.connectors.values() ?? []) {
      for (const link of links) {
        if (link.isRemote) continue
        connectors.add(id)
        offers += link.offers
        granted += link.granted
        for (const feature of link.features) features.add(feature)
      }
    }
    return {
      ...{ v: 1, instance: this.#host.instance, tenantId, groupId, offers, granted },
      ...{ features: [...features], connectors: [...connectors] },
    }
  }
}

/**
 * Whether others would do anything else for it: a connector came or went, or there is room for
 * twice as many or for half, or for a quarter of all again. They spend what was announced as it was
 * said; what was too much comes back to them.
 */
function isNews(said: OfferPresence, now: OfferPresence): boolean {
  if (said.offers !== now.offers) return true
  if (!isSameSet(said.connectors, now.connectors)) return true
  if (!isSameSet(said.features, now.features)) return true
  if (said.granted === 0 || now.granted === 0) return said.granted !== now.granted
  if (said.granted * 4 < said.offers && now.granted * 4 >= now.offers) return true
  return now.granted >= said.granted * 2 || now.granted * 2 <= said.granted
}

function isSameSet(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((one) => others.includes(one))
}
