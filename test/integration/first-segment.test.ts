/** What comes in one segment with an upgrade, before anybody had a turn to get ready. */
import { Agent } from 'node:https'
import { createServer, connect as connectTls, type TLSSocket } from 'node:tls'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, describe, test } from 'vitest'
import { OfferSlots, Worker } from '../../src/connector/index.ts'
import { MultiplexedLink } from '../../src/connector/node/multiplexed-link.ts'
import {
  encodeFrame,
  encodeHello,
  encodeReset,
  encodeWelcome,
  FrameReader,
  FrameType,
  ResetCode,
  TIME_LIMITS,
} from '../../src/protocol/internal.ts'
import { memoryAuthorityStore } from '../cloud/trust.ts'
import { createServerAuthority, defaultCryptoProvider } from '../../src/cloud/index.ts'
import { startRawWorld, type Enrolled, type RawWorld } from './raw-world.ts'
import { RawUser } from './raw-user.ts'
import { until } from './tunnel.ts'

const UPGRADE = Buffer.from(
  'GET /link HTTP/1.1\r\nHost: cloud\r\nConnection: Upgrade\r\nUpgrade: app-proxy/1\r\n\r\n',
)
const SWITCHED = Buffer.from(
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: app-proxy/1\r\n\r\n',
)
const HELLO = frame(
  FrameType.HELLO,
  encodeHello({
    versions: [1],
    run: 'raw',
    index: 0,
    epoch: 1,
    offers: 5,
    granted: 5,
    maxDataBytes: 16_384,
    features: ['upgrade'],
  }),
)
const GARBAGE = Buffer.from([0, 0, 0, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee])
const PING = frame(FrameType.PING, new Uint8Array(8))

function frame(type: FrameType, payload?: Uint8Array): Buffer {
  return Buffer.from(encodeFrame(type, 0, 0, payload))
}

/** A peer on bare TLS: all that came, and whether the other end has closed. */
class RawPeer {
  received = Buffer.alloc(0)
  isClosed = false
  readonly socket: TLSSocket

  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => (this.received = Buffer.concat([this.received, chunk])))
    socket.on('error', () => undefined)
    socket.on('close', () => (this.isClosed = true))
  }

  /** Frames behind the head of the other end. */
  get frames(): FrameType[] {
    const types: FrameType[] = []
    const from = this.received.indexOf('\r\n\r\n') + 4
    const reader = new FrameReader({ frame: (type) => types.push(type), data: () => undefined })
    reader.push(this.received.subarray(from))
    return types
  }
}

let faults: unknown[] = []
const fault = (error: unknown) => faults.push(error)
beforeEach(() => {
  faults = []
  process.on('uncaughtExceptionMonitor', fault)
})
afterEach(() => {
  process.off('uncaughtExceptionMonitor', fault)
  expect(faults).toEqual([])
})

describe('at the cloud', () => {
  let world: RawWorld
  let known: Enrolled
  const peers: RawPeer[] = []
  beforeAll(async () => {
    world = await startRawWorld()
    known = await world.enrol()
  })
  afterEach(async () => {
    for (const { socket } of peers.splice(0)) socket.destroy()
    await until(() => world.attached.length === 0)
  })
  afterAll(() => world.close())

  async function connect(): Promise<RawPeer> {
    const { port, hostname: host } = new URL(world.connectorUrl)
    const { key, cert } = known
    const socket = connectTls({ host, port: Number(port), ca: world.ca, key, cert })
    const peer = new RawPeer(socket)
    peers.push(peer)
    await new Promise((ready) => socket.once('secureConnect', ready))
    return peer
  }

  const serves = () => world.attached.length === 1

  test('HELLO in one write with the request opens the link, and it lives', async () => {
    const peer = await connect()
    peer.socket.write(Buffer.concat([UPGRADE, HELLO, PING]))
    await until(() => serves() && peer.frames.includes(FrameType.PING))
    expect(peer.frames).toEqual([FrameType.WELCOME, FrameType.PING])
  })

  test.each([1, 8, 9, 10, HELLO.length - 1])('so does a HELLO split at octet %i', async (at) => {
    const peer = await connect()
    peer.socket.write(Buffer.concat([UPGRADE, HELLO.subarray(0, at)]))
    await until(() => peer.received.length > 0)
    peer.socket.write(HELLO.subarray(at))
    // The cloud may know before its WELCOME is here.
    await until(() => serves() && peer.frames.length > 0)
    expect(peer.frames).toEqual([FrameType.WELCOME])
  })

  test.each([
    ['garbage', GARBAGE],
    ['garbage behind HELLO', Buffer.concat([HELLO, GARBAGE])],
    ['a second HELLO', Buffer.concat([HELLO, HELLO])],
    ['a frame before HELLO', PING],
  ])('%s ends that link, which is told why', async (_, octets) => {
    const peer = await connect()
    peer.socket.write(Buffer.concat([UPGRADE, octets]))
    await until(() => peer.isClosed)
    expect(peer.received.toString('latin1')).toContain('101 Switching')
    expect(peer.frames.at(-1)).toBe(FrameType.RESET)
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['garbage', GARBAGE],
    ['HELLO', HELLO],
    ['half a HELLO', HELLO.subarray(0, 12)],
    ['HELLO and a goodbye', Buffer.concat([HELLO, frame(FrameType.DRAIN)])],
  ])('%s and a close in the same turn leave nothing behind', async (_, octets) => {
    for (const end of ['end', 'destroy'] as const) {
      const peer = await connect()
      peer.socket.write(Buffer.concat([UPGRADE, octets]), () => peer.socket[end]())
      await until(() => peer.isClosed)
    }
    await until(() => world.attached.length === 0)
    const next = await connect()
    next.socket.write(Buffer.concat([UPGRADE, HELLO]))
    await until(serves)
  })

  test('a link that is asked for behind an unanswered call is none', async () => {
    const peer = await connect()
    const call = 'POST /configuration HTTP/1.1\r\nHost: cloud\r\nContent-Length: 1\r\n\r\nx'
    peer.socket.write(Buffer.concat([Buffer.from(call), UPGRADE, HELLO]))
    await until(() => peer.isClosed)
    expect(peer.received.toString('latin1')).not.toContain('101 Switching')
  })
})

describe('at the connector', () => {
  const WELCOME = frame(
    FrameType.WELCOME,
    encodeWelcome({
      version: 1,
      instance: 'cloud-1',
      windowBytes: 65_536,
      maxDataBytes: 16_384,
      pingMs: 10_000,
      leaseMs: 0,
      features: [],
    }),
  )

  /** A link to a cloud that answers every request with these octets, in one write. */
  async function dial(octets: Buffer, end = false) {
    const crypto = await defaultCryptoProvider()
    const clocks = { now: () => performance.now(), wallClock: () => Date.now() }
    const servers = await createServerAuthority({ crypto, clocks, store: memoryAuthorityStore() })
    const { key, certificate: cert, ca } = await servers.issue()
    const cloud: { peer?: RawPeer } = {}
    const server = createServer({ key, cert }, (socket) => {
      cloud.peer = new RawPeer(socket)
      socket.once('data', () => socket.write(octets, () => end && socket.end()))
    })
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    const told: string[] = []
    const agent = new Agent({ ca })
    const link = new MultiplexedLink({
      instance: 'cloud-1',
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      agent,
      worker: new Worker({ clocks, applications: undefined as never, backend: undefined as never }),
      clocks,
      limits: TIME_LIMITS,
      run: 'raw',
      epoch: 1,
      slots: new OfferSlots(5),
      events: {
        up: () => told.push('up'),
        ended: () => told.push('ended'),
        unsupported: () => told.push('unsupported'),
        hint: (version) => told.push(`hint ${version}`),
        draining: () => told.push('draining'),
      },
    })
    return {
      told,
      cloud,
      async close() {
        link.close()
        agent.destroy()
        cloud.peer?.socket.destroy()
        await new Promise((closed) => server.close(closed))
      },
    }
  }

  test('WELCOME in one write with the 101 opens the link, and it lives', async () => {
    const { told, cloud, close } = await dial(Buffer.concat([SWITCHED, WELCOME, PING]))
    await until(() => told.length > 0 && cloud.peer!.frames.includes(FrameType.PING))
    expect(told).toEqual(['up'])
    expect(cloud.peer!.frames).toEqual([FrameType.HELLO, FrameType.PING])
    await close()
  })

  test.each([
    ['garbage', GARBAGE, ['ended']],
    ['garbage behind WELCOME', Buffer.concat([WELCOME, GARBAGE]), ['up', 'ended']],
    ['a refusal', frame(FrameType.RESET, encodeReset({ code: ResetCode.UNSUPPORTED })), ['ended']],
    ['WELCOME and a goodbye', Buffer.concat([WELCOME, frame(FrameType.DRAIN)]), undefined],
  ])('%s in one write with the 101 ends the link and its connection', async (_, octets, told) => {
    for (const end of [false, true]) {
      const dialled = await dial(Buffer.concat([SWITCHED, octets]), end)
      await until(() => dialled.cloud.peer?.isClosed === true)
      if (told !== undefined) expect(dialled.told).toEqual(told)
      else expect(dialled.told.slice(0, 2)).toEqual(['up', 'draining'])
      await dialled.close()
    }
  })
})

test('what a user and an application say in one write with the handshake reaches the other, over one link', async () => {
  const application = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    let came = ''
    socket.on('data', (chunk) => {
      const isHead = came === ''
      came += chunk.toString('latin1')
      if (isHead)
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello',
        )
      if (came.includes('\r\n\r\nfirst')) socket.end(' and goodbye')
    })
  })
  await new Promise<void>((ready) => application.listen(0, '127.0.0.1', ready))
  const world = await startRawWorld({
    noConnector: false,
    internalPort: (application.address() as AddressInfo).port,
  })
  const user = new RawUser(world.port)
  user.socket.write(
    'GET / HTTP/1.1\r\nHost: open.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst',
  )
  await until(() => user.received.endsWith('\r\n\r\nhello and goodbye'))
  user.socket.end()
  expect(await user.closed).toBe('whole')
  await world.close()
  await new Promise((closed) => application.close(closed))
})
