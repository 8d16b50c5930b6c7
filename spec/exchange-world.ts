/**
 * Both ends of one exchange, with a queue of frames each way: what {@link explore} walks through.
 *
 * @module
 */
import {
  Exchange,
  REQUESTER,
  RESPONDER,
  ResetCode,
  type ExchangeHandler,
  type ExchangeWire,
  type ResponseHead,
  type SavedExchange,
} from '../src/protocol/internal.ts'
import { ignoredBy, move, optional } from './body-world.ts'
import type { Exploration, Move } from './explore.ts'

/** What an exchange carries, in bytes; `upgrade` makes the request one that asks for another protocol. */
export interface ExchangeBounds {
  readonly requestBytes: number
  readonly responseBytes: number
  readonly windowBytes: number
  readonly upgrade?: boolean
}

type Frame =
  | { type: 'informational' | 'respond' | 'upgrade'; end: boolean }
  | { type: 'data'; bytes: number; end: boolean }
  | { type: 'credit'; bytes: number }
  | { type: 'stop' | 'reset'; code: ResetCode }

/** What one end's application has done and seen. */
interface Beside {
  /** What it has said and the peer has not heard. */
  readonly outbox: readonly Frame[]
  readonly remaining: number
  readonly hasEnded: boolean
  readonly hasStopped: boolean
  readonly wasStopped: boolean
  readonly sawEnd: boolean
  readonly outcome: string
}

interface End {
  readonly exchange: Exchange
  /** Replaced, never changed: a saved world may share it. */
  beside: Beside
}

interface ExchangeWorld {
  readonly requester: End
  readonly responder: End
  informed: boolean
  isLost: boolean
}

interface SavedExchangeWorld {
  readonly requester: SavedEnd
  readonly responder: SavedEnd
  readonly informed: boolean
  readonly isLost: boolean
}

interface SavedEnd {
  readonly exchange: SavedExchange
  readonly beside: Beside
}

/** No clock is needed: an expiry is a move like any other. */
const NOW = 0

export function exchangeExploration(
  bounds: ExchangeBounds,
): Exploration<ExchangeWorld, SavedExchangeWorld> {
  return {
    initial: () => initial(bounds),
    save: ({ requester, responder, informed, isLost }) => ({
      requester: saveEnd(requester),
      responder: saveEnd(responder),
      informed,
      isLost,
    }),
    restore: (world, { requester, responder, informed, isLost }) => {
      restoreEnd(world.requester, requester)
      restoreEnd(world.responder, responder)
      world.informed = informed
      world.isLost = isLost
    },
    moves: (world) => [
      ...bodyMoves(world, world.requester, bounds),
      ...requesterMoves(world),
      ...bodyMoves(world, world.responder, bounds),
      ...responderMoves(world, bounds),
      ...transportMoves(world),
    ],
    isFinal: ({ requester, responder }) =>
      requester.exchange.isClosed && responder.exchange.isClosed,
    check: (world) => fault(world, bounds),
  }
}

const saveEnd = ({ exchange, beside }: End): SavedEnd => ({ exchange: exchange.save(), beside })

function restoreEnd(end: End, { exchange, beside }: SavedEnd): void {
  end.exchange.restore(exchange)
  end.beside = beside
}

function change(end: End, what: Partial<Beside>): void {
  end.beside = { ...end.beside, ...what }
}

function initial({
  requestBytes,
  responseBytes,
  windowBytes,
  upgrade,
}: ExchangeBounds): ExchangeWorld {
  const end = (role: 'requester' | 'responder', remaining: number): End => {
    const exchange = new Exchange(
      wireOf(() => made),
      handler(() => made),
      {
        role,
        now: NOW,
        requestBody: requestBytes > 0 && upgrade !== true,
        // An upgrade's request body has no window before the 101.
        sendCreditBytes: role === 'requester' && upgrade === true ? 0 : windowBytes,
        receiveWindowBytes: role === 'responder' && upgrade === true ? 0 : windowBytes,
        upgradeWindowBytes: upgrade === true ? windowBytes : 0,
      },
    )
    // A request without a body has ended before it began.
    const isEmpty = requestBytes === 0 && upgrade !== true
    const made: End = {
      exchange,
      beside: {
        outbox: [],
        remaining,
        hasEnded: role === 'requester' && isEmpty,
        sawEnd: role === 'responder' && isEmpty,
        hasStopped: false,
        wasStopped: false,
        outcome: '',
      },
    }
    return made
  }
  return {
    requester: end('requester', requestBytes),
    responder: end('responder', responseBytes),
    informed: false,
    isLost: false,
  }
}

function wireOf(end: () => End): ExchangeWire {
  const say = (frame: Frame) => change(end(), { outbox: [...end().beside.outbox, frame] })
  return {
    informational: () => say({ type: 'informational', end: false }),
    respond: ({ status }, end) => say({ type: status === 101 ? 'upgrade' : 'respond', end }),
    data: (bytes, end) => say({ type: 'data', bytes: bytes.length, end }),
    trailers: () => say({ type: 'data', bytes: 0, end: true }),
    credit: (bytes) => say({ type: 'credit', bytes }),
    stop: (code) => say({ type: 'stop', code }),
    reset: (code) => say({ type: 'reset', code }),
    closed: nothing,
  }
}

function handler(end: () => End): ExchangeHandler {
  return {
    data: nothing,
    ended: () => change(end(), { sawEnd: true }),
    writable: nothing,
    stopped: () => change(end(), { wasStopped: true }),
    // Said exactly once; a second time shows as a fault.
    closed: ({ kind }) => change(end(), { outcome: end().beside.outcome + kind }),
  }
}

// ── moves ──────────────────────────────────────────────────────────────────────────────────

function bodyMoves(world: ExchangeWorld, end: End, bounds: ExchangeBounds): Move[] {
  const { exchange } = end
  const { remaining, hasEnded, hasStopped, wasStopped } = end.beside
  const who = exchange.role
  const moves: Move[] = []
  const isOpen = !exchange.isClosed && !hasEnded && !wasStopped
  if (isOpen && !world.isLost) {
    const most = Math.min(exchange.writable, remaining)
    if (most > 0)
      moves.push(
        move(`${who} sends ${most}`, () => {
          change(end, { remaining: remaining - exchange.send(new Uint8Array(most), NOW) })
        }),
      )
    if (remaining === 0 && mayEnd(end, bounds))
      moves.push(
        move(`${who} ends`, () => {
          change(end, { hasEnded: true })
          exchange.end(NOW)
        }),
      )
  }
  if (exchange.buffered > 0)
    moves.push(
      move(`${who} consumes ${exchange.buffered}`, () => exchange.consumed(exchange.buffered, NOW)),
    )
  if (!exchange.isClosed && !hasStopped && mayStop(end, bounds))
    moves.push(
      optional(`${who} stops`, () => {
        change(end, { hasStopped: true })
        exchange.stop(NOW)
      }),
    )
  if (!exchange.isClosed) moves.push(optional(`${who} expires`, () => exchange.expire()))
  return moves
}

/** A response ends only after its head, and an upgraded request body only after the 101. */
function mayEnd({ exchange }: End, { upgrade }: ExchangeBounds): boolean {
  const { role, state } = exchange
  if (role === 'responder') return state === 'responding' || state === 'tunnel'
  return upgrade !== true || state === 'tunnel' || (state === 'answered' && exchange.writable > 0)
}

/** What has not begun, or has ended, cannot be stopped. */
function mayStop({ exchange, beside: { sawEnd } }: End, { upgrade }: ExchangeBounds): boolean {
  if (sawEnd) return false
  const hasBegun = !exchange.isUnanswered
  return hasBegun || (exchange.role === 'responder' && upgrade !== true)
}

function requesterMoves({ requester: { exchange } }: ExchangeWorld): Move[] {
  return exchange.isClosed ? [] : [optional('requester cancels', () => exchange.cancel())]
}

function responderMoves(world: ExchangeWorld, { upgrade, responseBytes }: ExchangeBounds): Move[] {
  const { exchange } = world.responder
  if (exchange.isClosed) return []
  const moves = [optional('responder aborts', () => exchange.abort(ResetCode.UNREACHABLE))]
  if (exchange.mayBeNotSent)
    moves.push(
      optional('responder sends nothing on', () => exchange.notSent(ResetCode.UNREACHABLE)),
    )
  if (!exchange.isUnanswered) return moves
  if (!world.informed)
    moves.push(
      optional('responder informs', () => {
        world.informed = true
        exchange.inform(head(103))
      }),
    )
  moves.push(move('responder responds', () => exchange.respond(head(200), false, NOW)))
  if (responseBytes === 0)
    moves.push(move('responder responds, no body', () => exchange.respond(head(204), true, NOW)))
  if (upgrade === true)
    moves.push(move('responder upgrades', () => exchange.upgrade(head(101), NOW)))
  return moves
}

function transportMoves(world: ExchangeWorld): Move[] {
  const { requester, responder, isLost } = world
  if (isLost) return []
  const moves: Move[] = []
  if (requester.beside.outbox.length > 0)
    moves.push({
      name: `to the responder: ${requester.beside.outbox[0]!.type}`,
      apply: () => deliver(requester, responder),
    })
  if (responder.beside.outbox.length > 0)
    moves.push({
      name: `to the requester: ${responder.beside.outbox[0]!.type}`,
      apply: () => deliver(responder, requester),
    })
  const lost = optional('the transport is lost', () => {
    world.isLost = true
    change(requester, { outbox: [] })
    change(responder, { outbox: [] })
    requester.exchange.lost()
    responder.exchange.lost()
  })
  return [...moves, lost]
}

function deliver(from: End, to: End): string | undefined {
  const [frame, ...outbox] = from.beside.outbox as [Frame, ...Frame[]]
  change(from, { outbox })
  const witness = witnessOf(frame, to)
  receive(to.exchange, frame)
  return witness
}

function receive(exchange: Exchange, frame: Frame): void {
  switch (frame.type) {
    case 'informational':
      return exchange.receivedInformational(head(103))
    case 'respond':
      return exchange.receivedResponse(head(200), frame.end, NOW)
    case 'upgrade':
      return exchange.receivedResponse(head(101), false, NOW)
    case 'data':
      return exchange.receivedData(new Uint8Array(frame.bytes), frame.end, NOW)
    case 'credit':
      return exchange.receivedCredit(frame.bytes, NOW)
    case 'stop':
      return exchange.receivedStop(frame.code, NOW)
    case 'reset':
      return exchange.receivedReset(frame.code)
  }
}

/** The cell that a frame meets, when it ignores what the peer says. */
function witnessOf(frame: Frame, to: End): string | undefined {
  const event = eventOf(frame, to)
  if (event === undefined) return undefined
  const { role, state } = to.exchange
  return role === 'requester'
    ? ignoredBy('REQUESTER', REQUESTER, state, event)
    : ignoredBy('RESPONDER', RESPONDER, state, event)
}

/** The end of a body is an event of the exchange too, derived from whether the other body is closed. */
function eventOf(frame: Frame, to: End): string | undefined {
  if (frame.type === 'credit') return to.exchange.role === 'requester' ? 'asked' : undefined
  if (frame.type === 'stop') return undefined
  if (frame.type === 'reset' && frame.code === ResetCode.NOT_SENT) return 'notSent'
  if (frame.type !== 'data') return frame.type
  if (!frame.end) return undefined
  if (to.exchange.role === 'responder') return 'received'
  return to.beside.hasEnded || to.beside.wasStopped ? 'complete' : 'answer'
}

// ── what must hold ─────────────────────────────────────────────────────────────────────────

function fault(
  { requester, responder }: ExchangeWorld,
  bounds: ExchangeBounds,
): string | undefined {
  for (const { exchange, beside } of [requester, responder]) {
    if (exchange.buffered < 0) return `${exchange.role}: consumed what never came`
    if (exchange.buffered + exchange.receivable > bounds.windowBytes)
      return `${exchange.role}: the window is overrun`
    const expected = exchange.isClosed ? exchange.state : ''
    if (beside.outcome !== expected)
      return `${exchange.role}: "${beside.outcome}" was said in ${exchange.state}`
  }
  // Only a complete answer is `done`: nothing broken off may look like one.
  if (
    requester.exchange.state === 'done' &&
    !requester.beside.sawEnd &&
    !requester.beside.hasStopped
  )
    return 'done without the end of the response'
  return undefined
}

const head = (status: number): ResponseHead => ({ status, headers: [] })

function nothing(): void {
  // the moves look for themselves
}
