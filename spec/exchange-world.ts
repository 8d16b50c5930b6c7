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
} from '../src/protocol/index.ts'
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

/** One end, and what its application has done and seen. */
interface End {
  readonly exchange: Exchange
  /** What it has said and the peer has not heard. */
  readonly outbox: Frame[]
  remaining: number
  hasEnded: boolean
  hasStopped: boolean
  wasStopped: boolean
  sawEnd: boolean
  outcome: string
}

interface ExchangeWorld {
  readonly requester: End
  readonly responder: End
  informed: boolean
  isLost: boolean
}

/** No clock is needed: an expiry is a move like any other. */
const NOW = 0

export function exchangeExploration(bounds: ExchangeBounds): Exploration<ExchangeWorld> {
  return {
    initial: () => initial(bounds),
    moves: (world) => [
      ...bodyMoves(world, world.requester, bounds),
      ...requesterMoves(world),
      ...bodyMoves(world, world.responder, bounds),
      ...responderMoves(world, bounds),
      ...transportMoves(world),
    ],
    key: ({ requester, responder, informed, isLost }) =>
      `${keyOf(requester)} | ${keyOf(responder)} | ${informed} ${isLost}`,
    isFinal: ({ requester, responder }) =>
      requester.exchange.isClosed && responder.exchange.isClosed,
    check: (world) => fault(world, bounds),
  }
}

function initial({
  requestBytes,
  responseBytes,
  windowBytes,
  upgrade,
}: ExchangeBounds): ExchangeWorld {
  const end = (role: 'requester' | 'responder', remaining: number): End => {
    const outbox: Frame[] = []
    const exchange = new Exchange(
      wireTo(outbox),
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
      outbox,
      remaining,
      hasEnded: role === 'requester' && isEmpty,
      sawEnd: role === 'responder' && isEmpty,
      hasStopped: false,
      wasStopped: false,
      outcome: '',
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

function wireTo(outbox: Frame[]): ExchangeWire {
  return {
    informational: () => outbox.push({ type: 'informational', end: false }),
    respond: ({ status }, end) =>
      outbox.push({ type: status === 101 ? 'upgrade' : 'respond', end }),
    data: (bytes, end) => outbox.push({ type: 'data', bytes: bytes.length, end }),
    trailers: () => outbox.push({ type: 'data', bytes: 0, end: true }),
    credit: (bytes) => outbox.push({ type: 'credit', bytes }),
    stop: (code) => outbox.push({ type: 'stop', code }),
    reset: (code) => outbox.push({ type: 'reset', code }),
    closed: nothing,
  }
}

function handler(end: () => End): ExchangeHandler {
  return {
    data: nothing,
    ended: () => {
      end().sawEnd = true
    },
    writable: nothing,
    stopped: () => {
      end().wasStopped = true
    },
    closed: ({ kind }) => {
      // Said exactly once; a second time shows as a fault.
      end().outcome += kind
    },
  }
}

// ── moves ──────────────────────────────────────────────────────────────────────────────────

function bodyMoves(world: ExchangeWorld, end: End, bounds: ExchangeBounds): Move[] {
  const { exchange } = end
  const who = exchange.role
  const moves: Move[] = []
  const isOpen = !exchange.isClosed && !end.hasEnded && !end.wasStopped
  if (isOpen && !world.isLost) {
    const most = Math.min(exchange.writable, end.remaining)
    if (most > 0)
      moves.push(
        move(`${who} sends ${most}`, () => {
          end.remaining -= exchange.send(new Uint8Array(most), NOW)
        }),
      )
    if (end.remaining === 0 && mayEnd(end, bounds))
      moves.push(
        move(`${who} ends`, () => {
          end.hasEnded = true
          exchange.end(NOW)
        }),
      )
  }
  if (exchange.buffered > 0)
    moves.push(
      move(`${who} consumes ${exchange.buffered}`, () => exchange.consumed(exchange.buffered, NOW)),
    )
  if (!exchange.isClosed && !end.hasStopped && mayStop(end, bounds))
    moves.push(
      optional(`${who} stops`, () => {
        end.hasStopped = true
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
function mayStop({ exchange, sawEnd }: End, { upgrade }: ExchangeBounds): boolean {
  if (sawEnd) return false
  const hasBegun = exchange.state !== 'awaiting-response'
  return hasBegun || (exchange.role === 'responder' && upgrade !== true)
}

function requesterMoves({ requester: { exchange } }: ExchangeWorld): Move[] {
  return exchange.isClosed ? [] : [optional('requester cancels', () => exchange.cancel())]
}

function responderMoves(world: ExchangeWorld, { upgrade, responseBytes }: ExchangeBounds): Move[] {
  const { exchange } = world.responder
  if (exchange.isClosed) return []
  const moves = [optional('responder aborts', () => exchange.abort(ResetCode.UNREACHABLE))]
  if (exchange.state !== 'awaiting-response') return moves
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
  if (requester.outbox.length > 0)
    moves.push({
      name: `to the responder: ${requester.outbox[0]!.type}`,
      apply: () => deliver(requester, responder),
    })
  if (responder.outbox.length > 0)
    moves.push({
      name: `to the requester: ${responder.outbox[0]!.type}`,
      apply: () => deliver(responder, requester),
    })
  const lost = optional('the transport is lost', () => {
    world.isLost = true
    requester.outbox.length = 0
    responder.outbox.length = 0
    requester.exchange.lost()
    responder.exchange.lost()
  })
  return [...moves, lost]
}

function deliver(from: End, to: End): string | undefined {
  const frame = from.outbox.shift()!
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
  if (frame.type === 'credit' || frame.type === 'stop') return undefined
  if (frame.type !== 'data') return frame.type
  if (!frame.end) return undefined
  if (to.exchange.role === 'responder') return 'received'
  return to.hasEnded || to.wasStopped ? 'complete' : 'answer'
}

// ── what must hold ─────────────────────────────────────────────────────────────────────────

function fault(
  { requester, responder }: ExchangeWorld,
  bounds: ExchangeBounds,
): string | undefined {
  for (const { exchange, outcome } of [requester, responder]) {
    if (exchange.buffered < 0) return `${exchange.role}: consumed what never came`
    if (exchange.buffered + exchange.receivable > bounds.windowBytes)
      return `${exchange.role}: the window is overrun`
    const expected = exchange.isClosed ? exchange.state : ''
    if (outcome !== expected) return `${exchange.role}: "${outcome}" was said in ${exchange.state}`
  }
  // Only a complete answer is `done`: nothing broken off may look like one.
  if (requester.exchange.state === 'done' && !requester.sawEnd && !requester.hasStopped)
    return 'done without the end of the response'
  return undefined
}

function keyOf({ exchange, outbox, remaining, outcome, ...seen }: End): string {
  const { hasEnded, hasStopped, wasStopped, sawEnd } = seen
  return [
    ...[exchange.state, exchange.writable, exchange.buffered, exchange.receivable],
    ...[JSON.stringify(outbox), remaining, outcome, hasEnded, hasStopped, wasStopped, sawEnd],
  ].join(' ')
}

const head = (status: number): ResponseHead => ({ status, headers: [] })

function nothing(): void {
  // the moves look for themselves
}
