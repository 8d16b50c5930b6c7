/**
 * Every machine can be saved as one plain value and restored from it, anywhere on its way: the restored one behaves as the one that
 * was saved goes on to.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as protocol from '../../../src/protocol/internal.ts'
import {
  BodyReceiver,
  BodySender,
  ClaimEntry,
  Exchange,
  HandshakeOrder,
  Heartbeat,
  LinkBudget,
  Machine,
  OfferEntry,
  PacedRelay,
  PeerViolation,
  RelayedAnswer,
  ResetCode,
  type ExchangeHandler,
  type ExchangeWire,
  type HeaderList,
  type ResponseHead,
} from '../../../src/protocol/internal.ts'
import { machines } from '../../../spec/generate/machines.ts'

const tables = await machines()

interface Restorable<Saved> {
  save(): Saved
  restore(saved: Saved): void
}

/** A number from 0, below `bound`. */
type Draw = (bound: number) => number
/** Notes what a machine tells. */
type Tell = (...said: unknown[]) => void

/** How to make one, and what may happen to it. */
/** What a machine of no class of its own remembers here. */
type Notes = { count: number; list: (number | { deep: number })[] }

interface Subject<M> {
  make(tell: Tell): M
  readonly events: Readonly<Record<string, (machine: M, draw: Draw) => unknown>>
}

const subject = <Saved, M extends Restorable<Saved>>({ make, events }: Subject<M>) => {
  /** The same event at both: what it returns or throws, and all that they know afterwards. */
  const happen = (machine: M, told: unknown[], name: string, seed: number) => {
    told.length = 0
    let result: unknown
    try {
      result = events[name]!(machine, drawFrom(seed))
    } catch (error) {
      result = String(error)
    }
    return { result, told: JSON.stringify(told), knows: machine.save() }
  }
  return (seed: number) => {
    const draw = drawFrom(seed)
    const told: unknown[] = []
    const toldAgain: unknown[] = []
    const original = make((...said) => told.push(said))
    const restored = make((...said) => toldAgain.push(said))
    const names = Object.keys(events)
    const any = () => [names[draw(names.length)]!, draw(2 ** 31)] as const
    for (let events = draw(30); events > 0; events--) {
      happen(original, told, ...any())
      // What stood before in the one that is restored must not matter.
      happen(restored, toldAgain, ...any())
    }
    const saved = original.save()
    const written = write(saved)
    expect(read(written)).toEqual(saved)
    restored.restore(read(written) as Saved)
    for (let events = 0; events < 30; events++) {
      const event = any()
      expect(happen(restored, toldAgain, ...event)).toEqual(happen(original, told, ...event))
    }
    // Whatever happened since has not changed what was saved.
    expect(write(saved)).toBe(written)
  }
}

/** As JSON, which has no octets: they are written as numbers. */
const write = (saved: unknown) =>
  JSON.stringify(saved, (_, value: unknown) =>
    value instanceof Uint8Array ? { octets: [...value] } : value,
  )
const read = (written: string): unknown =>
  JSON.parse(written, (_, value: { octets?: number[] } | null) =>
    value?.octets === undefined ? value : Uint8Array.from(value.octets),
  )

/** The same numbers for the same seed: xorshift. */
function drawFrom(seed: number): Draw {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % bound
  }
}

const head = (status: number): ResponseHead => ({ status, headers: [] })
const TRAILERS: HeaderList = ['a', 'b']

const exchange = (role: 'requester' | 'responder', upgradeWindowBytes: number) =>
  subject({
    make: (tell) => {
      const wire: ExchangeWire = {
        informational: () => tell('informational'),
        respond: ({ status }, end) => tell('respond', status, end),
        data: (bytes, end) => tell('data', bytes.length, end),
        trailers: () => tell('trailers'),
        credit: (bytes) => tell('credit', bytes),
        stop: (code) => tell('stop', code),
        reset: (code) => tell('reset', code),
        closed: () => tell('closed'),
      }
      const handler: ExchangeHandler = {
        informational: () => tell('heard of', 'informational'),
        responded: ({ status }, end) => tell('responded', status, end),
        data: (bytes) => tell('got', bytes.length),
        ended: () => tell('ended'),
        writable: () => tell('writable'),
        stopped: (code) => tell('stopped', code),
        closed: ({ kind }) => tell('over', kind),
      }
      const bytes = { sendCreditBytes: 8, receiveWindowBytes: 8, upgradeWindowBytes }
      const requestBody = upgradeWindowBytes === 0
      return new Exchange(wire, handler, { role, now: 0, requestBody, ...bytes })
    },
    events: {
      send: (it, draw) => it.send(new Uint8Array(1 + draw(4)), draw(1_000)),
      end: (it, draw) => it.end(draw(1_000)),
      inform: (it) => it.inform(head(103)),
      respond: (it, draw) => it.respond(head(200), draw(4) === 0, draw(1_000)),
      upgrade: (it, draw) => it.upgrade(head(101), draw(1_000)),
      consumed: (it, draw) => it.consumed(Math.min(it.buffered, 1 + draw(4)), draw(1_000)),
      stop: (it, draw) => draw(4) === 0 && it.stop(draw(1_000)),
      cancel: (it, draw) => draw(8) === 0 && it.cancel(),
      abort: (it, draw) => draw(8) === 0 && it.abort(ResetCode.UNREACHABLE),
      expire: (it, draw) => draw(8) === 0 && it.expire(),
      lost: (it, draw) => draw(8) === 0 && it.lost(),
      violated: (it, draw) =>
        draw(8) === 0 && it.violated(new PeerViolation('UNEXPECTED_EVENT', '')),
      'hears 103': (it) => it.receivedInformational(head(103)),
      'hears 200': (it, draw) => it.receivedResponse(head(200), draw(4) === 0, draw(1_000)),
      'hears 101': (it, draw) => it.receivedResponse(head(101), false, draw(1_000)),
      'hears data': (it, draw) => {
        it.receivedData(new Uint8Array(draw(4)), draw(4) === 0, draw(1_000))
      },
      'hears credit': (it, draw) => it.receivedCredit(1 + draw(4), draw(1_000)),
      'hears stop': (it, draw) => draw(4) === 0 && it.receivedStop(0, draw(1_000)),
      'hears reset': (it, draw) => draw(8) === 0 && it.receivedReset(ResetCode.CANCELLED),
      deadline: (it) => [it.state, it.deadline, it.writable, it.receivable],
    },
  })

/** By class; some in several roles. */
const SUBJECTS: Readonly<Record<string, readonly ((seed: number) => void)[]>> = {
  BodySender: [
    subject({
      make: (tell) =>
        new BodySender(
          { writable: () => tell('writable'), stopped: (code) => tell('stopped', code) },
          4,
        ),
      events: {
        write: (it, draw) => it.write(1 + draw(6)),
        credit: (it, draw) => it.credit(1 + draw(3)),
        end: (it, draw) => draw(8) === 0 && it.end(),
        abort: (it, draw) => draw(8) === 0 && it.abort(),
        stop: (it, draw) => draw(8) === 0 && it.stop(0),
        writable: (it) => [it.state, it.writable],
      },
    }),
  ],
  BodyReceiver: [
    subject({
      make: (tell) =>
        new BodyReceiver(
          { credit: (bytes) => tell('credit', bytes), stop: (code) => tell('stop', code) },
          4,
          32,
          { reserve: () => true, widen: () => true, release: () => undefined },
        ),
      events: {
        data: (it, draw) => it.data(1 + draw(4)),
        consume: (it, draw) => it.consume(Math.min(it.buffered, 1 + draw(4))),
        open: (it, draw) => draw(4) === 0 && it.open(4),
        end: (it, draw) => draw(8) === 0 && it.end(),
        abort: (it, draw) => draw(8) === 0 && it.abort(),
        stop: (it, draw) => draw(8) === 0 && it.stop(0),
        window: (it) => [it.state, it.buffered, it.granted, it.window, it.widened],
      },
    }),
  ],
  Exchange: [
    exchange('requester', 0),
    exchange('requester', 8),
    exchange('responder', 0),
    exchange('responder', 8),
  ],
  ClaimEntry: [
    subject({
      make: () => new ClaimEntry({ method: 'POST', body: { kind: 'none' }, upgrade: undefined }),
      events: {
        resolve: (it) => it.resolve(),
        resolved: (it) => it.resolved(),
        claim: (it) => it.claim(),
        decline: (it, draw) => draw(4) === 0 && it.decline(),
        lost: (it, draw) => draw(4) === 0 && it.lost(),
        confirm: (it) => it.confirm(),
        gone: (it) => it.gone(),
        mayStart: (it) => [it.state, it.mayStart],
      },
    }),
  ],
  Heartbeat: [
    subject({
      make: () => new Heartbeat(100, 0),
      events: {
        heard: (it, draw) => it.heard(draw(1_000)),
        check: (it, draw) => it.check(draw(1_000)),
        restart: (it, draw) => it.restart(1 + draw(100), draw(1_000)),
        deadline: (it) => it.deadline,
      },
    }),
  ],
  LinkBudget: [
    subject({
      make: () => new LinkBudget(4, 16, 64),
      events: {
        reserve: (it, draw) => it.reserve(draw(32)),
        widen: (it, draw) => it.widen(draw(32)),
        release: (it, draw) => it.release(draw(16), draw(16)),
      },
    }),
  ],
  OfferEntry: [true, false].map((isReplayable) =>
    subject({
      make: () => {
        const limits = { queueWaitMs: 100, claimMs: 50, answerPatienceMs: 50 }
        return new OfferEntry(limits, isReplayable, 200, 0)
      },
      events: {
        offer: (it, draw) => it.offer(`connector-${draw(4)}`, draw(4) === 0, 50, draw(100)),
        claim: (it, draw) =>
          it.claim(draw(2) === 0 ? it.attempt : draw(3), 'connector-1', draw(100)),
        declined: (it, draw) => it.declined(it.attempt, draw(100)),
        expire: (it, draw) => draw(4) === 0 && it.expire(draw(100)),
        linkLost: (it, draw) => draw(4) === 0 && it.linkLost(draw(100)),
        exchangeLost: (it, draw) => draw(4) === 0 && it.exchangeLost(draw(100)),
        notSent: (it, draw) => it.notSent('application-unreachable', draw(4) !== 0, draw(100)),
        giveUp: (it, draw) => it.giveUp(draw(100)),
        refuse: (it, draw) => draw(8) === 0 && it.refuse('no-connector'),
        began: (it, draw) => draw(8) === 0 && it.began(),
        ended: (it, draw) => draw(8) === 0 && it.ended(),
        cancel: (it, draw) => draw(16) === 0 && it.cancel(),
        facts: (it) => [
          it.state,
          it.attempt,
          it.excluded,
          it.failure,
          it.delivery,
          it.remainingMs(9),
        ],
      },
    }),
  ),
  PacedRelay: (['credit', 'queue'] as const).map((sink) =>
    subject({
      make: (tell) => {
        // A sink with room for three octets at a time.
        const send = (bytes: Uint8Array) => {
          tell('send', ...bytes)
          if (sink === 'credit') return Math.min(3, bytes.length)
          return bytes.length > 3 ? 0 : bytes.length
        }
        return new PacedRelay(
          {
            send,
            end: (trailers) => tell('end', trailers),
            pause: () => tell('pause'),
            resume: () => tell('resume'),
            taken: (bytes) => tell('taken', bytes),
          },
          sink,
        )
      },
      events: {
        start: (it) => it.start(),
        data: (it, draw) => it.data(Uint8Array.from({ length: 1 + draw(6) }, () => draw(256))),
        end: (it, draw) => draw(8) === 0 && it.end(draw(2) === 0 ? undefined : TRAILERS),
        ready: (it) => it.ready(),
        stop: (it, draw) => draw(8) === 0 && it.stop(),
        empty: (it, draw) => draw(8) === 0 && it.empty(),
        detach: (it, draw) => draw(4) === 0 && it.detach(),
        close: (it, draw) => draw(16) === 0 && it.close(),
        isComplete: (it) => [it.state, it.isComplete],
      },
    }),
  ),
  HandshakeOrder: [
    subject({
      make: () => new HandshakeOrder(Uint8Array.of(1, 2)),
      events: {
        inform: (it) => it.inform(),
        respond: (it, draw) => draw(8) === 0 && it.respond(),
        switch: (it) => it.switch(),
        carry: (it) => it.carry(),
        write: (it) => it.write(),
        end: (it, draw) => draw(4) === 0 && it.end(),
        data: (it, draw) => it.data(Uint8Array.from({ length: 1 + draw(4) }, () => draw(256))),
        close: (it, draw) => draw(4) === 0 && it.close(),
        closesNow: (it) => it.closesNow(),
        leave: (it, draw) => draw(8) === 0 && it.leave(),
        state: (it) => [it.state, it.isHolding, it.isHalfClosed],
      },
    }),
  ],
  RelayedAnswer: [
    subject({
      make: () => new RelayedAnswer(),
      events: {
        respond: (it, draw) => it.respond(draw(2) === 0 ? undefined : draw(16)),
        switch: (it) => it.switch(),
        data: (it, draw) => it.data(draw(8)),
        linger: (it, draw) => it.linger(draw(100)),
        leave: (it, draw) => draw(8) === 0 && it.leave(),
        deadline: (it) => [it.state, it.isTunnel, it.deadline, it.isWhole],
      },
    }),
  ],
  Machine: tables.map(({ table }) =>
    subject({
      make: () => {
        const states = Object.keys(table)
        return new Machine(table, states[0]!, { count: 0, list: [1, { deep: 2 }] } as Notes)
      },
      events: {
        ...Object.fromEntries(
          Object.keys(Object.values(table)[0]!).map((event) => [
            event,
            (it: Machine<string, string, Notes>) => it.step(event),
          ]),
        ),
        remember: ({ memory }, draw) => {
          memory.count = draw(100)
          memory.list.push({ deep: draw(100) })
        },
      },
    }),
  ),
}

test('every machine that can be restored is tried', () => {
  const classes = Object.values(protocol).filter((value) => typeof value === 'function')
  const restorable = classes.filter(
    // The half of another class is tried with the whole.
    (it) =>
      // An arrow function has no prototype.
      'restore' in ((it.prototype as object | undefined) ?? {}) &&
      !classes.some((other) => Object.getPrototypeOf(other) === it),
  )
  expect(Object.keys(SUBJECTS).sort()).toEqual(restorable.map(({ name }) => name).sort())
})

describe.each(Object.entries(SUBJECTS))('%s', (_, kinds) => {
  test.each(kinds.map((kind, index) => [index, kind] as const))(
    'saved, written, restored: behaves alike (%i)',
    (_, behavesAlike) => fc.assert(fc.property(fc.integer(), behavesAlike), { numRuns: 60 }),
  )
})
