/**
 * Lines that offers are claimed over, and offers whose claim goes over another line than the one
 * they came by.
 *
 * @see spec/PROTOCOL.md, "Claims"
 * @module
 */
import type { DeclineReason, Exchange, Offer } from '../protocol/internal.ts'
import type { Carrier, ClaimedJob, ClaimTerms } from './worker.ts'

/** How an offer is claimed on a line. */
export interface LineTerms extends ClaimTerms {
  /** Another instance brought it: its claim is confirmed before anything starts. */
  readonly isForeign: boolean
}

/** A connection to one cloud instance, which holds the users whose requests are claimed there. */
export interface ClaimLine {
  /** Exchanges that it carries now. */
  readonly open: number
  /** `undefined`: it can carry no further exchange now. */
  claim(offer: Offer, job: ClaimedJob, terms: LineTerms): Exchange | undefined
}

/** The instances that the configuration lists, and the lines to them. */
export interface Origins {
  isListed(instance: string): boolean
  /** The line to a listed instance, at once if it stands; `undefined`: it cannot be reached. */
  line(instance: string): ClaimLine | Promise<ClaimLine | undefined>
}

/** The connection that brought an offer: its slot is returned there, and there it is declined. */
export interface OfferHome {
  decline(offer: Offer, reason: DeclineReason): void
  /** Once per offer. */
  release(): void
}

/** An offer of another instance than the one that brought it. */
export class ForeignCarrier implements Carrier {
  readonly isForeign = true
  readonly #offer: Offer
  readonly #origins: Origins
  readonly #home: OfferHome
  #line: ClaimLine | undefined

  constructor(offer: Offer, origins: Origins, home: OfferHome) {
    this.#offer = offer
    this.#origins = origins
    this.#home = home
  }

  decline(reason: DeclineReason): void {
    this.#home.decline(this.#offer, reason)
  }

  reach(): boolean | Promise<boolean> {
    const line = this.#origins.line(this.#offer.origin)
    if (!(line instanceof Promise)) return this.#reached(line)
    return line.then((found) => this.#reached(found))
  }

  claim(job: ClaimedJob, { responseHeadMs, patience }: ClaimTerms): Exchange | undefined {
    return this.#line?.claim(this.#offer, job, { responseHeadMs, patience, isForeign: true })
  }

  release(): void {
    this.#home.release()
  }

  #reached(line: ClaimLine | undefined): boolean {
    this.#line = line
    return line !== undefined
  }
}
