/**
 * Whether a connector answers for an application, and how much it is trusted with.
 *
 * A pair that fails is passed over for a while, which doubles with each failure in a row, and comes
 * back by one probe. What it may hold unanswered begins small and doubles with its answers: a
 * connector that takes requests and says nothing holds few of them. Neither the speed of its
 * answers nor their status, nor the number of its grants, makes a pair more attractive.
 *
 * @see spec/PROTOCOL.md, "Dispatch"
 * @module
 */
import { jittered } from './backoff.ts'
import type { ConnectorState, PairState } from './dispatch-state.ts'
import type { HealthOutcome } from './dispatch-values.ts'
import { ignored, misuse, stepIn, type Table } from './table.ts'

/** `due`: it was passed over long enough, and waits for a request that may be a probe. */
export type PairHealth = 'healthy' | 'passed-over' | 'due' | 'probing'

/** Every state × event pair of a connector's health for one application. */
// prettier-ignore
export const PAIR_HEALTH = {
  //               what became of an attempt                                                    what time and we do
  healthy:       { fault: 'passed-over', answered: 'healthy', inconclusive: ignored, elapsed: misuse, probe: misuse    },
  'passed-over': { fault: 'passed-over', answered: 'healthy', inconclusive: ignored, elapsed: 'due',  probe: misuse    },
  due:           { fault: 'passed-over', answered: 'healthy', inconclusive: ignored, elapsed: misuse, probe: 'probing' },
  probing:       { fault: 'passed-over', answered: 'healthy', inconclusive: 'due',   elapsed: misuse, probe: misuse    },
} as const satisfies Table<
  PairHealth,
  'fault' | 'answered' | 'inconclusive' | 'elapsed' | 'probe'
>

/** Unanswered attempts that a pair may hold at first, and after a fault. */
export const FIRST_RAMP = 4
/** A pair that failed is passed over for so long, doubling. Milliseconds. */
export const PASS_OVER_MS = 1_000
export const LONGEST_PASS_OVER_MS = 30_000
/** A connector without room is not asked for so long, doubling. Milliseconds. */
export const PAUSE_MS = 100
export const LONGEST_PAUSE_MS = 2_000
/** Whatever its duration, an attempt counts for so long: who answers fast attracts no more. */
const COUNTS_MS = 1_000
const TURN_MS = 125
const TURNS = 16

export function newPair(connector: ConnectorState, now: number): PairState {
  return {
    state: 'healthy',
    connector,
    ...{ unanswered: 0, ramp: FIRST_RAMP, heads: 0, load: 0 },
    leaving: new Array<number>(TURNS).fill(0),
    turn: Math.floor(now / TURN_MS),
    ...{ epoch: 0, faults: 0, until: 0, isSafeToProbe: false },
    ...{ lastFault: '', faultAt: -Infinity, answeredAt: -Infinity },
  }
}

/** The health now: a pair that was passed over long enough is due. */
export function healthOf(pair: PairState, now: number): PairHealth {
  if (pair.state === 'passed-over' && now >= pair.until) move(pair, 'elapsed')
  return pair.state
}

/** Whether a request of this kind may be the probe of a pair that is due. */
export function mayProbe(pair: PairState, isReplayable: boolean, now: number): boolean {
  return isReplayable || pair.isSafeToProbe || now - pair.until >= LONGEST_PASS_OVER_MS
}

/** An attempt begins; `true`: it is the pair's probe. */
export function began(pair: PairState, now: number): boolean {
  pair.unanswered += 1
  pair.load += 1
  pair.connector.inFlight += 1
  return healthOf(pair, now) === 'due' && move(pair, 'probe')
}

/** An attempt that began at `beganAt` holds its slot no more. */
export function left(pair: PairState, beganAt: number, now: number): void {
  pair.connector.inFlight -= 1
  turnTo(pair, now)
  const turn = Math.ceil((beganAt + COUNTS_MS) / TURN_MS)
  if (turn > pair.turn) pair.leaving[turn % TURNS]! += 1
  else pair.load -= 1
}

/** What counts of a pair in the choice. */
export function loadOf(pair: PairState, now: number): number {
  turnTo(pair, now)
  return pair.load
}

/** A response head came for an attempt of this `epoch`. */
export function answered(pair: PairState, epoch: number, now: number): void {
  pair.answeredAt = now
  if (epoch !== pair.epoch) return
  move(pair, 'answered')
  pair.faults = 0
  pair.heads += 1
  if (pair.heads < pair.ramp) return
  pair.heads = 0
  const most = offersOf(pair.connector)
  pair.ramp = Math.max(FIRST_RAMP, Math.min(most, pair.ramp * 2))
}

/**
 * An attempt of this `epoch` failed. One fault is told once: attempts that began before it was
 * known say nothing new.
 */
export function failed(
  pair: PairState,
  outcome: Exclude<HealthOutcome, 'answered'>,
  epoch: number,
  now: number,
  random: number,
): void {
  if (epoch !== pair.epoch) return
  move(pair, 'fault')
  pair.epoch += 1
  pair.faults += 1
  pair.lastFault = outcome
  pair.faultAt = now
  pair.ramp = FIRST_RAMP
  pair.heads = 0
  pair.isSafeToProbe = outcome === 'unknown-application' || outcome === 'not-sent'
  const passOverMs = Math.min(LONGEST_PASS_OVER_MS, PASS_OVER_MS * 2 ** (pair.faults - 1))
  pair.until = now + jittered(passOverMs, random)
}

/** A probe ended, and showed nothing. */
export function inconclusive(pair: PairState, epoch: number): void {
  if (epoch === pair.epoch) move(pair, 'inconclusive')
}

/** It has no room, and says so. */
export function pause(connector: ConnectorState, now: number, random: number): void {
  connector.pauses += 1
  const pauseMs = Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** (connector.pauses - 1))
  connector.pausedUntil = now + jittered(pauseMs, random)
}

/** Offers that a connector takes at once, over all its links. */
export function offersOf({ links }: ConnectorState): number {
  let offers = 0
  for (const link of links) offers += link.offers
  return offers
}

function move(pair: PairState, event: keyof (typeof PAIR_HEALTH)['healthy']): boolean {
  return stepIn(PAIR_HEALTH, pair, event)
}

function turnTo(pair: PairState, now: number): void {
  const turn = Math.floor(now / TURN_MS)
  if (turn <= pair.turn) return
  const last = Math.min(turn, pair.turn + TURNS)
  for (let passed = pair.turn + 1; passed <= last; passed++) {
    pair.load -= pair.leaving[passed % TURNS]!
    pair.leaving[passed % TURNS] = 0
  }
  pair.turn = turn
}
