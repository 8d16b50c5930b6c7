import { mkdtemp, rm } from 'node:fs/promises'
import { type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DEFAULT_OFFERS } from '../../src/protocol/internal.ts'
import { RawUser } from './raw-user.ts'
import { Relay } from './relay.ts'
import { breakOff, type ApplicationProtocol } from './served-application.ts'
import { startTunnel, until, type Transport, type Tunnel } from './tunnel.ts'
import { tenantKey } from '../../src/cloud/index.ts'

/** How many, and how many at once: the link's are many, because what it leaks it keeps. */
const ABORTS: readonly (readonly [Transport, ApplicationProtocol, number, number])[] = [
  ['in memory', 'http1', 300, 20],
  ['link over TLS', 'http1', 10_000, 100],
  ['plain over TLS', 'http1', 300, 20],
  ['link over TLS', 'h2c', 300, 20],
]
const BLOCK = Buffer.alloc(16 * 1024)

/** The same moments in every run. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const pause = (ms: number) => new Promise((later) => setTimeout(later, ms))

const backend: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://backend')
  const dies = Number(searchParams.get('dies') ?? NaN)
  if (!Number.isNaN(dies)) setTimeout(() => breakOff(request), dies)
  request.resume()
  if (pathname === '/quick') response.end('quick')
  if (pathname !== '/endless') return
  const more = () => {
    while (!response.destroyed && response.write(BLOCK));
  }
  response.on('drain', more)
  more()
}

const active = (kind: string) =>
  process.getActiveResourcesInfo().filter((name) => name === kind).length

describe.each(ABORTS)('broken off at any moment, %s, to %s', (...way) => {
  const [transport, protocol, aborts, atOnce] = way
  const isCut = transport === 'link over TLS' && protocol === 'http1'
  const warnings: Error[] = []
  const warned = (warning: Error) => void warnings.push(warning)
  let tunnel: Tunnel
  let relay: Relay | undefined
  let second: string | undefined
  beforeAll(async () => {
    process.on('warning', warned)
    tunnel = await startTunnel({
      ...{ transport, protocol, backend },
      limits: { claimMs: 10_000, queueWaitMs: 10_000, backoffMinMs: 20, backoffMaxMs: 100 },
      ...(isCut && { relay: async (port) => (relay = new Relay(port)).listen() }),
    })
    if (!isCut) return
    second = await mkdtemp(join(tmpdir(), 'app-proxy-'))
    await tunnel.startConnector({ stateDirectory: second, name: 'second' })
  })
  afterAll(async () => {
    await tunnel.close()
    await relay?.close()
    if (second !== undefined) await rm(second, { recursive: true })
    process.off('warning', warned)
  })

  test(`${aborts} times by user, application${isCut ? ', or a link that is cut' : ''}: nothing is left open`, async () => {
    const random = randomFrom(1)
    /** So many at once, each user followed by the next. */
    const run = async (exchanges: number) => {
      let left = exchanges
      const users = Array.from({ length: atOnce }, async () => {
        while (left-- > 0) await one(tunnel.port, random)
      })
      await Promise.all(users)
      await until(() => tunnel.cloud.origin.open === 0)
    }
    await run(atOnce)
    const [sockets, timers] = [active('TCPSocketWrap'), active('Timeout')]
    expect(sockets).toBeGreaterThan(0)
    let cuts = 0
    const cut = () => {
      cuts += 1
      relay!.cut(random)
      cutter = setTimeout(cut, random() * 500)
    }
    let cutter = isCut ? setTimeout(cut, 100) : undefined
    await run(aborts - atOnce)
    clearTimeout(cutter)
    if (isCut) expect(cuts).toBeGreaterThan(10)
    // What is kept for reuse does not grow with what was broken off.
    await until(() => active('TCPSocketWrap') <= sockets + atOnce)
    await until(() => active('Timeout') <= timers + atOnce)
    // As many links as connectors, and every slot of theirs is free again.
    const links = () => tunnel.attached.map(({ grants }) => grants)
    await until(() => links().length === (isCut ? 2 : 1))
    await until(() => links().every((grants) => grants === DEFAULT_OFFERS))
    if (!isCut) expect(new Set(tunnel.links).size).toBe(1)
    else expect(new Set(tunnel.links).size).toBeGreaterThan(10)
    const user = new RawUser(tunnel.port).ask('GET', '/quick', { connection: 'close' })
    expect(await user.closed).toBe('whole')
    expect(user.status).toBe(200)
    // Listeners that pile up on something that is kept would have been warned of.
    expect(warnings).toEqual([])
  }, 300_000)
})

/** One request, broken off within 15 ms by whoever is drawn; if a link does not go first. */
async function one(port: number, random: () => number): Promise<void> {
  const [kind, delay] = [Math.floor(random() * 6), random() * 15]
  const byBackend = kind >= 3 ? `?dies=${delay}` : ''
  const user = new RawUser(port)
  user.keep(16 * 1024)
  if (kind % 3 === 0) user.ask('GET', `/endless${byBackend}`)
  else if (kind % 3 === 1) user.ask('GET', `/silent${byBackend}`)
  else {
    user.ask('POST', `/silent${byBackend}`, { 'content-length': 1024 * 1024 * 1024 })
    const more = () => {
      while (!user.socket.destroyed && user.socket.write(BLOCK));
    }
    user.socket.on('drain', more)
    more()
  }
  if (byBackend === '') await pause(delay)
  else await until(() => user.status !== undefined || user.socket.destroyed, 30_000)
  // An answer that was begun has to break.
  if (byBackend !== '' && user.status === 200) {
    await user.closed
    expect(user.isComplete).toBe(false)
  }
  user.leave()
  await user.closed
}

describe('without a connector', () => {
  let tunnel: Tunnel
  beforeAll(async () => {
    tunnel = await startTunnel({
      ...{ backend, noConnector: true, limits: { queueWaitMs: 10_000 } },
      // All come from one address, and to one application of two.
      shares: { application: 1, user: 1 },
    })
  })
  afterAll(() => tunnel.close())

  test('more than the queue holds: 503 and when to come again; who leaves makes room', async () => {
    const waiting = Array.from({ length: 1_000 }, () =>
      new RawUser(tunnel.port).ask('GET', '/quick'),
    )
    await until(() => tunnel.cloud.origin.waiting(tenantKey('contoso', 'default')) === 1_000)
    const late = new RawUser(tunnel.port).ask('GET', '/quick')
    await until(() => late.code !== undefined)
    expect([late.status, late.code]).toEqual([503, 'queue-full'])
    expect(late.received).toMatch(/^retry-after: \d+\r$/im)
    for (const user of [late, ...waiting]) user.leave()
    await until(() => tunnel.cloud.origin.open === 0)
  })
})
