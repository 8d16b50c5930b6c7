import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend, BackendRequest } from '../../../src/connector/index.ts'
import { HttpBackend, NodeBackend, UndiciBackend } from '../../../src/connector/node/index.ts'
import { until } from '../../integration/tunnel.ts'
import { ObservedCall, requestTo } from './observed-call.ts'
import { RawApplication, type RawConnection } from './raw-application.ts'

const KINDS = [
  ['undici', () => new UndiciBackend()],
  ['node:http', () => new HttpBackend()],
  ['each by its shortest path', () => new NodeBackend()],
] as const

describe.each(KINDS)('applications over %s', (kind, create) => {
  let backend: Backend
  let application: RawApplication
  beforeEach(() => void (backend = create()))
  afterEach(async () => {
    await backend.close()
    await application.close()
  })

  const serve = async (respond?: (connection: RawConnection) => void) =>
    (application = await RawApplication.listen(respond))
  /** Answers every request head with these octets. */
  const answer = (octets: string, close = false) =>
    serve((connection) => {
      if (!connection.received.endsWith('\r\n\r\n')) return
      connection.socket.write(octets, 'latin1')
      if (close) connection.socket.end()
    })
  const call = (parts: Partial<BackendRequest> = {}) =>
    new ObservedCall(backend, requestTo(application.port, parts))
  const outcomeOf = async (octets: string, close = false) => {
    await answer(octets, close)
    const one = await call().settled()
    expect(one.misplaced).toBe(0)
    return one.outcome
  }
  test('the header list arrives octet for octet and in order, the target too', async () => {
    await answer('HTTP/1.1 204 No Content\r\n\r\n')
    const headers = [
      'Host',
      'a.example',
      'X-B',
      '2',
      'x-a',
      '\xe9\xff',
      'X-B',
      '1',
      'x_c',
      '',
      'Cookie',
      'a=b; c=d',
    ]
    await call({ headers, target: '/%2f/\xe9?a=%zz' }).settled()
    const { received } = await application.connection()
    const [line, ...fields] = received.trimEnd().split('\r\n')
    expect(line).toBe('GET /%2f/\xe9?a=%zz HTTP/1.1')
    expect(fields.map((field) => field.replace(/^host/, 'Host'))).toEqual(
      expect.arrayContaining(['Host: a.example', 'Cookie: a=b; c=d']),
    )
    const ours = fields.filter((field) => /^(x|cookie)/i.test(field))
    expect(ours).toEqual(['X-B: 2', 'x-a: \xe9\xff', 'X-B: 1', 'x_c: ', 'Cookie: a=b; c=d'])
    const added = fields.filter((field) => !/^(x|cookie|host)/i.test(field))
    expect(added.map((field) => field.toLowerCase())).toEqual(['connection: keep-alive'])
  })

  test('the answer comes as raw octets, with its trailers', async () => {
    await answer(
      'HTTP/1.1 299 Odd\r\nX-B: 2\r\nx-a: \xe9\xff\r\nX-B: 1\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '2\r\nhi\r\n0\r\nX-Sum: \xe9\r\nx-sum: 2\r\n\r\n',
    )
    const one = await call().settled()
    expect(one.head).toEqual({
      status: 299,
      headers: ['X-B', '2', 'x-a', '\xe9\xff', 'X-B', '1', 'Transfer-Encoding', 'chunked'],
    })
    expect([one.body, one.trailers]).toEqual(['hi', ['X-Sum', '\xe9', 'x-sum', '2']])
    expect(one.misplaced).toBe(0)
  })

  test('interim answers are told in order, with their fields', async () => {
    await answer(
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n' +
        'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    )
    const one = await call().settled()
    expect(one.interim).toEqual([
      { status: 103, headers: ['Link', '</a.css>'] },
      { status: 102, headers: [] },
    ])
    expect([one.head!.status, one.outcome]).toEqual([200, 'done'])
  })

  // Undici takes it for a broken answer.
  const mayGetContinue = kind === 'undici' ? [] : ['POST', 'PUT', 'DELETE', 'GET']
  test.each(mayGetContinue)('%s: a 100 nobody asked for is swallowed', async (method) => {
    await answer('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const one = call({ method, body: { kind: 'length', bytes: 0 } })
    one.call.end()
    await one.settled()
    expect([one.interim, one.body, one.outcome]).toEqual([[], 'ok', 'done'])
  })

  // Node writes methods in capitals; what may have others goes over undici.
  const methods = ['FOO', 'M-SEARCH', 'PROPFIND', 'x!y', 'get', 'Foo']
  test.each(methods.filter((method) => kind !== 'node:http' || !/[a-z]/.test(method)))(
    'the method %s is sent as it is, with and without a body',
    async (method) => {
      await serve((connection) => {
        const [head, body] = connection.received.split('\r\n\r\n')
        if (body === undefined || (/length: 3/i.test(head!) && body !== 'abc')) return
        connection.socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok')
        connection.socket.end()
      })
      const one = await call({ method }).settled()
      expect([one.body, one.outcome]).toEqual(['ok', 'done'])
      const headers = ['Host', 'a.example', 'Content-Length', '3']
      const two = call({ method, headers, body: { kind: 'length', bytes: 3 } })
      two.call.write(Buffer.from('abc'))
      two.call.end()
      await two.settled()
      expect([two.body, two.outcome]).toEqual(['ok', 'done'])
      const lines = application.connections.map(({ received }) => received.split('\r\n')[0])
      expect(lines).toEqual([`${method} / HTTP/1.1`, `${method} / HTTP/1.1`])
      expect(application.connections[1]!.received).toContain('\r\n\r\nabc')
    },
  )

  test('an application that says 100 Continue unasked is asked twice once, and from then on once', async () => {
    if (kind !== 'each by its shortest path') return
    const heads: string[] = []
    await serve((connection) => {
      if (!connection.received.endsWith('\r\n\r\n')) return
      heads.push(connection.received)
      connection.received = ''
      connection.socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n')
      connection.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
    const request = requestTo(application.port)
    for (let i = 0; i < 3; i++) {
      const one = await new ObservedCall(backend, request).settled()
      expect([one.outcome, one.body, one.interim.length, one.misplaced]).toEqual([
        'done',
        'ok',
        1,
        0,
      ])
    }
    expect(heads).toHaveLength(4)
    const broken = new ObservedCall(backend, request)
    broken.call.pause()
    broken.call.abort()
    await new Promise((later) => setTimeout(later, 50))
    expect(broken.outcome).toBe('open')
  })

  const BIG = 'x'.repeat(1000)
  test.each([
    [
      'a 101 nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    ],
    ['a 101 that switches to nothing', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    [
      'two framings',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc'],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nab'],
    ['a chunk size that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a NUL in a value', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n'],
    [
      'a head of 80 KiB',
      `HTTP/1.1 200 OK\r\n${`X: ${BIG}\r\n`.repeat(80)}Content-Length: 0\r\n\r\n`,
    ],
  ])('%s is malformed', async (_, octets) => {
    expect(await outcomeOf(octets)).toBe('APPLICATION_MALFORMED')
  })

  test('a head of 50 KiB in 3000 fields comes whole', async () => {
    await answer(`HTTP/1.1 200 OK\r\n${'X-Filler: abcd\r\n'.repeat(3000)}Content-Length: 0\r\n\r\n`)
    expect((await call().settled()).head!.headers).toHaveLength(6002)
  })

  test.each([
    ['inside a length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'],
    ['inside chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc'],
    [
      'inside chunks that close',
      'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc',
    ],
    ['before its head is whole', 'HTTP/1.1 200 OK\r\nConte'],
  ])('an end %s is broken off', async (_, octets) => {
    expect(await outcomeOf(octets, true)).toBe('APPLICATION_ABORTED')
  })

  test('a body without length ends with the connection, and not with its reset', async () => {
    await answer('HTTP/1.0 200 OK\r\n\r\nabc', true)
    const whole = await call().settled()
    expect([whole.outcome, whole.body]).toEqual(['done', 'abc'])
    await application.close()
    await answer('HTTP/1.0 200 OK\r\n\r\nabc')
    const torn = call()
    await until(() => torn.body === 'abc')
    application.connections[0]!.socket.resetAndDestroy()
    expect((await torn.settled()).outcome).toBe('APPLICATION_ABORTED')
  })

  test('nobody listens: unreachable', async () => {
    await answer('')
    const { port } = application
    await application.close()
    const one = await new ObservedCall(backend, requestTo(port)).settled()
    expect([one.outcome, one.misplaced]).toEqual(['not sent: UNREACHABLE', 0])
    await answer('')
  })

  test('what no request can be made of is our own fault', async () => {
    await answer('')
    const start = async () => {
      const one = call({ headers: ['Host', 'a', 'X', 'a\r\nb'] })
      return (await one.settled()).outcome
    }
    expect(await start().catch(() => 'thrown')).toMatch(/INTERNAL|thrown/)
    expect(application.connections.every(({ received }) => received === '')).toBe(true)
  })

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
  ])('%s: an answer that is all head', async (method, octets) => {
    await answer(octets)
    const one = await call({ method }).settled()
    expect([one.outcome, one.bytes]).toEqual(['done', 0])
  })

  test('connections are kept and used again', async () => {
    await answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    for (let i = 0; i < 5; i++) {
      await call({ method: i % 2 === 0 ? 'GET' : 'OPTIONS' }).settled()
      // The connection is free again a turn later.
      await new Promise((later) => setImmediate(later))
    }
    expect(application.connections.length).toBeLessThanOrEqual(2)
  })

  test('200 requests at once are 200 at once', async () => {
    let waiting: RawConnection[] = []
    await serve((connection) => {
      waiting.push(connection)
      if (waiting.length < 200) return
      for (const { socket } of waiting) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      waiting = []
    })
    for (let round = 0; round < 2; round++) {
      const calls = Array.from({ length: 200 }, () => call())
      await Promise.all(calls.map((one) => one.settled()))
      expect(calls.every((one) => one.outcome === 'done')).toBe(true)
    }
  })

  test('a connection that died idle is replaced, once, for what may be repeated', async () => {
    const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
    // The first request is answered; the next on the same connection is cut off.
    let requests = 0
    await serve(({ socket, received }) => {
      requests += 1
      if (received.split('\r\n\r\n').length === 2) socket.write(OK)
      else socket.resetAndDestroy()
    })
    const warm = async (method: string) => {
      await call({ method }).settled()
      await new Promise((later) => setImmediate(later))
    }
    await warm('GET')
    expect((await call().settled()).outcome).toBe('done')
    await new Promise((later) => setImmediate(later))
    const before = requests
    const method = 'DELETE'
    if (kind !== 'node:http') await warm(method)
    expect((await call({ method }).settled()).outcome).toBe('APPLICATION_ABORTED')
    expect(requests).toBeLessThanOrEqual(before + 2)
  })

  test('an answer flows as it is read, and stops when it is not', async () => {
    const bytes = 8 * 1024 * 1024
    let sent = 0
    await serve(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`)
      const piece = Buffer.alloc(64 * 1024)
      const more = (): void => {
        while (sent < bytes) {
          sent += piece.length
          if (!socket.write(piece)) return
        }
      }
      socket.on('drain', more)
      more()
    })
    const one = call()
    one.responded = function (head) {
      this.head = head
      this.call.pause()
    }
    await one.responding()
    const stuck = one.bytes
    let before = -1
    await until(() => {
      const same = sent === before
      before = sent
      return same
    })
    expect([one.bytes - stuck <= 128 * 1024, sent < bytes, one.outcome]).toEqual([
      true,
      true,
      'open',
    ])
    one.call.resume()
    await one.settled()
    expect(one.bytes).toBe(bytes)
  })

  test('breaking off closes the connection, and nothing follows', async () => {
    await answer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
    const one = call()
    await until(() => one.body === 'abc')
    one.call.abort()
    await until(() => application.connections[0]!.ended || application.connections[0]!.closed)
    expect([one.outcome, one.misplaced]).toEqual(['open', 0])
  })
})
