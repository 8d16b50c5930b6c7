/**
 * One body between its sender and its receiver, with a queue each way: what {@link explore} walks through.
 *
 * @module
 */
import {
  BODY_RECEIVER,
  BODY_SENDER,
  BodyReceiver,
  BodySender,
  ResetCode,
  type SavedBodyReceiver,
  type SavedBodySender,
} from '../src/protocol/internal.ts'
import type { Exploration, Move } from './explore.ts'

type Forward = { type: 'data'; bytes: number } | { type: 'end' } | { type: 'abort' }
type Back = { type: 'credit'; bytes: number } | { type: 'stop' }

/** What is in flight, and what the application still has to do. */
interface Beside {
  readonly forward: readonly Forward[]
  readonly back: readonly Back[]
  /** Bytes the sender still wants to send. */
  readonly remaining: number
  readonly isLost: boolean
}

interface BodyWorld {
  readonly sender: BodySender
  readonly receiver: BodyReceiver
  /** Replaced, never changed: a saved world may share it. */
  beside: Beside
}

interface SavedBodyWorld {
  readonly sender: SavedBodySender
  readonly receiver: SavedBodyReceiver
  readonly beside: Beside
}

/** A body of `totalBytes` through a window that may grow to `maxWindowBytes`. */
export function bodyExploration(
  windowBytes: number,
  totalBytes: number,
  maxWindowBytes = windowBytes,
): Exploration<BodyWorld, SavedBodyWorld> {
  return {
    initial: () => initial(windowBytes, totalBytes, maxWindowBytes),
    save: ({ sender, receiver, beside }) => ({
      sender: sender.save(),
      receiver: receiver.save(),
      beside,
    }),
    restore: (world, { sender, receiver, beside }) => {
      world.sender.restore(sender)
      world.receiver.restore(receiver)
      world.beside = beside
    },
    moves: (world) => [...senderMoves(world), ...receiverMoves(world), ...transportMoves(world)],
    isFinal: ({ sender, receiver }) => !sender.isOpen && !receiver.isOpen,
    check: (world) => fault(world, maxWindowBytes),
  }
}

function initial(windowBytes: number, remaining: number, maxWindowBytes: number): BodyWorld {
  const say = (message: Back) => change(world, { back: [...world.beside.back, message] })
  const world: BodyWorld = {
    sender: new BodySender({ writable: nothing, stopped: nothing }, windowBytes),
    receiver: new BodyReceiver(
      {
        credit: (bytes) => say({ type: 'credit', bytes }),
        stop: () => say({ type: 'stop' }),
      },
      windowBytes,
      maxWindowBytes,
      { reserve: () => true, widen: () => true, release: nothing },
    ),
    beside: { forward: [], back: [], remaining, isLost: false },
  }
  return world
}

function change(world: BodyWorld, what: Partial<Beside>): void {
  world.beside = { ...world.beside, ...what }
}

function send(world: BodyWorld, message: Forward): void {
  change(world, { forward: [...world.beside.forward, message] })
}

function senderMoves(world: BodyWorld): Move[] {
  const { sender } = world
  const { remaining, isLost } = world.beside
  if (!sender.isOpen || isLost) return []
  const most = Math.min(sender.writable, remaining)
  const writes = Array.from({ length: most }, (_, i) =>
    move(`write ${i + 1}`, () => {
      const bytes = sender.write(i + 1)
      change(world, { remaining: remaining - bytes })
      send(world, { type: 'data', bytes })
    }),
  )
  const end = move('end', () => {
    if (sender.end()) send(world, { type: 'end' })
  })
  const abort = optional('abort', () => {
    if (sender.abort()) send(world, { type: 'abort' })
  })
  return [...writes, ...(remaining === 0 ? [end] : []), abort]
}

function receiverMoves({ receiver }: BodyWorld): Move[] {
  const consumptions = Array.from({ length: receiver.buffered }, (_, i) =>
    move(`consume ${i + 1}`, () => receiver.consume(i + 1)),
  )
  const stop = optional('stop', () => receiver.stop(ResetCode.NO_ERROR))
  return [...consumptions, ...(receiver.isOpen ? [stop] : [])]
}

function transportMoves(world: BodyWorld): Move[] {
  const { forward, back, isLost } = world.beside
  if (isLost) return []
  const moves: Move[] = []
  if (forward.length > 0)
    moves.push({ name: `deliver ${forward[0]!.type}`, apply: () => deliverForward(world) })
  if (back.length > 0)
    moves.push({ name: `deliver ${back[0]!.type}`, apply: () => deliverBack(world) })
  // A lost transport takes along what is in flight, and both ends learn of it.
  const lost: Move = {
    name: 'lose the transport',
    optional: true,
    apply: () => {
      change(world, { isLost: true, forward: [], back: [] })
      const witness = ignoredBy('BODY_RECEIVER', BODY_RECEIVER, world.receiver.state, 'abort')
      world.sender.abort()
      world.receiver.abort()
      return witness
    },
  }
  return [...moves, lost]
}

function deliverForward(world: BodyWorld): string | undefined {
  const { receiver } = world
  const [message, ...forward] = world.beside.forward as [Forward, ...Forward[]]
  change(world, { forward })
  const witness = ignoredBy('BODY_RECEIVER', BODY_RECEIVER, receiver.state, message.type)
  if (message.type === 'data') receiver.data(message.bytes)
  else if (message.type === 'end') receiver.end()
  else receiver.abort()
  return witness
}

function deliverBack(world: BodyWorld): string | undefined {
  const { sender } = world
  const [message, ...back] = world.beside.back as [Back, ...Back[]]
  change(world, { back })
  const witness = ignoredBy('BODY_SENDER', BODY_SENDER, sender.state, message.type)
  if (message.type === 'credit') sender.credit(message.bytes)
  else sender.stop(ResetCode.NO_ERROR)
  return witness
}

/** No byte is granted twice, none is forgotten, and nothing passes the window. */
function fault(world: BodyWorld, maxWindowBytes: number): string | undefined {
  const { sender, receiver } = world
  const { forward, back } = world.beside
  if (receiver.buffered < 0) return 'consumed what never came'
  if (receiver.window > maxWindowBytes) return 'the window has grown too far'
  if (receiver.buffered + receiver.granted > receiver.window) return 'the window is overrun'
  if (!sender.isOpen || !receiver.isOpen) return undefined
  const sent = forward.reduce((sum, m) => sum + (m.type === 'data' ? m.bytes : 0), 0)
  const granted = back.reduce((sum, m) => sum + (m.type === 'credit' ? m.bytes : 0), 0)
  const known = sender.writable + sent + granted
  return known === receiver.granted
    ? undefined
    : `the sender has or will have ${known}, the receiver granted ${receiver.granted}`
}

/** `MACHINE state event`, when the table ignores it. */
export function ignoredBy<T extends Readonly<Record<string, Readonly<Record<string, string>>>>>(
  name: string,
  table: T,
  state: string,
  event: string,
): string | undefined {
  return table[state]![event] === 'ignored' ? `${name} ${state} ${event}` : undefined
}

export const move = (name: string, act: () => void): Move => ({
  name,
  apply: () => {
    act()
    return undefined
  },
})

export const optional = (name: string, act: () => void): Move => ({
  ...move(name, act),
  optional: true,
})

function nothing(): void {
  // the moves look for themselves
}
