/**
 * A multiplexed link to the cloud, as the worker sees it: brings offers, carries their answers. The
 * transport is whoever calls {@link CloudLink.link}.
 *
 * @module
 */
import {
  DialledLink,
  Exchange,
  INITIAL_WINDOW_BYTES,
  isReplayable,
  MAX_WINDOW_BYTES,
  PeerViolation,
  type ApplicationDetails,
  type DeclineReason,
  type DialledLinkHandler,
  type Hello,
  type LinkEnd,
  type Offer,
  type Random,
  type TimeLimits,
  type Welcome,
} from '../protocol/index.ts'
import type { OfferSlots, SlotHolder } from './offer-slots.ts'
import type { Clocks } from '../runtime/clocks.ts'
import type { Carrier, ClaimedJob, Worker } from './worker.ts'

/** What a link's transport is told. */
export interface CloudLinkEvents {
  /** There is something to send. */
  wake(): void
  up(welcome: Welcome): void
  /** The cloud has another configuration. */
  hint(version: string): void
  draining(): void
  closed(end: LinkEnd): void
}

export interface CloudLinkOptions {
  readonly worker: Worker
  readonly clocks: Clocks
  readonly limits: TimeLimits
  /** `offers` and `granted` are the slots'. */
  readonly hello: Omit<Hello, 'offers' | 'granted'>
  readonly slots: OfferSlots
  /** The cloud instance that was dialled; offers of any other origin are declined. */
  readonly instance: string
  readonly events: CloudLinkEvents
  /** What grease is made of. Default: the link sends none. */
  readonly random?: Random | undefined
}

/** Joins a {@link DialledLink} to the worker. */
export class CloudLink implements DialledLinkHandler, SlotHolder {
  /** The machine that the transport drives. */
  readonly link: DialledLink
  readonly options: CloudLinkOptions
  /** Grants that the cloud holds: offers it may still make. */
  #granted: number
  #granting = false

  constructor(options: CloudLinkOptions) {
    const { limits, clocks, slots } = options
    const hello = { ...options.hello, offers: slots.total, granted: slots.free }
    this.options = options
    this.#granted = hello.granted
    this.link = new DialledLink(this, hello, limits.controlCallMs, clocks.now(), options.random)
    slots.attach(this)
  }

  // ── what the link says ────────────────────────────────────────────────────────────────────

  wake(): void {
    this.options.events.wake()
  }

  welcome(welcome: Welcome): void {
    this.options.events.up(welcome)
    this.#grant()
  }

  offer(offer: Offer): void {
    if (this.#granted === 0) throw new PeerViolation('GRANT_EXCEEDED', 'an offer nobody granted')
    const carrier = new LinkCarrier(this, offer)
    this.#granted -= 1
    this.options.slots.take()
    if (offer.origin === this.options.instance) return this.options.worker.offered(offer, carrier)
    carrier.decline('unlisted-origin')
    carrier.release()
  }

  hint(version: string): void {
    this.options.events.hint(version)
  }

  draining(): void {
    this.options.events.draining()
  }

  closed(end: LinkEnd): void {
    this.options.slots.detach(this)
    this.options.events.closed(end)
  }

  /** A slot is free: it is granted when a quarter are, or soon. */
  freed(): void {
    // A frame per exchange says no more than one per many.
    if (this.#ungranted * 4 >= this.options.slots.total) return this.#grant()
    if (this.#granting) return
    this.#granting = true
    queueMicrotask(() => {
      this.#granting = false
      this.#grant()
    })
  }

  /**
   * Fewer than came free, after a link before this one brought offers that nobody expected any
   * more.
   */
  get #ungranted(): number {
    return this.options.slots.free - this.#granted
  }

  #grant(): void {
    const offers = this.#ungranted
    if (offers <= 0 || this.link.state !== 'open') return
    this.#granted += offers
    this.link.grant(offers)
  }
}

/** One offer on a link. */
class LinkCarrier implements Carrier {
  readonly #link: CloudLink
  readonly #offer: Offer

  constructor(link: CloudLink, offer: Offer) {
    this.#link = link
    this.#offer = offer
  }

  decline(reason: DeclineReason): void {
    const { id, attempt } = this.#offer
    this.#link.link.decline({ id, attempt, reason })
  }

  claim(job: ClaimedJob, application: ApplicationDetails): Exchange | undefined {
    const { id, attempt, body, upgrade } = this.#offer
    const { clocks, limits } = this.#link.options
    const credit = body.kind === 'none' ? 0 : INITIAL_WINDOW_BYTES
    return this.#link.link.claim(
      { id, attempt, credit },
      {
        // A replayable request starts at once, and is not confirmed.
        ...(!isReplayable(this.#offer) && { confirmed: () => job.confirmed() }),
        open: (wire, { windowBytes, budget }) =>
          new Exchange(wire, job, {
            role: 'responder',
            now: clocks.now(),
            requestBody: body.kind !== 'none',
            sendCreditBytes: windowBytes,
            receiveWindowBytes: credit,
            maxWindowBytes: MAX_WINDOW_BYTES,
            budget,
            limits,
            responseHeadMs: application.responseHeadMs,
            ...(upgrade !== undefined && { upgradeWindowBytes: windowBytes }),
          }),
      },
    )
  }

  release(): void {
    this.#link.options.slots.release()
  }
}
