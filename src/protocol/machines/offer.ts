/**
 * An exchange on offer, held by its origin: the cloud instance that holds the user.
 *
 * The origin alone owns its deadlines, its attempts and its outcome. A claim is valid for the
 * current attempt only. What was claimed is offered again when the connector says that it sent
 * nothing of it, whatever the method; and while no answer has begun, a replayable request whose
 * link died, or, once, whose connector is silent. Of a request that is not replayable a second
 * confirmation is said only after NOT_SENT of the first, so it runs at most once.
 *
 * Each input returns one {@link OfferEffect}, which the driver performs.
 *
 * @see spec/PROTOCOL.md, "Offers"
 * @module
 */
import type { DeliveryFacts } from './delivery.ts'
import type { FailureReason } from '../wire/errors.ts'
import { MAX_ATTEMPTS, type TimeLimits } from '../wire/limits.ts'
import { OFFER, type OfferEvent, type OfferState } from './offer-table.ts'
import { Machine, type Saved } from './table.ts'

/** What an offer remembers beside its state. */
export interface OfferMemory {
  /** The number of the latest attempt; 0 before the first. */
  attempt: number
  /** Attempts that it has left: neither DECLINE nor NOT_SENT uses one up. */
  attemptsLeft: number
  /** Who has the latest attempt. */
  connector: string
  /** Whether the latest attempt must be confirmed before the application is called. */
  waitsForConfirm: boolean
  /** Connectors that have declined it, or could not send it: it is not offered to them again. */
  excluded: readonly string[]
  /** When the time that it may be unclaimed was last reckoned. */
  since: number
  /** What was left of that time then, over all attempts. Milliseconds. */
  unclaimedMs: number
  /** When to call {@link OfferEntry.expire}; null: a claimed one that is not given up. */
  deadline: number | null
  /** Until when its answer must have begun; null before the first claim. */
  answerBy: number | null
  /** Whether the application may have got any of an earlier attempt. */
  mayHaveBegun: boolean
  hasGivenUp: boolean
  /** What kept it from being taken last: what its user is told when nobody takes it. */
  trouble: FailureReason | null
}

/** All that an offer knows. */
export type SavedOffer = Saved<OfferState, OfferMemory>

/** Limits of an offer. */
export type OfferLimits = Pick<TimeLimits, 'queueWaitMs' | 'claimMs' | 'answerPatienceMs'>

/**
 * What the driver must do.
 *
 * - `none`: nothing changes; what was said is of an attempt that is over.
 * - `start`, `confirm`: the claim counts, and is confirmed with CONFIRM or needs none.
 * - `gone`: the claim does not count.
 * - `resubmit`: another connector is wanted.
 * - `silent`: no answer has begun for long; the dispatcher decides about {@link OfferEntry.giveUp}.
 * - `give-up`: the exchange of the latest attempt is cancelled, and then another connector is
 *   wanted.
 * - `fail`: nobody has taken it; {@link OfferEntry.failure} is what its user is told.
 * - `end`: the outcome of its exchange is the outcome.
 */
export type OfferEffect =
  'none' | 'start' | 'confirm' | 'gone' | 'resubmit' | 'silent' | 'give-up' | 'fail' | 'end'

/** How long after a refusal it is asked again whether a claim may be given up. Milliseconds. */
export const ASK_AGAIN_MS = 1_000

/** One exchange on the queue of a connector group. */
export class OfferEntry {
  readonly #machine: Machine<OfferState, OfferEvent, OfferMemory>
  readonly #memory: OfferMemory
  readonly #limits: OfferLimits
  readonly #isReplayable: boolean
  readonly #responseHeadMs: number

  /** @param now monotonic milliseconds, here and everywhere */
  constructor(limits: OfferLimits, isReplayable: boolean, responseHeadMs: number, now: number) {
    this.#machine = new Machine<OfferState, OfferEvent, OfferMemory>(
      OFFER,
      'waiting',
      new FreshOffer(limits, now),
    )
    this.#memory = this.#machine.memory
    this.#limits = limits
    this.#isReplayable = isReplayable
    this.#responseHeadMs = responseHeadMs
  }

  get state(): OfferState {
    return this.#machine.state
  }

  /** The number of the latest attempt; 0 before the first. */
  get attempt(): number {
    return this.#memory.attempt
  }

  /** Who has the latest attempt, or had it. */
  get connector(): string {
    return this.#memory.connector
  }

  /** Connectors that it is not offered to again. */
  get excluded(): readonly string[] {
    return this.#memory.excluded
  }

  /** When to {@link expire}. */
  get deadline(): number {
    return this.#memory.deadline ?? Infinity
  }

  /** Whole milliseconds left to claim the attempt that was just offered. */
  remainingMs(now: number): number {
    return Math.max(1, Math.ceil(this.deadline - now))
  }

  /** Whole milliseconds left to the response head. */
  answerMs(now: number): number {
    const { answerBy } = this.#memory
    return answerBy === null ? this.#responseHeadMs : Math.max(1, Math.ceil(answerBy - now))
  }

  /** What its user is told when nobody has taken it. */
  get failure(): FailureReason {
    return this.#memory.trouble ?? 'no-connector'
  }

  /** Whether the application may have got any of it. */
  get delivery(): DeliveryFacts {
    const { state } = this.#machine
    const { mayHaveBegun, waitsForConfirm } = this.#memory
    const isClaimed = state === 'claimed' || state === 'confirmed'
    return {
      isClaimed: isClaimed || state === 'answering' || state === 'done',
      mayHaveBegun: mayHaveBegun || (state === 'offered' && !waitsForConfirm),
    }
  }

  // ── what the dispatcher decides, and what its user does ───────────────────────────────────

  /**
   * A link of `connector` takes it, and must claim it within `claimMs`. Returns the number of this
   * attempt.
   *
   * @param isRemote whether it travels over another instance: then its claim waits for CONFIRM,
   *   even of a replayable request
   * @param event `prepare`: what the attempt carries is made first, and that is told by {@link
   *   say}, {@link withhold} or {@link spoil}
   */
  offer(
    connector: string,
    isRemote: boolean,
    claimMs: number,
    now: number,
    event: 'offer' | 'prepare' = 'offer',
  ): number {
    const memory = this.#memory
    this.#machine.step(memory.excluded.includes(connector) ? 'repeat' : event)
    this.#reckon(now)
    memory.deadline = now + Math.min(claimMs, memory.unclaimedMs)
    memory.connector = connector
    memory.waitsForConfirm = isRemote || !this.#isReplayable
    memory.attemptsLeft -= 1
    memory.attempt += 1
    return memory.attempt
  }

  /** What it carries is made. `false`: it is over, and the link is told nothing of it. */
  say(attempt: number): boolean {
    return this.#isLatest(attempt) && this.#machine.step('say')
  }

  /** Its link takes no offers any more, and was told nothing: it wants another one. */
  withhold(attempt: number, now: number): OfferEffect {
    if (!this.#isLatest(attempt) || !this.#machine.step('withhold')) return 'none'
    this.#reckon(now)
    this.#memory.attemptsLeft += 1
    return this.#goesOn(now)
  }

  /** What it carries cannot be made. `false`: it is over anyhow. */
  spoil(attempt: number): boolean {
    return this.#isLatest(attempt) && this.#machine.step('spoil')
  }

  /** The dispatcher has nobody for it. */
  refuse(reason: FailureReason): OfferEffect {
    if (!this.#machine.step('refuse')) return 'none'
    this.#memory.trouble ??= reason
    return 'fail'
  }

  /** Its user went away. `false`: it was over. */
  cancel(): boolean {
    return this.#machine.step('cancel')
  }

  /**
   * The {@link deadline} passed.
   */
  expire(now: number): OfferEffect {
    const memory = this.#memory
    const { state } = this.#machine
    if (state === 'claimed' || state === 'confirmed') {
      memory.deadline = now + ASK_AGAIN_MS
      return 'silent'
    }
    if (state === 'offered') {
      this.#reckon(now)
      memory.trouble = 'claim-timeout'
      memory.mayHaveBegun ||= !memory.waitsForConfirm
      if (memory.attemptsLeft > 0 && memory.unclaimedMs > 0) {
        this.#machine.step('missed')
        return this.#goesOn(now)
      }
    }
    if (state === 'preparing') memory.trouble = 'sign-on-failed'
    return this.#machine.step('expire') ? 'fail' : 'none'
  }

  /** The connector that claimed it is silent, and few are given up. */
  giveUp(now: number): OfferEffect {
    const memory = this.#memory
    if (!this.#machine.step(this.#mayBeGivenUp ? 'giveUp' : 'keep')) return 'none'
    memory.hasGivenUp = true
    memory.mayHaveBegun = true
    this.#goesOn(now)
    return 'give-up'
  }

  // ── what the connectors say ───────────────────────────────────────────────────────────────

  /** `connector` claims attempt `attempt`. */
  claim(attempt: number, connector: string, now: number): OfferEffect {
    const memory = this.#memory
    const isCurrent = attempt === memory.attempt
    if (!this.#machine.step(isCurrent ? (this.#isReplayable ? 'claim' : 'confirm') : 'late'))
      return 'gone'
    this.#reckon(now)
    memory.connector = connector
    memory.answerBy ??= now + this.#responseHeadMs
    memory.deadline = this.#mayBeGivenUp ? now + this.#limits.answerPatienceMs : null
    return memory.waitsForConfirm ? 'confirm' : 'start'
  }

  /**
   * The connector that was offered attempt `attempt` does not take it.
   *
   * @param mayAskAgain it only had no room: the dispatcher comes back to it where nobody else is
   *   left
   * @param connector who it was, where another instance chose it
   */
  declined(attempt: number, now: number, mayAskAgain = false, connector?: string): OfferEffect {
    const memory = this.#memory
    if (!this.#machine.step(attempt === memory.attempt ? 'decline' : 'late')) return 'none'
    if (connector !== undefined) memory.connector = connector
    this.#reckon(now)
    // Want of room is no trouble of the request's: it is told as such, if it is the last word.
    if (!mayAskAgain) memory.trouble = 'attempts-exhausted'
    return this.#goesToAnother(now, mayAskAgain)
  }

  /** An interim answer came, or the response head. */
  began(): void {
    this.#machine.step('begin')
    this.#memory.deadline = null
  }

  // ── what became of the latest attempt ─────────────────────────────────────────────────────

  /** The link that carried it died. */
  linkLost(now: number): OfferEffect {
    const memory = this.#memory
    if (this.#machine.state === 'preparing') return this.withhold(memory.attempt, now)
    if (!this.#machine.step(memory.attemptsLeft > 0 ? 'unlinked' : 'spent')) return 'none'
    this.#reckon(now)
    return this.#isLost(now, !memory.waitsForConfirm)
  }

  /** Its exchange was lost with the transport. */
  exchangeLost(now: number): OfferEffect {
    if (!this.#machine.step(this.#memory.attemptsLeft > 0 ? 'lost' : 'exhausted')) return 'none'
    return this.state === 'done' ? 'end' : this.#isLost(now, true)
  }

  /**
   * The connector has sent nothing of it.
   *
   * @param reason what kept it from the application
   * @param isKept whether all that was sent of its body can be sent again
   */
  notSent(reason: FailureReason, isKept: boolean, now: number): OfferEffect {
    const memory = this.#memory
    const isInTime = memory.answerBy === null || memory.answerBy > now
    if (!this.#machine.step(isKept && isInTime ? 'notSent' : 'unkept')) return 'none'
    memory.trouble = reason
    return this.state === 'failed' ? 'fail' : this.#goesToAnother(now)
  }

  /** Its exchange is over in any other way. */
  ended(): OfferEffect {
    return this.#machine.step('end') ? 'end' : 'none'
  }

  /** All that it knows. */
  save(): SavedOffer {
    return this.#machine.save()
  }

  /** Becomes the offer that was saved. */
  restore(saved: SavedOffer): void {
    this.#machine.restore(saved)
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #isLatest(attempt: number): boolean {
    return attempt === this.#memory.attempt
  }

  get #mayBeGivenUp(): boolean {
    const { hasGivenUp, attemptsLeft } = this.#memory
    return this.#isReplayable && !hasGivenUp && attemptsLeft > 0
  }

  /** Time since it was last reckoned is time without a claim. */
  #reckon(now: number): void {
    const memory = this.#memory
    memory.unclaimedMs -= now - memory.since
    memory.since = now
  }

  #isLost(now: number, mayHaveBegun: boolean): OfferEffect {
    const memory = this.#memory
    memory.mayHaveBegun ||= mayHaveBegun
    memory.trouble = this.state === 'failed' ? 'attempts-exhausted' : null
    return this.state === 'failed' ? 'fail' : this.#goesOn(now)
  }

  /** That attempt does not count, and its connector is not asked again unless it may be. */
  #goesToAnother(now: number, mayAskAgain = false): OfferEffect {
    const memory = this.#memory
    if (!mayAskAgain) memory.excluded = [...memory.excluded, memory.connector]
    memory.attemptsLeft += 1
    return this.#goesOn(now)
  }

  #goesOn(now: number): OfferEffect {
    const memory = this.#memory
    memory.since = now
    memory.deadline = now + Math.min(this.#limits.queueWaitMs, memory.unclaimedMs)
    return 'resubmit'
  }
}

const NOBODY: readonly string[] = []

class FreshOffer implements OfferMemory {
  attempt = 0
  attemptsLeft = MAX_ATTEMPTS
  connector = ''
  waitsForConfirm = false
  excluded = NOBODY
  answerBy: number | null = null
  mayHaveBegun = false
  hasGivenUp = false
  trouble: FailureReason | null = null
  since: number
  unclaimedMs: number
  deadline: number | null

  constructor({ queueWaitMs, claimMs }: OfferLimits, now: number) {
    this.since = now
    this.unclaimedMs = queueWaitMs + claimMs
    this.deadline = now + queueWaitMs
  }
}
