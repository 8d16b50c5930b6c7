/** Calls as browsers' pages make them: gRPC-Web over either version of HTTP, its trailers inside of the body. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http'
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { status } from '@grpc/grpc-js'
import { readDirectory } from '../src/cloud/index.ts'
import { startTunnel, until, type Tunnel } from '../test/integration/tunnel.ts'

const PROTO = 'application/grpc-web+proto'
const TEXT = 'application/grpc-web-text+proto'
const TRAILERS = 0x80

/** A frame: a message, or the trailers. */
function frame(flags: number, octets: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head[0] = flags
  head.writeUInt32BE(octets.length, 1)
  return Buffer.concat([head, octets])
}

const STATUS = frame(TRAILERS, Buffer.from('grpc-status:0\r\ngrpc-message:\r\nx-behind:it\r\n'))

interface Seen {
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}
const seen: Seen[] = []

/** Sends a call's octets back, as messages and as text, and says its status behind them. */
const responder: RequestListener = (request, response) => {
  const parts: Buffer[] = []
  request.on('data', (octets: Buffer) => parts.push(octets))
  request.on('end', () => {
    const body = Buffer.concat(parts)
    seen.push({ headers: request.headers, body })
    if (request.url === '/test.Echo/Dies') return void request.socket.destroy()
    const type = request.headers['content-type']!
    response.writeHead(200, { 'content-type': type })
    // Each frame of a text is one by itself.
    const said = (octets: Buffer) => (type === TEXT ? octets.toString('base64') : octets)
    response.write(body)
    response.end(said(STATUS))
  })
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}
const FIELDS = { 'x-grpc-web': '1', 'x-user-agent': 'grpc-web-javascript/0.1' }

async function overHttp1(port: number, host: string, path: string, type: string, body: Buffer) {
  const request = httpRequest({
    ...{ port, host: '127.0.0.1', method: 'POST', path, agent: false },
    headers: { host, 'content-type': type, 'content-length': body.length, ...FIELDS },
  })
  request.on('error', () => undefined).end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const { statusCode, headers } = response
  return { status: statusCode!, headers, body: Buffer.concat(await response.toArray()) }
}

async function overHttp2(port: number, host: string, path: string, type: string, body: Buffer) {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  const fields = { ':authority': host, ':method': 'POST', ':path': path, 'content-type': type }
  const stream = session.request({ ...fields, ...FIELDS })
  stream.end(body)
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  const answer = { status: Number(headers[':status']), headers }
  const whole = { ...answer, body: Buffer.concat(await stream.toArray()) }
  session.close()
  return whole
}

describe.each(['http1', 'h2c'] as const)('to an application of %s', (protocol) => {
  let tunnel: Tunnel
  beforeAll(async () => {
    tunnel = await startTunnel({ transport: 'link over TLS', protocol, backend: responder })
    const { applications, ...rest } = tunnel.configuration as { applications: object[] }
    const down = {
      ...{ id: 'down', groupId: 'default', preAuthentication: 'passthrough' },
      ...{ externalUrl: 'http://down.localhost/', internalUrl: 'http://127.0.0.1:1/' },
      cors: { origins: ['https://page.example'], methods: ['POST'], headers: ['x-grpc-web'] },
    }
    const published = [...applications, down]
    tunnel.directory.replace(readDirectory({ ...rest, applications: published }))
  })
  afterAll(() => tunnel.close())

  const WAYS = [
    ['HTTP/1.1', (...call: [string, string, string, Buffer]) => overHttp1(tunnel.port, ...call)],
    ['HTTP/2', (...call: [string, string, string, Buffer]) => overHttp2(tunnel.tlsPort, ...call)],
  ] as const

  describe.each(WAYS)('by %s', (_, call) => {
    test.each([
      [
        'messages',
        PROTO,
        Buffer.concat([frame(0, randomBytes(70_000)), frame(0, Buffer.alloc(0))]),
      ],
      ['text', TEXT, Buffer.from(frame(0, randomBytes(1_000)).toString('base64'))],
    ])('R7.4g a call passes octet for octet, as %s', async (_, type, body) => {
      const answer = await call('open.localhost', '/test.Echo/Unary', type, body)
      const asked = seen.at(-1)!
      expect(asked.body.equals(body)).toBe(true)
      expect(asked.headers).toMatchObject({ 'content-type': type, ...FIELDS })
      expect([answer.status, answer.headers['content-type']]).toEqual([200, type])
      const end = type === TEXT ? Buffer.from(STATUS.toString('base64')) : STATUS
      expect(answer.body.equals(Buffer.concat([body, end]))).toBe(true)
    })

    const failed = async (host: string, path: string, type = PROTO): Promise<Answer> => {
      const answer = await call(host, path, type, frame(0, Buffer.from('x')))
      expect([answer.status, answer.headers['content-type']]).toEqual([200, type])
      expect(answer.body).toHaveLength(0)
      expect(answer.headers['access-control-expose-headers']).toContain('grpc-status')
      return answer
    }

    test.each([
      ['who is not signed in', 'secure', '/test.Echo/Unary', status.UNAUTHENTICATED],
      ['an application that nobody publishes', 'nobody', '/x', status.UNIMPLEMENTED],
      ['an application that is down', 'down', '/test.Echo/Unary', status.UNAVAILABLE],
      ['an application that dies', 'open', '/test.Echo/Dies', status.UNAVAILABLE],
    ])('R7.4g %s: a status, in the media type of the call', async (_, host, path, code) => {
      for (const type of [PROTO, TEXT, 'application/grpc-web']) {
        const { headers } = await failed(`${host}.localhost`, path, type)
        expect(Number(headers['grpc-status'])).toBe(code)
        expect(headers['grpc-message']).toMatch(/\((?:[a-z]+-)+[a-z]+, request \w/)
      }
    })

    test('R7.4g the status of one who must sign in says how, too', async () => {
      const { headers } = await failed('secure.localhost', '/test.Echo/Unary')
      expect(headers['www-authenticate']).toBeDefined()
    })
  })

  test('R7.4g an application that dies inside its answer breaks it off: nobody takes it for whole', async () => {
    const dying = await startTunnel({
      ...{ transport: 'link over TLS', protocol },
      backend: (request, response) => {
        response.writeHead(200, { 'content-type': PROTO })
        response.write(frame(0, Buffer.from('half')))
        setTimeout(() => request.socket.destroy(), 50)
      },
    })
    const call = overHttp1(dying.port, 'open.localhost', '/x', PROTO, frame(0, Buffer.from('x')))
    await expect(call).rejects.toThrow(/aborted/)
    await until(() => dying.cloud.origin.open === 0)
    await dying.close()
  })
})
