import { once } from 'node:events'
import { constants } from 'node:http2'
import { afterEach, describe, expect, test } from 'vitest'
import { until } from '../../integration/tunnel.ts'
import { frame, framesOf, GET, PREFACE, rawHttp2 } from './raw-http2.ts'
import { Asked, edge, ended, session, start, stop } from './http2-client.ts'

afterEach(stop)

/** The same with `content-length: 1`. */
const LENGTH_1 = Buffer.concat([GET, Buffer.from([0x0f, 0x0d, 1, 0x31])])

describe('a connection', () => {
  test('with resets beyond the limit is told to calm down', async () => {
    await start(() => undefined, { http2: { maxResets: 20 } })
    for (let i = 1; i <= 21; i++) {
      const asked = new Asked({})
      await until(() => edge.visits.length === i)
      asked.stream.close(constants.NGHTTP2_CANCEL)
      await until(() => edge.last.gone === false)
    }
    await until(() => ended.closed)
    expect(ended.code).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
  })

  // RST_STREAM by the user (CVE-2023-44487), and by us for a body longer than it says (CVE-2025-8671).
  test.each([
    [
      'resets',
      constants.NGHTTP2_ENHANCE_YOUR_CALM,
      (id: number) => [frame(1, 5, id, GET), frame(3, 0, id, Buffer.from([0, 0, 0, 8]))],
    ],
    [
      'makes us reset',
      // Node's own limit of invalid frames comes first, and says nothing.
      undefined,
      (id: number) => [frame(1, 4, id, LENGTH_1), frame(0, 0, id, Buffer.alloc(4))],
    ],
  ])('that opens streams and %s them in one breath is cut off', async (_case, code, reset) => {
    await start(() => undefined)
    const socket = rawHttp2(edge.port)
    let heard: Buffer = Buffer.alloc(0)
    socket.on('data', (bytes) => (heard = Buffer.concat([heard, bytes])))
    const closed = new Promise((done) => socket.once('close', done))
    const frames: Buffer[] = [PREFACE]
    for (let id = 1; id < 2_000; id += 2) frames.push(...reset(id))
    socket.write(Buffer.concat(frames))
    await closed
    const goaways = framesOf(heard).filter(([kind]) => kind === 7)
    expect(goaways.at(-1)?.[1].readUInt32BE(4)).toBe(code)
    expect(edge.visits.length).toBeLessThan(1_000)
    expect(edge.visits.every(({ gone }) => gone === false)).toBe(true)
  })

  test('with many resets among more answers goes on', async () => {
    await start((visit) => visit.user.head.target === '/' && visit.answer(200, 'ok'), {
      http2: { maxResets: 20 },
    })
    for (let i = 0; i < 60; i++) {
      await new Asked({}).closed()
      const asked = new Asked({ ':path': '/hang' })
      await until(() => edge.last.user.head.target === '/hang')
      if (i % 2 === 0) asked.stream.close(constants.NGHTTP2_CANCEL)
    }
    expect(ended.closed).toBe(false)
  })

  test('holds as many streams as allowed', async () => {
    await start(() => undefined, { http2: { maxConcurrentStreams: 3 } })
    await once(session, 'remoteSettings')
    expect(session.remoteSettings).toMatchObject({
      maxConcurrentStreams: 3,
      enableConnectProtocol: false,
    })
    const asked = Array.from({ length: 5 }, () => new Asked({}))
    await until(() => edge.visits.length === 3)
    edge.visits[0]!.answer(200, 'ok')
    await until(() => edge.visits.length === 4)
    expect(asked.filter(({ head }) => head !== undefined)).toHaveLength(1)
  })

  test('a head beyond the limits is refused, and the connection goes on', async () => {
    await start((visit) => visit.answer(200, 'ok'), { maxHeadBytes: 8_192 })
    const asked = new Asked({ 'x-large': 'x'.repeat(20_000) })
    expect(await asked.closed()).toBe(constants.NGHTTP2_NO_ERROR)
    expect(asked.head![':status']).toBe(431)
    const small = new Asked({})
    await small.closed()
    expect(small.body).toBe('ok')
  })

  test('is closed when it is idle, and not while a stream is open', async () => {
    await start((visit) => visit.user.head.target === '/' && visit.answer(200, 'ok'), {
      keepAliveMs: 100,
    })
    await new Asked({}).closed()
    const asked = new Asked({ ':path': '/hang' })
    const later = performance.now() + 250
    await until(() => performance.now() > later)
    expect(ended.closed).toBe(false)
    edge.last.answer(200, 'late')
    await asked.closed()
    expect(asked.body).toBe('late')
    await until(() => ended.closed)
  })

  test('finishes what is under way when the listener closes', async () => {
    await start(() => undefined)
    const asked = new Asked({})
    await until(() => edge.visits.length === 1)
    let closed = false
    edge.server.close(() => (closed = true))
    await until(() => ended.code === constants.NGHTTP2_NO_ERROR)
    expect(closed).toBe(false)
    edge.last.answer(200, 'last words')
    await asked.closed()
    expect(asked.body).toBe('last words')
    await until(() => closed)
  })

  test('ends at once with closeAllConnections', async () => {
    await start(() => undefined)
    new Asked({})
    await until(() => edge.visits.length === 1)
    const closed = new Promise((done) => edge.server.close(done))
    edge.server.closeAllConnections()
    await closed
    await until(() => edge.last.gone === false && ended.closed)
  })

  test('whose user talks nonsense breaks nothing', async () => {
    await start((visit) => visit.answer(200, 'ok'))
    for (const nonsense of [
      'GET / HTTP/1.1\r\n\r\n',
      `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(20)}`,
    ]) {
      const socket = rawHttp2(edge.port)
      socket.on('error', () => undefined).resume()
      socket.write(nonsense, 'latin1')
      await new Promise((closed) => socket.once('close', closed))
    }
    const asked = new Asked({})
    await asked.closed()
    expect(asked.body).toBe('ok')
  })
})
