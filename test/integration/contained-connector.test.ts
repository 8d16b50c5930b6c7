/** What an embedder gives to a connector fails in every place, over a real link: one exchange has its 502, and the next is served. */
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  NodeBackend,
  type ConnectorEvent,
  type PortFailure,
} from '../../src/connector/node/index.ts'
import type { Backend, BackendCall, BackendEvents } from '../../src/connector/index.ts'
import { startTunnel, type Tunnel } from './tunnel.ts'

const node = new NodeBackend()
const fail = () => {
  throw new Error('of theirs')
}
const reject = () => Promise.reject(new Error('of theirs'))
const broken = (call: BackendCall, parts: object): BackendCall =>
  new Proxy(call, {
    get: (target, key) => {
      const value: unknown = key in parts ? parts[key as never] : Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

/** Where it fails → how. */
const WAYS: Readonly<Record<string, Backend['call']>> = {
  'backend.call': fail,
  'backend.call, as a promise': reject as never,
  'backend.call.write': (...args) => broken(node.call(...args), { write: fail }),
  'backend.call.write, as a promise': (...args) => broken(node.call(...args), { write: reject }),
  'backend.call.end': (...args) => broken(node.call(...args), { end: fail }),
  'backend.call.end, as a promise': (...args) => broken(node.call(...args), { end: reject }),
}

let call: Backend['call'] = node.call.bind(node)
const told: PortFailure[] = []
const failures: ConnectorEvent[] = []
const unhandled: unknown[] = []
let tunnel: Tunnel

beforeAll(async () => {
  process.on('unhandledRejection', (error) => unhandled.push(error))
  tunnel = await startTunnel({
    backend: (request, response) => void request.resume().on('end', () => response.end('served')),
    connector: {
      backend: { call: (...args) => call(...args), close: fail },
      onEvent: (event) => {
        if (event.type === 'exchange-failed') failures.push(event)
        fail()
      },
      onError: (failure) => {
        told.push(failure)
        fail()
      },
    },
  })
})
afterAll(async () => {
  await tunnel.close()
  await node.close()
  expect(told.map(({ port }) => port)).toContain('backend.close')
})

async function post(): Promise<{ status: number; text: string }> {
  const headers = { Host: 'open.localhost' }
  const sent = request({ port: tunnel.port, method: 'POST', headers }).end('x'.repeat(1000))
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: answer.statusCode!, text: await text(answer) }
}

test('an onEvent that throws is told, and a connector that has one serves', async () => {
  expect(told).toContainEqual({ port: 'onEvent', error: new Error('of theirs'), contained: true })
  expect((await post()).text).toBe('served')
})

test.each(Object.entries(WAYS))(
  'a backend that fails at %s fails one exchange',
  async (at, way) => {
    told.length = 0
    call = way
    const answer = await post()
    call = node.call.bind(node)
    expect(answer.status).toBe(502)
    const [port] = at.split(',')
    expect(told.filter(({ contained }) => !contained).map((one) => one.port)).toEqual([port])
    expect((await post()).text).toBe('served')
    expect(tunnel.connector.isReady).toBe(true)
    expect(unhandled).toEqual([])
  },
)

const head = { status: 200, headers: [] }
/** What it tells → by which events. */
const OUT_OF_TURN: Readonly<Record<string, (events: BackendEvents) => void>> = {
  'content before a head': (events) => events.data(Buffer.from('early')),
  'an end before a head': (events) => events.ended(undefined),
  'content from inside the call': (events) => events.data(Buffer.from('early')),
  'content after the end': (events) => {
    events.responded(head)
    events.data(Buffer.alloc(1 << 20))
    events.ended(undefined)
    events.data(Buffer.from('late'))
  },
  'two heads': (events) => [head, head].forEach((one) => events.responded(one)),
  'an interim head after the head': (events) => {
    events.responded(head)
    events.informational({ status: 103, headers: [] })
  },
}
test.each(Object.entries(OUT_OF_TURN))(
  'a backend that tells %s fails one exchange, at once',
  async (what, tell) => {
    told.length = 0
    call = (_request, events) => {
      if (what.includes('inside')) tell(events)
      else setImmediate(tell, events)
      return { write: () => true, end() {}, pause() {}, resume() {}, abort() {} }
    }
    // A head that has left is followed by a break.
    const answered = await post().catch(() => 'broken')
    call = node.call.bind(node)
    if (answered !== 'broken') expect(answered).toMatchObject({ status: 502 })
    else expect(what).toMatch(/end|head/)
    const [failure, ...others] = told.filter(({ contained }) => !contained)
    expect([failure?.port, others]).toEqual(['backend.call.events', []])
    expect(failures.at(-1)).toMatchObject({
      type: 'exchange-failed',
      outcome: {
        kind: 'failed',
        error: { source: 'application', reason: 'application-malformed' },
      },
    })
    expect((await post()).text).toBe('served')
  },
)
