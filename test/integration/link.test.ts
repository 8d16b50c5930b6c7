/** What only the link binding has to show: the line it lives on, and what becomes of it. */
import type { RequestListener } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { RawUser } from './raw-user.ts'
import { Relay } from './relay.ts'
import { startTunnel, until, type Tunnel, type TunnelOptions } from './tunnel.ts'

const MIB = 1024 * 1024
const BLOCK = Buffer.alloc(64 * 1024, 'octets that do not repeat with a power of two')

const backend: RequestListener = (request, response) => {
  const { pathname } = new URL(request.url!, 'http://backend')
  if (pathname === '/quick') return void response.end('quick')
  if (pathname === '/silent') return
  if (pathname === '/begun') return void response.writeHead(200).write('begun')
  let left = pathname === '/endless' ? Infinity : 64 * MIB
  const more = (): void => {
    while (!response.destroyed && left > 0) {
      left -= BLOCK.length
      if (!response.write(BLOCK)) return
    }
    if (left <= 0) response.end()
  }
  response.on('drain', more)
  more()
}

let tunnel: Tunnel
let relay: Relay | undefined
let users: RawUser[] = []

async function start(options: Partial<TunnelOptions>): Promise<void> {
  tunnel = await startTunnel({ backend, ...options })
}

const user = (): RawUser => {
  const one = new RawUser(tunnel.port)
  users.push(one)
  return one
}

/** A line of its own for this test. */
const through =
  (delayMs = 0) =>
  async (port: number) => {
    relay = new Relay(port, delayMs)
    return relay.listen()
  }

const states = () => tunnel.events.flatMap((event) => (event.type === 'link' ? [event.state] : []))

afterEach(async () => {
  for (const one of users) one.leave()
  users = []
  await tunnel.close()
  await relay?.close()
  relay = undefined
})

test('a long line is filled: the window grows with it', async () => {
  await start({ relay: through(25) })
  let bytes = 0
  const one = user()
  one.socket.removeAllListeners('data')
  one.socket.setEncoding('latin1')
  one.socket.on('data', (text: string) => {
    bytes += text.length
  })
  one.ask('GET', '/64-mib', { connection: 'close' })
  await one.closed
  expect(bytes).toBeGreaterThan(64 * MIB)
  // The first window is 64 KiB. 100 MB/s over 50 ms are 5 MB.
  expect(relay!.mostUpwards).toBeGreaterThan(4.5 * MIB)
}, 60_000)

test('who reads nothing of a large answer delays nobody on the same link', async () => {
  await start({})
  const slow = user().ask('GET', '/endless')
  await until(() => slow.received.length > 0)
  slow.socket.pause()
  for (let i = 0; i < 50; i++) {
    const quick = user().ask('GET', '/quick')
    await until(() => quick.received.endsWith('quick'))
  }
})

test('a line that goes dead is noticed: 502 that names the connector, and another is dialled', async () => {
  await start({ relay: through(), limits: { pingMs: 200, backoffMinMs: 50 } })
  const claimed = user().ask('POST', '/silent', { 'content-length': 0 })
  await until(() => tunnel.offers.length === 1 && tunnel.links[0]!.grants < 200)
  await until(() => tunnel.cloud.origin.open === 1)
  const quick = user().ask('GET', '/quick')
  await until(() => quick.received.endsWith('quick'))
  relay!.goDead()
  await until(() => claimed.code !== undefined)
  expect([claimed.status, claimed.code]).toEqual([502, 'connector-lost'])
  expect(claimed.received).toMatch(/^proxy-status: .*connection_terminated/im)
  await until(() => states().includes('backoff') && states().at(-1) === 'up')
  const after = user().ask('GET', '/quick')
  await until(() => after.received.endsWith('quick'))
})

test('a cloud that does not speak it is served by plain calls, and the connector says why', async () => {
  await start({ bindings: ['plain'] })
  const fallback = tunnel.events.find(
    (event) => event.type === 'link' && event.state === 'plain-fallback',
  )
  expect(fallback).toMatchObject({ binding: 'plain', cause: expect.any(Error) })
  const one = user().ask('GET', '/quick')
  await until(() => one.received.endsWith('quick'))
})

test('a revoked connector’s link is cut, and what it carried with it', async () => {
  await start({})
  const one = user().ask('GET', '/begun')
  await until(() => one.received.includes('begun'))
  const { connectorId } = tunnel.connector.identity
  await tunnel.registry.setStanding(connectorId, 'revoked', Date.now())
  expect(await one.closed).toBe('broken')
  expect(one.isComplete).toBe(false)
  const late = user().ask('GET', '/quick')
  await until(() => tunnel.links.every(({ grants }) => grants === 0))
  late.leave()
})
