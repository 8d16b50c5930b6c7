import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { RawUser } from '../../integration/raw-user.ts'
import { until } from '../../integration/tunnel.ts'
import { curl, startDirectEdge, type DirectEdge } from './direct-edge.ts'

let edge: DirectEdge
afterEach(() => edge.close())

describe('interim answers', () => {
  test('are sent as they are, several fields and all', async () => {
    edge = await startDirectEdge((visit) => {
      const links = ['Link', '</a.css>; rel=preload', 'Link', '</b>; title="x; y"', 'X-Cased', '1']
      visit.user.inform({ status: 103, headers: links })
      visit.user.inform({ status: 102, headers: [] })
      visit.user.inform({ status: 110, headers: ['X', 'y'] })
      visit.user.inform({ status: 100, headers: [] })
      visit.user.inform({ status: 101, headers: [] })
      visit.answer(200, 'final')
      visit.user.inform({ status: 103, headers: [] })
    })
    const user = new RawUser(edge.port).ask('GET', '/')
    await until(() => user.received.endsWith('final'))
    expect(user.received.slice(0, user.received.indexOf('HTTP/1.1 200'))).toBe(
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b>; title="x; y"\r\nX-Cased: 1\r\n\r\n' +
        'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 110 \r\nX: y\r\n\r\n',
    )
    user.leave()
  })

  test('are kept from HTTP/1.0, and from behind a pipelined answer', async () => {
    edge = await startDirectEdge(({ user }) => user.inform({ status: 103, headers: [] }))
    const old = new RawUser(edge.port)
    old.socket.write('GET / HTTP/1.0\r\n\r\n')
    await until(() => edge.visits.length === 1)
    edge.last.answer(200, 'old')
    await old.closed
    expect(old.received).toMatch(/^HTTP\/1.1 200/)
    const user = new RawUser(edge.port).ask('GET', '/1').ask('GET', '/2')
    await until(() => edge.visits.length === 3)
    edge.visits[2]!.answer(200, 'second')
    edge.visits[1]!.answer(200, 'first')
    await until(() => user.received.endsWith('second'))
    expect(user.received.match(/HTTP\/1.1 103/g)).toHaveLength(1)
    expect(user.received.indexOf('first')).toBeLessThan(user.received.indexOf('second'))
    user.leave()
  })

  test('100 is sent when the body is asked for', async () => {
    edge = await startDirectEdge(() => undefined)
    const user = new RawUser(edge.port)
    user.ask('PUT', '/', { expect: '100-continue', 'content-length': 2 })
    await until(() => edge.visits.length === 1)
    expect(user.received).toBe('')
    edge.last.echo()
    await until(() => user.received === 'HTTP/1.1 100 Continue\r\n\r\n')
    user.socket.write('ab')
    await until(() => user.received.endsWith('PUT ab'))
    user.leave()
  })
})

describe('trailers', () => {
  test.each([
    ['GET', '1.1', [], true],
    ['GET', '1.1', ['Content-Length', '4'], false],
    ['GET', '1.0', [], false],
    ['HEAD', '1.1', [], false],
  ] as const)('%s HTTP/%s %j: %s', async (method, version, headers, sent) => {
    edge = await startDirectEdge(({ user }) => {
      user.respond({ status: 200, headers: [...headers, 'Trailer', 'X-Sum'] }, false)
      user.write(Buffer.from('body'))
      user.end(['X-Sum', '1', 'X-Sum', '2'])
    })
    const user = new RawUser(edge.port)
    user.socket.write(`${method} / HTTP/${version}\r\nHost: a\r\nConnection: close\r\n\r\n`)
    expect(await user.closed).toBe('whole')
    expect(/^trailer: X-Sum/im.test(user.received)).toBe(sent)
    expect(user.received.endsWith('\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n')).toBe(sent)
    expect(edge.last.gone).toBe(true)
  })
})

describe.each([false, true])('a user who closes its direction, TLS: %s', (tls) => {
  test('has left', async () => {
    edge = await startDirectEdge(() => undefined, { overTls: tls, halfClosedMs: 60_000 })
    const user = new RawUser(edge.port, { tls })
    user.socket.allowHalfOpen = true
    user.ask('GET', '/')
    await until(() => edge.visits.length === 1)
    user.socket.end()
    await until(() => edge.last.gone === false)
  })

  test('still gets its answer where that is allowed', async () => {
    edge = await startDirectEdge(() => undefined, { overTls: tls })
    allowHalfOpen(edge)
    const user = new RawUser(edge.port, { tls })
    user.socket.allowHalfOpen = true
    user.ask('GET', '/1').ask('GET', '/2').socket.end()
    await until(() => edge.visits.length === 2)
    for (const visit of edge.visits) visit.answer(200, 'answer')
    expect(await user.closed).toBe('whole')
    expect(user.received.match(/answer/g)).toHaveLength(2)
  })

  test('is waited for as long as something is sent, then no longer', async () => {
    edge = await startDirectEdge(({ user }) => user.respond({ status: 200, headers: [] }, false), {
      overTls: tls,
      halfClosedMs: 100,
    })
    allowHalfOpen(edge)
    const user = new RawUser(edge.port, { tls })
    user.socket.allowHalfOpen = true
    user.ask('GET', '/').socket.end()
    await until(() => user.status === 200)
    const { last } = edge
    const trickle = setInterval(() => last.user.write(Buffer.from('.')), 20)
    await until(() => (user.received.match(/^\.\r/gm)?.length ?? 0) > 20)
    expect(last.gone).toBeUndefined()
    clearInterval(trickle)
    await until(() => last.gone === false)
    await user.closed
  })
})

describe('T5 an answer before the request is whole', () => {
  test.each([false, true])('is read by who sends all of it first, TLS: %s', async (tls) => {
    edge = await startDirectEdge((visit) => visit.answer(413, 'too large', [], true), {
      overTls: tls,
    })
    const user = new RawUser(edge.port, { tls })
    user.socket.pause()
    // As curl, old browsers and most libraries do with 60 MB.
    user.ask('POST', '/', { 'content-length': 60 << 20 })
    const chunk = Buffer.alloc(1 << 20)
    for (let i = 0; i < 60; i++) user.socket.write(chunk)
    await until(() => user.socket.writableLength === 0)
    user.socket.resume()
    expect(await user.closed).toBe('whole')
    expect(user.status).toBe(413)
    expect(user.received.endsWith('too large')).toBe(true)
    expect(edge.last.gone).toBe(true)
  })

  test('also after a part of the body was taken and paused', async () => {
    edge = await startDirectEdge((visit) => {
      visit.onData = () => {
        visit.onData = () => undefined
        visit.user.pauseBody()
        visit.answer(413, 'enough', [], true)
      }
      visit.user.startBody()
    })
    const user = new RawUser(edge.port)
    user.ask('POST', '/', { 'transfer-encoding': 'chunked' })
    const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`)
    for (let i = 0; i < 100; i++) user.socket.write(chunk)
    user.socket.write('0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await user.closed).toBe('whole')
    expect(user.received.endsWith('enough')).toBe(true)
    expect(edge.visits).toHaveLength(1)
  })

  test('curl sees it', async () => {
    edge = await startDirectEdge((visit) => visit.answer(413, 'too large', [], true))
    const directory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
    const file = join(directory, 'body')
    await writeFile(file, Buffer.alloc(60 << 20))
    const url = `http://127.0.0.1:${edge.port}/`
    const body = ['--data-binary', `@${file}`]
    const sent = await curl('-H', 'Expect:', ...body, '-w', ' %{http_code}', url)
    await rm(directory, { recursive: true })
    expect(sent).toEqual({ code: 0, out: 'too large 413' })
  })

  test.each([
    ['time', { lingerTotalMs: 50 }],
    ['bytes', { lingerTotalMs: 60_000, lingerBytes: 1 << 20 }],
  ])('is waited for within a limit of %s', async (_limit, limits) => {
    edge = await startDirectEdge((visit) => visit.answer(413, 'too large', [], true), limits)
    const user = new RawUser(edge.port)
    user.socket.allowHalfOpen = true
    user.ask('POST', '/', { 'content-length': 1 << 30 })
    const chunk = Buffer.alloc(1 << 20)
    const more = setInterval(() => user.socket.write(chunk), 5)
    await user.closed
    clearInterval(more)
  })
})

describe('the connection', () => {
  test('serves pipelined requests in order, and goes on', async () => {
    edge = await startDirectEdge((visit) => visit.echo())
    const user = new RawUser(edge.port)
    user.socket.write(
      'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n2',
    )
    await until(() => user.received.endsWith('PUT 2'))
    user.ask('GET', '/3')
    await until(() => user.received.endsWith('GET '))
    expect(user.received.match(/HTTP\/1.1 200/g)).toHaveLength(3)
    user.leave()
  })

  test('is closed when it is idle', async () => {
    edge = await startDirectEdge((visit) => visit.echo(), { keepAliveMs: 30 })
    const user = new RawUser(edge.port).ask('GET', '/')
    expect(await user.closed).toBe('whole')
  })

  test('a head that does not end is answered 408, and the connection closed', async () => {
    edge = await startDirectEdge((visit) => visit.echo(), { requestHeadMs: 100, lingerMs: 50 })
    // It never closes its own end.
    const socket = connect({ port: edge.port, host: '127.0.0.1', allowHalfOpen: true })
    let heard = ''
    socket.on('data', (bytes) => (heard += bytes.toString())).on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n')
    const drip = setInterval(() => socket.write('X-Drip: 1\r\n'), 20)
    await new Promise((closed) => socket.once('close', closed))
    clearInterval(drip)
    expect(heard).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\nConnection: close\r\n/)
    expect(heard).toMatch(/"code":"user-too-slow","source":"user"/)
    expect(edge.visits).toHaveLength(0)
  })

  test('what is no HTTP is refused, but never inside an answer that has begun', async () => {
    edge = await startDirectEdge(({ user }) => {
      user.respond({ status: 200, headers: [] }, false)
      user.write(Buffer.from('begun'))
    })
    const user = new RawUser(edge.port)
    user.socket.write('\0\0\r\n\r\n')
    await user.closed
    expect([user.status, user.code]).toEqual([400, 'user-malformed'])
    expect(user.received).toMatch(/^proxy-status: app-proxy; error=http_request_error/im)
    expect(user.isComplete).toBe(true)
    const second = new RawUser(edge.port).ask('GET', '/')
    await until(() => second.received.includes('begun'))
    for (let i = 0; i < 5; i++) second.socket.write('\0\0\r\n\r\n')
    await new Promise((later) => setTimeout(later, 20))
    expect(second.received).not.toContain('400')
    edge.last.user.write(Buffer.from('ended'))
    edge.last.user.end()
    await second.closed
    expect(second.received).toMatch(/begun.*ended.*\r\n0\r\n\r\nHTTP\/1\.1 400 /s)
    expect(second.received.match(/HTTP\/1\.1/g)).toHaveLength(2)
  })
})

describe('methods', () => {
  // The parser reads its own only, and those as they are written.
  test.each(['get', 'Propfind', 'FOO', 'DESCRIBE', 'CONNECT'])('%s: 501', async (method) => {
    edge = await startDirectEdge((visit) => visit.echo())
    const user = new RawUser(edge.port).ask(method, method === 'CONNECT' ? 'a.example:443' : '/')
    await user.closed
    expect([user.status, user.code, user.isComplete]).toEqual([501, 'method-unsupported', true])
    expect(edge.visits).toHaveLength(0)
  })

  test.each(['M-SEARCH', 'PROPFIND', 'QUERY', 'LOCK', 'TRACE'])(
    '%s is passed on',
    async (method) => {
      edge = await startDirectEdge((visit) => visit.echo())
      const user = new RawUser(edge.port).ask(method, '/')
      await until(() => user.received.endsWith(`${method} `))
      user.leave()
    },
  )
})

describe('a body that breaks off in its trailers', () => {
  test.each([
    ['a length', 'Content-Length: 3'],
    ['a coding', 'Transfer-Encoding: gzip'],
    ['a name that is none', 'not a name: 1'],
    ['a NUL', 'X-Sum: a\0b'],
  ])('%s: 400, and whoever works at it is told at once', async (_, field) => {
    edge = await startDirectEdge(({ user }) => user.startBody(), { lingerMs: 60_000 })
    const user = new RawUser(edge.port).ask('POST', '/', { 'transfer-encoding': 'chunked' })
    user.socket.write(`3\r\nabc\r\n0\r\nX-First: 1\r\n${field}\r\nX-Last: 1\r\n\r\n`)
    await until(() => edge.visits[0]?.gone === false)
    await until(() => user.isComplete)
    expect([user.status, user.code]).toEqual([400, 'user-malformed'])
    expect([edge.last.isEnded, edge.last.body]).toEqual([false, 'abc'])
    edge.last.answer(200, 'too late')
    user.leave()
    await user.closed
    expect(user.received).not.toContain('too late')
  })
})

/** The types of Node leave it out. */
function allowHalfOpen({ server }: DirectEdge): void {
  Object.assign(server, { httpAllowHalfOpen: true })
}
