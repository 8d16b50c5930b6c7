/**
 * The links that take offers, by the numbers that the dispatcher knows them by, and what of their
 * grants is spent already by offers that are still being prepared.
 *
 * @module
 */
import type { OfferLink } from './offer-link.ts'

/** All of one origin. */
export class AttachedLinks {
  readonly #links = new Map<number, OfferLink>()
  readonly #numbers = new Map<OfferLink, number>()
  readonly #reserved = new Map<OfferLink, number>()
  #lastNumber = 0

  /** The number of a new one: never used again. */
  add(link: OfferLink): number {
    const number = ++this.#lastNumber
    this.#links.set(number, link)
    this.#numbers.set(link, number)
    return number
  }

  /** Its number, if it was there. */
  remove(link: OfferLink): number | undefined {
    const number = this.#numbers.get(link)
    if (number === undefined) return undefined
    this.#numbers.delete(link)
    this.#links.delete(number)
    return number
  }

  link(number: number): OfferLink | undefined {
    return this.#links.get(number)
  }

  number(link: OfferLink): number | undefined {
    return this.#numbers.get(link)
  }

  /** It was chosen for an offer that is said later: that grant is nobody else's. */
  reserve(link: OfferLink): void {
    this.#reserved.set(link, (this.#reserved.get(link) ?? 0) + 1)
  }

  /** The offer is said, or will not be. */
  release(link: OfferLink): void {
    const left = this.#reserved.get(link)! - 1
    if (left > 0) this.#reserved.set(link, left)
    else this.#reserved.delete(link)
  }

  /** Offers that it may be told now, and that nobody was promised. */
  free(link: OfferLink): number {
    return link.grants - (this.#reserved.get(link) ?? 0)
  }
}
