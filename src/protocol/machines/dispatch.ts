/**
 * The dispatcher: which connector is offered which request, and when.
 *
 * A pure machine. Each input comes with the time, and what is decided are values that wait in
 * {@link Dispatcher.decisions}; after each input the driver performs them, and it gives a `tick` at
 * {@link Dispatcher.deadline}. It holds no request, no link and no user: only their names and
 * counts.
 *
 * - dispatch-choice.ts: which connector
 * - dispatch-pins.ts: whose connections are one user's alone
 * - dispatch-health.ts: who is passed over, and how much a connector is trusted with
 * - dispatch-shares.ts: who waits, and what an application and a user may hold
 * - dispatch-refusal.ts: what those are told who waited in vain
 *
 * An input costs as much as the group has connectors, and applications that wait; the number of
 * requests that wait does not matter.
 *
 * @see spec/PROTOCOL.md, "Dispatch"
 * @module
 */
import type { HandshakeAnswer } from '../http/connection-handshake.ts'
import type { ExchangeId } from '../wire/frame-types.ts'
import type { FailureReason } from '../wire/errors.ts'
import { TIME_LIMITS } from '../wire/limits.ts'
import {
  answeredAt,
  becameLong,
  claimedBy,
  endedAt,
  failedBy,
  mayBeGivenUp,
  offerTo,
  stepTo,
} from './dispatch-attempts.ts'
import { choiceFor, isHopeless, pairOf, type Choice, type NoChoice } from './dispatch-choice.ts'
import { answered, failed } from './dispatch-health.ts'
import { refusalOf, retryAfterMs, SPENT } from './dispatch-refusal.ts'
import {
  forgetPin,
  losePins,
  makeRoom,
  onlyConnector,
  pinAnswered,
  pinKey,
  pinObstacle,
  pinOf,
  pinRefused,
} from './dispatch-pins.ts'
import {
  forgetIdle,
  forgetRequest,
  linkAttached,
  nextRandom,
  recordOf,
} from './dispatch-records.ts'
import {
  dequeue,
  endTurn,
  enqueue,
  hasBefore,
  heads,
  noRoomToWait,
  rebound,
  spentShare,
} from './dispatch-shares.ts'
import {
  newDispatchState,
  type DispatchState,
  type GroupState,
  type RequestState,
} from './dispatch-state.ts'
import { slotGet, slotValues } from './slot-map.ts'
import {
  SHARES,
  type AttemptOutcome,
  type DispatchDecision,
  type DispatchInput,
  type DispatchLink,
  type DispatchOptions,
  type DispatchRequest,
  type HealthOutcome,
  type Shares,
} from './dispatch-values.ts'

/** A claim must come so soon while another connector could take the request. Milliseconds. */
export const QUICK_CLAIM_MS = 1_000
/** Waiting requests are looked at so often, whatever else happens. Milliseconds. */
const TICK_MS = 50

const NOTHING: readonly DispatchDecision[] = []

export class Dispatcher {
  readonly #shares: Shares
  readonly #claimMs: number
  readonly #state: DispatchState

  /** @param state goes on from there; see dispatch-state.ts */
  constructor(options: DispatchOptions = {}, state?: DispatchState) {
    this.#shares = options.shares ?? SHARES
    this.#claimMs = options.claimMs ?? TIME_LIMITS.claimMs
    this.#state = state ?? newDispatchState((options.seed ?? 1) >>> 0)
  }

  /** All there is; it changes with each input. */
  get state(): DispatchState {
    return this.#state
  }

  /** When to {@link tick}: `Infinity` while nothing waits. Monotonic milliseconds. */
  get deadline(): number {
    return this.#state.waiting === 0 ? Infinity : this.#state.tickedAt + TICK_MS
  }

  /** What was decided since this was last asked, in order. */
  decisions(): readonly DispatchDecision[] {
    const { decisions } = this.#state
    if (decisions.length === 0) return NOTHING
    this.#state.decisions = []
    return decisions
  }

  /** Any input, as a value. */
  handle(input: DispatchInput, now: number): void {
    switch (input.type) {
      case 'submit':
        return this.submit(input.request, input.waitUntil, now)
      case 'resubmit':
        return this.resubmit(input.id, input.waitUntil, now)
      case 'withdraw':
        return this.withdraw(input.id, now)
      case 'outcome':
        return this.outcome(input.id, input.outcome, now, input.connector)
      case 'authentication':
        return this.authentication(input.id, input.answer, now)
      case 'part':
        return this.part(input.application, input.affinity)
      case 'observed':
        return this.observed(input, now)
      case 'attach':
        return this.attach(input.link, now)
      case 'granted':
        return this.granted(input.link, input.offers, now)
      case 'detach':
        return this.detach(input.link, now)
      case 'tick':
        return this.tick(now)
    }
  }

  // ── requests ──────────────────────────────────────────────────────────────────────────────

  submit(request: DispatchRequest, waitUntil: number, now: number): void {
    const record = recordOf(this.#state, request, now)
    if (request.affinity !== undefined) record.pin = pinOf(this.#state, request, record, now)
    this.#seek(record, waitUntil, now)
  }

  resubmit(id: ExchangeId, waitUntil: number, now: number): void {
    const record = slotGet(this.#state.requests, id)
    if (record?.state !== 'returned') return
    record.sequence = ++this.#state.sequence
    record.waitsSince = now
    this.#seek(record, waitUntil, now)
  }

  withdraw(id: ExchangeId, now: number): void {
    this.outcome(id, 'ended', now)
  }

  /**
   * What became of the current attempt. `connector`: who it was, where another instance delivered
   * it and it is known.
   */
  outcome(id: ExchangeId, outcome: AttemptOutcome, now: number, connector?: string): void {
    const record = slotGet(this.#state.requests, id)
    if (record === undefined) return
    switch (outcome) {
      case 'claimed':
        claimedBy(record, connector, now)
        break
      case 'answered':
        answeredAt(record, now)
        break
      case 'long':
        becameLong(record, this.#shares, now)
        break
      case 'ended':
        if (record.state === 'waiting') this.#waitsNoMore(record)
        endedAt(record, this.#shares, now)
        forgetRequest(this.#state, record)
        break
      default:
        failedBy(record, outcome, connector, this.#shares, now, nextRandom(this.#state))
    }
    this.#fill(record.group, now)
  }

  /**
   * Whether a request that was claimed and not answered may be given to another connector: once,
   * while the pair has answered nothing since, and few are given up.
   */
  mayGiveUp(id: ExchangeId, now: number): boolean {
    const record = slotGet(this.#state.requests, id)
    return record !== undefined && mayBeGivenUp(record, now)
  }

  /** What the answer to a request with an affinity shows; to be said before `answered`. */
  authentication(id: ExchangeId, answer: HandshakeAnswer | 'switched', now: number): void {
    const record = slotGet(this.#state.requests, id)
    if (record !== undefined) pinAnswered(record, answer, now)
  }

  /** Nobody will ask for an affinity of an application again. */
  part(application: string, affinity: string): void {
    forgetPin(this.#state, pinKey(application, affinity))
  }

  // ── links ─────────────────────────────────────────────────────────────────────────────────

  attach(link: DispatchLink, now: number): void {
    const group = linkAttached(this.#state, link, now)
    rebound(group, this.#shares)
    this.#fill(group, now)
  }

  granted(id: number, offers: number, now: number): void {
    const link = this.#state.links.get(id)
    if (link === undefined) return
    link.granted += offers
    link.group.granted += offers
    this.#fill(link.group, now)
  }

  /** It takes no offers any more; what it was offered is told request by request. */
  detach(id: number, now: number): void {
    const link = this.#state.links.get(id)
    if (link === undefined) return
    const { group, connector } = link
    this.#state.links.delete(id)
    link.isAttached = false
    connector.links.splice(connector.links.indexOf(link), 1)
    connector.goneAt = now
    group.capacity -= link.offers
    group.granted -= link.granted
    rebound(group, this.#shares)
    if (this.#state.pins.size > 0 && losePins(this.#state, now)) this.#tellLost(now)
    forgetIdle(this.#state, group, now)
  }

  /** What another instance has seen of a connector. */
  observed(
    seen: {
      readonly group: string
      readonly application: string
      readonly connector: string
      readonly outcome: HealthOutcome
    },
    now: number,
  ): void {
    const group = this.#state.groups.get(seen.group)
    const connector = group?.connectors.get(seen.connector)
    if (group === undefined || connector === undefined) return
    const pair = pairOf(connector, seen.application, now)
    if (seen.outcome === 'answered') answered(pair, pair.epoch, now)
    else failed(pair, seen.outcome, pair.epoch, now, nextRandom(this.#state))
    this.#fill(group, now)
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────

  tick(now: number): void {
    const state = this.#state
    state.tickedAt = now
    for (const [turn, records] of state.waits) {
      // Of a turn that has begun some waits are over: nobody else may tell them first, and wrongly.
      if ((turn - 1) * TICK_MS >= now) continue
      if (turn * TICK_MS <= now) state.waits.delete(turn)
      for (const record of records)
        if (record.state === 'waiting' && record.waitUntil <= now) this.#turnAway(record, now)
    }
    for (const group of state.groups.values()) if (group.waiting > 0) this.#fill(group, now)
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** Offers it at once, if it may be and nobody waits before it; else it waits. */
  #seek(record: RequestState, waitUntil: number, now: number): void {
    record.waitUntil = waitUntil
    stepTo(record, 'resubmit')
    let obstacle: NoChoice | 'share' = 'share'
    if (!hasBefore(record) && spentShare(record, this.#shares) === undefined) {
      const choice = this.#choose(record, now)
      if (typeof choice !== 'string') return this.#offer(record, choice, now)
      obstacle = choice
    }
    if (waitUntil <= now || isHopeless(obstacle))
      return this.#refuse(record, refusalOf(record, obstacle, spentShare(record, this.#shares)))
    const spent = noRoomToWait(record, this.#shares)
    if (spent !== undefined) return this.#refuse(record, SPENT[spent])
    enqueue(record, this.#shares)
    if (record.pin !== undefined) record.pin.waiting += 1
    if (this.#state.waiting === 0) this.#state.tickedAt = now
    this.#state.waiting += 1
    this.#waitsOn(record)
  }

  #waitsOn(record: RequestState): void {
    const turn = Math.ceil(record.waitUntil / TICK_MS)
    const records = this.#state.waits.get(turn)
    if (records === undefined) this.#state.waits.set(turn, [record])
    else records.push(record)
  }

  /** Everybody who can be offered something is, each application and each user in turn. */
  #fill(group: GroupState, now: number): void {
    let vain = 0
    while (group.granted > 0 && vain < group.ready.size) {
      const [application] = group.ready
      if (this.#offerOneOf(heads(application!), now)) vain = 0
      else {
        vain += 1
        // Its turn is over, even so.
        if (group.ready.delete(application!) && application!.waiting > 0)
          group.ready.add(application!)
      }
    }
  }

  #offerOneOf(candidates: readonly RequestState[], now: number): boolean {
    for (const record of candidates) {
      if (record.waitUntil <= now) {
        this.#turnAway(record, now)
        return true
      }
      const choice = this.#choose(record, now)
      if (typeof choice === 'string' && isHopeless(choice)) {
        this.#turnAway(record, now)
        return true
      }
      if (typeof choice === 'string') continue
      this.#waitsNoMore(record)
      endTurn(record)
      this.#offer(record, choice, now)
      return true
    }
    return false
  }

  /** One with a pin goes where that is, when its turn has come. */
  #choose(record: RequestState, now: number): Choice | NoChoice {
    const { pin, group } = record
    if (pin === undefined) return choiceFor(group, record, record.request.only, now)
    const obstacle = pinObstacle(pin, record, now)
    if (obstacle !== undefined) return obstacle
    return choiceFor(group, record, onlyConnector(record), now)
  }

  #offer(record: RequestState, choice: Choice, now: number): void {
    if (record.pin !== undefined) makeRoom(this.#state, record, this.#shares)
    offerTo(record, choice, this.#shares, now)
    choice.link.connector.chosen = ++this.#state.sequence
    const claimMs = choice.hasOther ? Math.min(QUICK_CLAIM_MS, this.#claimMs) : this.#claimMs
    const { link } = choice.link
    const isPinned = record.pin !== undefined && record.pin.state !== 'free'
    this.#state.decisions.push({ type: 'offer', id: record.request.id, link, claimMs, isPinned })
  }

  /** Those who wait for a connection that is gone. */
  #tellLost(now: number): void {
    for (const record of slotValues(this.#state.requests))
      if (record.state === 'waiting' && record.pin?.state === 'lost') this.#turnAway(record, now)
  }

  /** It waits no more, and is told why. */
  #turnAway(record: RequestState, now: number): void {
    const choice = this.#choose(record, now)
    const spent = spentShare(record, this.#shares)
    this.#waitsNoMore(record)
    this.#refuse(record, refusalOf(record, typeof choice === 'string' ? choice : 'busy', spent))
  }

  #waitsNoMore(record: RequestState): void {
    dequeue(record)
    if (record.pin !== undefined) record.pin.waiting -= 1
    this.#state.waiting -= 1
  }

  #refuse(record: RequestState, reason: FailureReason): void {
    stepTo(record, 'refuse')
    pinRefused(record)
    forgetRequest(this.#state, record)
    const { id } = record.request
    const decision = { type: 'refuse', id, reason, retryAfterMs: retryAfterMs(reason) } as const
    this.#state.decisions.push(decision)
  }
}
