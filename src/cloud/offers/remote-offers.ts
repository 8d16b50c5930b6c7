/**
 * What passes between this instance and others: offers that only they have a link for, and theirs
 * that this one delivers.
 *
 * @module
 */
import { Refused } from '../../protocol/internal.ts'
import type { Deadlined, ExchangeId, HealthOutcome, Offer } from '../../protocol/internal.ts'
import type { AttemptOutcome, DispatchRequest, GroupState } from '../../protocol/internal.ts'
import { idsOf, tenantKey, type TenantKey } from '../directory/tenant-key.ts'
import { Announcements } from './announcements.ts'
import { ForeignOffer, PROGRESS } from './foreign-offer.ts'
import type { OfferLink } from './offer-link.ts'
import type { SeenPair } from './seen-pair.ts'
import type {
  OfferEnvelope,
  OfferHealth,
  OfferOutcome,
  OfferPresence,
  OfferQueue,
  OfferReceipt,
  OfferReceiver,
} from './offer-queue.ts'

/** The connector id of whoever another instance chooses: no real one is empty. */
export const REMOTE = ''

/** What is needed of the origin beside it. */
export interface RemoteHost {
  readonly instance: string
  now(): number
  attach(group: TenantKey, link: OfferLink): void
  detach(link: OfferLink): void
  group(group: TenantKey): GroupState | undefined
  /** `only`: the one connector that may be offered it; undefined: any that is not excluded. */
  request(id: ExchangeId):
    | {
        readonly request: DispatchRequest
        readonly excluded: readonly string[]
        readonly only: string | undefined
      }
    | undefined
  /** Whether this instance's own directory has that application in that group of that tenant. */
  isPublished(tenantId: string, groupId: string, applicationId: string): boolean
  /** 0 to 1, another each time. */
  random(): number
  submit(request: DispatchRequest, waitUntil: number): void
  outcome(id: ExchangeId, outcome: AttemptOutcome): void
  /** What another instance has seen of a connector. */
  observed(
    group: TenantKey,
    application: TenantKey,
    connector: string,
    outcome: HealthOutcome,
  ): void
  /** What another instance says of an attempt of this one's exchange. */
  returned(told: OfferOutcome): void
  watch(entry: Deadlined): void
}

/** An attempt that another instance delivers. */
interface Sent {
  readonly attempt: number
  instance: string | undefined
  isClaimed: boolean
  /** Until it is known who has it. */
  readonly untold: OfferOutcome[]
}

export class RemoteOffers implements OfferReceiver {
  readonly instance: string
  readonly #host: RemoteHost
  readonly #queue: OfferQueue
  readonly #presences = new Map<TenantKey, Map<string, OfferPresence>>()
  readonly #links = new Map<TenantKey, OfferLink>()
  /** By exchange id: 128 random bits, drawn here. */
  readonly #sent = new Map<ExchangeId, Sent>()
  #isReachable = true
  /** By exchange id: 128 random bits, drawn by the origin; who declines is compared. */
  readonly #foreign = new Map<ExchangeId, ForeignOffer>()
  readonly #announcements: Announcements
  readonly #leave: () => void
  #hasLeft = false
  #isRetired = false

  constructor(host: RemoteHost, queue: OfferQueue) {
    this.instance = host.instance
    this.#host = host
    this.#queue = queue
    this.#announcements = new Announcements(host, queue)
    this.#leave = queue.join(this)
  }

  /** Whether other instances can be asked now. */
  get isReachable(): boolean {
    return this.#isReachable
  }

  /** Takes nothing of others any more; what is under way goes on, and theirs may be asked still. */
  retire(): void {
    if (this.#isRetired || this.#hasLeft) return
    this.#isRetired = true
    this.#announcements.retire()
  }

  /** Takes part no more: nothing goes to others, and nothing of theirs comes here. */
  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.#announcements.end()
    for (const link of this.#links.values()) this.#host.detach(link)
    this.#links.clear()
    this.#presences.clear()
    this.#leave()
  }

  // ── who is there ──────────────────────────────────────────────────────────────────────────

  /** The way to all others is there again, or gone: what they announced holds no more. */
  reachable(isReachable: boolean): void {
    this.#isReachable = isReachable
    if (isReachable || this.#hasLeft) return
    for (const link of this.#links.values()) this.#host.detach(link)
    this.#links.clear()
    this.#presences.clear()
  }

  /**
   * An instance has left, or is silent. Nothing it announced holds; what it delivers and nobody has
   * claimed goes elsewhere, and of its own users nobody waits any more.
   */
  gone(instance: string): void {
    for (const all of [...this.#presences.values()]) {
      const presence = all.get(instance)
      if (presence !== undefined) this.announced({ ...presence, offers: 0, granted: 0 })
    }
    for (const [id, sent] of [...this.#sent]) {
      if (sent.instance !== instance) continue
      this.#sent.delete(id)
      const { attempt, isClaimed } = sent
      if (!isClaimed) this.#host.returned({ v: 1, id, attempt, outcome: 'lost' })
    }
    for (const [id, { envelope }] of [...this.#foreign])
      if (envelope.origin === instance) this.#forget(id)
  }

  /** What another instance has seen of a connector that this one may have a link to. */
  observed({ tenantId, groupId, applicationId, connectorId, outcome }: OfferHealth): void {
    const application = tenantKey(tenantId, applicationId)
    this.#host.observed(tenantKey(tenantId, groupId), application, connectorId, outcome)
  }

  /** This instance has seen it of a connector: others that have a link to it are told. */
  saw({ group, application, connectorId }: SeenPair, outcome: HealthOutcome): void {
    if (this.#hasLeft) return
    const [tenantId, groupId] = idsOf(group)
    const [, applicationId] = idsOf(application)
    const { instance } = this
    this.#queue.observe({
      ...{ v: 1, instance, tenantId, groupId, applicationId, connectorId, outcome },
    })
  }

  // ── at the origin ─────────────────────────────────────────────────────────────────────────

  /** What other instances can take is a link of its own, taken where no other can be. */
  announced(presence: OfferPresence): void {
    if (this.#hasLeft) return
    const group = tenantKey(presence.tenantId, presence.groupId)
    const all = this.#presences.get(group) ?? new Map<string, OfferPresence>()
    if (presence.offers === 0) all.delete(presence.instance)
    else all.set(presence.instance, presence)
    this.#presences.set(group, all)
    const old = this.#links.get(group)
    if (old !== undefined) this.#host.detach(old)
    this.#links.delete(group)
    if (all.size === 0) {
      this.#presences.delete(group)
      return
    }
    const link = this.#linkTo([...all.values()])
    this.#links.set(group, link)
    this.#host.attach(group, link)
  }

  #linkTo(presences: readonly OfferPresence[]): OfferLink {
    const { tenantId, groupId } = presences[0]!
    return {
      ...{ connectorId: REMOTE, isRemote: true, streams: Infinity },
      features: [...new Set(presences.flatMap(({ features }) => features))],
      connectors: [...new Set(presences.flatMap(({ connectors }) => connectors))],
      offers: presences.reduce((sum, { offers }) => sum + offers, 0),
      grants: presences.reduce((sum, { granted }) => sum + granted, 0),
      offer: (offer) => this.#publish(tenantId, groupId, offer),
    }
  }

  #publish(tenantId: string, groupId: string, head: Offer): void {
    const { id, attempt, applicationId, applicationVersion, remainingMs: validMs } = head
    const { request, excluded, only } = this.#host.request(id)!
    const sent: Sent = { attempt, instance: undefined, isClaimed: false, untold: [] }
    this.#sent.set(id, sent)
    const { needs, user: share, isAlone = false, isReplayable } = request
    this.#queue
      .publish({
        ...{ v: 1, id, attempt, tenantId, groupId, applicationId, applicationVersion, needs },
        ...{ excluded, only, share, isAlone, isReplayable, validMs, origin: this.instance, head },
      })
      .then(
        (receipt) => this.#received(id, sent, receipt),
        (error: unknown) => this.#unsent(id, sent, error),
      )
  }

  /** What is too large to travel stays here: other instances are as good as excluded. */
  #unsent(id: ExchangeId, sent: Sent, error: unknown): void {
    if (!(error instanceof Refused) || error.reason !== 'too-large')
      return this.#received(id, sent, 'declined')
    if (this.#sent.get(id) === sent) this.#sent.delete(id)
    const { attempt } = sent
    this.#host.returned({
      ...{ v: 1, id, attempt, outcome: 'unknown-application', connectorId: REMOTE },
    })
  }

  #received(id: ExchangeId, sent: Sent, receipt: OfferReceipt): void {
    // Nobody knows whether it is on a link: the attempt is kept until it must be claimed.
    if (receipt === 'unknown') return
    if (receipt === 'declined') {
      if (this.#sent.get(id) === sent) this.#sent.delete(id)
      return this.#host.returned({ v: 1, id, attempt: sent.attempt, outcome: 'declined' })
    }
    sent.instance = receipt.instance
    for (const outcome of sent.untold.splice(0)) this.#queue.tell(receipt.instance, outcome)
  }

  /** What became of an attempt here is told to whoever delivered it. */
  tell(id: ExchangeId, outcome: AttemptOutcome, connectorId: string | undefined): void {
    const sent = this.#sent.get(id)
    if (sent === undefined) return
    const { attempt, instance } = sent
    const told: OfferOutcome = { v: 1, id, attempt, outcome, connectorId }
    if (outcome === 'claimed') sent.isClaimed = true
    if (instance === undefined) sent.untold.push(told)
    else this.#queue.tell(instance, told)
    if (!PROGRESS.has(outcome)) this.#sent.delete(id)
  }

  // ── where it is delivered ─────────────────────────────────────────────────────────────────

  /** A link of this instance takes it at once, or nobody here does. */
  offered(envelope: OfferEnvelope): OfferReceipt {
    if (this.#hasLeft || this.#isRetired) return 'declined'
    const { id, tenantId, groupId, applicationId, share, isAlone, isReplayable } = envelope
    const { needs, only } = envelope
    if (this.#foreign.has(id) || this.#host.request(id) !== undefined) return 'declined'
    // Whoever sent it may say anything: what is published is this instance's own to say.
    if (!this.#host.isPublished(tenantId, groupId, applicationId)) return 'declined'
    const until = this.#host.now() + envelope.validMs
    const foreign = new ForeignOffer(envelope, until, (outcome, connectorId) =>
      this.#returned(envelope, outcome, connectorId),
    )
    this.#foreign.set(id, foreign)
    const group = tenantKey(tenantId, groupId)
    this.#announcements.used(group)
    const application = tenantKey(tenantId, applicationId)
    const excluded = [...envelope.excluded, REMOTE]
    this.#host.submit(
      { id, group, application, user: share, isAlone, isReplayable, needs, excluded, only },
      until,
    )
    if (foreign.link === undefined) {
      this.#foreign.delete(id)
      this.#host.outcome(id, 'ended')
      if (!foreign.isRefused) this.#announcements.again(group)
      return 'declined'
    }
    this.#host.watch(foreign)
    return { instance: this.instance }
  }

  foreign(id: ExchangeId): ForeignOffer | undefined {
    return this.#foreign.get(id)
  }

  /** A link died: what was offered there goes back to where it came from. */
  linkLost(link: OfferLink): void {
    for (const foreign of [...this.#foreign.values()]) foreign.linkLost(link)
  }

  /** The origin tells this one what came of an attempt, or another that it came back. */
  told(told: OfferOutcome): void {
    const { id, attempt, outcome } = told
    const foreign = this.#foreign.get(id)
    if (foreign !== undefined) {
      if (foreign.envelope.attempt !== attempt) return
      this.#host.outcome(id, outcome)
      if (outcome === 'claimed') foreign.claimed(this.#host.now())
      if (!PROGRESS.has(outcome)) this.#forget(id)
      return
    }
    if (this.#sent.get(id)?.attempt !== attempt) return
    this.#sent.delete(id)
    this.#host.returned(told)
  }

  #returned(
    { id, attempt, origin }: OfferEnvelope,
    outcome: AttemptOutcome,
    connectorId: string | undefined,
  ): void {
    if (!this.#foreign.has(id)) return
    this.#host.outcome(id, outcome)
    this.#forget(id)
    this.#queue.tell(origin, { v: 1, id, attempt, outcome, connectorId })
  }

  #forget(id: ExchangeId): void {
    const foreign = this.#foreign.get(id)
    this.#foreign.delete(id)
    foreign?.forget()
    this.#host.outcome(id, 'ended')
  }

  // ── room ──────────────────────────────────────────────────────────────────────────────────

  /** The links of a group, or their grants, are others. */
  changed(group: TenantKey): void {
    this.#announcements.changed(group)
  }
}
