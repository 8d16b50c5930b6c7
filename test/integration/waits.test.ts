/** The waits of an exchange that end by their own limits, however long the others are. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import type { TimeLimits } from '../../src/protocol/internal.ts'
import { RawUser } from './raw-user.ts'
import { startTunnel, until, type Tunnel } from './tunnel.ts'

let tunnel: Tunnel
let users: RawUser[] = []
let response: ServerResponse | undefined
let switched: Duplex | undefined

const backend: RequestListener = (request, answer) => {
  response = answer
  const { pathname } = new URL(request.url!, 'http://backend')
  if (pathname === '/events') answer.setHeader('content-type', 'text/event-stream')
  if (pathname === '/early') return void answer.writeHead(413, { 'content-length': 0 }).end()
  answer.write('data: 1\n\n')
}

function upgrade(_request: IncomingMessage, socket: Duplex): void {
  switched = socket
  socket.on('error', () => undefined).on('data', (bytes) => socket.write(bytes))
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: acme\r\n\r\n')
}

async function start(limits: Partial<TimeLimits>): Promise<void> {
  tunnel = await startTunnel({ backend, upgrade, limits })
}

function ask(method: string, target: string, headers: Record<string, string | number> = {}) {
  const one = new RawUser(tunnel.port).ask(method, target, headers)
  users.push(one)
  return one
}

const pause = (ms: number) => new Promise((later) => setTimeout(later, ms))

afterEach(async () => {
  for (const one of users) one.leave()
  users = []
  await tunnel.close()
})

test('a tunnel without a byte either way is broken off after tunnelIdleMs, and not before', async () => {
  await start({ idleMs: 50, stalledMs: 50, tunnelIdleMs: 600 })
  const one = ask('GET', '/', { connection: 'Upgrade', upgrade: 'acme' })
  await until(() => one.received.includes('101'))
  for (const word of ['one', 'two', 'three']) {
    await pause(200)
    one.socket.write(word)
    await until(() => one.received.endsWith(word))
  }
  await one.closed
  await until(() => switched!.destroyed)
  await until(() => tunnel.cloud.origin.open === 0)
})

test('an event stream may be silent for longer than idleMs, and is broken off after tunnelIdleMs', async () => {
  await start({ idleMs: 50, tunnelIdleMs: 1_500 })
  const one = ask('GET', '/events')
  await until(() => one.received.includes('data: 1'))
  await pause(300)
  response!.write('data: 2\n\n')
  await until(() => one.received.includes('data: 2'))
  expect(await one.closed).toBe('broken')
  expect(one.isComplete).toBe(false)
  await until(() => response!.destroyed)
})

test('any other answer that stands still is broken off after idleMs', async () => {
  await start({ idleMs: 200 })
  const one = ask('GET', '/')
  await until(() => one.received.includes('data: 1'))
  expect(await one.closed).toBe('broken')
  await until(() => response!.destroyed)
})

test('a tunnel that is over at the application: its user has drainMs to close', async () => {
  await start({ drainMs: 300 })
  const one = ask('GET', '/', { connection: 'Upgrade', upgrade: 'acme' })
  one.socket.allowHalfOpen = true
  await until(() => one.received.includes('101'))
  switched!.end('bye')
  await until(() => one.received.endsWith('bye'))
  await until(() => tunnel.cloud.origin.open === 0)
  // Whoever has read an end learns of a reset by writing only.
  const poke = setInterval(() => one.socket.write('still there?'), 50)
  await one.closed
  clearInterval(poke)
})

test('a request that goes on behind its answer is over after drainMs', async () => {
  await start({ drainMs: 300 })
  const one = ask('POST', '/early', { 'content-length': 1024 * 1024 })
  await until(() => one.status === 413)
  await until(() => tunnel.cloud.origin.open === 0)
})
