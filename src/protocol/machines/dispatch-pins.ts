/**
 * The dispatcher's pins: requests of one affinity go where its connections are, in order while a
 * handshake is under way, and to nobody else.
 *
 * A pin's connections count in its user's share while they are idle as well. Where that is spent,
 * the connection that was idle for the longest gives way.
 *
 * @see pin.ts; spec/PROTOCOL.md, "Connection-bound authentication"
 * @module
 */
import type { HandshakeAnswer } from '../http/connection-handshake.ts'
import { HANDSHAKE_PATIENCE_MS, MAX_PINS, PIN_AGE_MS, PIN_IDLE_MS } from '../wire/limits.ts'
import { hasLinkTo } from './dispatch-choice.ts'
import { forgetUser } from './dispatch-records.ts'
import type { DispatchState, PinRecord, RequestState } from './dispatch-state.ts'
import { isCrowded } from './dispatch-shares.ts'
import type { DispatchRequest, Shares } from './dispatch-values.ts'
import { PIN, type PinEvent } from './pin.ts'
import { stepIn } from './table.ts'

/** The pin of a request's affinity: made when first named. */
export function pinOf(
  state: DispatchState,
  { application: of, affinity }: DispatchRequest,
  { application, user, group }: Pick<RequestState, 'application' | 'user' | 'group'>,
  now: number,
): PinRecord | undefined {
  if (affinity === undefined) return undefined
  const key = pinKey(of, affinity.id)
  let pin = state.pins.get(key)
  // The longest unused stands first.
  if (pin !== undefined) state.pins.delete(key)
  else {
    forgetUnused(state, now)
    user.pins += 1
    pin = {
      ...{ key, state: 'free', group, application, user, connector: undefined },
      ...{ waiting: 0, inFlight: 0, unanswered: 0, sockets: 0 },
      ...{ isShared: affinity.isShared, saidAt: now, usedAt: now },
    }
  }
  pin.usedAt = now
  state.pins.set(key, pin)
  return pin
}

export function pinKey(application: string, affinity: string): string {
  return `${affinity} ${application}`
}

/** The only connector that may be offered a request; undefined: any. */
export function onlyConnector({ request, pin }: RequestState): string | undefined {
  return pin === undefined || pin.state === 'free' ? request.only : pin.connector
}

/** What keeps a request with a pin from being offered now; `lost`: for good. */
export function pinObstacle(
  pin: PinRecord,
  record: RequestState,
  now: number,
): 'lost' | 'held' | undefined {
  if (pin.state === 'lost' || pin.state === 'over') return 'lost'
  if (isElsewhere(pin, now) && move(pin, 'lose')) return 'lost'
  return mayGo(pin, record, now) ? undefined : 'held'
}

/** Its connector is gone, or has closed it by now. */
function isElsewhere(pin: PinRecord, now: number): boolean {
  if (pin.inFlight === 0 && now - pin.saidAt >= PIN_IDLE_MS) return true
  return pin.connector !== undefined && !hasLinkTo(pin.group, pin.connector)
}

/**
 * One user's connection asks for one thing after the other. Where several share an affinity, they
 * do so until their handshakes are over, and what continues one comes first.
 */
function mayGo(pin: PinRecord, { request, waitsSince }: RequestState, now: number): boolean {
  if (!pin.isShared) return pin.inFlight === 0
  if (pin.inFlight >= MAX_PINS || pin.state === 'bound') return pin.inFlight < MAX_PINS
  if (pin.unanswered > 0) return false
  const begins = pin.state === 'free' || request.affinity!.step === 'continues'
  return begins || now - Math.max(pin.saidAt, waitsSince) >= HANDSHAKE_PATIENCE_MS
}

/**
 * Before a request is offered: where idle connections have spent its user's share, one gives way.
 * The request takes over one that its own pin has.
 */
export function makeRoom(state: DispatchState, record: RequestState, shares: Shares): void {
  const { user, pin: own } = record
  if (idlePlaces(own!) > 0 || !isCrowded(record, shares)) return
  for (const pin of state.pins.values()) {
    if (pin.user !== user || pin === own || idlePlaces(pin) === 0) continue
    if (!move(pin, 'lose')) count(pin, () => (pin.sockets = pin.inFlight))
    return
  }
}

// ── what becomes of a request ───────────────────────────────────────────────────────────────

export function pinOffered(pin: PinRecord, connector: string | undefined): void {
  count(pin, () => {
    pin.inFlight += 1
    pin.unanswered += 1
    pin.sockets = Math.max(pin.sockets, pin.inFlight)
  })
  if (connector !== undefined) pin.connector = connector
}

/** The attempt is over. */
export function pinLeft(pin: PinRecord, wasAnswered: boolean, now: number): void {
  count(pin, () => (pin.inFlight -= 1))
  if (!wasAnswered) pin.unanswered -= 1
  pin.saidAt = now
}

/** Its answer's head has come, and shows so much. */
export function pinAnswered(
  record: RequestState,
  answer: HandshakeAnswer | 'switched',
  now: number,
): void {
  const { pin } = record
  if (pin === undefined) return
  pin.saidAt = now
  if (answer !== 'switched') return void move(pin, answer)
  // Its connection is a tunnel, and nobody's to authenticate on any more.
  pinLeft(pin, record.state !== 'claimed', now)
  count(pin, () => (pin.sockets = Math.max(pin.inFlight, pin.sockets - 1)))
  record.pin = undefined
}

/** One of those who waited for a lost connection was told; with the last, all know. */
export function pinRefused({ pin }: RequestState): void {
  if (pin?.state === 'lost' && pin.waiting === 0) move(pin, 'told')
}

export function pinLost({ pin }: RequestState): void {
  if (pin !== undefined) move(pin, 'lose')
}

/** Connectors have gone; whether somebody waits for a connection that went with them. */
export function losePins(state: DispatchState, now: number): boolean {
  let isMissed = false
  for (const pin of state.pins.values())
    if (isElsewhere(pin, now) && move(pin, 'lose')) isMissed ||= pin.waiting > 0
  return isMissed
}

/** Nobody will ask for it again: the user's connection has ended, or its session is another. */
export function forgetPin(state: DispatchState, key: string): void {
  const pin = state.pins.get(key)
  if (pin === undefined) return
  state.pins.delete(key)
  move(pin, 'end')
  pin.user.pins -= 1
  forgetUser(state, pin)
}

function forgetUnused(state: DispatchState, now: number): void {
  for (const pin of state.pins.values()) {
    if (pin.inFlight + pin.waiting > 0 || now - pin.usedAt < PIN_AGE_MS) return
    forgetPin(state, pin.key)
  }
}

/** Moves it along its table; `false`: nothing came of it. */
function move(pin: PinRecord, event: PinEvent): boolean {
  let isMoved = false
  count(pin, () => {
    isMoved = stepIn(PIN, pin, event)
    if (pin.state === 'lost') pin.sockets = pin.inFlight
  })
  return isMoved
}

/** Keeps what its user holds in step with what it holds. */
function count(pin: PinRecord, change: () => void): void {
  const before = idlePlaces(pin)
  change()
  pin.user.pinned += idlePlaces(pin) - before
}

function idlePlaces({ state, sockets, inFlight }: PinRecord): number {
  return state === 'lost' || state === 'over' ? 0 : Math.max(0, sockets - inFlight)
}
