/**
 * What a reverse proxy must carry, over every binding. Users and the application are bare sockets wherever an HTTP library would
 * smooth things over. The matrix that it prints is what ran.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { RawUser } from './raw-user.ts'
import { startTunnel, TRANSPORTS, until, type Transport, type Tunnel } from './tunnel.ts'

interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  isCancelled: boolean
}

let asked: Asked[] = []
const last = (): Asked => asked.at(-1)!

const backend: RequestListener = (request, response) => {
  const one: Asked = { request, response, isCancelled: false }
  asked.push(one)
  response.on('close', () => (one.isCancelled ||= !response.writableFinished))
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
    case '/interim':
      response.writeProcessing()
      response.writeEarlyHints({ link: ['</a.css>; rel=preload', '</b.css>; rel=preload'] })
      return void response.end('at last')
    case '/trailers':
      return void request
        .on('end', () => {
          response.writeHead(200, { trailer: 'checksum' })
          response.write(String(request.trailers['checksum']))
          response.addTrailers([
            ['Checksum', 'abc'],
            ['Set-Cookie', 'a=b'],
          ])
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
  const protocol = request.headers.upgrade
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\nSet-Cookie: seen=1\r\nSec-WebSocket-Protocol: chat\r\n\r\n`,
  )
  socket.write(`via ${request.headers['via']};`)
  socket.write(head)
  socket.on('data', (bytes: Buffer) => socket.write(bytes))
  // Its own direction stays open for one word more.
  socket.on('end', () => socket.end('bye'))
  socket.on('error', () => undefined)
}

interface Semantic {
  readonly name: string
  readonly run: (transport: Transport) => Promise<void>
}

let tunnel: Tunnel
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

const SEMANTICS: readonly Semantic[] = [
  ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'].map((method) => ({
    name: `the method ${method}`,
    run: async () => {
      expect(await ask(method, '/echo', `\r\n${method}`)).toMatch(/^HTTP\/1\.1 200/)
      expect(last().request.method).toBe(method)
    },
  })),
  {
    name: 'HEAD has a length and no body',
    run: async () => {
      const received = await ask('HEAD', '/echo', '\r\n\r\n')
      expect(received.endsWith('\r\n\r\n')).toBe(true)
    },
  },
  {
    name: 'Expect: 100-continue is answered when a connector asks for the body',
    run: async () => {
      const one = user().ask('POST', '/hash', { expect: '100-continue', 'content-length': 3 })
      await until(() => one.received.startsWith('HTTP/1.1 100 Continue\r\n\r\n'))
      one.socket.write('abc')
      const hash = createHash('sha256').update('abc').digest('hex')
      await until(() => one.received.includes(hash))
    },
  },
  {
    name: 'interim answers, 102 and 103',
    run: async () => {
      const received = await ask('GET', '/interim', 'at last')
      expect(received).toMatch(/^HTTP\/1\.1 102 /)
      const [, hints] = /HTTP\/1\.1 103 Early Hints\r\n(.*?)\r\n\r\n/s.exec(received)!
      expect(hints).toContain('</b.css>; rel=preload')
    },
  },
  {
    name: 'trailers both ways, and none that a trailer may not be',
    run: async () => {
      const body =
        '3\r\nabc\r\n0\r\nChecksum: 123\r\nAuthorization: b\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n'
      const headers = { 'transfer-encoding': 'chunked', te: 'trailers' }
      const received = await ask('POST', '/trailers', '0\r\n', headers, body)
      expect(last().request.trailers).toEqual({ checksum: '123' })
      expect(received).toMatch(/\r\n0\r\nChecksum: abc\r\n\r\n$/)
    },
  },
  {
    name: 'an early answer, while the body is still being sent',
    run: async () => {
      const one = user().ask('POST', '/early', { 'content-length': 512 * 1024 })
      one.socket.write(Buffer.alloc(256 * 1024))
      await until(() => one.received.includes('too large'))
      expect(one.status).toBe(413)
    },
  },
  {
    name: '204 and 304 have no body',
    run: async () => {
      for (const status of [204, 304]) {
        const received = await ask('GET', `/${status}`, '\r\n\r\n')
        expect(received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
        expect(received).not.toMatch(/transfer-encoding/i)
        expect(received.endsWith('\r\n\r\n')).toBe(true)
      }
    },
  },
  {
    name: 'bodies of unknown length, both ways',
    run: async () => {
      const hash = createHash('sha256').update('abcdef').digest('hex')
      const body = '3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n'
      const received = await ask('POST', '/hash', hash, { 'transfer-encoding': 'chunked' }, body)
      expect(received).toMatch(/transfer-encoding: chunked/i)
    },
  },
  {
    name: 'ranges',
    run: async () => {
      const received = await ask('GET', '/range', '234', { range: 'bytes=2-4' })
      expect(received).toMatch(/^HTTP\/1\.1 206 /)
      expect(received).toMatch(/content-range: bytes 2-4\/10/i)
      expect(last().request.headers.range).toBe('bytes=2-4')
    },
  },
  {
    name: 'server-sent events, each when it is said',
    run: async () => {
      const one = user().ask('GET', '/events')
      for (const n of [1, 2, 3]) {
        await until(() => one.received.includes(`data: ${n}\n\n`))
        last().response.write(`data: ${n + 1}\n\n`)
      }
    },
  },
  {
    name: 'a switch of protocols, with each direction ending alone',
    run: async (transport) => {
      const one = user().ask('GET', '/socket', WEB_SOCKET)
      if (transport === 'plain over TLS') {
        await until(() => one.code !== undefined)
        return expect([one.status, one.code]).toEqual([501, 'upgrade-unsupported'])
      }
      await until(() => one.received.includes('via 1.1 app-proxy;'))
      expect(one.received).toMatch(/^HTTP\/1\.1 101 /)
      expect(one.received).toMatch(/\r\nupgrade: websocket\r\n/i)
      expect(one.received).toMatch(/\r\nset-cookie: seen=1\r\n/i)
      expect(one.received).toMatch(/\r\nsec-websocket-protocol: chat\r\n/i)
      one.socket.write('ping')
      await until(() => one.received.endsWith('ping'))
      one.socket.allowHalfOpen = true
      one.socket.end()
      await until(() => one.received.endsWith('pingbye'))
      return expect(await one.closed).toBe('whole')
    },
  },
  {
    name: 'an application that refuses to switch',
    run: async (transport) => {
      if (transport === 'plain over TLS') return
      const received = await ask('GET', '/refused', 'no!', WEB_SOCKET)
      expect(received).toMatch(/^HTTP\/1\.1 403 /)
    },
  },
  {
    name: 'a user who leaves: the application’s request is cancelled',
    run: async () => {
      const one = user().ask('GET', '/begun')
      await until(() => one.received.includes('begun'))
      one.leave()
      await until(() => last().isCancelled)
      await until(() => tunnel.cloud.origin.open === 0)
    },
  },
  {
    name: 'an application that dies: the user is broken off',
    run: async () => {
      const one = user().ask('GET', '/begun')
      await until(() => one.received.includes('begun'))
      last().request.socket.destroy()
      expect(await one.closed).toBe('broken')
      expect(one.isComplete).toBe(false)
    },
  },
  {
    name: 'keep-alive: a second request on the user’s connection',
    run: async () => {
      const one = user().ask('GET', '/echo')
      await until(() => one.received.includes('GET'))
      one.ask('PUT', '/echo')
      await until(() => one.received.includes('PUT'))
    },
  },
]

const passed = new Map<string, Set<Transport>>()

describe.each(TRANSPORTS)('%s carries', (transport) => {
  beforeAll(async () => {
    tunnel = await startTunnel({ backend, upgrade, transport })
  })
  afterAll(() => tunnel.close())
  afterEach(() => {
    for (const one of users) one.leave()
    users = []
    asked = []
  })

  test.each(SEMANTICS)('$name', async ({ name, run }) => {
    await run(transport)
    passed.set(name, (passed.get(name) ?? new Set()).add(transport))
  })
})

afterAll(() => {
  const rows = SEMANTICS.map(({ name }) => [
    name.slice(0, 60),
    ...TRANSPORTS.map((transport) => (passed.get(name)?.has(transport) === true ? 'yes' : '-')),
  ])
  const lines = [['semantic × binding', ...TRANSPORTS], ...rows].map(([name, ...cells]) =>
    [name!.padEnd(62), ...cells.map((cell) => cell.padEnd(16))].join(''),
  )
  console.info(lines.join('\n'))
})
