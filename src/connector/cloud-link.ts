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
  LINK_FEATURES,
  MAX_DATA_BYTES,
  MAX_WINDOW_BYTES,
  patienceFor,
  PeerViolation,
  PROTOCOL_VERSION,
  TIME_LIMITS,
  type ClaimBounds,
  type ClaimOptions,
  type DeclineReason,
  type DialledLinkHandler,
  type ExchangeWire,
  type Hello,
  type LinkEnd,
  type Offer,
  type Random,
  type TimeLimits,
  type Welcome,
} from '../protocol/internal.ts'
import { ForeignCarrier, type ClaimLine, type LineTerms, type Origins } from './claim-line.ts'
import type { OfferSlots, SlotHolder } from './offer-slots.ts'
import { systemClocks, type Clocks } from '../runtime/clocks.ts'
import type { Carrier, ClaimedJob, ClaimTerms, Worker } from './worker.ts'

/** What a link's transport is told. */
export interface CloudLinkEvents {
  /** There is something to send. */
  wake(): void
  up?(welcome: Welcome): void
  /** The cloud has another configuration. */
  hint?(version: string): void
  draining?(): void
  closed(end: LinkEnd): void
}

/** Options of {@link CloudLink}. */
export interface CloudLinkOptions {
  /** Runs the exchanges that it claims. */
  readonly worker: Worker
  /** What deadlines are told in. Default {@link systemClocks}. */
  readonly clocks?: Clocks
  /** Milliseconds. Default {@link TIME_LIMITS}. */
  readonly limits?: TimeLimits
  /**
   * What is not the slots' to say. `run` is a random name, new at each start; `epoch` must grow
   * with each link of one run. Default: `epoch` 1, `index` 0, and all that this version can do.
   */
  readonly hello: Pick<Hello, 'run'> &
    Partial<Pick<Hello, 'versions' | 'index' | 'epoch' | 'maxDataBytes' | 'features'>>
  /** How many offers it takes at once; links to one instance share them. */
  readonly slots: OfferSlots
  /** The cloud instance that was dialled. */
  readonly instance: string
  /**
   * Where offers of other instances are claimed; those of unlisted ones are declined. Default: no
   * other is listed.
   */
  readonly origins?: Origins | undefined
  /** What its transport is told. */
  readonly events: CloudLinkEvents
  /** What grease is made of. Default: the link sends none. */
  readonly random?: Random | undefined
}

/** Joins a {@link DialledLink} to the worker. */
export class CloudLink implements DialledLinkHandler, SlotHolder, ClaimLine {
  /** The machine that the transport drives. */
  readonly link: DialledLink
  /** As they were given, with the defaults. */
  readonly options: CloudLinkOptions & Required<Pick<CloudLinkOptions, 'clocks' | 'limits'>>
  /** Grants that the cloud holds: offers it may still make. */
  #granted: number
  #granting = false

  constructor(options: CloudLinkOptions) {
    const { limits = TIME_LIMITS, clocks = systemClocks, slots } = options
    const hello = {
      ...{ versions: [PROTOCOL_VERSION], index: 0, epoch: 1 },
      ...{ maxDataBytes: MAX_DATA_BYTES, features: LINK_FEATURES },
      ...options.hello,
      offers: slots.total,
      granted: slots.free,
      slots: slots.slots,
      streams: slots.streams,
    }
    this.options = { ...options, clocks, limits }
    this.#granted = hello.granted
    this.link = new DialledLink(this, hello, limits.controlCallMs, clocks.now(), options.random)
    slots.attach(this)
  }

  // ── what the link says ────────────────────────────────────────────────────────────────────

  wake(): void {
    this.options.events.wake()
  }

  welcome(welcome: Welcome): void {
    this.options.events.up?.(welcome)
    this.#grant()
  }

  offer(offer: Offer): void {
    if (this.#granted === 0) throw new PeerViolation('GRANT_EXCEEDED', 'an offer nobody granted')
    const { instance, origins, slots, worker } = this.options
    this.#granted -= 1
    slots.take()
    if (offer.origin === instance) return worker.offered(offer, new LinkCarrier(this, offer))
    if (origins?.isListed(offer.origin) === true)
      return worker.offered(offer, new ForeignCarrier(offer, origins, this))
    this.decline(offer, 'unlisted-origin')
    slots.release()
  }

  hint(version: string): void {
    this.options.events.hint?.(version)
  }

  draining(): void {
    this.options.events.draining?.()
  }

  closed(end: LinkEnd): void {
    this.options.slots.detach(this)
    this.options.events.closed(end)
  }

  // ── what carriers ask ─────────────────────────────────────────────────────────────────────

  get open(): number {
    return this.link.open
  }

  decline({ id, attempt }: Offer, reason: DeclineReason): void {
    this.link.decline({ id, attempt, reason })
  }

  release(): void {
    this.options.slots.release()
  }

  claim(offer: Offer, job: ClaimedJob, terms: LineTerms): Exchange | undefined {
    const { id, attempt, body } = offer
    const credit = body.kind === 'none' ? 0 : INITIAL_WINDOW_BYTES
    return this.link.claim({ id, attempt, credit }, new LinkClaim(offer, job, terms, this.options))
  }

  // ── slots ─────────────────────────────────────────────────────────────────────────────────

  /** A slot is free: it is granted with what is said next. */
  freed(): void {
    if (this.#granting) return
    // A frame per exchange says no more than one per many.
    this.#granting = true
    this.wake()
  }

  leaving(): void {
    if (!this.#granting) return
    this.#granting = false
    this.#grant()
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

/** One claim on the link: a class, since a closure for each of its parts costs a request more. */
class LinkClaim implements ClaimOptions {
  readonly #offer: Offer
  readonly #job: ClaimedJob
  readonly #terms: LineTerms
  readonly #options: CloudLink['options']

  constructor(offer: Offer, job: ClaimedJob, terms: LineTerms, options: CloudLink['options']) {
    this.#offer = offer
    this.#job = job
    this.#terms = terms
    this.#options = options
  }

  /**
   * A replayable request starts at once and is not confirmed, unless another instance brought it.
   */
  get confirmed(): (() => void) | undefined {
    const isAwaited = this.#terms.isForeign || !isReplayable(this.#offer)
    return isAwaited ? () => this.#job.confirmed() : undefined
  }

  becameLong(): void {
    this.#job.release()
  }

  open(wire: ExchangeWire, { windowBytes, budget }: ClaimBounds): Exchange {
    const { body, upgrade } = this.#offer
    const { clocks, limits } = this.#options
    const hasBody = body.kind !== 'none'
    return new Exchange(wire, this.#job, {
      role: 'responder',
      now: clocks.now(),
      requestBody: hasBody,
      sendCreditBytes: windowBytes,
      receiveWindowBytes: hasBody ? INITIAL_WINDOW_BYTES : 0,
      maxWindowBytes: MAX_WINDOW_BYTES,
      budget,
      limits: patienceFor(this.#terms.patience, limits),
      responseHeadMs: this.#terms.responseHeadMs,
      upgradeWindowBytes: upgrade === undefined ? undefined : windowBytes,
    })
  }
}

/** An offer of the very instance that the link leads to. */
class LinkCarrier implements Carrier {
  readonly #link: CloudLink
  readonly #offer: Offer

  constructor(link: CloudLink, offer: Offer) {
    this.#link = link
    this.#offer = offer
  }

  decline(reason: DeclineReason): void {
    this.#link.decline(this.#offer, reason)
  }

  claim(job: ClaimedJob, { responseHeadMs, patience }: ClaimTerms): Exchange | undefined {
    return this.#link.claim(this.#offer, job, { responseHeadMs, patience, isForeign: false })
  }

  release(): void {
    this.#link.release()
  }
}
