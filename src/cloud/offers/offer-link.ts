import type { Offer } from '../../protocol/internal.ts'

/** A link that takes offers, whatever carries it. */
export interface OfferLink {
  readonly connectorId: string
  /** What HELLO named: only what needs no other feature is offered here. */
  readonly features: readonly string[]
  /** Offers that it takes at once, at the most. */
  readonly offers: number
  /** Long exchanges that it carries beside them. Default: none. */
  readonly streams?: number | undefined
  /** Offers that may be made now, when it is attached; later ones are granted one by one. */
  readonly grants: number
  /** Another instance delivers what is offered here. Default: false. */
  readonly isRemote?: boolean | undefined
  /** Of such a link: who the connectors there are. */
  readonly connectors?: readonly string[] | undefined
  offer(offer: Offer): void
}
