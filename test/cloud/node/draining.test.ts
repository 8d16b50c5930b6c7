/** A listener that is closed answers what is on its way, and lets go of every connection. */
import { once } from 'node:events'
import { constants } from 'node:http2'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { RawUser } from '../../integration/raw-user.ts'
import { until } from '../../integration/tunnel.ts'
import { startDirectEdge, type DirectEdge } from './direct-edge.ts'
import { Asked, edge, ended, start, stop } from './http2-client.ts'

let direct: DirectEdge | undefined
afterEach(async () => {
  if (direct === undefined) return stop()
  await direct.close()
  direct = undefined
})

test.each([false, true])(
  'over TLS %s: a kept connection has one more request, and its last answer says so',
  async (overTls) => {
    direct = await startDirectEdge((visit) => visit.answer(200, 'ok'), { overTls })
    const user = new RawUser(direct.port, { tls: overTls }).ask('GET', '/1', { host: 'a.example' })
    await until(() => user.received.endsWith('ok'))
    expect(user.received).not.toMatch(/connection: close/i)
    let isClosed = false
    direct.server.close(() => (isClosed = true))
    // Whoever had come is accepted first, and answered as ever.
    await until(() => !direct!.server.listening)
    user.received = ''
    user.ask('GET', '/2', { host: 'a.example' })
    await until(() => user.received.endsWith('ok'))
    expect(user.received).toMatch(/connection: close/i)
    await user.closed
    await until(() => isClosed)
  },
)

/** Connects from a thread of its own, says so, asks, and tells what came. */
const USERS = `
const { connect } = require('node:net')
const { parentPort, workerData: { port, come } } = require('node:worker_threads')
const received = Array(20).fill('')
let there = 0
let left = received.length
for (const i of received.keys()) {
  const socket = connect(port, '127.0.0.1', () => {
    socket.write('GET / HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n')
    if (++there < received.length) return
    Atomics.store(come, 0, 1)
    Atomics.notify(come, 0)
  })
  socket.setEncoding('latin1').on('data', (text) => (received[i] += text))
  socket.on('error', () => undefined)
  socket.on('close', () => --left === 0 && parentPort.postMessage(received))
}`

test('whoever had come, and was not accepted yet, is answered', async () => {
  direct = await startDirectEdge((visit) => visit.answer(200, 'ok'))
  const come = new Int32Array(new SharedArrayBuffer(4))
  const users = new Worker(USERS, { eval: true, workerData: { port: direct.port, come } })
  // The kernel has them, and until the listener closes no turn of the event loop accepts them.
  Atomics.wait(come, 0, 0)
  let isClosed = false
  direct.server.close(() => (isClosed = true))
  const [received] = (await once(users, 'message')) as [string[]]
  expect(received).toHaveLength(20)
  for (const text of received) expect(text).toMatch(/^HTTP\/1\.1 200 [^]*ok$/)
  await until(() => isClosed)
})

test('an answer under way ends first, and a connection that asks nothing is closed', async () => {
  // Neither of the usual limits ends it.
  direct = await startDirectEdge(() => undefined, { requestHeadMs: 60_000, keepAliveMs: 60_000 })
  const slow = new RawUser(direct.port).ask('GET', '/', { host: 'a.example' })
  const idle = new RawUser(direct.port)
  await until(() => direct!.visits.length === 1 && idle.port > 0)
  let isClosed = false
  direct.server.close(() => (isClosed = true))
  await idle.closed
  expect(isClosed).toBe(false)
  direct.last.answer(200, 'at last')
  await slow.closed
  expect(slow.received).toMatch(/connection: close[^]*at last$/i)
  await until(() => isClosed)
})

test('pipelined requests that had come are all answered, and the last answer says so', async () => {
  direct = await startDirectEdge(() => undefined)
  const user = new RawUser(direct.port)
  const host = 'Host: a.example\r\n'
  const upgrade = `${host}Connection: Upgrade\r\nUpgrade: websocket\r\n`
  user.socket.write(
    `GET /1 HTTP/1.1\r\n${host}\r\nGET /2 HTTP/1.1\r\n${host}\r\n` +
      `PUT /3 HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\nGET /4 HTTP/1.1\r\n${upgrade}\r\n`,
  )
  await until(() => direct!.visits.length === 2)
  let isClosed = false
  direct.server.close(() => (isClosed = true))
  // The second is ready before the first.
  direct.visits[1]!.answer(200, '/2')
  direct.visits[0]!.answer(200, '/1')
  for (const count of [3, 4]) {
    await until(() => direct!.visits.length === count)
    direct.last.answer(200, `/${count}`)
  }
  await user.closed
  const answers = user.received.split('HTTP/1.1 200 OK').slice(1)
  expect(answers.map((answer) => answer.slice(-2))).toEqual(['/1', '/2', '/3', '/4'])
  const last = [false, false, false, true]
  expect(answers.map((answer) => /connection: close/i.test(answer))).toEqual(last)
  await until(() => isClosed)
})

test('HTTP/2: streams that were opened before the user knew are answered', async () => {
  await start((visit) => visit.answer(200, 'ok'))
  const first = new Asked({ ':path': '/1' })
  await first.closed()
  edge.server.close()
  const behind = Array.from({ length: 20 }, (_, i) => new Asked({ ':path': `/${i}` }))
  let answered = 0
  for (const asked of behind) {
    const code = await asked.closed()
    // Or the client has not sent it any more.
    if (code !== constants.NGHTTP2_REFUSED_STREAM) expect([code, asked.body]).toEqual([0, 'ok'])
    if (code === 0) answered += 1
  }
  expect(edge.visits).toHaveLength(1 + answered)
  await until(() => ended.closed)
  expect(ended.code).toBe(0)
})
