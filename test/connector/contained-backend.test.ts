/** What a backend of an embedder's tells, in whatever order and form: the exchange is served, or ends at once. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BACKEND_ORDER, type BackendState } from '../../src/connector/backend-order.ts'
import { containedBackend } from '../../src/connector/contained-backend.ts'
import type { BackendEvents } from '../../src/connector/index.ts'
import { MAX_ANSWER_FIELDS, ResetCode } from '../../src/protocol/internal.ts'
import { Containment, type PortFailure } from '../../src/runtime/containment.ts'
import { detailsAt, requestTo } from './node/observed-call.ts'
import { ServedExchange } from './worker-pair.ts'

type Event = keyof BackendEvents
type Tell = (events: BackendEvents) => void

const head = (status: number) => ({ status, headers: ['Upgrade', 'websocket'] })
const TELL: Readonly<Record<Event, Tell>> = {
  informational: (events) => events.informational({ status: 103, headers: ['Link', '</a>'] }),
  responded: (events) => events.responded(head(200)),
  upgraded: (events) => events.upgraded(head(101)),
  data: (events) => events.data(Buffer.from('x')),
  ended: (events) => events.ended(undefined),
  drained: (events) => events.drained(),
  failed: (events) => events.failed(ResetCode.UNREACHABLE, new Error('of theirs')),
  notSent: (events) => events.notSent(ResetCode.UNREACHABLE, new Error('of theirs')),
}
const EVENTS = Object.keys(TELL) as Event[]
const soon = () => new Promise<void>((later) => setImmediate(later))

/** What leads to each state. */
const WAYS: Readonly<Record<Exclude<BackendState, 'calling'>, readonly Event[]>> = {
  waiting: [],
  answering: ['responded'],
  tunnel: ['upgraded'],
  answered: ['responded', 'ended'],
  over: ['failed'],
}

/** A backend whose calls are told of by the test. */
class World {
  readonly told: PortFailure[] = []
  readonly heard: string[] = []
  aborts = 0
  events!: BackendEvents
  /** What it tells from inside the call. */
  early: readonly Tell[] = []
  readonly backend = containedBackend(
    {
      call: (_request, events) => {
        this.events = events
        for (const tell of this.early) tell(events)
        const call = { end() {}, pause() {}, resume() {}, abort: () => void (this.aborts += 1) }
        return { ...call, write: () => true }
      },
      close: () => Promise.resolve(),
    },
    new Containment((failure) => this.told.push(failure)),
  )

  /** Calls it, and hears which events pass. */
  call(): void {
    const hear =
      (name: string) =>
      (...args: unknown[]) =>
        void this.heard.push(name === 'failed' ? `failed ${args[0] as number}` : name)
    const names = Object.fromEntries(EVENTS.map((name) => [name, hear(name)]))
    this.backend.call(requestTo(1), names as unknown as BackendEvents)
  }
}

const pairs = Object.entries(BACKEND_ORDER).flatMap(([state, row]) =>
  EVENTS.map((event) => [state as BackendState, event, row[event]] as const),
)
test.each(pairs)('in state %s, %s is: %s', async (state, event, cell) => {
  const world = new World()
  if (state === 'calling') world.early = [TELL[event]]
  world.call()
  if (state !== 'calling') {
    for (const step of WAYS[state]) TELL[step](world.events)
    world.heard.length = 0
    TELL[event](world.events)
  }
  await soon()
  const malformed = `failed ${ResetCode.APPLICATION_MALFORMED}`
  const passed = event === 'failed' ? `failed ${ResetCode.UNREACHABLE}` : event
  const heard = { violation: [malformed], ignored: [] as string[] }
  expect(world.heard).toEqual(heard[cell as keyof typeof heard] ?? [passed])
  const isFault = cell === 'violation'
  expect(world.told.map(({ port, contained }) => [port, contained])).toEqual(
    isFault ? [['backend.call.events', false]] : [],
  )
  expect(world.aborts).toBe(isFault ? 1 : 0)
  // It is over for good.
  if (isFault) for (const name of EVENTS) TELL[name](world.events)
  await soon()
  if (isFault) expect([world.heard.length, world.told.length]).toEqual([1, 1])
})

const MALFORMED: Readonly<Record<string, (events: never) => void>> = {
  'no head': (events: BackendEvents) => events.responded(undefined as never),
  'a head of no headers': (events: BackendEvents) => events.responded({ status: 200 } as never),
  'a status of words': (events: BackendEvents) =>
    events.responded({ status: '200', headers: [] } as never),
  'a status that is no number': (events: BackendEvents) =>
    events.responded({ status: NaN, headers: [] }),
  'a header that is a number': (events: BackendEvents) =>
    events.responded({ status: 200, headers: ['a', 1] } as never),
  'headers as an object': (events: BackendEvents) =>
    events.responded({ status: 200, headers: { a: 'b' } } as never),
  'a head that throws': (events: BackendEvents) =>
    events.responded({
      get status(): number {
        throw new Error('of theirs')
      },
      headers: [],
    }),
  'an interim head of 200': (events: BackendEvents) => events.informational(head(200)),
  'an interim head of 101': (events: BackendEvents) => events.informational(head(101)),
  'a final head of 100': (events: BackendEvents) => events.responded(head(100)),
  'a final head of 1000': (events: BackendEvents) => events.responded(head(1000)),
  'a switch with 200': (events: BackendEvents) => events.upgraded(head(200)),
  'content as text': (events: BackendEvents) => {
    events.responded(head(200))
    events.data('text' as never)
  },
  'trailers of nothing': (events: BackendEvents) => {
    events.responded(head(200))
    events.ended(null as never)
  },
  'a failure of no code': (events: BackendEvents) => events.failed(99 as never, undefined),
  'nothing sent for no cause': (events: BackendEvents) =>
    events.notSent(ResetCode.APPLICATION_ABORTED as never, undefined),
}
test.each(Object.entries(MALFORMED))('%s is no answer of the application', async (_what, tell) => {
  const world = new World()
  const one = new ServedExchange(world.backend, detailsAt(1), { upgrade: 'websocket' })
  await soon()
  tell(world.events as never)
  await soon()
  expect(one.outcome).toMatchObject({
    kind: 'failed',
    error: { source: 'application', reason: 'application-malformed' },
  })
  expect(one.isReleased).toBe(true)
})

/** What must become of a sequence, told by its letters alone. */
function expected(
  letters: string,
  isWished: boolean,
  isHead: boolean,
): { outcome: string; isTold: boolean } {
  const rest = letters.replaceAll('d', '')
  const answer = isWished ? /^i*(?:rb*|ub*)/ : /^i*rb*/
  const [begun = ''] = answer.exec(rest) ?? []
  const next = rest.slice(begun.length)
  const unreachable = 'application-unreachable'
  if (begun !== '') {
    const ends = { e: 'done', f: unreachable }[next[0]!] ?? 'application-malformed'
    const isTold = next[0] === 'e' ? !/^e(?:f|$)/.test(next) : next[0] !== 'f'
    // Of HEAD the head is the whole answer.
    return { outcome: isHead && begun.includes('r') ? 'done' : ends, isTold }
  }
  if (/^i*[fn]/.test(rest)) return { outcome: unreachable, isTold: false }
  // A switch that nobody wished is the application's doing, in good order.
  return { outcome: 'application-malformed', isTold: isWished || !/^i*u/.test(rest) }
}
const LETTERS: Readonly<Record<string, Event>> = {
  i: 'informational',
  r: 'responded',
  u: 'upgraded',
  b: 'data',
  e: 'ended',
  d: 'drained',
  f: 'failed',
  n: 'notSent',
}

test('every sequence of events is served or ends the exchange at once', async () => {
  const sequences = fc.array(fc.constantFrom(...Object.keys(LETTERS)), { maxLength: 7 })
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        sequences,
        fc.tuple(fc.constantFrom('r', 'ir', 'u', 'rb'), sequences).map(([a, b]) => [...a, ...b]),
      ),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom('GET', 'HEAD'),
      async (letters, isWished, inOneTurn, method) => {
        const world = new World()
        const parts = { method, ...(isWished && { upgrade: 'websocket' }) }
        const one = new ServedExchange(world.backend, detailsAt(1), parts)
        await soon()
        const sequence = [...letters, 'e']
        for (const letter of sequence) {
          TELL[LETTERS[letter]!](world.events)
          if (!inOneTurn) await soon()
        }
        await soon()
        // A tunnel's other direction is the user's to end.
        if (one.head?.status === 101) one.end()
        await soon()
        const told = world.told.filter(({ port }) => port === 'backend.call.events')
        const outcome =
          one.outcome?.kind === 'failed' ? one.outcome.error.reason : one.outcome?.kind
        expect({ outcome, isTold: told.length === 1 }).toEqual(
          expected(sequence.join(''), isWished, method === 'HEAD'),
        )
        expect(told.length).toBe(world.told.length)
        expect(one.isReleased).toBe(true)
      },
    ),
    { numRuns: 1_000 },
  )
})

const fields = (count: number) => Array.from({ length: 2 * count }, () => 'a')
const ANSWERS: Readonly<Record<string, (events: BackendEvents, headers: string[]) => void>> = {
  'an interim head': (events, headers) => {
    events.informational({ status: 103, headers })
    events.responded(head(200))
    events.ended(undefined)
  },
  'a head': (events, headers) => {
    events.responded({ status: 200, headers })
    events.ended(undefined)
  },
  trailers: (events, headers) => {
    events.responded(head(200))
    events.ended(headers)
  },
}
test.each(Object.entries(ANSWERS))(
  `%s of an application has at most ${MAX_ANSWER_FIELDS} fields, and one more is its own fault`,
  async (_what, tell) => {
    for (const [count, outcome] of [
      [MAX_ANSWER_FIELDS, { kind: 'done' }],
      [MAX_ANSWER_FIELDS + 1, { kind: 'failed', error: { reason: 'application-malformed' } }],
    ] as const) {
      const world = new World()
      const one = new ServedExchange(world.backend, detailsAt(1))
      await soon()
      tell(world.events, fields(count))
      await soon()
      expect(one.outcome).toMatchObject(outcome)
      expect(one.isReleased).toBe(true)
    }
  },
)
