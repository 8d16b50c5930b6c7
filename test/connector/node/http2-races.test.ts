/** What an application of HTTP/2 may do at any moment, frame by frame: refuse, leave, reset, flood. */
import fc from 'fast-check'
import { constants } from 'node:http2'
import { afterEach, describe, expect, test } from 'vitest'
import { HTTP2_SESSION } from '../../../src/connector/http2-session.ts'
import { HTTP2_STREAM } from '../../../src/connector/http2-stream.ts'
import type { BackendRequest } from '../../../src/connector/index.ts'
import { Http2Backend } from '../../../src/connector/node/http2-backend.ts'
import type { Http2Limits } from '../../../src/connector/node/http2-destination.ts'
import { HttpBackend } from '../../../src/connector/node/index.ts'
import type { ApplicationDetails } from '../../../src/protocol/internal.ts'
import { until } from '../../until.ts'
import {
  END_HEADERS,
  END_STREAM,
  fieldBlock,
  FRAMES,
  maxStreams,
  RawHttp2Application,
  type Frame,
  type RawHttp2Connection,
} from './http2-application.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

const OK = [[':status', '200']] as const
const POST = { method: 'POST', body: { kind: 'streamed' } } as const

/** An application, by what it does at each request head. */
async function world(
  asked: (frame: Frame, connection: RawHttp2Connection, n: number) => void,
  { settings, limits }: { settings?: Buffer; limits?: Http2Limits } = {},
) {
  let n = 0
  const application = await RawHttp2Application.listen((frame, connection) => {
    if (frame.type === FRAMES.HEADERS) asked(frame, connection, n++)
  }, settings)
  const whole = new HttpBackend()
  const backend = new Http2Backend({}, (...call) => whole.call(...call), limits)
  closing.push(
    () => backend.close(),
    () => application.close(),
    () => whole.close(),
  )
  const details: ApplicationDetails = detailsAt(application.port, { backendProtocol: 'h2c' })
  const call = (parts: Partial<BackendRequest> = {}) =>
    new ObservedCall(
      { call: (...args) => backend.call(...args), close: async () => undefined },
      requestTo(details, parts),
    )
  return { application, backend, call, asked: () => n }
}
const answer = ({ stream }: Frame, connection: RawHttp2Connection): void => {
  connection.head(stream, END_HEADERS | END_STREAM, OK)
}

describe('the tables', () => {
  test.each(Object.entries({ HTTP2_SESSION, HTTP2_STREAM }))(
    '%s: nothing comes back from the end, and every state is reached',
    (_, table: Readonly<Record<string, Readonly<Record<string, string>>>>) => {
      const [last] = Object.keys(table).slice(-1)
      for (const cell of Object.values(table[last!]!)) expect(['ignored', 'misuse']).toContain(cell)
      const reached = new Set([Object.keys(table)[0]!])
      for (const state of reached)
        for (const cell of Object.values(table[state]!)) if (cell in table) reached.add(cell)
      expect([...reached].sort()).toEqual(Object.keys(table).sort())
    },
  )
})

describe('what the application has not looked at', () => {
  test.each(['GET', 'POST'])(
    'REFUSED_STREAM: a %s goes on another connection, whole',
    async (method) => {
      const bodies: string[] = []
      const { application, call } = await world((frame, connection, n) => {
        if (n === 0)
          setTimeout(() => connection.reset(frame.stream, constants.NGHTTP2_REFUSED_STREAM), 20)
        else setTimeout(() => answer(frame, connection), 20)
      })
      const one = call(method === 'GET' ? {} : POST)
      if (method === 'POST') {
        one.call.write(Buffer.from('the '))
        await until(() => one.drains > 0)
        one.call.write(Buffer.from('body'))
        one.call.end(['x-sum', '1'])
      }
      await one.settled()
      expect([one.outcome, one.misplaced]).toEqual(['done', 0])
      const [, second] = application.connections
      for (const { type, payload } of second!.frames)
        if (type === FRAMES.DATA) bodies.push(payload.toString())
      expect(bodies.join('')).toBe(method === 'GET' ? '' : 'the body')
    },
  )

  test('refused again and again: the cloud is told that nothing was sent', async () => {
    const { call, asked } = await world((frame, connection) =>
      connection.reset(frame.stream, constants.NGHTTP2_REFUSED_STREAM),
    )
    const one = await call(POST).settled()
    expect([one.outcome, one.misplaced, asked()]).toEqual(['not sent: UNREACHABLE', 0, 3])
  })

  test('refused when more was sent than is kept: told as not sent, and not repeated here', async () => {
    const { call, asked } = await world((frame, connection) =>
      setTimeout(() => connection.reset(frame.stream, constants.NGHTTP2_REFUSED_STREAM), 100),
    )
    const one = call(POST)
    await until(() => one.drains > 0)
    one.call.write(Buffer.alloc(65 * 1024))
    await one.settled()
    expect([one.outcome, asked()]).toEqual(['not sent: UNREACHABLE', 1])
  })

  test('a GOAWAY: requests above it are repeated, those below end, and new ones go elsewhere', async () => {
    const held: (() => void)[] = []
    const { application, call, asked } = await world((frame, connection) => {
      held.push(() => answer(frame, connection))
    })
    const [first, second] = [call(), call(POST)]
    second.call.end()
    await until(() => asked() === 2)
    const [connection] = application.connections
    connection!.goaway(1, constants.NGHTTP2_NO_ERROR)
    await until(() => asked() === 3)
    const third = call()
    await until(() => asked() === 4)
    for (const go of held) go()
    await Promise.all([first, second, third].map((one) => one.settled()))
    expect([first.outcome, second.outcome, third.outcome]).toEqual(['done', 'done', 'done'])
    expect(application.connections).toHaveLength(2)
  })

  test.each([
    ['NO_ERROR', constants.NGHTTP2_NO_ERROR],
    ['ENHANCE_YOUR_CALM', constants.NGHTTP2_ENHANCE_YOUR_CALM],
    ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR],
  ])('a GOAWAY of %s below everything loses nothing', async (_, code) => {
    const { call, asked } = await world((frame, connection, n) => {
      if (n === 0) connection.goaway(0, code)
      else answer(frame, connection)
    })
    const one = call(POST)
    one.call.end()
    await one.settled()
    expect([one.outcome, one.misplaced, asked()]).toEqual(['done', 0, 2])
  })

  test('a GOAWAY that may come at any moment of many requests: none is lost, none is sent twice that was answered', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('answer', 'refuse', 'leave', 'hold'), { maxLength: 12 }),
        async (moves) => {
          const held: (() => void)[] = []
          const said = new Map<RawHttp2Connection, number>()
          const { call, backend, application } = await world((frame, connection, n) => {
            const move = moves[n] ?? 'answer'
            if (move === 'answer') answer(frame, connection)
            else if (move === 'refuse')
              connection.reset(frame.stream, constants.NGHTTP2_REFUSED_STREAM)
            else if (move === 'leave') {
              // What it names may only fall.
              const last = Math.min(said.get(connection) ?? Infinity, Math.max(0, frame.stream - 2))
              said.set(connection, last)
              connection.goaway(last, constants.NGHTTP2_NO_ERROR)
            } else held.push(() => answer(frame, connection))
          })
          const calls = Array.from({ length: 6 }, () => call(POST))
          for (const one of calls) one.call.end()
          const settled = (one: ObservedCall) => one.isEnded || one.code !== undefined
          await until(() => {
            for (const go of held.splice(0)) go()
            return calls.every(settled)
          })
          for (const one of calls) {
            expect(one.misplaced).toBe(0)
            expect(['done', 'not sent: UNREACHABLE']).toContain(one.outcome)
          }
          await backend.close()
          await application.close()
          closing.length = 0
        },
      ),
      { numRuns: 40 },
    ))

  test('a connection that dies under a safe request is replaced, once; under another one it may have been seen', async () => {
    const { call, asked } = await world((_, { socket }) => socket.resetAndDestroy())
    expect((await call().settled()).outcome).toBe('APPLICATION_ABORTED')
    expect(asked()).toBe(2)
    const one = call(POST)
    one.call.end()
    expect((await one.settled()).outcome).toBe('APPLICATION_ABORTED')
    expect(asked()).toBe(3)
  })
})

describe('what an application breaks off', () => {
  test.each([
    ['INTERNAL_ERROR', 2, 'APPLICATION_ABORTED'],
    ['CANCEL', 8, 'APPLICATION_ABORTED'],
    ['ENHANCE_YOUR_CALM', 11, 'APPLICATION_ABORTED'],
    ['PROTOCOL_ERROR', 1, 'APPLICATION_MALFORMED'],
    ['NO_ERROR, inside its answer', 0, 'APPLICATION_ABORTED'],
    ['REFUSED_STREAM, inside its answer', 7, 'APPLICATION_ABORTED'],
  ])('a reset with %s', async (_, code, outcome) => {
    const { call } = await world(({ stream }, connection) => {
      connection.head(stream, END_HEADERS, OK)
      connection.send(FRAMES.DATA, 0, stream, Buffer.from('half'))
      setTimeout(() => connection.reset(stream, code), 20)
    })
    const one = await call().settled()
    expect([one.body, one.outcome, one.misplaced]).toEqual(['half', outcome, 0])
  })

  test('a reset without an error behind a whole answer takes nothing from it', async () => {
    const { call } = await world((frame, connection) => {
      answer(frame, connection)
      connection.reset(frame.stream, constants.NGHTTP2_NO_ERROR)
    })
    const one = await call(POST).settled()
    expect([one.outcome, one.misplaced]).toEqual(['done', 0])
  })

  test('a cut connection breaks off every answer on it', async () => {
    const { application, call, asked } = await world(({ stream }, connection) => {
      connection.head(stream, END_HEADERS, OK)
    })
    const calls = [call(), call(POST)]
    await Promise.all(calls.map((one) => one.responding()))
    expect(asked()).toBe(2)
    application.connections[0]!.socket.end()
    await Promise.all(calls.map((one) => one.settled()))
    expect(calls.map(({ outcome }) => outcome)).toEqual(Array(2).fill('APPLICATION_ABORTED'))
  })
})

describe('a hostile application', () => {
  test.each([
    [
      'a head of ten thousand fields',
      (c: RawHttp2Connection, s: number) =>
        c.head(s, END_HEADERS, [
          ...OK,
          ...Array.from({ length: 2_500 }, (_, i) => [`x${i}`, ''] as const),
        ]),
    ],
    [
      'a head that CONTINUATION frames never end',
      (c: RawHttp2Connection, s: number) => {
        c.head(s, 0, OK)
        const block = fieldBlock([['x', 'y'.repeat(10_000)]])
        for (let i = 0; i < 200; i++) c.send(FRAMES.CONTINUATION, 0, s, block)
      },
    ],
    [
      'a push',
      (c: RawHttp2Connection, s: number) =>
        c.send(
          FRAMES.PUSH_PROMISE,
          END_HEADERS,
          s,
          Buffer.concat([Buffer.from([0, 0, 0, 2]), fieldBlock([[':method', 'GET']])]),
        ),
    ],
    [
      'a connection-specific field',
      (c: RawHttp2Connection, s: number) =>
        c.head(s, END_HEADERS | END_STREAM, [...OK, ['connection', 'close']]),
    ],
    [
      'a field in capitals',
      (c: RawHttp2Connection, s: number) =>
        c.head(s, END_HEADERS | END_STREAM, [...OK, ['X-A', '1']]),
    ],
    [
      'an answer without a status',
      (c: RawHttp2Connection, s: number) => c.head(s, END_HEADERS | END_STREAM, [['x-a', '1']]),
    ],
    ['a 101', (c: RawHttp2Connection, s: number) => c.head(s, END_HEADERS, [[':status', '101']])],
    [
      'DATA before its head',
      (c: RawHttp2Connection, s: number) => c.send(FRAMES.DATA, 0, s, Buffer.from('x')),
    ],
    [
      'more DATA than its length',
      (c: RawHttp2Connection, s: number) => {
        c.head(s, END_HEADERS, [...OK, ['content-length', '1']])
        c.send(FRAMES.DATA, END_STREAM, s, Buffer.from('xyz'))
      },
    ],
    ['a stream of its own', (c: RawHttp2Connection) => c.head(2, END_HEADERS, OK)],
    ['garbage', (c: RawHttp2Connection) => void c.socket.write(Buffer.alloc(100, 0xff))],
  ] as const)('%s ends that request, and the next one is served', async (_, misbehave) => {
    const { call } = await world(
      (frame, connection, n) => {
        if (n === 0) misbehave(connection, frame.stream)
        else answer(frame, connection)
      },
      { limits: { silentMs: 50, pingAnswerMs: 100 } },
    )
    const one = call(POST)
    one.call.end()
    await one.settled()
    expect(one.misplaced).toBe(0)
    expect(['APPLICATION_ABORTED', 'APPLICATION_MALFORMED', 'INTERNAL']).toContain(one.outcome)
    const next = call(POST)
    next.call.end()
    expect((await next.settled()).outcome).toBe('done')
  })

  test('floods of PING and SETTINGS end its connection, and its next one serves', async () => {
    const { application, call } = await world((frame, connection, n) => {
      if (n > 0) return answer(frame, connection)
      for (let i = 0; i < 20_000; i++) connection.send(FRAMES.PING, 0, 0, Buffer.alloc(8))
      for (let i = 0; i < 20_000; i++) connection.send(FRAMES.SETTINGS, 0, 0)
      connection.socket.pause()
    })
    const one = await call().settled()
    expect(['done', 'APPLICATION_ABORTED']).toContain(one.outcome)
    expect(application.connections.length).toBeGreaterThan(0)
  })
})

describe('how long connections last', () => {
  test('an application that allows nothing is waited for, and not dialled without end', async () => {
    const { application, call } = await world(answer, { settings: maxStreams(0) })
    const calls = Array.from({ length: 5 }, () => call())
    await until(() => application.connections.length > 0)
    calls.push(call())
    await new Promise((later) => setTimeout(later, 100))
    expect(application.connections).toHaveLength(1)
    application.connections[0]!.send(FRAMES.SETTINGS, 0, 0, maxStreams(2))
    await Promise.all(calls.map((one) => one.settled()))
    expect(calls.map(({ outcome }) => outcome)).toEqual(Array(6).fill('done'))
    expect(application.connections.length).toBeLessThan(5)
  })

  test('it is waited for until the answer would come too late', async () => {
    const { call } = await world(answer, { settings: maxStreams(0) })
    expect((await call({ answerMs: 200 }).settled()).outcome).toBe('not sent: TIMEOUT')
  })

  test('an unused connection is closed, with a GOAWAY', async () => {
    const { application, call } = await world(answer, { limits: { idleMs: 50 } })
    await call().settled()
    const [connection] = application.connections
    await until(() => connection!.frames.some(({ type }) => type === FRAMES.GOAWAY))
    await until(() => connection!.socket.destroyed)
  })

  test('an old one takes no more requests, and ends with its last', async () => {
    const held: (() => void)[] = []
    const { application, call, asked } = await world(
      (frame, connection) => held.push(() => answer(frame, connection)),
      { limits: { ageMs: 50 } },
    )
    const first = call()
    await until(() => asked() === 1)
    await until(async () => {
      call()
      await new Promise((later) => setTimeout(later, 20))
      return application.connections.length === 2
    })
    for (const go of held) go()
    expect((await first.settled()).outcome).toBe('done')
    await until(() => application.connections[0]!.socket.destroyed)
  })

  test('an application that is silent while requests wait is asked by one PING; one that does not answer it is gone', async () => {
    const { application, call, asked } = await world(() => undefined, {
      limits: { silentMs: 50, pingAnswerMs: 1_000 },
    })
    const one = call(POST)
    await until(() => asked() === 1)
    const pings = () =>
      application.connections[0]!.frames.filter(({ type }) => type === FRAMES.PING)
    await until(() => pings().length > 0)
    await new Promise((later) => setTimeout(later, 300))
    expect(pings()).toHaveLength(1)
    expect((await one.settled()).outcome).toBe('APPLICATION_ABORTED')
  })
})
