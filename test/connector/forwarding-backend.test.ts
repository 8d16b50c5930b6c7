import { expect, test } from 'vitest'
import {
  ForwardingBackend,
  ForwardingBackendCall,
  type Backend,
  type BackendCall,
  type BackendEvents,
  type BackendRequest,
} from '../../src/connector/index.ts'
import { ResetCode } from '../../src/protocol/internal.ts'
import { requestTo } from './node/observed-call.ts'

/** A backend that writes down what it is told, and answers what the test says. */
class Recorded implements Backend {
  readonly told: unknown[][] = []
  request: BackendRequest | undefined
  events!: BackendEvents
  takes = true

  call(request: BackendRequest, events: BackendEvents): BackendCall {
    this.request = request
    this.events = events
    const note =
      (name: string) =>
      (...args: unknown[]) =>
        void this.told.push([name, ...args])
    return {
      write: (bytes) => {
        note('write')(bytes)
        return this.takes
      },
      ...{ end: note('end'), pause: note('pause'), resume: note('resume'), abort: note('abort') },
    }
  }

  async close(): Promise<void> {
    this.told.push(['close'])
  }
}

/** Hears all events, and writes them down. */
function listener(): { events: BackendEvents; heard: unknown[][] } {
  const heard: unknown[][] = []
  const hear = (name: string) => [name, (...args: unknown[]) => void heard.push([name, ...args])]
  const events = Object.fromEntries(EVENTS.map(([name]) => hear(name)))
  return { events: events as unknown as BackendEvents, heard }
}

const HEAD = { status: 200, headers: [] }
const EVENTS: readonly (readonly [keyof BackendEvents, ...unknown[]])[] = [
  ['informational', HEAD],
  ['responded', HEAD],
  ['upgraded', HEAD],
  ['data', Buffer.from('x')],
  ['ended', ['X-Sum', '1']],
  ['drained'],
  ['failed', ResetCode.UNREACHABLE, 'why'],
  ['notSent', ResetCode.TIMEOUT, 'why'],
]

test('all that is said passes both ways, as it is', async () => {
  const inner = new Recorded()
  class Through extends ForwardingBackend {
    override call(request: BackendRequest, events: BackendEvents): BackendCall {
      return new ForwardingBackendCall(events).start(this.inner, request)
    }
  }
  const { events, heard } = listener()
  const backend = new Through(inner)
  const call = backend.call(requestTo(1), events)
  const bytes = Buffer.from('x')
  expect(call.write(bytes)).toBe(true)
  inner.takes = false
  expect(call.write(bytes)).toBe(false)
  call.end(['X-Sum', '1'])
  call.pause()
  call.resume()
  call.abort()
  await backend.close()
  expect(inner.told).toEqual([
    ['write', bytes],
    ['write', bytes],
    ['end', ['X-Sum', '1']],
    ['pause'],
    ['resume'],
    ['abort'],
    ['close'],
  ])
  const told = inner.events as unknown as Record<string, (...args: unknown[]) => void>
  for (const [name, ...args] of EVENTS) told[name]!(...args)
  expect(heard).toEqual(EVENTS)
})

test('a decorator says only what it changes: of the request, of one event, of all', () => {
  const inner = new Recorded()
  const passed: string[] = []
  class Counted extends ForwardingBackendCall {
    override data(bytes: Uint8Array): void {
      super.data(bytes.subarray(1))
    }

    protected override hear<E extends keyof BackendEvents>(
      event: E,
      ...args: Parameters<BackendEvents[E]>
    ): void {
      passed.push(event)
      super.hear(event, ...args)
    }
  }
  class Decorated extends ForwardingBackend {
    override call(request: BackendRequest, events: BackendEvents): BackendCall {
      const headers = [...request.headers, 'X-Request-Number', request.requestNumber]
      return new Counted(events).start(this.inner, { ...request, headers })
    }
  }
  const { events, heard } = listener()
  new Decorated(inner).call(requestTo(1), events)
  inner.events.responded(HEAD)
  inner.events.data(Buffer.from('abc'))
  expect(inner.request!.headers.slice(-2)).toEqual(['X-Request-Number', '0000-0000'])
  expect(heard).toEqual([
    ['responded', HEAD],
    ['data', Buffer.from('bc')],
  ])
  expect(passed).toEqual(['responded', 'data'])
})
