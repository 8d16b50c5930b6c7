/** Requests to applications that speak HTTP/2: what is carried, both ways, and how connections are shared. */
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { constants } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Backend, BackendRequest } from '../../../src/connector/index.ts'
import {
  NodeBackend,
  type ApplicationConnectionOptions,
} from '../../../src/connector/node/index.ts'
import { ResetCode, type ApplicationDetails } from '../../../src/protocol/internal.ts'
import { until } from '../../until.ts'
import { echo, Http2Application, type ServeStream } from './http2-application.ts'
import { clientAuthority, serverCertificate } from './mutual-application.ts'
import { detailsAt, ObservedCall, requestTo } from './observed-call.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})
let tls: { key: string; cert: string }
let ca: string
beforeAll(async () => {
  const certificate = await serverCertificate()
  tls = { key: certificate.key, cert: certificate.certificate }
  ca = certificate.ca
})

const create = (options: ApplicationConnectionOptions = {}): Backend => {
  const backend = new NodeBackend({ ca, ...options })
  closing.push(() => backend.close())
  return backend
}
const listen = async (...args: Parameters<typeof Http2Application.listen>) => {
  const application = await Http2Application.listen(...args)
  closing.push(() => application.close())
  return application
}
const known = new Map<string, ApplicationDetails>()
/** One object for an application, as connectors keep it. */
const details = (
  port: number,
  backendProtocol: ApplicationDetails['backendProtocol'],
  parts: Partial<ApplicationDetails> = {},
) => {
  const scheme = backendProtocol === 'h2c' ? 'http' : 'https'
  const internalUrl = `${scheme}://127.0.0.1:${port}/`
  const key = JSON.stringify([internalUrl, backendProtocol, parts])
  const one = known.get(key) ?? detailsAt(port, { internalUrl, backendProtocol, ...parts })
  known.set(key, one)
  return one
}
const request = (
  port: number,
  backendProtocol: ApplicationDetails['backendProtocol'],
  parts: Partial<BackendRequest> = {},
) => requestTo(details(port, backendProtocol), parts)

const WAYS = [
  ['by TLS', 'h2'],
  ['where TLS agrees on it', 'auto'],
  ['in the clear', 'h2c'],
] as const

describe.each(WAYS)('an application of HTTP/2 %s', (_, protocol) => {
  const serving = (serve?: ServeStream, settings = {}) =>
    listen(serve, settings, protocol === 'h2c' ? undefined : tls)

  test('a request arrives as it is: method, authority, target, fields, cookies in one', async () => {
    const application = await serving()
    const headers = ['Host', 'a.example', 'X-B', '2', 'x-a', '\xe9\xff', 'X-B', '1']
    const cookies = ['Cookie', 'a=b', 'Cookie', 'c=d', 'TE', 'gzip', 'Connection', 'x-gone']
    const one = new ObservedCall(
      create(),
      request(application.port, protocol, {
        ...{ method: 'pROPFIND', target: '/%2f/a?a=%zz', headers: [...headers, ...cookies] },
      }),
    )
    await one.settled()
    const { raw } = await application.request()
    const scheme = protocol === 'h2c' ? 'http' : 'https'
    expect(raw.slice(0, 8)).toEqual([
      ...[':method', 'pROPFIND', ':scheme', scheme],
      ...[':authority', 'a.example', ':path', '/%2f/a?a=%zz'],
    ])
    expect(raw.slice(8)).toEqual([
      ...['x-b', '2', 'x-b', '1', 'x-a', '\xe9\xff', 'cookie', 'a=b; c=d', 'te', 'trailers'],
    ])
    expect([one.outcome, one.misplaced]).toEqual(['done', 0])
  })

  test('fields that may be there once are joined, as readers of HTTP/1.1 do', async () => {
    const application = await serving()
    const headers = ['Host', 'a.example', 'User-Agent', 'a', 'User-Agent', 'b']
    await new ObservedCall(create(), request(application.port, protocol, { headers })).settled()
    expect((await application.request()).headers['user-agent']).toBe('a, b')
  })

  test('bodies and trailers go both ways, and the answer begins before the request has ended', async () => {
    const application = await serving(({ stream }) => {
      stream.respond({ ':status': 200, 'x-b': ['2', '1'] }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-sum': '\xe9' }))
      stream.on('data', (bytes) => stream.write(bytes)).on('end', () => stream.end())
    })
    const streamed = { method: 'POST', body: { kind: 'streamed' } } as const
    const one = new ObservedCall(create(), request(application.port, protocol, streamed))
    await one.responding()
    expect(one.head).toEqual({
      status: 200,
      headers: expect.arrayContaining(['x-b', '2', 'x-b', '1']) as string[],
    })
    for (const word of ['one ', 'two ', 'three']) {
      one.call.write(Buffer.from(word))
      await until(() => one.body.endsWith(word))
    }
    one.call.end(['X-Check', 'abc'])
    await one.settled()
    expect(one.body).toBe('one two three')
    expect(one.trailers).toEqual(['grpc-status', '0', 'x-sum', '\xe9'])
    const seen = await application.request()
    await until(() => seen.code !== undefined)
    expect([seen.trailers, seen.isEnded, seen.code]).toEqual([{ 'x-check': 'abc' }, true, 0])
    expect([one.outcome, one.misplaced]).toEqual(['done', 0])
  })

  test('a body of a known length says it; an answer to HEAD, a 204 and a 304 have none', async () => {
    const application = await serving(({ stream, headers }) => {
      const status = Number(headers[':path']!.slice(1))
      stream.respond({ ':status': status }, { endStream: true })
    })
    const backend = create()
    const body = { kind: 'length', bytes: 3 } as const
    const post = request(application.port, protocol, { method: 'POST', target: '/200', body })
    const one = new ObservedCall(backend, post)
    one.call.write(Buffer.from('abc'))
    one.call.end()
    await one.settled()
    const seen = await application.request()
    expect([seen.headers['content-length'], seen.body]).toEqual(['3', 'abc'])
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      const parts = { method, target: `/${status}` }
      const two = new ObservedCall(backend, request(application.port, protocol, parts))
      await two.settled()
      expect([two.head!.status, two.bytes, two.outcome]).toEqual([status, 0, 'done'])
    }
  })

  test('a body of another length than announced is broken off, and the application told', async () => {
    const application = await serving(() => undefined)
    const body = { kind: 'length', bytes: 3 } as const
    for (const octets of ['ab', 'abcd']) {
      const post = request(application.port, protocol, { method: 'POST', body })
      const one = new ObservedCall(create(), post)
      await until(() => one.drains > 0)
      one.call.write(Buffer.from(octets))
      one.call.end()
      await one.settled()
      expect([one.outcome, one.misplaced]).toEqual(['INTERNAL', 0])
    }
    await until(() => application.seen.every(({ code }) => code !== undefined))
    expect(application.seen.map(({ code }) => code)).toEqual([8, 8])
    expect(application.seen.some(({ isEnded }) => isEnded)).toBe(false)
  })

  test('interim answers come in order; a 100 nobody asked for is swallowed', async () => {
    const application = await serving(({ stream }) => {
      stream.additionalHeaders({ ':status': 100 })
      stream.additionalHeaders({ ':status': 103, link: '</a.css>' })
      stream.additionalHeaders({ ':status': 199 })
      stream.respond({ ':status': 200 }, { endStream: true })
    })
    const one = new ObservedCall(create(), request(application.port, protocol))
    await one.settled()
    expect(one.interim).toEqual([
      { status: 103, headers: ['link', '</a.css>'] },
      { status: 199, headers: [] },
    ])
    expect([one.outcome, one.misplaced]).toEqual(['done', 0])
  })

  test('an early answer is whole, and what is left of the request is not wanted', async () => {
    const application = await serving(({ stream }) => {
      stream.respond({ ':status': 413 })
      stream.end('too large')
    })
    const streamed = { method: 'POST', body: { kind: 'streamed' } } as const
    const one = new ObservedCall(create(), request(application.port, protocol, streamed))
    one.call.write(Buffer.alloc(1000))
    await one.settled()
    expect([one.head!.status, one.body, one.outcome]).toEqual([413, 'too large', 'done'])
    const seen = await application.request()
    await until(() => seen.code !== undefined)
    expect([seen.code, seen.isEnded]).toEqual([constants.NGHTTP2_NO_ERROR, false])
  })

  test('who does not read stops the application, and nobody else', async () => {
    let written = 0
    const application = await serving(({ stream, headers }) => {
      stream.respond({ ':status': 200 })
      if (headers[':path'] === '/small') return void stream.end('small')
      const chunk = Buffer.alloc(16 * 1024)
      const more = (): void => {
        while (!stream.destroyed && written < 64 * 1024 * 1024) {
          written += chunk.length
          if (!stream.write(chunk)) return void stream.once('drain', more)
        }
      }
      more()
    })
    const backend = create()
    const slow = new ObservedCall(backend, request(application.port, protocol))
    await slow.responding()
    slow.call.pause()
    const atPause = slow.bytes
    let before = -1
    await until(() => {
      const isStill = before === written
      before = written
      return isStill
    })
    const small = request(application.port, protocol, { target: '/small' })
    expect((await new ObservedCall(backend, small).settled()).body).toBe('small')
    // One piece may follow a pause; the rest is a window, and what both ends hold to write it.
    expect(slow.bytes - atPause).toBeLessThanOrEqual(64 * 1024)
    expect(written - slow.bytes).toBeLessThan(1024 * 1024)
    slow.call.abort()
  })

  test('an application that does not read stops who sends', async () => {
    const application = await serving(({ stream }) => void stream.pause())
    const streamed = { method: 'POST', body: { kind: 'streamed' } } as const
    const one = new ObservedCall(create(), request(application.port, protocol, streamed))
    await until(() => one.drains > 0)
    let sent = 0
    while (sent < 16 * 1024 * 1024 && one.call.write(Buffer.alloc(16 * 1024))) sent += 16 * 1024
    expect(sent).toBeLessThan(1024 * 1024)
    const { drains } = one
    ;(await application.request()).stream.resume()
    await until(() => one.drains > drains)
    one.call.abort()
  })

  test('who leaves cancels the stream, not the connection', async () => {
    const application = await serving(({ stream, headers }) => {
      if (headers[':path'] === '/') return
      stream.respond({ ':status': 200 }, { endStream: true })
    })
    const backend = create()
    const streamed = { method: 'POST', body: { kind: 'streamed' } } as const
    const one = new ObservedCall(backend, request(application.port, protocol, streamed))
    one.call.write(Buffer.from('half'))
    const seen = await application.request()
    one.call.abort()
    await until(() => seen.code !== undefined)
    expect([seen.code, seen.isEnded, one.outcome]).toEqual([
      ...[constants.NGHTTP2_CANCEL, false, 'open'],
    ])
    const next = request(application.port, protocol, { target: '/next' })
    expect((await new ObservedCall(backend, next).settled()).outcome).toBe('done')
    expect(application.sessions).toHaveLength(1)
  })

  test('requests share a connection, as many at once as the application allows, and more go on others', async () => {
    const application = await serving(() => undefined, { maxConcurrentStreams: 3 })
    const backend = create()
    const calls = Array.from(
      { length: 10 },
      () => new ObservedCall(backend, request(application.port, protocol)),
    )
    await until(() => application.seen.length === 10)
    const counts = application.sessions.map(
      (_, i) => application.seen.filter(({ session }) => session === i).length,
    )
    expect(Math.max(...counts)).toBe(3)
    expect(counts).toHaveLength(4)
    for (const { stream } of application.seen)
      stream.respond({ ':status': 200 }, { endStream: true })
    await Promise.all(calls.map((call) => call.settled()))
    expect(calls.map(({ outcome }) => outcome)).toEqual(Array(10).fill('done'))
    // What is free is used again.
    new ObservedCall(backend, request(application.port, protocol))
    await application.request(10)
    expect(application.sessions).toHaveLength(4)
  })

  test('a request that shows credentials of its connection goes on one of its own, and so does whoever is challenged', async () => {
    const application = await serving(({ stream, headers }) => {
      const isAsked = headers[':path'] === '/challenge'
      stream.respond(isAsked ? { ':status': 401, 'www-authenticate': 'Negotiate' } : {}, {
        endStream: true,
      })
    })
    const backend = create()
    const ask = async (parts: Partial<BackendRequest> = {}) => {
      const one = await new ObservedCall(
        backend,
        request(application.port, protocol, parts),
      ).settled()
      expect(one.outcome).toBe('done')
      return application.seen.at(-1)!.session
    }
    const signed = { headers: ['Host', 'a.example', 'Authorization', 'Negotiate abc'] }
    const first = await ask()
    expect(await ask()).toBe(first)
    const own = await ask(signed)
    expect(own).not.toBe(first)
    expect(await ask(signed)).not.toBe(own)
    expect(await ask()).toBe(first)
    expect(await ask({ target: '/challenge' })).toBe(first)
    expect(await ask()).not.toBe(first)
  })
})

describe('which protocol is spoken', () => {
  const http1 = async (secure: boolean, seen: string[] = []) => {
    const serve: Parameters<typeof createHttpServer>[1] = (incoming, response) => {
      seen.push(incoming.httpVersion)
      incoming.pipe(response)
    }
    const server = secure ? createHttpsServer(tls, serve) : createHttpServer(serve)
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    closing.push(() => {
      server.closeAllConnections()
      return new Promise((closed) => server.close(closed))
    })
    return (server.address() as AddressInfo).port
  }

  test('`auto`: HTTP/1.1 where TLS does not agree on HTTP/2, bodies and all, and not asked again for a while', async () => {
    const seen: string[] = []
    const port = await http1(true, seen)
    const backend = create()
    const post = { method: 'POST', body: { kind: 'streamed' } } as const
    const one = new ObservedCall(backend, request(port, 'auto', post))
    one.call.write(Buffer.from('held '))
    one.call.write(Buffer.from('meanwhile'))
    one.call.end()
    expect((await one.settled()).body).toBe('held meanwhile')
    const two = await new ObservedCall(backend, request(port, 'auto')).settled()
    expect([two.outcome, seen]).toEqual(['done', ['1.1', '1.1']])
  })

  test('`h2`: what does not agree on it is not sent anything', async () => {
    const seen: string[] = []
    const port = await http1(true, seen)
    const one = await new ObservedCall(create(), request(port, 'h2')).settled()
    expect([one.outcome, seen]).toEqual(['not sent: UNREACHABLE', []])
  })

  test('`h2c`: neither is what answers in another protocol', async () => {
    const seen: string[] = []
    const port = await http1(false, seen)
    const one = await new ObservedCall(create(), request(port, 'h2c')).settled()
    expect([one.outcome, seen]).toEqual(['not sent: UNREACHABLE', []])
  })

  test('what switches protocols goes over HTTP/1.1', async () => {
    const application = await listen(echo, {}, { ...tls, allowHTTP1: true })
    const upgrade = request(application.port, 'h2', { upgrade: 'websocket' })
    const one = await new ObservedCall(create(), upgrade).settled()
    expect([application.seen.length, application.byHttp1.length]).toEqual([0, 1])
    expect(one.outcome).toBe('done')
  })

  test('what is asked to switch and speaks HTTP/2 only cannot: no fault of its own', async () => {
    const clear = await listen()
    const upgrade = request(clear.port, 'h2c', { upgrade: 'websocket' })
    const one = await new ObservedCall(create(), upgrade).settled()
    expect([one.code, (one.cause as NodeJS.ErrnoException).code]).toEqual([
      ...[ResetCode.UNSUPPORTED, 'ERR_NO_HTTP1'],
    ])
    // It is still there for everybody else.
    expect((await new ObservedCall(create(), request(clear.port, 'h2c')).settled()).outcome).toBe(
      'done',
    )
  })

  test('who asks for HTTP/1.1 by HTTP_1_1_REQUIRED gets it, with the body', async () => {
    const application = await listen(
      ({ stream }) => stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED),
      {},
      { ...tls, allowHTTP1: true },
    )
    const post = { method: 'POST', body: { kind: 'length', bytes: 2 } } as const
    const one = new ObservedCall(create(), request(application.port, 'auto', post))
    one.call.write(Buffer.from('ok'))
    one.call.end()
    await one.settled()
    expect([one.body, one.outcome, one.misplaced]).toEqual(['ok', 'done', 0])
    expect([application.seen.length, application.byHttp1.length]).toEqual([1, 1])
  })
})

describe('TLS of its own', () => {
  test('a client certificate, an authority and a server name are shown and asked for; other settings get other connections', async () => {
    const clients = await clientAuthority()
    const server = await serverCertificate(['wiki.corp.example'])
    const application = await listen(
      undefined,
      {},
      {
        ...{ key: server.key, cert: server.certificate, ca: clients.ca, requestCert: true },
      },
    )
    const backend = create()
    const settingsOf = async (name: string) => {
      const { key, certificate } = await clients.issue(name)
      return {
        ...{ ca: server.ca, clientCertificate: certificate, clientKey: key },
        serverName: 'wiki.corp.example',
      }
    }
    const ask = (own: BackendRequest['tls']) =>
      new ObservedCall(backend, request(application.port, 'h2', { tls: own })).settled()
    const alice = await settingsOf('alice')
    expect((await ask(alice)).outcome).toBe('done')
    expect((await ask(alice)).outcome).toBe('done')
    expect(application.sessions).toHaveLength(1)
    expect((await ask(await settingsOf('bob'))).outcome).toBe('done')
    expect(application.sessions).toHaveLength(2)
    expect((await ask(undefined)).outcome).toBe('not sent: APPLICATION_CERTIFICATE')
  })

  test('a certificate that nobody vouches for is refused, unless the application says otherwise', async () => {
    const application = await listen(undefined, {}, tls)
    const backend = new NodeBackend()
    closing.push(() => backend.close())
    const refused = await new ObservedCall(backend, request(application.port, 'h2')).settled()
    expect(refused.outcome).toBe('not sent: APPLICATION_CERTIFICATE')
    const trusting = details(application.port, 'h2', { verifyCertificate: false })
    expect((await new ObservedCall(backend, requestTo(trusting)).settled()).outcome).toBe('done')
  })
})
