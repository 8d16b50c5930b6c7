/** A link that is told when a slot comes free. */
export interface SlotHolder {
  freed(): void
}

/**
 * How many offers a connector takes at once from one cloud instance, whichever links they come by:
 * a link that is replaced still runs exchanges while its successor takes offers.
 */
export class OfferSlots {
  readonly total: number
  #taken = 0
  #holder: SlotHolder | undefined

  constructor(total: number) {
    this.total = total
  }

  /** What a new link may be granted at once. */
  get free(): number {
    return Math.max(0, this.total - this.#taken)
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

  /** Its exchange is over, or it was declined. */
  release(): void {
    this.#taken -= 1
    this.#holder?.freed()
  }
}
