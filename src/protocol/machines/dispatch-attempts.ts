/**
 * One attempt of a request, from its offer to its end: what it holds of the shares, and what it
 * shows of the connector's health.
 *
 * @module
 */
import type { Choice } from './dispatch-choice.ts'
import { pairOf } from './dispatch-choice.ts'
import { answered, began, failed, healthOf, inconclusive, left, pause } from './dispatch-health.ts'
import { beginSecond, countIn } from './dispatch-records.ts'
import { pinLeft, pinLost, pinOffered } from './dispatch-pins.ts'
import { hold, release } from './dispatch-shares.ts'
import { DISPATCHED, type DispatchedState, type RequestState } from './dispatch-state.ts'
import type { AttemptOutcome, Shares } from './dispatch-values.ts'
import { stepIn } from './table.ts'

/** Of an application's attempts of ten seconds, so many may be given up, or this part of them. */
const GIVEN_UP_AT_LEAST = 4
const GIVEN_UP_PART = 0.1

/** The outcomes after which another attempt may be wanted. */
export type AttemptFailure = Exclude<AttemptOutcome, 'claimed' | 'answered' | 'long' | 'ended'>

/** After these the connector is not asked again for this request; after a pause, last. */
const EXCLUDING: ReadonlySet<AttemptFailure> = new Set([
  ...(['declined', 'unknown-application', 'not-sent', 'not-signed-on'] as const),
])

/** Moves a request along its table; `false`: a race, and nothing is to be done. */
export function stepTo(record: RequestState, event: keyof (typeof DISPATCHED)['waiting']): boolean {
  return stepIn(DISPATCHED, record, event)
}

export function offerTo(
  record: RequestState,
  { link, pair }: Choice,
  shares: Shares,
  now: number,
): void {
  stepTo(record, 'offer')
  record.link = link
  record.offeredAt = now
  link.granted -= 1
  link.group.granted -= 1
  if (pair !== undefined) begin(record, pair, now)
  hold(record, shares)
  if (record.pin !== undefined) pinOffered(record.pin, pair?.connector.id)
  beginSecond(record.application, now)
  record.application.begun[0]! += 1
}

/** `connector`: who it was, where another instance delivered it. */
export function claimedBy(record: RequestState, connector: string | undefined, now: number): void {
  if (!stepTo(record, 'claim')) return
  record.claimedAt = now
  record.link!.connector.pauses = 0
  if (record.pair !== undefined || connector === undefined) return
  if (record.pin !== undefined) record.pin.connector = connector
  const claimer = record.group.connectors.get(connector)
  if (claimer !== undefined) begin(record, pairOf(claimer, record.request.application, now), now)
}

export function answeredAt(record: RequestState, now: number): void {
  const { pair, epoch, pin } = record
  if (!stepTo(record, 'answer')) return
  if (pin !== undefined) pin.unanswered -= 1
  if (pair === undefined) return
  pair.unanswered -= 1
  answered(pair, epoch, now)
}

/** Beyond what its link carries beside the offers, it keeps its slot. */
export function becameLong(record: RequestState, shares: Shares, now: number): void {
  const { link } = record
  if (link === undefined || link.long >= link.streams || !stepTo(record, 'long')) return
  link.long += 1
  releaseSlot(record, shares, now)
}

/** `connector`: who it was, where another instance delivered it and it is known. */
export function failedBy(
  record: RequestState,
  failure: AttemptFailure,
  connector: string | undefined,
  shares: Shares,
  now: number,
  random: number,
): void {
  const { state: from, link, pair, epoch } = record
  if (!stepTo(record, 'fail')) return
  leave(record, from, shares, now)
  if (failure === 'given-up') {
    record.wasGivenUp = true
    beginSecond(record.application, now)
    record.application.givenUp[0]! += 1
  }
  const isPause = failure === 'declined'
  // One connector of another instance pauses there, and needs no pause here.
  if (isPause && pair !== undefined) pause(pair.connector, now, random)
  if (isPause && pair === undefined && connector === undefined) wasInVain(record, link!.link)
  // That its own connection is gone says nothing of the connector.
  const isPinLost = failure === 'pin-lost'
  if (isPinLost) pinLost(record)
  if (pair !== undefined) {
    if (failure !== 'declined' && failure !== 'not-signed-on' && !isPinLost)
      failed(pair, failure, epoch, now, random)
    else if (record.isProbe) inconclusive(pair, epoch)
  }
  const refuser = pair?.connector.id ?? connector
  if (refuser === undefined) return
  if (EXCLUDING.has(failure))
    record.excluded = [...record.excluded, { connector: refuser, isPause }]
}

/** No other instance could put it on a link. */
function wasInVain(record: RequestState, link: number): void {
  record.vainTries = record.vainLink === link ? record.vainTries + 1 : 1
  record.vainLink = link
}

/** It is over, in whatever way; one that waits is to leave the queue first. */
export function endedAt(record: RequestState, shares: Shares, now: number): void {
  const { state: from, pair, epoch, isProbe } = record
  if (!stepTo(record, 'end') || from === 'waiting' || from === 'returned') return
  leave(record, from, shares, now)
  if (pair !== undefined && isProbe) inconclusive(pair, epoch)
}

/**
 * Whether a replayable request that was claimed and not answered may be given to another connector:
 * once, while the pair has answered nothing since, and few are given up.
 */
export function mayBeGivenUp(record: RequestState, now: number): boolean {
  const { application, pair, state, wasGivenUp, request } = record
  if (state !== 'claimed' || wasGivenUp || !request.isReplayable || pair === undefined) return false
  if (pair.answeredAt >= record.claimedAt) return false
  beginSecond(application, now)
  const most = Math.max(GIVEN_UP_AT_LEAST, countIn(application.begun) * GIVEN_UP_PART)
  return countIn(application.givenUp) < most && hasOther(record, now)
}

/** Whether another connector is there that is well, as far as is known. */
function hasOther({ group, request, pair: own }: RequestState, now: number): boolean {
  for (const connector of group.connectors.values()) {
    if (connector === own!.connector || connector.links.length === 0) continue
    const pair = connector.pairs.get(request.application)
    if (pair === undefined || healthOf(pair, now) === 'healthy') return true
  }
  return false
}

function begin(record: RequestState, pair: NonNullable<RequestState['pair']>, now: number): void {
  record.pair = pair
  record.isProbe = began(pair, now)
  record.epoch = pair.epoch
}

/** The attempt is over: what it held is free. */
function leave(record: RequestState, from: DispatchedState, shares: Shares, now: number): void {
  const { link, pair, pin } = record
  const isUnanswered = from === 'offered' || from === 'claimed'
  if (pin !== undefined) pinLeft(pin, !isUnanswered, now)
  if (pair !== undefined && isUnanswered) pair.unanswered -= 1
  if (from === 'long') link!.long -= 1
  else releaseSlot(record, shares, now)
  record.link = undefined
  record.pair = undefined
}

function releaseSlot(record: RequestState, shares: Shares, now: number): void {
  release(record, shares)
  if (record.pair !== undefined) left(record.pair, record.offeredAt, now)
}
