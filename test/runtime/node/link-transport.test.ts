import { Duplex } from 'node:stream'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LinkTransport } from '../../../src/runtime/node/link-transport.ts'
import type { LinkEndpoint } from '../../../src/protocol/internal.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] }))
afterEach(() => vi.useRealTimers())

/** The peer reads nothing: what is written is never taken. */
const deafPeer = () => new Duplex({ read: () => undefined, write: () => undefined })

/** A link with DATA that waits for room, and no room. */
const fullLink = (said: Uint8Array[]) =>
  ({
    hasMore: true,
    deadline: Infinity,
    takeOutput: () => said.splice(0),
    receive: () => undefined,
    lost: () => undefined,
  }) as unknown as LinkEndpoint

test('a link that is over does not keep a connection whose peer reads nothing', async () => {
  const stream = deafPeer()
  const transport = new LinkTransport(stream, () => 0)
  transport.drive(fullLink([new Uint8Array(1024 * 1024)]), new Uint8Array(0))
  await vi.advanceTimersByTimeAsync(1)
  expect(stream.writableNeedDrain).toBe(true)
  transport.closed({ reason: 'closed' })
  await vi.advanceTimersByTimeAsync(9_900)
  expect(stream.destroyed).toBe(false)
  await vi.advanceTimersByTimeAsync(200)
  expect(stream.destroyed).toBe(true)
})
