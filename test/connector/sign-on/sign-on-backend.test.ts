import { describe, expect, test } from 'vitest'
import type { Backend, BackendEvents, BackendRequest } from '../../../src/connector/backend.ts'
import type { Preparation, SignOn } from '../../../src/connector/sign-on/sign-on.ts'
import { SignOnBackend, signOnsByKind } from '../../../src/connector/sign-on/sign-on-backend.ts'
import { ResetCode, SignOnFailed, type HeaderList } from '../../../src/protocol/internal.ts'
import { VirtualTime } from '../virtual-time.ts'

const text = (octets: Uint8Array) => new TextDecoder().decode(octets)
const bytes = (words: string) => new TextEncoder().encode(words)

/** An application that writes down what it was asked, and answers when told to. */
class Application implements Backend {
  readonly asked: { request: BackendRequest; events: BackendEvents; said: string[] }[] = []

  call(request: BackendRequest, events: BackendEvents) {
    const said: string[] = []
    this.asked.push({ request, events, said })
    const say = (word: string) => void said.push(word)
    return {
      write: (octets: Uint8Array) => {
        say(text(octets))
        return true
      },
      end: (trailers?: HeaderList) => say(`end ${trailers?.join(' ') ?? ''}`.trim()),
      pause: () => say('pause'),
      resume: () => say('resume'),
      abort: () => say('abort'),
    }
  }

  close() {
    return Promise.resolve()
  }
}

class World {
  readonly time = new VirtualTime()
  readonly application = new Application()
  readonly told: unknown[][] = []
  readonly events = new Proxy({} as BackendEvents, {
    get:
      (_, event) =>
      (...args: unknown[]) =>
        void this.told.push([event, ...args]),
  })
  readonly backend: SignOnBackend

  constructor(...signOns: SignOn[]) {
    this.backend = new SignOnBackend({
      backend: this.application,
      kinds: signOnsByKind(signOns),
      ...this.time.environment,
    })
  }

  call(changes: Partial<BackendRequest> = {}, signOn: object | null = { kind: 'test' }) {
    const request = {
      application: { id: 'wiki', signOn: signOn ?? undefined } as never,
      method: 'GET',
      target: '/',
      headers: ['Host', 'wiki.internal'],
      body: { kind: 'none' },
      upgrade: undefined,
      replayable: true,
      exchangeId: '0'.repeat(32),
      requestNumber: '0',
      user: undefined,
      answerMs: 30_000,
      ...changes,
    } as BackendRequest
    return this.backend.call(request, this.events)
  }
}

/** A kind that is prepared when told to. */
function late() {
  const asked: {
    signal: AbortSignal
    with: (preparation: Preparation) => void
    fail: (error: unknown) => void
  }[] = []
  const signOn: SignOn = {
    kind: 'test',
    prepare: (_, signal) => new Promise((done, fail) => asked.push({ signal, with: done, fail })),
  }
  return { asked, signOn }
}

const settled = () => new Promise((later) => setImmediate(later))

test('an application without sign-on is called as if there was none', () => {
  const world = new World()
  world.call({}, null)
  expect(world.application.asked[0]!.request.headers).toEqual(['Host', 'wiki.internal'])
  expect(world.application.asked[0]!.events).toBe(world.events)
})

test('a kind that the connector does not have is refused, and nothing is sent', async () => {
  const world = new World()
  world.call()
  expect(world.told).toEqual([])
  await settled()
  expect(world.told).toEqual([
    ['notSent', ResetCode.SIGN_ON, expect.objectContaining({ reason: 'misconfigured' })],
  ])
  expect(world.application.asked).toEqual([])
})

test('what nobody else may say is taken out in every spelling, from trailers too', () => {
  const world = new World({
    kind: 'test',
    prepare: () => ({ headers: ['X-User-Name', 'alice'], reserved: ['X-User-Name', 'X-Role'] }),
  })
  const call = world.call({
    headers: [
      'Host',
      'w',
      'x_user.name',
      'bob',
      'X-USER-NAME',
      'bob',
      'X_Role',
      'admin',
      'X-Other',
      '1',
    ],
    body: { kind: 'streamed' },
  })
  call.end(['x-role', 'admin', 'Digest', 'd'])
  const { request, said } = world.application.asked[0]!
  expect(request.headers).toEqual(['Host', 'w', 'X-Other', '1', 'X-User-Name', 'alice'])
  expect(said).toEqual(['end Digest d'])
})

test('the body that comes meanwhile is held, in order, and asked for again afterwards', async () => {
  const { asked, signOn } = late()
  const world = new World(signOn)
  const call = world.call({ body: { kind: 'streamed' }, replayable: false })
  expect(call.write(bytes('one'))).toBe(false)
  expect(call.write(bytes('two'))).toBe(false)
  call.pause()
  asked[0]!.with({ headers: ['X-Ticket', 't'] })
  await settled()
  call.end()
  expect(world.application.asked[0]!.said).toEqual(['pause', 'one', 'two', 'end'])
  expect(world.told).toEqual([['drained']])
})

describe('a preparation', () => {
  test('that fails, or that says what no field can carry, sends nothing', async () => {
    const { asked, signOn } = late()
    const world = new World(signOn)
    world.call()
    world.call()
    const error = new SignOnFailed('user-unknown')
    asked[0]!.fail(error)
    asked[1]!.with({ headers: ['X-User', 'a\r\nX-Role: admin'] })
    await settled()
    expect(world.told).toEqual([
      ['notSent', ResetCode.SIGN_ON, error],
      ['notSent', ResetCode.SIGN_ON, expect.objectContaining({ reason: 'misconfigured' })],
    ])
    expect(world.application.asked).toEqual([])
  })

  test.each([
    ['its own limit', 30_000, 10_000],
    ['what is left to the answer', 2_000, 2_000],
  ])('ends after %s, and what comes later is forgotten', async (_, answerMs, limit) => {
    const { asked, signOn } = late()
    const world = new World(signOn)
    world.call({ answerMs })
    await world.time.pass(limit - 1)
    expect(world.told).toEqual([])
    await world.time.pass(2)
    expect(world.told).toEqual([
      ['notSent', ResetCode.SIGN_ON, expect.objectContaining({ reason: 'timeout' })],
    ])
    expect(asked[0]!.signal.aborted).toBe(true)
    asked[0]!.with({})
    await settled()
    expect(world.application.asked).toEqual([])
  })

  test('that nobody waits for any more is broken off', async () => {
    const { asked, signOn } = late()
    const world = new World(signOn)
    world.call().abort()
    expect(asked[0]!.signal.aborted).toBe(true)
    asked[0]!.with({})
    await settled()
    expect(world.told).toEqual([])
    expect(world.application.asked).toEqual([])
  })

  test('that is good for one request is made anew when the call is repeated, once', async () => {
    let made = 0
    const world = new World({
      kind: 'test',
      prepare: () => Promise.resolve({ headers: ['X-Ticket', String(++made)], isOnce: true }),
    })
    world.call()
    await settled()
    const [first] = world.application.asked
    expect(first!.request.replayable).toBe(false)
    first!.events.failed(ResetCode.UNREACHABLE, 'reset')
    await settled()
    const second = world.application.asked[1]!
    expect(second.request.headers.slice(-2)).toEqual(['X-Ticket', '2'])
    second.events.failed(ResetCode.UNREACHABLE, 'reset again')
    await settled()
    expect(world.told).toEqual([['failed', ResetCode.UNREACHABLE, 'reset again']])
    expect(world.application.asked.length).toBe(2)
  })
})

test('an answer that shows that the application did not take it is not the user’s', () => {
  const rejected = new SignOnFailed('rejected')
  const world = new World({
    kind: 'test',
    prepare: () => ({
      answered: (head) => {
        if (head.status === 401) throw rejected
        return { ...head, headers: [] }
      },
    }),
  })
  world.call()
  world.call()
  const [one, two] = world.application.asked
  one!.events.responded({ status: 200, headers: ['X-For-Us', '1'] })
  one!.events.data(bytes('page'))
  two!.events.responded({ status: 401, headers: ['WWW-Authenticate', 'Negotiate'] })
  two!.events.data(bytes('prompt'))
  two!.events.ended(undefined)
  expect(world.told).toEqual([
    ['responded', { status: 200, headers: [] }],
    ['data', bytes('page')],
    ['failed', ResetCode.SIGN_ON, rejected],
  ])
  expect(two!.said).toEqual(['abort'])
})

test.each([
  ['at once', () => ({})],
  ['later', () => Promise.resolve({})],
] as const)('a backend that throws fails the one call that was prepared %s', async (_, prepare) => {
  const world = new World({ kind: 'test', prepare })
  const thrown = new Error('no such request')
  world.application.call = () => {
    throw thrown
  }
  const call = world.call()
  call.end()
  await settled()
  expect(world.told).toEqual([['failed', ResetCode.INTERNAL, thrown]])
  call.abort()
  await settled()
  expect(world.told).toHaveLength(1)
})
