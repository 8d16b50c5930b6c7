import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { RawUser } from '../../integration/raw-user.ts'
import { startTunnel, until } from '../../integration/tunnel.ts'
import { startDirectEdge, type DirectEdge, type Visit } from './direct-edge.ts'
import { frame, GET, PREFACE, rawHttp2 } from './raw-http2.ts'

let edge: DirectEdge
const users: Socket[] = []
afterEach(async () => {
  for (const user of users.splice(0)) user.destroy()
  await edge.close()
})

/** Everything that ends a connection of HTTP/2, and what ends nothing: RFC 9113 says `connection error` of each but the last three. */
const ENDS: Readonly<Record<string, Buffer>> = {
  'DATA on stream 0': frame(0, 0, 0, Buffer.alloc(5)),
  'DATA that is too large': frame(0, 0, 1, Buffer.alloc(16_385)),
  'DATA on an idle stream': frame(0, 1, 7, Buffer.alloc(1)),
  'DATA whose padding is longer': frame(0, 8, 1, Buffer.from([9, 0])),
  'HEADERS on stream 0': frame(1, 5, 0, GET),
  'HEADERS on an even stream': frame(1, 5, 2, GET),
  'HEADERS that HPACK does not read': frame(1, 5, 3, Buffer.alloc(4, 0xff)),
  'HEADERS that another frame interrupts': Buffer.concat([frame(1, 1, 3, GET), frame(6, 0, 0)]),
  'HEADERS that come without an end': frame(1, 1, 3, GET),
  'PRIORITY of a stream on itself': frame(2, 0, 1, Buffer.from([0, 0, 0, 1, 1])),
  'PRIORITY on stream 0': frame(2, 0, 0, Buffer.alloc(5)),
  'PRIORITY of four octets': frame(2, 0, 1, Buffer.alloc(4)),
  'RST_STREAM on stream 0': frame(3, 0, 0, Buffer.alloc(4)),
  'RST_STREAM of an idle stream': frame(3, 0, 9, Buffer.alloc(4)),
  'RST_STREAM of three octets': frame(3, 0, 1, Buffer.alloc(3)),
  'SETTINGS of five octets': frame(4, 0, 0, Buffer.alloc(5)),
  'SETTINGS on a stream': frame(4, 0, 1),
  'SETTINGS with a window that is too large': frame(4, 0, 0, Buffer.from([0, 4, 255, 0, 0, 0])),
  'SETTINGS with a frame size of 1': frame(4, 0, 0, Buffer.from([0, 5, 0, 0, 0, 1])),
  'an acknowledgement with a payload': frame(4, 1, 0, Buffer.alloc(6)),
  'PUSH_PROMISE by a client': frame(5, 4, 1, Buffer.alloc(8)),
  'PING of five octets': frame(6, 0, 0, Buffer.alloc(5)),
  'PING on a stream': frame(6, 0, 1, Buffer.alloc(8)),
  'GOAWAY of seven octets': frame(7, 0, 0, Buffer.alloc(7)),
  'GOAWAY on a stream': frame(7, 0, 1, Buffer.alloc(8)),
  'WINDOW_UPDATE of nothing': frame(8, 0, 0, Buffer.alloc(4)),
  'WINDOW_UPDATE beyond what can be': frame(8, 0, 0, Buffer.from([0x7f, 255, 255, 255])),
  'WINDOW_UPDATE of three octets': frame(8, 0, 0, Buffer.alloc(3)),
  'CONTINUATION of nothing': frame(9, 4, 1, Buffer.alloc(2)),
  'half of a frame': frame(6, 0, 0, Buffer.alloc(8)).subarray(0, 12),
  'a frame that nobody knows': frame(0x55, 0, 0, Buffer.alloc(8)),
  'GOAWAY, and then nothing': frame(7, 0, 0, Buffer.alloc(8)),
  'nothing at all': Buffer.alloc(0),
}
const WAYS = ['leaves', 'closes its direction', 'stays silent'] as const

describe('T9 a connection of HTTP/2 is let go within the idle limit', () => {
  const quick = { overTls: true, keepAliveMs: 400, requestHeadMs: 400, lingerMs: 50 }

  test.each([
    ['with a request that waits', true, () => undefined],
    ['with an answer that is not taken', true, large],
    ['with nothing under way', false, () => undefined],
  ])('%s, whatever ended its session', async (_, asks, answer) => {
    edge = await startDirectEdge(answer, quick)
    for (const octets of Object.values(ENDS))
      for (const way of WAYS) {
        const user = rawHttp2(edge.port, { halfOpen: true })
        users.push(user)
        user.once('secureConnect', () => {
          user.resume().write(Buffer.concat([PREFACE, asks ? frame(1, 5, 1, GET) : octets]))
          // In turns of their own: the request is served before its connection ends.
          setTimeout(() => {
            if (asks) user.write(octets)
            if (way === 'closes its direction') user.end()
            if (way === 'leaves') setTimeout(() => user.destroy(), 5)
          }, 50)
        })
      }
    const count = users.length
    await until(() => users.every((user) => !user.connecting))
    if (asks) await until(() => edge.visits.length > 0.9 * count)
    await noneHeld(edge)
    expect(edge.visits.every(({ gone }) => gone !== undefined)).toBe(true)
  })

  test('that never speaks', async () => {
    edge = await startDirectEdge(() => undefined, { ...quick, keepAliveMs: 60_000 })
    const user = rawHttp2(edge.port, { halfOpen: true }).resume()
    users.push(user)
    await until(() => user.alpnProtocol === 'h2')
    await noneHeld(edge)
  })
})

describe.each([false, true])('a connection of HTTP/1.1 is let go, TLS: %s', (overTls) => {
  const quick = { overTls, keepAliveMs: 300, requestHeadMs: 300, lingerMs: 50, halfClosedMs: 50 }
  const WANTS = 'Connection: Upgrade\r\nUpgrade: echo/1\r\n'

  test('whatever its user did last', async () => {
    edge = await startDirectEdge((visit) => {
      if (visit.user.head.upgrade === undefined) return large(visit)
      if (visit.user.head.target === '/refused') return visit.answer(403, 'no')
      visit.user.upgrade({ status: 101, headers: ['Upgrade', 'echo/1'] })
      visit.onEnd = () => {
        visit.user.write(Buffer.alloc(8 << 20))
        visit.user.end()
      }
      visit.user.startBody()
    }, quick)
    const said = [
      '',
      'GET /',
      '\0\0\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\0\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n',
      `GET /refused HTTP/1.1\r\nHost: a\r\n${WANTS}\r\n`,
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n`,
    ]
    for (const text of said)
      for (const way of WAYS) {
        // Nobody reads: what is written to it stays under way.
        const user = bare(edge.port, overTls)
        users.push(user)
        user.write(text, () => {
          if (way === 'closes its direction') user.end()
          if (way === 'leaves') setTimeout(() => user.destroy(), 50)
        })
      }
    // Gone in the turn in which it is answered.
    for (let i = 0; i < 20; i++) {
      const user = bare(edge.port, overTls)
      user.write('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', () => user.destroy())
    }
    const tunnel = bare(edge.port, overTls)
    users.push(tunnel)
    tunnel.write(`GET / HTTP/1.1\r\nHost: a\r\n${WANTS}\r\n`, () => tunnel.end())
    await until(() => edge.visits.length >= 15)
    await noneHeld(edge)
  })

  test('but not while an exchange is under way', async () => {
    edge = await startDirectEdge(({ user }) => {
      if (user.head.upgrade === undefined) return
      user.upgrade({ status: 101, headers: ['Upgrade', 'echo/1'] })
      user.startBody()
    }, quick)
    const asked = new RawUser(edge.port, { tls: overTls }).ask('GET', '/')
    const tunnel = new RawUser(edge.port, { tls: overTls })
    tunnel.socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${WANTS}\r\n`)
    await until(() => tunnel.status === 101 && edge.visits.length === 2)
    const later = performance.now() + 700
    await until(() => performance.now() > later)
    expect(edge.visits.map(({ gone }) => gone)).toEqual([undefined, undefined])
    asked.leave()
    tunnel.leave()
  })
})

test('a handshake of TLS that does not end is let go, of users and of connectors', async () => {
  edge = await startDirectEdge(() => undefined, { overTls: true, requestHeadMs: 200 })
  const tunnel = await startTunnel({
    backend: () => undefined,
    noConnector: true,
    limits: { requestHeadMs: 200 },
  })
  for (const port of [edge.port, Number(new URL(tunnel.connectorUrl).port)])
    for (const octets of [[], [22, 3, 1], [22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]]) {
      const user = connect(port, '127.0.0.1').on('error', () => undefined)
      users.push(user)
      user.resume().write(Buffer.from(octets))
    }
  await noneHeld(edge)
  await noneHeld(tunnel.connectors)
  await tunnel.close()
})

/** More than a connection takes while nobody reads. */
function large({ user }: Visit): void {
  user.respond({ status: 200, headers: [] }, false)
  user.write(user.head.httpVersion === '2' ? Buffer.alloc(100_000) : Buffer.alloc(8 << 20))
  user.end()
}

function bare(port: number, tls: boolean): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const user = tls ? connectTls({ socket, rejectUnauthorized: false }) : socket
  return user.on('error', () => undefined)
}

/** What the kernel gave us is given back. */
async function noneHeld({ server }: Pick<DirectEdge, 'server'>): Promise<void> {
  let held = -1
  await until(() => {
    server.getConnections((_error, count) => (held = count))
    return held === 0
  })
}
