/** Request bodies over HTTP/2: how far ahead a user may send. */
import { connect, constants, type ClientHttp2Session } from 'node:http2'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import type { Http2Limits } from '../../../src/cloud/node/index.ts'
import { Relay } from '../../integration/relay.ts'
import { until } from '../../integration/tunnel.ts'
import { startDirectEdge, type DirectEdge, type Visit } from './direct-edge.ts'

const KIB = 1024
const MIB = 1024 * KIB

let edge: DirectEdge
let relay: Relay
let session: ClientHttp2Session
afterEach(async () => {
  session.destroy()
  await relay.close()
  await edge.close()
})

async function start(answer: (visit: Visit) => void, delayMs: number, http2: Http2Limits = {}) {
  edge = await startDirectEdge(answer, { overTls: true, http2 })
  relay = new Relay(edge.port, delayMs)
  session = connect(`https://127.0.0.1:${await relay.listen()}`, { rejectUnauthorized: false })
  session.on('error', () => undefined)
}

/** Sends so many bytes as fast as it may; resolves when the answer is there. */
function upload(bytes: number): {
  stream: ReturnType<typeof session.request>
  done: Promise<void>
} {
  const stream = session.request({ ':method': 'PUT', ':authority': 'a.example' })
  stream.on('error', () => undefined).resume()
  let left = bytes
  const more = (): void => {
    while (left > 0) {
      left -= 64 * KIB
      if (!stream.write(Buffer.alloc(64 * KIB))) return
    }
    stream.end()
  }
  stream.on('drain', more)
  more()
  return { stream, done: new Promise((closed) => stream.once('close', closed)) }
}

const take = (visit: Visit): void => {
  visit.onEnd = () => visit.answer(200, `${visit.bytes}`)
  visit.user.startBody()
}

test('a long line is filled: the window grows with it, and shrinks when nobody uploads', async () => {
  await start(take, 25)
  let widest = 0
  session.on('remoteSettings', ({ initialWindowSize = 0 }) => {
    widest = Math.max(widest, initialWindowSize)
  })
  await upload(64 * MIB).done
  expect(edge.last.bytes).toBe(64 * MIB)
  // 100 MB/s over 50 ms are 5 MB; how much of it is under way is the processor's doing as well.
  expect(widest).toBe(8 * MIB)
  expect(relay.mostUpwards).toBeGreaterThan(MIB)
  await until(() => session.remoteSettings.initialWindowSize === 64 * KIB)
}, 60_000)

test('before anybody asks for a body, 64 KiB of it come', async () => {
  await start(() => undefined, 0)
  upload(MIB)
  await until(() => edge.visits.length === 1)
  await until(() => relay.allUpwards >= 64 * KIB)
  await new Promise((later) => setTimeout(later, 100))
  // TLS and frames besides.
  expect(relay.allUpwards).toBeLessThan(72 * KIB)
  edge.last.user.startBody()
  await until(() => edge.last.bytes === MIB)
})

test('who stops taking has at most the window to hold, however far it had grown', async () => {
  await start((visit) => {
    visit.onData = () => {
      if (visit.bytes > 32 * MIB) visit.user.pauseBody()
    }
    visit.user.startBody()
  }, 5)
  upload(256 * MIB)
  await until(() => (edge.visits[0]?.bytes ?? 0) > 32 * MIB, 30_000)
  let before = -1
  await until(async () => {
    const same = relay.allUpwards === before
    before = relay.allUpwards
    await new Promise((later) => setTimeout(later, 100))
    return same
  })
  expect(edge.last.bytes).toBeLessThan(33 * MIB)
  // Its window, and what TLS and frames cost of 40 MiB.
  expect(relay.allUpwards - edge.last.bytes).toBeLessThan(9 * MIB)
  edge.last.onData = () => undefined
  edge.last.user.resumeBody()
  await until(() => edge.last.bytes > 64 * MIB, 30_000)
}, 60_000)

test('who sends ahead on many streams, deaf to the smaller window, is cut off', async () => {
  await start((visit) => visit.user.head.target === '/' && take(visit), 0, {
    maxUploadWindowBytes: 512 * KIB,
  })
  const deaf = new DeafClient(edge.port)
  deaf.open(1)
  await until(() => deaf.window >= 512 * KIB)
  for (let id = 3; id < 200; id += 2) deaf.open(id)
  // The GOAWAY may be lost to it: it is still sending when its connection is closed.
  await deaf.closed
  expect([undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM]).toContain(deaf.goaway)
  expect(edge.visits.every(({ gone }) => gone === false)).toBe(true)
})

/** Sends on each of its streams what the largest window it was ever told allows, as fast as the connection's window does. */
class DeafClient {
  window = 65_535
  goaway: number | undefined
  readonly closed: Promise<void>
  readonly #socket: TLSSocket
  readonly #sendable = new Map<number, number>()
  #connection = 65_535
  #received: Buffer = Buffer.alloc(0)

  constructor(port: number) {
    const address = { host: '127.0.0.1', port, rejectUnauthorized: false }
    this.#socket = connectTls({ ...address, ALPNProtocols: ['h2'] })
    this.#socket.on('error', () => undefined)
    this.closed = new Promise((closed) => this.#socket.once('close', () => closed()))
    this.#socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    this.#say(4, 0, 0)
    this.#socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes])
      for (let length: number; this.#received.length >= 9;) {
        length = 9 + this.#received.readUIntBE(0, 3)
        if (this.#received.length < length) break
        this.#heard(this.#received.subarray(0, length))
        this.#received = this.#received.subarray(length)
      }
      this.#send()
    })
  }

  /** GET https://a/ in HPACK, without its end: `take` takes it; with another path nobody does. */
  open(id: number): void {
    const path = id === 1 ? [0x84] : [0x04, 2, 0x2f, 0x77]
    this.#say(1, 4, id, Buffer.from([0x82, 0x87, ...path, 0x41, 1, 0x61]))
    this.#sendable.set(id, this.window)
    this.#send()
  }

  #heard(frame: Buffer): void {
    const [kind, flags, id] = [frame[3], frame[4]!, frame.readUInt32BE(5)]
    if (kind === 7) this.goaway = frame.readUInt32BE(13)
    if (kind === 8 && id === 0) this.#connection += frame.readUInt32BE(9)
    else if (kind === 8) this.#sendable.set(id, this.#sendable.get(id)! + frame.readUInt32BE(9))
    if (kind !== 4 || (flags & 1) === 1) return
    for (let at = 9; at < frame.length; at += 6) {
      if (frame.readUInt16BE(at) !== 4) continue
      const grown = frame.readUInt32BE(at + 2) - this.window
      if (grown < 0) return
      this.window += grown
      for (const [stream, bytes] of this.#sendable) this.#sendable.set(stream, bytes + grown)
    }
    this.#say(4, 1, 0)
  }

  #send(): void {
    // The last first: the one that is taken would have all of the connection for itself.
    for (const [id, bytes] of [...this.#sendable].reverse()) {
      let left = Math.min(bytes, this.#connection)
      this.#sendable.set(id, bytes - left)
      this.#connection -= left
      for (; left > 0; left -= 16_384) this.#say(0, 0, id, Buffer.alloc(Math.min(left, 16_384)))
    }
  }

  #say(kind: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): void {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.length, 0, 3)
    head[3] = kind
    head[4] = flags
    head.writeUInt32BE(id, 5)
    this.#socket.write(Buffer.concat([head, payload]))
  }
}
