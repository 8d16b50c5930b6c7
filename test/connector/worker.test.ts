import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NodeBackend } from '../../src/connector/node/index.ts'
import { MAX_INTERIM, type Offer } from '../../src/protocol/internal.ts'
import { until } from '../integration/tunnel.ts'
import { detailsAt } from './node/observed-call.ts'
import { RawApplication, type RawConnection } from './node/raw-application.ts'
import { ServedExchange } from './worker-pair.ts'

let backend: NodeBackend
let application: RawApplication
beforeEach(() => void (backend = new NodeBackend()))
afterEach(async () => {
  await backend.close()
  await application.close()
})

const serve = async (respond?: (connection: RawConnection) => void) =>
  (application = await RawApplication.listen(respond))
const answer = (octets: string) =>
  serve(({ socket, received }) => {
    if (received.endsWith('\r\n\r\n')) socket.write(octets, 'latin1')
  })
const exchange = (parts: Partial<Offer> = {}) =>
  new ServedExchange(backend, detailsAt(application.port), parts)
const closed = async (one: ServedExchange) => {
  await until(() => one.outcome !== undefined && one.isReleased)
  return one
}
const codeOf = (one: ServedExchange) =>
  one.outcome?.kind === 'failed' ? one.outcome.error.reason : one.outcome?.kind

describe('tunnels', () => {
  const SWITCHED =
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Hop\r\nUpgrade: websocket\r\n' +
    'X-Hop: 1\r\nSec-WebSocket-Accept: abc\r\n\r\n'

  test('the 101 keeps its Upgrade and loses what is of the connection; both directions flow', async () => {
    await serve(({ socket, received }) => {
      if (received.endsWith('\r\n\r\n')) socket.write(SWITCHED)
      else socket.write(received.split('\r\n\r\n')[1]!)
    })
    const one = exchange({ upgrade: 'websocket' })
    await until(() => one.head !== undefined)
    expect(one.head).toEqual({
      status: 101,
      headers: ['Sec-WebSocket-Accept', 'abc', 'Upgrade', 'websocket'],
    })
    one.send('hello')
    await until(() => one.body === 'hello')
    one.end()
    await until(() => application.connections[0]!.ended)
    expect(one.outcome).toBeUndefined()
    application.connections[0]!.socket.end()
    expect((await closed(one)).outcome).toEqual({ kind: 'done' })
  })

  test('an application that ends first still hears the user', async () => {
    await answer(SWITCHED)
    const one = exchange({ upgrade: 'websocket' })
    await until(() => one.head !== undefined)
    const [connection] = application.connections
    connection!.socket.end('bye')
    await until(() => one.isEnded)
    expect([one.body, one.outcome, one.stop]).toEqual(['bye', undefined, undefined])
    one.send('still here')
    await until(() => connection!.received.endsWith('still here'))
    one.end()
    expect((await closed(one)).outcome).toEqual({ kind: 'done' })
  })

  test('an application that ended and then dies stops the user, who has the whole answer', async () => {
    await answer(SWITCHED)
    const one = exchange({ upgrade: 'websocket' })
    await until(() => one.head !== undefined)
    application.connections[0]!.socket.end('bye')
    await until(() => one.isEnded)
    application.connections[0]!.socket.resetAndDestroy()
    await until(() => {
      if (one.outcome === undefined) one.send('x')
      return one.outcome !== undefined
    })
    expect((await closed(one)).outcome).toEqual({ kind: 'done' })
  })

  test('a protocol nobody asked for is malformed', async () => {
    await answer(SWITCHED)
    expect(codeOf(await closed(exchange({ upgrade: 'h2c, x/1' })))).toBe('application-malformed')
  })

  test('a refusal ends like any answer', async () => {
    await answer('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
    const one = await closed(exchange({ upgrade: 'websocket' }))
    expect([one.head?.status, one.body, codeOf(one)]).toEqual([403, 'no', 'done'])
  })

  test('a user who leaves resets the application', async () => {
    await answer(SWITCHED)
    const one = exchange({ upgrade: 'websocket' })
    await until(() => one.head !== undefined)
    one.exchange.cancel()
    await until(() => application.connections[0]!.error?.code === 'ECONNRESET')
    await until(() => one.isReleased)
  })
})

describe('answers', () => {
  test('interim answers lose what is of the connection, and are counted', async () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nConnection: X-A\r\nX-A: 1\r\nLink: <a>\r\n\r\n'
    await answer(interim.repeat(MAX_INTERIM + 5) + 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    const one = await closed(exchange())
    expect([codeOf(one), one.interim.length]).toEqual(['done', MAX_INTERIM])
    expect(one.interim[0]).toEqual({ status: 103, headers: ['Link', '<a>'] })
  })

  test('trailers go both ways', async () => {
    await serve(({ socket, received }) => {
      if (received.endsWith('0\r\nX-Sent: 1\r\n\r\n'))
        socket.write(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nKeep-Alive: 1\r\nX-Back: 2\r\n\r\n',
        )
    })
    const one = exchange({ method: 'POST', body: { kind: 'streamed' } })
    one.send('a')
    one.end(['X-Sent', '1'])
    await closed(one)
    expect([codeOf(one), one.trailers]).toEqual(['done', ['X-Back', '2']])
  })

  test('an answer before the body was read stops the body and comes whole', async () => {
    let answered = false
    await serve(({ socket }) => {
      if (!answered) socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig')
      answered = true
    })
    const one = exchange({ method: 'POST', body: { kind: 'length', bytes: 1_000_000 } })
    one.send('a')
    await closed(one)
    expect([one.head?.status, one.body, codeOf(one), one.stop]).toEqual([413, 'big', 'done', 0])
    await until(() => application.connections[0]!.ended || application.connections[0]!.closed)
  })

  test.each([
    ['a status below 100', 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['a head that no frame holds', `HTTP/1.1 200 OK\r\nX: ${'\xe9'.repeat(40_000)}\r\n\r\n`],
    [
      'trailers that no frame holds',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ${'\xe9'.repeat(40_000)}\r\n\r\n`,
    ],
  ])('%s is malformed', async (_, octets) => {
    await answer(octets)
    expect(codeOf(await closed(exchange()))).toBe('application-malformed')
  })

  test('a user who wants no more of an answer has it broken off', async () => {
    await answer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
    const one = exchange()
    await until(() => one.body === 'abc')
    one.exchange.stop(performance.now())
    await until(() => one.isReleased)
    await until(() => application.connections[0]!.ended || application.connections[0]!.closed)
  })
})
