/** A listener for users that is closed: nobody holds it open for longer than its limit. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { createUserListener } from '../../../src/cloud/node/index.ts'
import { TIME_LIMITS } from '../../../src/protocol/internal.ts'
import { listen, until } from '../../integration/tunnel.ts'

const SILENT = [
  'GET / HTTP/1.1\r\nHo',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n',
  'GET /never HTTP/1.1\r\nHost: a\r\n\r\n',
]

/** Every kind of peer that says no more, on a listener whose applications never answer. */
async function held(options: { drainMs?: number }): Promise<[Server, Socket[]]> {
  const server = createUserListener({ handle: () => undefined }, options)
  let accepted = 0
  server.on('connection', () => (accepted += 1))
  const port = await listen(server)
  const peers = SILENT.map((octets) => {
    const peer = connect(port, '127.0.0.1').resume()
    peer.on('error', () => undefined).write(octets)
    return peer
  })
  await until(() => accepted === SILENT.length)
  return [server, peers]
}

test('close destroys what is left when its limit is over', async () => {
  const [server, peers] = await held({ drainMs: 100 })
  server.close()
  await once(server, 'close')
  await until(() => peers.every(({ closed }) => closed))
})

test.each([
  [{}, [TIME_LIMITS.drainMs]],
  [{ drainMs: 77_777 }, [77_777]],
  [{ drainMs: Infinity }, []],
])('close with %j has the deadlines %j', async (options, deadlines) => {
  const [server, peers] = await held(options)
  const timers = vi.spyOn(globalThis, 'setTimeout')
  server.close()
  const set = timers.mock.calls.map(([, ms]) => ms!).filter((ms) => ms > 2_000)
  timers.mockRestore()
  expect(set).toEqual(deadlines)
  expect(peers.some(({ closed }) => closed)).toBe(false)
  server.closeAllConnections()
  await until(() => peers.every(({ closed }) => closed))
})
