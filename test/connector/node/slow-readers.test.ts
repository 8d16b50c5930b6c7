/** Answers whose connection ends while their reader is slow: they come whole, and nobody else suffers. */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NodeBackend } from '../../../src/connector/node/index.ts'
import { listen } from '../../integration/listen.ts'
import { ObservedCall, requestTo } from './observed-call.ts'

const BODY = 'x'.repeat(200_000)
const chunked = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`
const ANSWERS = [
  ['of no length', `HTTP/1.1 200 OK\r\n\r\n${BODY}`],
  ['of no length, by HTTP/1.0', `HTTP/1.0 200 OK\r\n\r\n${BODY}`],
  ['of a length', `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n${BODY}`],
  [
    'in chunks',
    `HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
  ],
] as const

let backend: NodeBackend
let application: Server
let answer: (socket: Socket) => void
let port: number
beforeEach(async () => {
  backend = new NodeBackend()
  application = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => answer(socket))
  })
  port = await listen(application)
})
afterEach(async () => {
  await backend.close()
  application.close()
})

/** Reads a little at a time: pauses with each piece, and goes on when whatever came has arrived. */
class SlowCall extends ObservedCall {
  override data(bytes: Uint8Array): void {
    super.data(bytes)
    this.call.pause()
    void wait(20).then(() => this.call.resume())
  }
}

describe.each(ANSWERS)('an answer %s', (_, octets) => {
  test('comes whole to who reads slowly', async () => {
    answer = (socket) => socket.end(octets, 'latin1')
    for (let i = 0; i < 3; i++) {
      const call = await new SlowCall(backend, requestTo(port)).settled()
      expect([call.outcome, call.body === BODY]).toEqual(['done', true])
    }
  })

  test('waits for who does not read, and comes whole', async () => {
    answer = (socket) => socket.end(octets, 'latin1')
    const call = new ObservedCall(backend, requestTo(port))
    call.call.pause()
    await call.responding()
    await wait(100)
    expect(call.isEnded).toBe(false)
    call.call.resume()
    await call.settled()
    expect([call.outcome, call.body === BODY]).toEqual(['done', true])
  })

  test('may be broken off, or reset, while nobody reads it', async () => {
    const closed: Promise<unknown>[] = []
    answer = (socket) => {
      closed.push(once(socket, 'close'))
      socket.end(octets, 'latin1')
    }
    const broken = new SlowCall(backend, requestTo(port))
    await broken.responding()
    broken.call.pause()
    await wait(50)
    broken.call.abort()
    await Promise.all(closed)
    answer = (socket) => socket.write(octets, 'latin1', () => socket.resetAndDestroy())
    const reset = await new SlowCall(backend, requestTo(port)).settled()
    expect(reset.outcome === 'done' ? reset.body === BODY : true).toBe(true)
  })
})
