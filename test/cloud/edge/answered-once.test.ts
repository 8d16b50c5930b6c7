import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createUserListener } from '../../../src/cloud/node/index.ts'
import { ResetCode } from '../../../src/protocol/internal.ts'
import { edgeWorld, HOST } from './edge-world.ts'

const CLOSED_MS = 100

test('an answer of ours that waits behind another is not given again when the session ends', async () => {
  const world = await edgeWorld()
  const server = createUserListener(world.edge)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const head = `Host: ${HOST}\r\nCookie: ${world.cookie}\r\n\r\n`
  socket.write(`GET /stream HTTP/1.1\r\n${head}`)
  await expect.poll(() => world.offers.length).toBe(1)
  world.claim().exchange.receivedResponse({ status: 200, headers: [] }, false, 0)
  // Pipelined: its answer waits until the stream ends.
  socket.write(`GET /broken HTTP/1.1\r\n${head}`)
  await expect.poll(() => world.offers.length).toBe(2)
  world.claim().exchange.receivedReset(ResetCode.UNREACHABLE)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  // The stream breaks off.
  socket.on('error', () => undefined).resume()
  await world.sessions.revoke({ kind: 'session', id: world.session.id, at: world.clock.wall })
  await closed
  expect(server.listening).toBe(true)
  server.close()
})

test.each([
  ['its session ends', 'revoke'],
  ['its body ends with what cannot go on', 'trailers'],
])('what failed is not answered again when %s', async (_, how) => {
  const world = await edgeWorld()
  const headers = ['Host', HOST, 'Cookie', world.cookie, 'Transfer-Encoding', 'chunked']
  const user = world.ask({ method: 'POST', authority: HOST, headers })
  world.claim().exchange.receivedReset(ResetCode.UNREACHABLE)
  expect(user.status).toBe(502)
  if (how === 'revoke')
    await world.sessions.revoke({ kind: 'session', id: world.session.id, at: world.clock.wall })
  else user.events.ended(Array.from({ length: 402 }, () => 'x'))
  await wait(CLOSED_MS)
  expect(user.verbs.filter((verb) => verb === 'respond')).toHaveLength(1)
  expect(user.verbs).not.toContain('abort')
})
