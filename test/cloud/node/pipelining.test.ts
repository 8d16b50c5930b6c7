import { afterEach, describe, expect, test } from 'vitest'
import { RawUser } from '../../integration/raw-user.ts'
import { until } from '../../integration/tunnel.ts'
import { startDirectEdge, type DirectEdge, type Visit } from './direct-edge.ts'

let edge: DirectEdge
let user: RawUser
afterEach(async () => {
  user.leave()
  await edge.close()
})

const HOST = 'Host: open.localhost\r\n'
const GET = (target: string) => `GET ${target} HTTP/1.1\r\n${HOST}\r\n`
const PUT = (target: string, fields = '') =>
  `PUT ${target} HTTP/1.1\r\n${HOST}Content-Length: 1\r\n${fields}\r\n`
const CONTINUE = 'Expect: 100-continue\r\n'

/** The answers of a connection in their order: `100`, `200 /1`; what stands anywhere else shows. */
function answers({ received }: RawUser): string[] {
  return received
    .split(/HTTP\/1\.1 /)
    .slice(1)
    .map((text) => {
      const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s)
      return `${head.slice(0, 3)} ${body.replace(/\s/g, '')}`.trim()
    })
}

async function start(answer: (visit: Visit) => void, tls = false): Promise<void> {
  edge = await startDirectEdge(answer, { overTls: tls })
  user = new RawUser(edge.port, { tls })
}

const target = ({ user: { head } }: Visit) => head.target
const targets = () => edge.visits.map(target)

describe.each([false, true])('T10 pipelined, TLS: %s', (tls) => {
  test.each([
    ['100', CONTINUE],
    ['an interim answer of the application', ''],
  ])('%s comes in its turn, behind an answer that trickles', async (_, expectation) => {
    await start((visit) => {
      if (target(visit) === '/slow') return
      visit.user.inform({ status: 103, headers: [] })
      visit.echo()
    }, tls)
    user.socket.write(GET('/slow') + PUT('/2', expectation) + (expectation === '' ? 'x' : ''))
    await until(() => edge.visits.length === 1)
    const { user: first } = edge.last
    first.respond({ status: 200, headers: ['Content-Length', '20'] }, false)
    for (let i = 0; i < 5; i++) {
      first.write(Buffer.from('slow'))
      await new Promise((later) => setTimeout(later, 5))
    }
    expect(targets()).toEqual(['/slow'])
    first.end()
    const interim = expectation === '' ? ['103'] : ['103', '100']
    await until(() => answers(user).length > interim.length)
    if (expectation !== '') user.socket.write('x')
    await until(() => user.received.endsWith('PUT x'))
    expect(answers(user)).toEqual([`200 ${'slow'.repeat(5)}`, ...interim, '200 PUTx'])
  })

  test('100 comes between two answers that are equally fast', async () => {
    await start((visit) => visit.echo(), tls)
    for (let i = 1; i <= 20; i++) {
      user.socket.write(GET('/1') + PUT('/2', CONTINUE))
      await until(() => answers(user).filter((answer) => answer === '100').length === i)
      user.socket.write('x')
      await until(() => answers(user).length === 3 * i)
    }
    const once = ['200 GET', '100', '200 PUTx']
    expect(answers(user)).toEqual(Array.from({ length: 20 }, () => once).flat())
  })

  test('what is unsafe waits for all before it, and all behind wait for it', async () => {
    await start(() => undefined, tls)
    const body = 'x'
    user.socket.write(
      GET('/1') + GET('/2') + PUT('/3') + body + PUT('/4') + body + GET('/5') + GET('/6'),
    )
    await until(() => edge.visits.length === 2)
    const order: string[] = []
    for (let done = 0; done < 6; done++) {
      await until(() => edge.visits.length > done)
      const visit = edge.visits[done]!
      order.push(`${target(visit)} of ${targets().length}`)
      visit.answer(200, target(visit))
      await until(() => answers(user).length === done + 1)
    }
    expect(order).toEqual(['/1 of 2', '/2 of 2', '/3 of 3', '/4 of 4', '/5 of 5', '/6 of 6'])
    expect(answers(user)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `200 /${n}`))
  })

  test('what waits does not begin when its user leaves, nor behind an answer that closes', async () => {
    await start(() => undefined, tls)
    user.socket.write(`${PUT('/1')}x${PUT('/2')}x`)
    await until(() => edge.visits.length === 1)
    user.leave()
    await until(() => edge.last.gone === false)
    user = new RawUser(edge.port, { tls })
    user.socket.write(`${PUT('/3')}x${PUT('/4')}x`)
    await until(() => edge.visits.length === 2)
    edge.last.answer(200, 'last', [], true)
    await user.closed
    expect(answers(user)).toEqual(['200 last'])
    expect(targets()).toEqual(['/1', '/3'])
  })

  test('many wait within bounds: all are answered, or the connection is cut', async () => {
    await start((visit) => target(visit) !== '/hang' && visit.answer(200, target(visit)), tls)
    const many = Array.from({ length: 300 }, (_each, i) => GET(`/${i}`)).join('')
    user.socket.write(`${PUT('/hang')}x${many}`)
    await until(() => edge.visits.length === 1)
    edge.last.answer(200, 'first')
    await until(() => answers(user).length === 301)
    expect(answers(user).slice(1)).toEqual(Array.from({ length: 300 }, (_each, i) => `200 /${i}`))
    user.socket.write(`${PUT('/hang')}x${'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(100_000)}`)
    await until(() => edge.visits.length === 302)
    for (let i = 0; edge.last.gone === undefined && i < 100; i++)
      await new Promise((later) => setTimeout(later, 10))
    // Read no further than what waits allows.
    expect(edge.visits).toHaveLength(302)
    expect(answers(user)).toHaveLength(301)
  })

  test('a body that comes late, or broke off, belongs to its own request', async () => {
    await start((visit) => target(visit) !== '/1' && visit.echo(), tls)
    user.socket.write(
      `${GET('/1')}POST /2 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nzz`,
    )
    await until(() => edge.visits.length === 1)
    edge.last.answer(200, 'first')
    await user.closed
    expect(answers(user)[0]).toBe('200 first')
    expect(answers(user)[1]).toMatch(/^400 .*user-malformed/)
    expect(targets()).toEqual(['/1'])
  })

  test.each([
    ['what is no request', '\0\0\r\n\r\n', 400],
    ['an unknown method', `FOO / HTTP/1.1\r\n${HOST}\r\n`, 501],
    ['CONNECT', `CONNECT a:443 HTTP/1.1\r\n${HOST}\r\n`, 501],
    ['an expectation that nobody knows', `GET / HTTP/1.1\r\n${HOST}Expect: it\r\n\r\n`, 417],
    ['a head that is too large', `GET / HTTP/1.1\r\nX: ${'x'.repeat(70_000)}`, 431],
  ])('%s is refused when its turn has come', async (_, octets, status) => {
    await start(() => undefined, tls)
    user.socket.write(GET('/1') + GET('/2') + octets)
    await until(() => edge.visits.length === 2)
    const [first, second] = edge.visits
    first!.user.respond({ status: 200, headers: ['Content-Length', '8'] }, false)
    first!.user.write(Buffer.from('half'))
    await until(() => user.received.endsWith('half'))
    second!.answer(200, '/2')
    first!.user.write(Buffer.from('half'))
    first!.user.end()
    await until(() => answers(user).length === 3)
    expect(answers(user).slice(0, 2)).toEqual(['200 halfhalf', '200 /2'])
    expect(answers(user)[2]).toMatch(new RegExp(`^${status}`))
  })

  test('an upgrade is served when its turn has come, and so is an offer that is ignored', async () => {
    await start((visit) => {
      if (visit.user.head.upgrade === undefined) return
      visit.user.upgrade({ status: 101, headers: ['Upgrade', 'echo/1'] })
      visit.onData = (bytes) => visit.user.write(bytes)
      visit.user.startBody()
    }, tls)
    const offer = (protocol: string) =>
      `GET /${protocol} HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
    user.socket.write(GET('/1') + offer('h2c') + offer('echo/1') + 'ping')
    await until(() => edge.visits.length === 1)
    // More than a connection takes at once: the answer goes on behind the upgrade's back.
    const { user: first } = edge.last
    const part = Buffer.alloc(1 << 20, 'x')
    user.keep(2_000)
    first.respond({ status: 200, headers: ['Content-Length', `${16 << 20}`] }, false)
    let left = 16
    const more = (): void => {
      while (left > 0) {
        left -= 1
        if (!first.write(part)) return
      }
      first.end()
    }
    edge.last.onDrained = more
    more()
    await until(() => edge.visits.length === 2)
    edge.last.answer(200, 'ignored')
    await until(() => user.received.endsWith('ping'))
    expect(user.received).toMatch(/xHTTP\/1\.1 200 .*ignoredHTTP\/1\.1 101 .*\r\n\r\nping$/s)
    user.socket.write(' pong')
    await until(() => user.received.endsWith('ping pong'))
  })
})

describe.each([
  ['Connection: close', `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`],
  ['HTTP/1.0', `GET / HTTP/1.0\r\n${HOST}\r\n`],
  [
    'Connection: close in trailers',
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nConnection: close\r\n\r\n`,
  ],
])('behind %s', (_, request) => {
  const LATER = `GET /later HTTP/1.1\r\n${HOST}`
  test.each([
    ['another request', `${LATER}\r\n`],
    ['an offer of h2c', `${LATER}Connection: upgrade\r\nUpgrade: h2c\r\n\r\n`],
    ['a WebSocket', `${LATER}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`],
    ['CONNECT', `CONNECT a:443 HTTP/1.1\r\n${HOST}\r\n`],
    ['one octet', 'x'],
    ['an empty line', '\r\n'],
    ['what is no HTTP', '\0\0\0\0'],
    ['more than a connection holds', 'x'.repeat(8 << 20)],
  ])('%s spoils nothing', async (_, behind) => {
    for (const tls of [false, true])
      for (const together of [true, false]) {
        await start((visit) => {
          visit.onEnd = () => setTimeout(() => visit.answer(200, 'good'), 20)
          if (visit.user.head.method === 'GET') visit.onEnd()
          else visit.user.startBody()
        }, tls)
        if (together) user.socket.write(request + behind)
        else user.socket.write(request, () => setTimeout(() => user.socket.write(behind), 5))
        await user.closed
        expect(answers(user)).toEqual(['200 good'])
        expect(user.received).toMatch(/^connection: close/im)
        expect(targets()).toEqual(['/'])
        await edge.close()
      }
  })
})
