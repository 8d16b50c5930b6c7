/**
 * A connector process's slots: how many exchanges it takes at once, over all its links, and how
 * they are dealt out among the cloud instances.
 *
 * @see spec/PROTOCOL.md, "Offers"
 * @module
 */
import { DEFAULT_STREAMS } from '../protocol/internal.ts'

/** A link that is told when a slot comes free. */
export interface SlotHolder {
  freed(): void
}

/**
 * How many offers a connector takes at once from one cloud instance, whichever links they come by:
 * a link that is replaced still runs exchanges while its successor takes offers.
 */
export class OfferSlots {
  /** The slots of the process, over all its links. */
  readonly slots: number
  #total: number
  #streams: number
  #taken = 0
  #holder: SlotHolder | undefined

  /**
   * @param total offers at once, from this instance; 0: its links are for claims alone
   * @param streams exchanges of this instance's links that may be long and hold no slot. Default 0
   * @param slots what HELLO names beside. Default `total`
   */
  constructor(total: number, streams = 0, slots = total) {
    this.#total = total
    this.#streams = streams
    this.slots = slots
  }

  get total(): number {
    return this.#total
  }

  get streams(): number {
    return this.#streams
  }

  /** What a new link may be granted at once. */
  get free(): number {
    return Math.max(0, this.#total - this.#taken)
  }

  /**
   * Another share of the process's slots; links that are there keep what they said until redialled.
   */
  resize(total: number, streams: number): void {
    this.#total = total
    this.#streams = streams
  }

  /** The newest link: what comes free is granted on it. */
  attach(holder: SlotHolder): void {
    this.#holder = holder
  }

  detach(holder: SlotHolder): void {
    if (this.#holder === holder) this.#holder = undefined
  }

  /** An offer came. */
  take(): void {
    this.#taken += 1
  }

  /** Its exchange is over or long, or it was declined. */
  release(): void {
    this.#taken -= 1
    this.#holder?.freed()
  }
}

/** Deals a process's slots out among the instances it serves: their sum is never more. */
export class SlotShares {
  readonly #slots: number
  readonly #streams: number
  readonly #shares = new Map<string, OfferSlots>()

  /**
   * @param slots exchanges at once
   * @param streams long ones beside them. Default 1 000
   */
  constructor(slots: number, streams = DEFAULT_STREAMS) {
    this.#slots = slots
    this.#streams = streams
  }

  /** A link for claims alone. */
  get forClaims(): OfferSlots {
    return new OfferSlots(0, 0, this.#slots)
  }

  /** The share of an instance that was dealt one. */
  of(instance: string): OfferSlots {
    return this.#shares.get(instance)!
  }

  /**
   * Deals anew, as evenly as it goes.
   *
   * @returns instances whose share is another than before: their links say so when they are
   *   redialled
   */
  deal(instances: readonly string[]): string[] {
    for (const instance of this.#shares.keys())
      if (!instances.includes(instance)) this.#shares.delete(instance)
    const changed: string[] = []
    instances.forEach((instance, index) => {
      const total = shareOf(this.#slots, instances.length, index)
      const streams = shareOf(this.#streams, instances.length, index)
      const share = this.#shares.get(instance)
      if (share === undefined)
        this.#shares.set(instance, new OfferSlots(total, streams, this.#slots))
      else if (share.total !== total || share.streams !== streams) {
        share.resize(total, streams)
        changed.push(instance)
      }
    })
    return changed
  }
}

function shareOf(all: number, shares: number, index: number): number {
  return Math.floor(all / shares) + (index < all % shares ? 1 : 0)
}
