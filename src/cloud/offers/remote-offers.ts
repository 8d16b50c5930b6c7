/**
 * What passes between this instance and others: offers that only they have a link for, and theirs
 * that this one delivers.
 *
 * @module
 */
import type {
  Deadlined,
  DeclineReason,
  ExchangeId,
  FailureReason,
  Offer,
} from '../../protocol/internal.ts'
import type { AttemptOutcome, DispatchRequest, GroupState } from '../../protocol/internal.ts'
import { idsOf, tenantKey, type TenantKey } from '../directory/tenant-key.ts'
import type { OfferLink } from './offer-link.ts'
import type {
  OfferEnvelope,
  OfferOutcome,
  OfferPresence,
  OfferQueue,
  OfferReceipt,
  OfferReceiver,
} from './offer-queue.ts'

/** The connector id of whoever another instance chooses: no real one is empty. */
export const REMOTE = ''
/** Room is announced at most so often. Milliseconds. */
export const ANNOUNCE_MS = 100
/** Room that could not be used is announced again after so long, at the latest. Milliseconds. */
const AGAIN_MS = 1_000

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
  submit(request: DispatchRequest, waitUntil: number): void
  outcome(id: ExchangeId, outcome: AttemptOutcome): void
  /** What another instance says of an attempt of this one's exchange. */
  returned(told: OfferOutcome): void
  watch(entry: Deadlined): void
}

/** An attempt that another instance delivers. */
interface Sent {
  readonly attempt: number
  instance: string | undefined
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
  /** By exchange id: 128 random bits, drawn by the origin; who declines is compared. */
  readonly #foreign = new Map<ExchangeId, ForeignOffer>()
  readonly #announced = new Map<TenantKey, { at: number; isDue: boolean }>()
  /** Groups that are to be announced again. */
  readonly #owed = new Set<TenantKey>()
  readonly #leave: () => void
  #hasLeft = false

  constructor(host: RemoteHost, queue: OfferQueue) {
    this.instance = host.instance
    this.#host = host
    this.#queue = queue
    this.#leave = queue.join(this)
  }

  /** Takes part no more: nothing goes to others, and nothing of theirs comes here. */
  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    for (const link of this.#links.values()) this.#host.detach(link)
    this.#links.clear()
    this.#presences.clear()
    this.#leave()
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
    const sent: Sent = { attempt, instance: undefined, untold: [] }
    this.#sent.set(id, sent)
    const { needs, user: share, isAlone = false, isReplayable } = request
    this.#queue
      .publish({
        ...{ v: 1, id, attempt, tenantId, groupId, applicationId, applicationVersion, needs },
        ...{ excluded, only, share, isAlone, isReplayable, validMs, origin: this.instance, head },
      })
      .catch((): OfferReceipt => 'declined')
      .then((receipt) => this.#received(id, sent, receipt))
  }

  #received(id: ExchangeId, sent: Sent, receipt: OfferReceipt): void {
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
    if (instance === undefined) sent.untold.push(told)
    else this.#queue.tell(instance, told)
    if (!PROGRESS.has(outcome)) this.#sent.delete(id)
  }

  // ── where it is delivered ─────────────────────────────────────────────────────────────────

  /** A link of this instance takes it at once, or nobody here does. */
  offered(envelope: OfferEnvelope): OfferReceipt {
    if (this.#hasLeft) return 'declined'
    const { id, tenantId, groupId, applicationId, share, isAlone, isReplayable } = envelope
    const { needs, only } = envelope
    if (this.#foreign.has(id) || this.#host.request(id) !== undefined) return 'declined'
    const until = this.#host.now() + envelope.validMs
    const foreign = new ForeignOffer(envelope, until, (outcome, connectorId) =>
      this.#returned(envelope, outcome, connectorId),
    )
    this.#foreign.set(id, foreign)
    const group = tenantKey(tenantId, groupId)
    const application = tenantKey(tenantId, applicationId)
    const excluded = [...envelope.excluded, REMOTE]
    this.#host.submit(
      { id, group, application, user: share, isAlone, isReplayable, needs, excluded, only },
      until,
    )
    if (foreign.link === undefined) {
      this.#foreign.delete(id)
      this.#host.outcome(id, 'ended')
      if (!foreign.isRefused) this.#announceAgain(group)
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

  /** The links of a group, or their grants, are others: other instances are told, now and then. */
  changed(group: TenantKey): void {
    if (this.#hasLeft) return
    const last = this.#announced.get(group)
    if (last?.isDue === true) return
    const now = this.#host.now()
    if (last === undefined || now - last.at >= ANNOUNCE_MS) return this.#announce(group)
    last.isDue = true
    this.#host.watch(
      new Later(last.at + ANNOUNCE_MS, () => {
        last.isDue = false
        this.#announce(group)
      }),
    )
  }

  /**
   * What was announced could not be used. Those who were told so wait for another word: it comes
   * when somebody pauses no more, or soon.
   */
  #announceAgain(group: TenantKey): void {
    if (this.#owed.has(group)) return
    this.#owed.add(group)
    const now = this.#host.now()
    let at = now + AGAIN_MS
    for (const { pausedUntil } of this.#host.group(group)?.connectors.values() ?? [])
      if (pausedUntil > now) at = Math.min(at, pausedUntil)
    const again = (): void => {
      this.#owed.delete(group)
      this.changed(group)
    }
    this.#host.watch(new Later(at, again))
  }

  #announce(group: TenantKey): void {
    const [tenantId, groupId] = idsOf(group)
    const features = new Set<string>()
    const connectors = new Set<string>()
    let [offers, granted] = [0, 0]
    for (const { id, links } of this.#host.group(group)?.connectors.values() ?? []) {
      for (const link of links) {
        if (link.isRemote) continue
        connectors.add(id)
        offers += link.offers
        granted += link.granted
        for (const feature of link.features) features.add(feature)
      }
    }
    if (offers === 0) this.#announced.delete(group)
    else this.#announced.set(group, { at: this.#host.now(), isDue: false })
    const { instance } = this
    this.#queue.announce({
      ...{ v: 1, instance, tenantId, groupId, offers, granted },
      ...{ features: [...features], connectors: [...connectors] },
    })
  }
}

/** Outcomes after which the attempt goes on. */
const PROGRESS: ReadonlySet<AttemptOutcome> = new Set(['claimed', 'answered', 'long'])
/** Why nobody here can take an offer however long it waits. */
const FOR_GOOD: ReadonlySet<FailureReason> = new Set([
  'attempts-exhausted',
  'connector-too-old',
  'upgrade-unsupported',
])
/** What an origin never ends is forgotten after so long. Milliseconds. */
const FORGOTTEN_MS = 3_600_000

/** An attempt of another instance's exchange, on a link of this one. */
export class ForeignOffer implements Deadlined {
  readonly envelope: OfferEnvelope
  link: OfferLink | undefined
  /** Nobody here can take it, however long it waits. */
  isRefused = false
  readonly #returned: (outcome: AttemptOutcome, connectorId: string | undefined) => void
  #deadline: number | undefined
  #isClaimed = false

  constructor(envelope: OfferEnvelope, deadline: number, returned: ForeignOffer['returned']) {
    this.envelope = envelope
    this.#deadline = deadline
    this.#returned = returned
  }

  get deadline(): number | undefined {
    return this.#deadline
  }

  offer(link: OfferLink): void {
    this.link = link
    link.offer(this.envelope.head)
  }

  /** It waits here for nobody: its origin tries somewhere else. */
  refuse(reason: FailureReason): void {
    this.isRefused = FOR_GOOD.has(reason)
    this.forget()
  }

  claimed(now: number): void {
    this.#isClaimed = true
    this.#deadline = now + FORGOTTEN_MS
  }

  linkLost(link: OfferLink): void {
    if (this.link === link && !this.#isClaimed) this.returned('lost', link.connectorId)
  }

  declined(connectorId: string, attempt: number, reason: DeclineReason): void {
    if (this.link?.connectorId !== connectorId || attempt !== this.envelope.attempt) return
    if (this.#isClaimed) return
    this.returned(reason === 'unknown-application' ? reason : 'declined', connectorId)
  }

  returned(outcome: AttemptOutcome, connectorId: string | undefined): void {
    this.#returned(outcome, connectorId)
  }

  expire(): void {
    this.forget()
    this.returned(this.#isClaimed ? 'ended' : 'claim-missed', this.link?.connectorId)
  }

  forget(): void {
    this.#deadline = undefined
  }
}

/** Something to do once. */
class Later implements Deadlined {
  readonly #run: () => void
  #deadline: number | undefined

  constructor(deadline: number, run: () => void) {
    this.#deadline = deadline
    this.#run = run
  }

  get deadline(): number | undefined {
    return this.#deadline
  }

  expire(): void {
    this.#deadline = undefined
    this.#run()
  }
}
