import { createHash, randomBytes } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend, BackendRequest } from '../../../src/connector/index.ts'
import { HttpBackend, NodeBackend } from '../../../src/connector/node/index.ts'
import { until } from '../../integration/tunnel.ts'
import { ObservedCall, requestTo } from './observed-call.ts'
import { RawApplication, type RawConnection } from './raw-application.ts'

const KINDS = [
  ['node:http', () => new HttpBackend()],
  ['each by its shortest path', () => new NodeBackend()],
] as const
const STREAMED = { kind: 'streamed' } as const
const PIECE = Buffer.alloc(64 * 1024, 'x')

describe.each(KINDS)('request bodies over %s', (_, create) => {
  let backend: Backend
  let close: () => Promise<void>
  let port: number
  beforeEach(() => void (backend = create()))
  afterEach(async () => {
    await backend.close()
    await close()
  })

  const raw = async (respond?: (connection: RawConnection) => void) => {
    const application = await RawApplication.listen(respond)
    port = application.port
    close = () => application.close()
    return application
  }
  const serve = async (listener: RequestListener): Promise<Server> => {
    const server = createServer({ requestTimeout: 0 }, listener)
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    port = (server.address() as AddressInfo).port
    close = async () => {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    }
    return server
  }
  const post = (parts: Partial<BackendRequest>) =>
    new ObservedCall(backend, requestTo(port, { method: 'POST', ...parts }))
  /** Writes as the worker does: on, until the application does not take it. */
  const upload = (one: ObservedCall, pieces: number) => {
    let left = pieces
    const more = (): void => {
      while (left > 0) {
        left -= 1
        if (!one.call.write(PIECE)) return
      }
    }
    const drained = one.drained.bind(one)
    one.drained = () => {
      drained()
      more()
    }
    more()
    return () => left
  }

  test.each([STREAMED, { kind: 'length', bytes: 9 } as const])(
    'the head goes out before the first body byte, octet for octet ($kind)',
    async (body) => {
      const application = await raw()
      const headers = ['Host', 'a.example', 'X-Name', '\xe9\xff', 'Content-Length', '77']
      const disposition = ['Content-Disposition', 'x; filename="\xe9"']
      post({ headers: [...headers, ...disposition], body })
      const connection = await application.connection()
      await until(() => connection.received.endsWith('\r\n\r\n'))
      const [, ...fields] = connection.received.trimEnd().split('\r\n')
      expect(fields).toEqual([
        'Host: a.example',
        'X-Name: \xe9\xff',
        'Content-Disposition: x; filename="\xe9"',
        body.kind === 'streamed' ? 'Transfer-Encoding: chunked' : 'Content-Length: 9',
        'Connection: keep-alive',
      ])
    },
  )

  test('no body is said to be none', async () => {
    const application = await raw()
    for (const method of ['POST', 'DELETE', 'PROPFIND']) post({ method, body: { kind: 'none' } })
    await application.connection(2)
    const framing = () =>
      application.connections.map(({ received }) => [
        received.split(' ')[0],
        /content-length: 0/i.test(received),
        /transfer-encoding/i.test(received),
      ])
    await until(() => application.connections.every(({ received }) => received !== ''))
    expect(framing().sort()).toEqual([
      ['DELETE', false, false],
      ['POST', true, false],
      ['PROPFIND', true, false],
    ])
  })

  test('4 MiB arrive as they were, and trailers after them', async () => {
    const octets = randomBytes(4 * 1024 * 1024)
    const seen = { hash: '', trailers: [] as string[] }
    await serve((request, response) => {
      const hash = createHash('sha256')
      request.on('data', (bytes) => hash.update(bytes))
      request.on('end', () => {
        seen.hash = hash.digest('hex')
        seen.trailers = request.rawTrailers
        response.end('done')
      })
    })
    const one = post({ body: STREAMED })
    for (let at = 0; at < octets.length; at += 65536)
      one.call.write(octets.subarray(at, at + 65536))
    one.call.end(['X-Sum', '1', 'x-sum', '\xe9'])
    await one.settled()
    expect(one.body).toBe('done')
    expect(seen.hash).toBe(createHash('sha256').update(octets).digest('hex'))
    expect(seen.trailers).toEqual(['X-Sum', '1', 'x-sum', '\xe9'])
  })

  test('an application that does not read is not written to', async () => {
    const application = await raw()
    const one = post({ body: STREAMED })
    const left = upload(one, 10_000)
    const { socket } = await application.connection()
    socket.pause()
    let before = -1
    await until(async () => {
      const same = left() === before
      before = left()
      await new Promise((later) => setTimeout(later, 50))
      return same
    })
    expect(left()).toBeGreaterThan(5_000)
    const drains = one.drains
    socket.resume()
    await until(() => one.drains > drains)
    one.call.abort()
  })

  test.each([
    ['more', 4],
    ['less', 2],
  ])('%s than announced never garbles a connection: our own fault', async (_name, bytes) => {
    const application = await raw()
    const one = post({ body: { kind: 'length', bytes: 3 } })
    await application.connection()
    one.call.write(Buffer.alloc(bytes))
    one.call.end()
    expect([(await one.settled()).outcome, one.misplaced]).toEqual(['INTERNAL', 0])
    await until(() => application.connections[0]!.ended || application.connections[0]!.closed)
  })

  describe('an application that answers before it has read the body', () => {
    const ANSWER = `HTTP/1.1 413 Content Too Large\r\nContent-Length: 100000\r\n`
    const BODY = 'y'.repeat(100_000)

    test.each([
      [
        'closes',
        'Connection: close\r\n',
        (connection: RawConnection) => void connection.socket.end(),
      ],
      [
        'closes with bytes unread',
        '',
        (connection: RawConnection) => connection.socket.destroySoon(),
      ],
    ])('and %s', async (_name, fields, then) => {
      const answered = new Set<RawConnection>()
      await raw((connection) => {
        if (answered.has(connection)) return
        answered.add(connection)
        connection.socket.pause()
        connection.socket.write(`${ANSWER}${fields}\r\n${BODY}`)
        then(connection)
      })
      // Often: whether a write or the answer comes first is a race.
      for (let round = 0; round < 20; round++) {
        const one = post({ body: STREAMED })
        upload(one, 2_000)
        await one.settled()
        expect([one.head?.status, one.bytes, one.outcome]).toEqual([413, BODY.length, 'done'])
      }
    })

    test('and closes while its answer waits to be read: a refused write destroys nothing', async () => {
      const body = 'z'.repeat(40_000)
      const application = await raw(({ socket }) => {
        socket.pause()
        // So much that it is read no further while it waits.
        socket.write(`HTTP/1.1 413 Content Too Large\r\nContent-Length: ${2 * body.length}\r\n\r\n`)
        socket.write(body)
      })
      const one = post({ body: STREAMED })
      one.responded = function (head) {
        this.head = head
        this.call.pause()
      }
      one.call.write(PIECE)
      await one.responding()
      const connection = application.connections[0]!
      one.call.write(PIECE)
      await until(() => connection.socket.writableLength === 0)
      connection.socket.write(body)
      // With bytes unread: the connection is reset.
      connection.socket.destroySoon()
      await until(() => connection.closed)
      for (let i = 0; i < 20; i++) {
        one.call.write(PIECE)
        await new Promise((later) => setImmediate(later))
      }
      one.call.resume()
      await one.settled()
      expect([one.outcome, one.bytes]).toEqual(['done', 2 * body.length])
    })

    test('and keeps the connection: it carries nothing else, and is closed', async () => {
      let answered = 0
      const application = await raw(({ socket, received }) => {
        if (answered === 0) socket.write(`${ANSWER}\r\n${BODY}`)
        else if (received.endsWith('\r\n\r\n'))
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        answered += 1
      })
      const one = post({ body: STREAMED })
      one.call.write(PIECE)
      await one.settled()
      expect([one.head?.status, one.bytes]).toEqual([413, BODY.length])
      const { closed, ended } = await application.connection()
      await until(
        () =>
          closed ||
          ended ||
          application.connections[0]!.closed ||
          application.connections[0]!.ended,
      )
      const two = await post({ body: { kind: 'none' } }).settled()
      expect([two.outcome, application.connections.length]).toEqual(['done', 2])
    })

    test('and dies without an answer: broken off', async () => {
      await raw(({ socket }) => void socket.resetAndDestroy())
      const one = post({ body: STREAMED })
      upload(one, 2_000)
      expect((await one.settled()).outcome).toBe('APPLICATION_ABORTED')
    })
  })

  test('octets that answer nothing close the connection they came on', async () => {
    const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'
    const application = await raw(({ socket }) => void socket.write(`${OK}ok`))
    await post({ body: { kind: 'none' } }).settled()
    const first = await application.connection()
    await new Promise((later) => setImmediate(later))
    first.socket.write(`${OK}no`)
    await until(() => first.closed || first.ended)
    const two = await post({ body: { kind: 'none' } }).settled()
    expect([two.body, application.connections.length]).toEqual(['ok', 2])
  })
})
