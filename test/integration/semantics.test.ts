/**
 * What a reverse proxy must carry, over every binding and to applications of either version of HTTP. Users and the application are bare sockets wherever an HTTP library would
 * smooth things over. The matrix that it prints is what ran; `spec/semantics.ts` says what has to.
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  Agent,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import type { Duplex } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  BINDINGS,
  carried,
  SEMANTICS,
  type CarryingBinding,
  type SemanticName,
} from '../../spec/semantics.ts'
import { DEFAULT_OFFERS } from '../../src/protocol/internal.ts'
import { RawUser } from './raw-user.ts'
import {
  connectionOf,
  inform,
  onCancelled,
  reset,
  type ApplicationProtocol,
} from './served-application.ts'
import { startTunnel, until, type Transport, type Tunnel } from './tunnel.ts'

interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  isCancelled: boolean
}

let asked: Asked[] = []
/** The application's connections that answered before. */
const served = new WeakSet<object>()
/** Its tunnels. */
let tunnels: Duplex[] = []
const last = (): Asked => asked.at(-1)!

const backend: RequestListener = (request, response) => {
  const one: Asked = { request, response, isCancelled: false }
  asked.push(one)
  const connection = connectionOf(request)
  response.on('finish', () => served.add(connection))
  onCancelled(request, response, () => (one.isCancelled = true))
  const { pathname } = new URL(request.url!, 'http://backend')
  switch (pathname) {
    case '/echo':
      response.setHeader('content-type', 'text/plain')
      return void request.on('end', () => response.end(request.method)).resume()
    case '/hash': {
      const hash = createHash('sha256')
      request.on('data', (chunk) => hash.update(chunk))
      response.write('hash ')
      return void request.on('end', () => response.end(hash.digest('hex')))
    }
    case '/back': {
      if (request.headers['content-length'] !== undefined)
        response.setHeader('content-length', request.headers['content-length'])
      return void request.pipe(response)
    }
    case '/target':
      return void response.end(request.url)
    case '/continue':
      response.writeContinue()
      return void response.end('after all')
    case '/duplex':
      response.writeHead(200).flushHeaders()
      return void request.pipe(response)
    case '/dies':
      return void connection.destroy()
    case '/stale': {
      // Whoever asks on a connection that was used before finds it closed, once.
      const isFirst = asked.filter((other) => other.request.url === request.url).length === 1
      if (isFirst && served.has(connection)) return void connection.destroy()
      return void response.end('fresh')
    }
    case '/interim':
      inform(response, 199, 'X-Odd', '1')
      inform(response, 102, 'X-Odd', '2')
      response.writeEarlyHints({ link: ['</a.css>; rel=preload', '</b.css>; rel=preload'] })
      return void response.end('at last')
    case '/trailers':
      return void request
        .on('end', () => {
          response.writeHead(200, { trailer: 'checksum' })
          response.write(String(request.trailers['checksum']))
          response.addTrailers({ Checksum: 'abc', 'Set-Cookie': 'a=b' })
          response.end()
        })
        .resume()
    case '/early':
      return void response.writeHead(413, { 'content-length': '9' }).end('too large')
    case '/204':
      return void response.writeHead(204).end()
    case '/304':
      return void response.writeHead(304, { etag: '"1"' }).end()
    case '/range':
      response.writeHead(206, { 'content-range': 'bytes 2-4/10', 'content-length': '3' })
      return void response.end('234')
    case '/events':
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      return void response.write('data: 1\n\n')
    case '/unread':
      return
    default:
      return void response.writeHead(200).write('begun')
  }
}

function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
  if (request.url === '/refused') {
    return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!')
  }
  tunnels.push(socket)
  const protocol = request.headers.upgrade
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\nSet-Cookie: seen=1\r\nSec-WebSocket-Protocol: chat\r\n\r\n`,
  )
  socket.write(`via ${request.headers['via']};user ${request.headers['x-user']};`)
  socket.write(head)
  socket.on('data', (bytes: Buffer) => socket.write(bytes))
  // Its own direction stays open for one word more.
  socket.on('end', () => socket.end('bye'))
  socket.on('error', () => undefined)
}

const TRANSPORT_OF = {
  memory: 'in memory',
  plain: 'plain over TLS',
  link: 'link over TLS',
} as const satisfies Record<CarryingBinding, Transport>

/** Requests that the application's parser would not read. */
const refused: string[] = []

function unparsed(error: Error & { rawPacket?: Buffer }, socket: Duplex): void {
  refused.push(error.rawPacket?.toString('latin1') ?? '')
  if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
}

let tunnel: Tunnel
/** What the application speaks. */
let protocol: ApplicationProtocol
let users: RawUser[] = []

function user(): RawUser {
  const one = new RawUser(tunnel.port)
  users.push(one)
  return one
}

/** One request, and all that came until `end` of the answer was seen. */
async function ask(
  method: string,
  target: string,
  end: string,
  headers: Record<string, string | number> = {},
  body = '',
): Promise<string> {
  const one = user().ask(method, target, headers)
  one.socket.write(body)
  await until(() => one.received.includes(end))
  return one.received
}

const WEB_SOCKET = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': 13,
  'sec-websocket-protocol': 'chat, other',
}

const sum = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A switch of protocols that was granted, and what came first. */
async function switched(headers: Record<string, string | number> = WEB_SOCKET): Promise<RawUser> {
  const one = user().ask('GET', '/socket', headers)
  await until(() => one.received.includes('via 1.1 app-proxy;user '))
  expect(one.received).toMatch(/^HTTP\/1\.1 101 /)
  return one
}

/** One request of a user of HTTP/2. */
async function askHttp2(
  headers: Record<string, string>,
  body?: string,
  trailers?: Record<string, string>,
): Promise<{ head: IncomingHttpHeaders; body: string; interim: unknown[]; trailers: unknown }> {
  const session = connectHttp2(`https://127.0.0.1:${tunnel.tlsPort}`, { rejectUnauthorized: false })
  const stream = session.request(
    { ':authority': 'open.localhost', ...headers },
    { endStream: body === undefined, waitForTrailers: trailers !== undefined },
  )
  const answer = { head: {}, body: '', interim: [] as unknown[], trailers: undefined as unknown }
  stream.on('wantTrailers', () => stream.sendTrailers(trailers!))
  stream.on('headers', (head) => answer.interim.push(head[':status']))
  stream.on('response', (head) => (answer.head = head))
  stream.on('trailers', (fields) => (answer.trailers = { ...fields }))
  stream.setEncoding('latin1').on('data', (text: string) => (answer.body += text))
  if (body !== undefined) stream.end(body)
  await new Promise((closed, failed) => stream.on('close', closed).on('error', failed))
  session.close()
  return answer
}

const RUNS: Readonly<Record<SemanticName, () => Promise<void>>> = {
  'the methods GET, POST, PUT, PATCH, DELETE, OPTIONS, PROPFIND, M-SEARCH and TRACE, octet for octet':
    async () => {
      const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH']
      for (const method of [...methods, 'TRACE']) {
        expect(await ask(method, '/echo', `\r\n${method}`)).toMatch(/^HTTP\/1\.1 200/)
        expect(last().request.method).toBe(method)
      }
    },
  'a method that nobody registered, in whatever letters (HTTP/2; over HTTP/1.1 it is answered 501, as CONNECT is everywhere)':
    async () => {
      for (const method of ['FOO', 'get']) {
        const { head, body } = await askHttp2({ ':method': method, ':path': '/echo' })
        if (protocol === 'http1') {
          // The application's own parser knows no such method either, and says so.
          expect(head[':status']).toBe(400)
          expect(refused.at(-1)).toMatch(new RegExp(`^${method} /echo HTTP/1\\.1\\r\\n`))
        } else expect([head[':status'], body]).toEqual([200, method])
        const one = user().ask(method, '/echo')
        await one.closed
        expect([one.status, one.code]).toEqual([501, 'method-unsupported'])
      }
      const one = user().ask('CONNECT', 'open.localhost:443')
      await one.closed
      expect(one.status).toBe(501)
    },
  'PATCH, DELETE and OPTIONS with a body': async () => {
    for (const method of ['PATCH', 'DELETE', 'OPTIONS']) {
      await ask(method, '/hash', sum('abc'), { 'content-length': 3 }, 'abc')
      expect(last().request.method).toBe(method)
    }
  },
  'HEAD: a length and no body': async () => {
    const received = await ask('HEAD', '/204', '\r\n\r\n')
    expect(received.endsWith('\r\n\r\n')).toBe(true)
    const early = user().ask('HEAD', '/early')
    await until(() => early.received.endsWith('\r\n\r\n'))
    expect(early.received).toMatch(/content-length: 9/i)
    early.ask('GET', '/echo')
    await until(() => early.received.endsWith('GET\r\n0\r\n\r\n') || early.received.endsWith('GET'))
  },
  '204 and 304: no body': async () => {
    for (const status of [204, 304]) {
      const received = await ask('GET', `/${status}`, '\r\n\r\n')
      expect(received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
      expect(received).not.toMatch(/transfer-encoding/i)
      expect(received.endsWith('\r\n\r\n')).toBe(true)
    }
  },
  'bodies of unknown length, both ways': async () => {
    const body = '3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n'
    const headers = { 'transfer-encoding': 'chunked' }
    const received = await ask('POST', '/hash', sum('abcdef'), headers, body)
    expect(received).toMatch(/transfer-encoding: chunked/i)
  },
  'bodies of 0, 1, 64 KiB ± 1 and 5 MiB, of known and of unknown length, both ways': async () => {
    const agent = new Agent({ keepAlive: true })
    for (const octets of [0, 1, 65_535, 65_536, 65_537, 5 * 1_048_576])
      for (const isKnown of [true, false]) {
        const body = randomBytes(octets)
        const length = isKnown ? { 'content-length': octets } : { 'transfer-encoding': 'chunked' }
        const request = httpRequest({
          ...{ port: tunnel.port, host: '127.0.0.1', agent, method: 'POST', path: '/back' },
          headers: { host: 'open.localhost', ...length },
        })
        request.end(body)
        const [response] = (await once(request, 'response')) as [IncomingMessage]
        const came = Buffer.concat(await response.toArray())
        expect([octets, isKnown, response.statusCode, came.equals(body)]).toEqual([
          ...[octets, isKnown, 200],
          true,
        ])
        // Where there is nothing, whether its length was known is nobody's matter.
        if (octets > 0)
          expect(response.headers['content-length']).toBe(isKnown ? String(octets) : undefined)
      }
    agent.destroy()
  },
  'a range': async () => {
    const received = await ask('GET', '/range', '234', { range: 'bytes=2-4' })
    expect(received).toMatch(/^HTTP\/1\.1 206 /)
    expect(received).toMatch(/content-range: bytes 2-4\/10/i)
    expect(last().request.headers.range).toBe('bytes=2-4')
  },
  'a target, octet for octet': async () => {
    const target = "/target?a%2Fb;p=1/%7Efoo/?x=%20&y=/../z'"
    expect(await ask('GET', target, target)).toMatch(/^HTTP\/1\.1 200 /)
  },
  '`Expect: 100-continue`: answered when a connector asks for the body': async () => {
    const one = user().ask('POST', '/hash', { expect: '100-continue', 'content-length': 3 })
    await until(() => one.received.startsWith('HTTP/1.1 100 Continue\r\n\r\n'))
    one.socket.write('abc')
    await until(() => one.received.includes(sum('abc')))
  },
  'interim answers: 102, 103 and any other 1xx': async () => {
    const received = await ask('GET', '/interim', 'at last')
    expect(received).toMatch(/^HTTP\/1\.1 199 \r\nX-Odd: 1\r\n\r\nHTTP\/1\.1 102 /i)
    const [, hints] = /HTTP\/1\.1 103 Early Hints\r\n(.*?)\r\n\r\n/s.exec(received)!
    expect(hints).toContain('</b.css>; rel=preload')
  },
  'an application’s 100 that nobody asked for: not passed on, and the answer is': async () => {
    for (const method of ['GET', 'POST'])
      expect(await ask(method, '/continue', 'after all')).toMatch(/^HTTP\/1\.1 200 /)
  },
  'trailers both ways, and none that a trailer may not be': async () => {
    const body =
      '3\r\nabc\r\n0\r\nChecksum: 123\r\nAuthorization: b\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n'
    const headers = { 'transfer-encoding': 'chunked', te: 'trailers' }
    const received = await ask('POST', '/trailers', '0\r\n', headers, body)
    expect(Object.entries(last().request.trailers)).toEqual([['checksum', '123']])
    expect(received).toMatch(/\r\n0\r\nChecksum: abc\r\n\r\n$/i)
  },
  'trailers that break the framing: 400, and the application’s request is broken off': async () => {
    const body = '3\r\nabc\r\n0\r\nChecksum: 123\r\nContent-Length: 3\r\n\r\n'
    const one = user().ask('POST', '/trailers', { 'transfer-encoding': 'chunked' })
    one.socket.write(body)
    await until(() => one.code !== undefined)
    expect([one.status, one.code]).toEqual([400, 'user-malformed'])
    await until(() => asked.every(({ isCancelled }) => isCancelled))
    await until(() => tunnel.cloud.origin.open === 0)
  },
  'an early answer, while the body is still being sent': async () => {
    const one = user().ask('POST', '/early', { 'content-length': 512 * 1024 })
    one.socket.write(Buffer.alloc(256 * 1024))
    await until(() => one.received.includes('too large'))
    expect(one.status).toBe(413)
  },
  'server-sent events, each when it is said': async () => {
    const one = user().ask('GET', '/events')
    for (const n of [1, 2, 3]) {
      await until(() => one.received.includes(`data: ${n}\n\n`))
      last().response.write(`data: ${n + 1}\n\n`)
    }
  },
  'a trickle both ways at once: each octet when it is sent': async () => {
    const one = user().ask('POST', '/duplex', { 'content-length': 100 })
    for (const octet of ['a', 'b', 'c']) {
      one.socket.write(octet)
      await until(() => one.received.includes(`1\r\n${octet}\r\n`))
    }
  },
  'a WebSocket: sub-protocols, cookies on the 101, each direction ending alone': async () => {
    const one = await switched()
    expect(one.received).toMatch(/\r\nupgrade: websocket\r\n/i)
    expect(one.received).toMatch(/\r\nset-cookie: seen=1\r\n/i)
    expect(one.received).toMatch(/\r\nsec-websocket-protocol: chat\r\n/i)
    one.socket.write('ping')
    await until(() => one.received.endsWith('ping'))
    one.socket.allowHalfOpen = true
    one.socket.end()
    await until(() => one.received.endsWith('pingbye'))
    expect(await one.closed).toBe('whole')
  },
  'a switch to any other protocol': async () => {
    const one = await switched({ connection: 'Upgrade', upgrade: 'acme/2' })
    expect(one.received).toMatch(/\r\nupgrade: acme\/2\r\n/i)
    one.socket.write('\0\xff', 'latin1')
    await until(() => one.received.endsWith('\0\xff'))
  },
  'an application that refuses to switch: its answer': async () => {
    const received = await ask('GET', '/refused', 'no!', WEB_SOCKET)
    expect(received).toMatch(/^HTTP\/1\.1 403 /)
  },
  'identity headers on a handshake': async () => {
    const application = tunnel.directory.application('secure')!
    const { setCookie } = await tunnel.sessions.start(application, 'secure.localhost', {
      subject: 'alice',
      issuer: tunnel.issuer.url,
      groups: ['staff'],
      authenticatedAt: Date.now(),
      expiresAt: Date.now() + 60_000,
    } as never)
    const headers = {
      ...WEB_SOCKET,
      host: 'secure.localhost',
      origin: 'http://secure.localhost',
      cookie: setCookie.split(';')[0]!,
      x_user: 'mallory',
    }
    expect((await switched(headers)).received).toContain(';user alice;')
  },
  'an application that cuts a tunnel: the user is broken off': async () => {
    const one = await switched()
    reset(tunnels.at(-1)!)
    expect(await one.closed).toBe('broken')
  },
  'a user who leaves: the application’s request is cancelled, and the slot is free': async () => {
    const one = user().ask('GET', '/begun')
    await until(() => one.received.includes('begun'))
    await until(() => tunnel.attached[0]!.grants === DEFAULT_OFFERS - 1)
    one.leave()
    await until(() => last().isCancelled)
    await until(() => tunnel.cloud.origin.open === 0)
    await until(() => tunnel.attached[0]!.grants === DEFAULT_OFFERS)
  },
  'an application that dies in its answer: the user is broken off': async () => {
    const one = user().ask('GET', '/begun')
    await until(() => one.received.includes('begun'))
    connectionOf(last().request).destroy()
    expect(await one.closed).toBe('broken')
    expect(one.isComplete).toBe(false)
  },
  'an application that dies before its answer: 502 that names it': async () => {
    const one = user().ask('POST', '/dies')
    await until(() => one.code !== undefined)
    expect([one.status, one.code]).toEqual([502, 'application-aborted'])
    expect(one.received).toContain('"source":"application"')
  },
  'keep-alive on the user’s side': async () => {
    const one = user().ask('GET', '/echo')
    await until(() => one.received.includes('GET'))
    one.ask('PUT', '/echo')
    await until(() => one.received.includes('PUT'))
  },
  'keep-alive on the application’s side: a stale connection is replaced once, for safe requests without a body':
    async () => {
      await ask('GET', '/echo', 'GET')
      expect(await ask('GET', '/stale?safe', 'fresh')).toMatch(/^HTTP\/1\.1 200 /)
      expect(asked).toHaveLength(3)
      await ask('POST', '/echo', 'POST')
      const one = user().ask('POST', '/stale?unsafe')
      await until(() => one.code !== undefined)
      expect([one.status, one.code]).toEqual([502, 'application-aborted'])
    },
  'a user of HTTP/2: body, interim answers and trailers both ways': async () => {
    const post = { ':method': 'POST', te: 'trailers' }
    const one = await askHttp2({ ...post, ':path': '/trailers' }, 'abc', { checksum: '123' })
    expect(one.head[':status']).toBe(200)
    expect([one.body, one.trailers]).toMatchObject(['123', { checksum: 'abc' }])
    expect((await askHttp2({ ...post, ':path': '/hash' }, 'abc')).body).toBe(`hash ${sum('abc')}`)
    const hinted = await askHttp2({ ':path': '/interim' })
    expect([hinted.interim, hinted.body]).toEqual([[199, 102, 103], 'at last'])
  },
}

const proven = new Map<string, string>()
const WAYS: readonly (readonly [CarryingBinding, ApplicationProtocol])[] = [
  ...BINDINGS.map((binding) => [binding, 'http1'] as const),
  ...(['link', 'plain'] as const).map((binding) => [binding, 'h2c'] as const),
  ['link', 'h2'],
]

describe.each(WAYS)('%s carries, to an application of %s:', (binding, spoken) => {
  beforeAll(async () => {
    protocol = spoken
    const transport = TRANSPORT_OF[binding]
    tunnel = await startTunnel({ backend, protocol, upgrade, unparsed, transport })
  })
  afterAll(() => tunnel.close())
  afterEach(async () => {
    for (const one of users) one.leave()
    users = []
    await until(() => tunnel.cloud.origin.open === 0)
    asked = []
    tunnels = []
  })

  test.each(SEMANTICS)('$name', async (semantic) => {
    const { name } = semantic
    if (carried(semantic, binding) === 'yes') await RUNS[name]()
    else {
      const one = user().ask('GET', '/socket', WEB_SOCKET)
      await until(() => one.code !== undefined)
      expect([one.status, one.code]).toEqual([501, 'upgrade-unsupported'])
    }
    proven.set(`${binding} ${spoken} ${name}`, carried(semantic, binding))
  })
})

afterAll(() => {
  const rows = SEMANTICS.map(({ name }) => [
    name.slice(0, 80),
    ...WAYS.map((way) => proven.get(`${way.join(' ')} ${name}`) ?? '-'),
  ])
  const ways = WAYS.map(([binding, spoken]) =>
    spoken === 'http1' ? binding : `${binding} ${spoken}`,
  )
  const lines = [['semantic × binding', ...ways], ...rows].map(([name, ...cells]) =>
    [name!.padEnd(82), ...cells.map((cell) => cell.padEnd(10))].join(''),
  )
  console.info(lines.join('\n'))
})
