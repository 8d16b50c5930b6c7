import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { userHandler, userUpgradeHandler } from '../../../src/cloud/node/index.ts'
import { RawUser } from '../../integration/raw-user.ts'
import { until } from '../../integration/tunnel.ts'
import { curl, startDirectEdge, Visit, type DirectEdge } from './direct-edge.ts'

const WANTS = { connection: 'keep-alive, Upgrade', upgrade: 'echo/1' }

let edge: DirectEdge
afterEach(() => edge.close())

/** Switches, and sends back what comes. */
function echo(visit: Visit): void {
  const { user } = visit
  if (user.head.upgrade === undefined) return visit.echo()
  visit.onData = (bytes) => {
    if (!user.write(bytes)) user.pauseBody()
  }
  visit.onDrained = () => user.resumeBody()
  visit.onEnd = () => user.end()
  user.upgrade({
    status: 101,
    headers: ['Upgrade', 'echo/1', 'Set-Cookie', 'a=\xe9', 'set-cookie', 'b=2'],
  })
  user.startBody()
}

describe.each([false, true])('a request that asks for another protocol, TLS: %s', (tls) => {
  test('is switched with its fields octet for octet, and no early byte is lost', async () => {
    edge = await startDirectEdge(echo, { overTls: tls })
    const user = new RawUser(edge.port, { tls })
    user.socket.write(
      'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nearly',
    )
    await until(() => user.received.endsWith('early'))
    expect(user.received).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo/1\r\nSet-Cookie: a=\xe9\r\nset-cookie: b=2\r\n' +
        'Connection: Upgrade\r\n\r\nearly',
    )
    expect(edge.last.user.head).toMatchObject({ upgrade: 'echo/1', target: '/chat', secure: tls })
    user.socket.write('late')
    await until(() => user.received.endsWith('earlylate'))
    user.socket.end()
    expect(await user.closed).toBe('whole')
    await until(() => edge.last.gone === true)
  })

  test('whose answer cannot be said is answered otherwise', async () => {
    edge = await startDirectEdge(
      (visit) => {
        const unsayable = { status: 200, headers: ['X-Text', 'two\r\nlines'] }
        expect(() => visit.user.respond(unsayable, false)).toThrow(TypeError)
        visit.answer(502, 'sorry')
      },
      { overTls: tls },
    )
    const user = new RawUser(edge.port, { tls })
    user.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n')
    await until(() => user.received.endsWith('sorry'))
    expect(user.received).toMatch(/^HTTP\/1.1 502 /)
    expect(user.received).not.toContain('two')
  })

  test('closes each direction by itself', async () => {
    edge = await startDirectEdge(
      (visit) => {
        visit.user.upgrade({ status: 101, headers: ['Upgrade', 'echo/1'] })
        visit.user.startBody()
        visit.user.end(undefined)
      },
      { overTls: tls, halfClosedMs: 50 },
    )
    const user = new RawUser(edge.port, { tls })
    user.socket.allowHalfOpen = true
    user.ask('GET', '/', WANTS)
    await until(() => user.socket.readableEnded)
    user.socket.write('still here')
    await until(() => edge.last.body === 'still here')
    expect(edge.last.gone).toBeUndefined()
    user.socket.end()
    await until(() => edge.last.isEnded && edge.last.gone === true)
  })

  test('a user who closed its direction is sent to for as long as we like', async () => {
    edge = await startDirectEdge(
      (visit) => {
        visit.user.upgrade({ status: 101, headers: ['Upgrade', 'echo/1'] })
        visit.user.startBody()
      },
      { overTls: tls, halfClosedMs: 20 },
    )
    const user = new RawUser(edge.port, { tls })
    user.socket.allowHalfOpen = true
    user.ask('GET', '/', WANTS)
    await until(() => user.status === 101)
    user.socket.end()
    await until(() => edge.last.isEnded)
    // Longer than half-closed users of an ordinary request are waited for.
    const quiet = performance.now() + 100
    await until(() => performance.now() > quiet)
    edge.last.user.write(Buffer.from('later'))
    edge.last.user.end()
    await until(() => user.received.endsWith('later'))
    expect(await user.closed).toBe('whole')
  })

  test('a refusal comes whole, and closes', async () => {
    const text = 'no'.repeat(500_000)
    edge = await startDirectEdge((visit) => visit.answer(403, text, ['X-Why', 'policy']), {
      overTls: tls,
    })
    const user = new RawUser(edge.port, { tls }).ask('GET', '/', WANTS)
    user.socket.write('x'.repeat(300_000))
    expect(await user.closed).toBe('whole')
    expect(user.status).toBe(403)
    expect(user.isComplete).toBe(true)
    expect(user.received).toMatch(/^connection: close/im)
    expect(edge.last.gone).toBe(true)
  })

  test('a refusal without a length is chunked, with what came before it', async () => {
    edge = await startDirectEdge(
      ({ user }) => {
        user.inform({ status: 103, headers: ['Link', '</a>; title="x y"'] })
        user.respond({ status: 401, headers: [] }, false)
        user.write(Buffer.from('who'))
        user.end(['X-T', '1'])
      },
      { overTls: tls },
    )
    const user = new RawUser(edge.port, { tls }).ask('GET', '/', WANTS)
    expect(await user.closed).toBe('whole')
    expect(user.received).toContain(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>; title="x y"\r\n\r\nHTTP/1.1 401',
    )
    expect(user.received).toMatch(/3\r\nwho\r\n0\r\nX-T: 1\r\n\r\n$/)
  })

  test('a user who leaves is noticed before the answer and after it', async () => {
    edge = await startDirectEdge(() => undefined, { overTls: tls, halfClosedMs: 50 })
    const before = new RawUser(edge.port, { tls }).ask('GET', '/', WANTS)
    await until(() => edge.visits.length === 1)
    before.leave()
    await until(() => edge.last.gone === false)
    const after = new RawUser(edge.port, { tls }).ask('GET', '/', WANTS)
    await until(() => edge.visits.length === 2)
    edge.last.user.upgrade({ status: 101, headers: ['Upgrade', 'echo/1'] })
    edge.last.user.startBody()
    await until(() => after.status === 101)
    after.leave()
    await until(() => edge.last.isEnded || edge.last.gone !== undefined)
    edge.last.user.abort()
    await until(() => edge.last.gone === false)
  })

  test('a slow reader holds back who writes to it, and a paused one who sends', async () => {
    edge = await startDirectEdge(
      (visit) => {
        visit.user.upgrade({ status: 101, headers: ['Upgrade', 'echo/1'] })
        visit.user.startBody()
        visit.user.pauseBody()
      },
      { overTls: tls },
    )
    const user = new RawUser(edge.port, { tls }).ask('GET', '/', WANTS)
    await until(() => user.status === 101)
    const { last } = edge
    user.socket.pause()
    const chunk = Buffer.alloc(1 << 20)
    let written = 0
    while (last.user.write(chunk) && written < 64) written += 1
    expect(written).toBeLessThan(64)
    user.socket.resume()
    await until(() => last.drained > 0)
    for (let i = 0; i < 32; i++) user.socket.write(chunk)
    await until(() => user.socket.writableLength > 0 && user.socket.writableNeedDrain)
    expect(last.bytes).toBeLessThan(2 << 20)
    last.user.resumeBody()
    await until(() => last.bytes === 32 << 20)
    user.leave()
  })
})

describe.each([false, true])('an offer that is no handover, TLS: %s', (tls) => {
  test('is served as an ordinary request with its body, and the connection goes on', async () => {
    edge = await startDirectEdge((visit) => visit.echo(), { overTls: tls })
    let served: Socket | undefined
    edge.server.on('request', ({ socket }) => (served = socket))
    const user = new RawUser(edge.port, { tls })
    const offers = {
      connection: 'Upgrade, HTTP2-Settings, keep-alive',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABkAAQCAAAAAAIAAAAA',
    }
    const body = 'b'.repeat(200_000)
    for (let i = 1; i <= 15; i++) {
      user.ask('POST', '/', { ...offers, 'content-length': body.length })
      user.socket.write(body)
      await until(() => user.received.split(`POST ${body}`).length === i + 1)
      expect(edge.last.user.head.upgrade).toBeUndefined()
      expect(edge.last.user.head.headers).not.toContain('h2c')
    }
    user.ask('POST', '/chunked', { ...offers, 'transfer-encoding': 'chunked' })
    user.socket.write('3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n')
    await until(() => user.received.endsWith('POST abc'))
    expect(edge.last.trailers).toEqual(['X-T', '1'])
    expect(user.received.match(/^connection: close/im)).toBeNull()
    const counts = ['error', 'end', 'data', 'close', 'drain', 'timeout', 'pause', 'resume']
    for (const event of counts) expect(served!.listenerCount(event)).toBeLessThan(6)
    user.leave()
    await until(() => edge.last.gone !== undefined)
  })

  test.each(['TLS/1.2', 'HTTP/2.0', 'h2c, TLS/1.0', ''])('%s', async (upgrade) => {
    edge = await startDirectEdge((visit) => visit.answer(200, 'ordinary'), { overTls: tls })
    const user = new RawUser(edge.port, { tls }).ask('GET', '/', { ...WANTS, upgrade })
    await until(() => user.received.endsWith('ordinary'))
    expect(edge.last.user.head.upgrade).toBeUndefined()
    user.leave()
  })

  test('of a WebSocket with a body, or by HTTP/1.0', async () => {
    edge = await startDirectEdge((visit) => visit.echo(), { overTls: tls })
    const user = new RawUser(edge.port, { tls })
    user.ask('PUT', '/', { ...WANTS, 'content-length': 2 }).socket.write('ab')
    await until(() => user.received.endsWith('PUT ab'))
    user.leave()
    const old = new RawUser(edge.port, { tls })
    old.socket.write('GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
    await until(() => old.received.endsWith('GET '))
    expect(await old.closed).toBe('whole')
  })
})

test('curl --http2 offers h2c with a body, twice on one connection', async () => {
  edge = await startDirectEdge((visit) => visit.echo())
  const url = `http://127.0.0.1:${edge.port}/`
  const one = ['--http2', '-d', 'x=1', '-w', ' %{http_version} %{num_connects}\n', url]
  expect(await curl(...one, '--next', '-sS', ...one)).toEqual({
    code: 0,
    out: 'POST x=1 1.1 1\nPOST x=1 1.1 0\n',
  })
})

test('a user who leaves while its upgrade waits behind another request is noticed', async () => {
  edge = await startDirectEdge(() => undefined, { halfClosedMs: 50 })
  const user = new RawUser(edge.port).ask('GET', '/one').ask('GET', '/two', WANTS)
  await until(() => edge.visits.length === 1)
  user.leave()
  await until(() => edge.last.gone === false)
  expect(edge.visits).toHaveLength(1)
})

test('a tunnel ends with its listener', async () => {
  edge = await startDirectEdge(echo, { overTls: true })
  const user = new RawUser(edge.port, { tls: true }).ask('GET', '/', WANTS)
  await until(() => user.status === 101)
  const closed = new Promise((done) => edge.server.close(done))
  edge.server.closeAllConnections()
  await closed
  await user.closed
  await until(() => edge.last.gone === false)
})

test('handlers for a server of your own', async () => {
  edge = await startDirectEdge(() => undefined)
  const direct = { handle: (user: Visit['user']) => echo(new Visit(user)) }
  const server = createServer(userHandler(direct)).on('upgrade', userUpgradeHandler(direct))
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  const user = new RawUser(port).ask('GET', '/', WANTS)
  user.socket.write('ping')
  await until(() => user.received.endsWith('ping'))
  user.leave()
  const { out } = await curl('--http2', '-d', 'a', `http://127.0.0.1:${port}/`)
  expect(out).toBe('POST a')
  server.closeAllConnections()
  await new Promise((closed) => server.close(closed))
})
