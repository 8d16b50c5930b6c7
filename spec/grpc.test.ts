/**
 * gRPC from a stock client to a stock server: https user listener, cloud, connector, HTTP/2 in the clear or by TLS, with a token as credential.
 */
import { randomBytes } from 'node:crypto'
import { request as httpsRequest } from 'node:https'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compressionAlgorithms, type ServiceError } from '@grpc/grpc-js'
import { readDirectory } from '../src/cloud/index.ts'
import { NodeBackend } from '../src/connector/node/index.ts'
import { serverCertificate } from '../test/connector/node/mutual-application.ts'
import {
  EchoServer,
  echoClient,
  Metadata,
  status,
  unary,
  type EchoClient,
} from '../test/integration/grpc-service.ts'
import { startTunnel, until, type Tunnel } from '../test/integration/tunnel.ts'

const AUTHORITY = 'rpc.localhost'
const WAYS = [
  ['link over TLS', 'h2c'],
  ['plain over TLS', 'h2c'],
  ['link over TLS', 'h2'],
] as const

describe.each(WAYS)('%s, %s to the application', (transport, backendProtocol) => {
  let tunnel: Tunnel
  let server: EchoServer
  let client: EchoClient
  const closing: (() => unknown)[] = []
  const token = (claims: object = {}) =>
    tunnel.issuer.sign({ aud: 'urn:rpc', sub: 'alice', tid: 'contoso', ...claims })
  const clientOf = (shown?: () => Promise<string>, authority = AUTHORITY, options = {}) => {
    const one = echoClient(tunnel.tlsPort, authority, tunnel.ca, shown, options)
    closing.push(() => one.close())
    return one
  }

  beforeAll(async () => {
    const certificate = await serverCertificate()
    server = await EchoServer.listen(
      backendProtocol === 'h2'
        ? { key: certificate.key, cert: certificate.certificate }
        : undefined,
    )
    tunnel = await startTunnel({
      transport,
      backend: (_, response) => response.end(),
      // One user asks for everything here.
      shares: { user: 1, waiting: 4_000 },
      limits: { queueWaitMs: 60_000 },
      connector: { backend: new NodeBackend({ ca: certificate.ca }) },
    })
    const { applications, ...rest } = tunnel.configuration as { applications: object[] }
    const rpc = {
      ...{ id: 'rpc', groupId: 'default', preAuthentication: 'oidc', client: { id: 'rpc' } },
      externalUrl: `https://${AUTHORITY}/`,
      internalUrl: `${backendProtocol === 'h2' ? 'https' : 'http'}://127.0.0.1:${server.port}/`,
      ...{ backendProtocol, bearer: { audiences: ['urn:rpc'] } },
      identityHeaders: { 'X-User': 'subject' },
    }
    const down = {
      ...{ id: 'down', groupId: 'default', preAuthentication: 'passthrough' },
      ...{ externalUrl: 'https://down.localhost/', internalUrl: 'http://127.0.0.1:1/' },
      backendProtocol: 'h2c',
    }
    const published = [...applications, rpc, down]
    tunnel.directory.replace(readDirectory({ ...rest, applications: published }))
    client = clientOf(() => token())
  })
  afterAll(async () => {
    for (const close of closing) close()
    await tunnel.close()
    server.close()
  })

  test('R7.4a unary: metadata both ways, octets too, status and trailing metadata; the application is told who asks, and no token', async () => {
    const metadata = new Metadata()
    metadata.add('x-text', 'one')
    metadata.add('x-text', 'two')
    metadata.set('x-octets-bin', Buffer.from([0, 1, 254, 255]))
    const { answer, initial, trailing, code } = await unary(client, Buffer.from('hello'), metadata)
    expect([answer?.toString(), code]).toEqual(['hello', status.OK])
    expect(initial?.get('x-text').join(', ')).toBe('one, two')
    expect(initial?.get('x-octets-bin')).toEqual([Buffer.from([0, 1, 254, 255])])
    expect(trailing?.get('x-trailing')).toEqual(['behind'])
    expect(trailing?.get('x-trailing-bin')).toEqual([Buffer.from([0, 255, 10])])
    const seen = server.seen.at(-1)!.metadata
    expect([seen.get('x-user'), seen.get('authorization')]).toEqual([['alice'], []])
  })

  test('R7.4a the status, the words and the trailing metadata of a call that fails (Trailers-Only)', async () => {
    const metadata = new Metadata()
    metadata.set('x-fail', String(status.OUT_OF_RANGE))
    const { error, trailing, code } = await unary(client, Buffer.from('hello'), metadata)
    expect([code, error?.details]).toEqual([status.OUT_OF_RANGE, 'as it was asked: 100 % über'])
    expect(trailing?.get('x-trailing')).toEqual(['behind'])
  })

  test('R7.4a a message of 10 MB, both ways', async () => {
    const message = randomBytes(10 * 1024 * 1024)
    const { answer, code } = await unary(client, message)
    expect(code).toBe(status.OK)
    expect(answer!.equals(message)).toBe(true)
  })

  test('R7.4a compressed messages', async () => {
    const squeezing = clientOf(() => token(), AUTHORITY, {
      'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
    })
    const message = Buffer.alloc(300_000, 'abc')
    const { answer } = await unary(squeezing, message)
    expect(answer!.equals(message)).toBe(true)
    expect(server.seen.at(-1)!.method).toBe('unary')
  })

  test('R7.4a client streaming', async () => {
    const answer = await new Promise<string>((done, failed) => {
      const call = client.collect(new Metadata(), {}, (error, octets) =>
        error === null ? done(octets!.toString()) : failed(error),
      )
      for (let i = 0; i < 200; i++) call.write(Buffer.alloc(1_000 + i))
      call.end()
    })
    expect(answer).toBe(String(200 * 1_000 + (199 * 200) / 2))
  })

  test('R7.4a server streaming', async () => {
    let messages = 0
    let octets = 0
    const code = await new Promise((over) => {
      const call = client.repeat(Buffer.from('500 10000'))
      call.on('data', (message: Buffer) => {
        messages += 1
        octets += message.length
      })
      call.on('error', () => undefined)
      call.on('status', (told) => over(told.code))
    })
    expect([messages, octets, code]).toEqual([500, 5_000_000, status.OK])
  })

  test('R7.4a bidirectional streaming: each answer comes while the request goes on', async () => {
    const call = client.chat()
    const heard: string[] = []
    call.on('data', (message: Buffer) => heard.push(message.toString()))
    const over = new Promise((done) => call.on('status', (told) => done(told.code)))
    for (let i = 0; i < 20; i++) {
      call.write(Buffer.from(`word ${i}`))
      await until(() => heard.length === i + 1)
    }
    call.end()
    expect(await over).toBe(status.OK)
    expect(heard.at(-1)).toBe('word 19')
  })

  test('R7.4b a deadline passes on, and its end cancels the call at the server', async () => {
    const call = client.watch(Buffer.from(''), new Metadata(), { deadline: Date.now() + 1_000 })
    call.on('data', () => undefined).on('error', () => undefined)
    const code = await new Promise((over) => call.on('status', (told) => over(told.code)))
    expect(code).toBe(status.DEADLINE_EXCEEDED)
    const seen = server.seen.at(-1)!
    expect(seen.leftMs).toBeGreaterThan(0)
    expect(seen.leftMs).toBeLessThanOrEqual(1_000)
    await until(() => seen.isCancelled)
  })

  test('R7.4b a call that its user cancels is cancelled at the server', async () => {
    const call = client.chat()
    call.on('data', () => undefined).on('error', () => undefined)
    const heard = new Promise((done) => call.once('data', done))
    call.write(Buffer.from('hello'))
    await heard
    const seen = server.seen.at(-1)!
    expect(seen.isCancelled).toBe(false)
    call.cancel()
    await until(() => seen.isCancelled)
  })

  // Over plain calls each stream holds a slot of its application, of which there are a hundred.
  const many = transport === 'plain over TLS' ? 50 : backendProtocol === 'h2' ? 100 : 1_000

  test('R7.4c very many calls at once, each with its own answer', async () => {
    const told = await Promise.all(
      Array.from({ length: many }, (_, i) => unary(client, Buffer.from(`call ${i}`))),
    )
    expect(told.map(({ answer }) => answer?.toString())).toEqual(
      Array.from({ length: many }, (_, i) => `call ${i}`),
    )
  }, 60_000)

  test('R7.4c very many streams that stand open at once hold nobody up, and all are cancelled at the server', async () => {
    // A listener allows a hundred on a connection.
    const own = { 'grpc.use_local_subchannel_pool': 1 }
    const clients = Array.from({ length: many / 50 }, () => clientOf(() => token(), AUTHORITY, own))
    const errors: string[] = []
    const calls = Array.from({ length: many }, (_, i) => {
      const call = clients[i % clients.length]!.watch(Buffer.from(''))
      call.on('error', ({ message }) => errors.push(message)).on('data', () => undefined)
      return call
    })
    await until(() => server.open + errors.length >= many, 60_000)
    expect(errors).toEqual([])
    expect((await unary(client, Buffer.from('meanwhile'))).code).toBe(status.OK)
    for (const call of calls) call.cancel()
    await until(() => server.open === 0, 60_000)
  }, 120_000)

  describe('what this service says by itself is a status of gRPC', () => {
    const failed = async (one: EchoClient) => {
      const { error, code, answer } = await unary(one, Buffer.from('x'))
      expect(answer).toBeUndefined()
      return [code, error!.details] as const
    }

    test('R7.4d no token, a token that is not good, one for somebody else', async () => {
      const [code, details] = await failed(clientOf())
      expect(code).toBe(status.UNAUTHENTICATED)
      expect(details).toMatch(/sign-in-required, request \w/)
      const [bad] = await failed(clientOf(async () => 'rubbish'))
      expect(bad).toBe(status.UNAUTHENTICATED)
      const [other, why] = await failed(clientOf(() => token({ aud: 'urn:other' })))
      expect([other, why.includes('token-audience')]).toEqual([status.UNAUTHENTICATED, true])
    })

    test('R7.4d an application that nobody publishes', async () => {
      const [code, details] = await failed(clientOf(undefined, 'nobody.localhost'))
      expect([code, details.includes('unknown-application')]).toEqual([status.UNIMPLEMENTED, true])
    })

    test('R7.4d an application that is down', async () => {
      const [code, details] = await failed(clientOf(undefined, 'down.localhost'))
      expect([code, details]).toEqual([
        status.UNAVAILABLE,
        expect.stringMatching(/application-unreachable/),
      ])
    })

    test('R7.4d an application that dies inside its answer: what came, and then a status', async () => {
      const call = client.watch(Buffer.from(''))
      const heard: string[] = []
      call.on('data', (message: Buffer) => {
        heard.push(message.toString())
        server.cut()
      })
      const error = await new Promise<ServiceError>((over) => call.on('error', over))
      expect([heard, error.code]).toEqual([['hello'], status.UNAVAILABLE])
      expect(error.details).toMatch(/application-aborted, request \w/)
    })

    test('R7.4e a call that comes by HTTP/1.1 is told why it cannot be served', async () => {
      const { status: code, body } = await overHttp1(tunnel.tlsPort)
      const { code: reason } = JSON.parse(body) as { code: string }
      expect([code, reason]).toEqual([505, 'http2-required'])
    })
  })
})

describe.each(['link over TLS', 'plain over TLS'] as const)('%s, silence', (transport) => {
  let tunnel: Tunnel
  let server: EchoServer
  let client: EchoClient
  let hasty: EchoClient
  beforeAll(async () => {
    server = await EchoServer.listen()
    // Whatever is not gRPC is over long before.
    const limits = { stalledMs: 200 }
    tunnel = await startTunnel({
      ...{ transport, limits, connector: { limits } },
      backend: (_, response) => response.end(),
    })
    const { applications, ...rest } = tunnel.configuration as { applications: object[] }
    const rpc = {
      ...{ id: 'rpc', groupId: 'default', preAuthentication: 'passthrough' },
      ...{ externalUrl: `https://${AUTHORITY}/`, internalUrl: `http://127.0.0.1:${server.port}/` },
      ...{ backendProtocol: 'h2c', responseHeadMs: 200 },
    }
    const other = { ...rpc, id: 'hasty', externalUrl: 'https://hasty.localhost/', grpcHeadMs: 300 }
    const published = [...applications, rpc, other]
    tunnel.directory.replace(readDirectory({ ...rest, applications: published }))
    client = echoClient(tunnel.tlsPort, AUTHORITY, tunnel.ca)
    hasty = echoClient(tunnel.tlsPort, 'hasty.localhost', tunnel.ca)
  })
  afterAll(async () => {
    client.close()
    hasty.close()
    await tunnel.close()
    server.close()
  })

  test.each([
    ['without a deadline', {}],
    ['with a deadline', { deadline: new Date(Date.now() + 600_000) }],
  ])('R7.4f of both, before the head: as long as the client waits, %s', async (_, options) => {
    const before = server.seen.length
    const call = client.brood(new Metadata(), options)
    const heard: string[] = []
    call.on('data', (message: Buffer) => heard.push(message.toString()))
    call.on('error', () => undefined)
    const over = new Promise((done) => call.on('status', (told) => done(told.code)))
    call.write(Buffer.from('?'))
    await until(() => server.seen.length > before)
    await wait(800)
    server.speak()
    expect([await over, heard]).toEqual([status.OK, ['at last']])
  })

  test('R7.4f of the server, where its application bounds it: a status, and the server is told', async () => {
    const call = hasty.brood()
    call.on('data', () => undefined)
    call.end()
    const error = await new Promise<ServiceError>((over) => call.on('error', over))
    expect([error.code, error.details]).toEqual([
      status.DEADLINE_EXCEEDED,
      expect.stringMatching(/application-timeout, request \w/),
    ])
    await until(() => server.seen.at(-1)!.isCancelled)
  })
})

function overHttp1(port: number): Promise<{ status: number; body: string }> {
  return new Promise((done, failed) => {
    const request = httpsRequest(
      {
        ...{ port, host: '127.0.0.1', method: 'POST', path: '/test.Echo/Unary' },
        rejectUnauthorized: false,
        headers: { host: AUTHORITY, 'content-type': 'application/grpc', te: 'trailers' },
      },
      (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text) => (body += text))
        response.on('end', () => done({ status: response.statusCode!, body }))
      },
    )
    request.on('error', failed).end()
  })
}
