/**
 * Access 1–6: from the user's request to the user's answer. The user's side is always the real listener; the connector's side is
 * the in-memory link, and then real mutual TLS.
 */
import { createHash, randomBytes } from 'node:crypto'
import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestListener,
} from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SignInIdentity } from '../src/protocol/internal.ts'
import { createDirectory, tenantKey } from '../src/cloud/index.ts'
import { startTunnel, TRANSPORTS, until, type Tunnel } from '../test/integration/tunnel.ts'

/** What reached the application, in order. */
const reached: { request: IncomingMessage; at: number; bytes: number; complete: boolean }[] = []
/** What the application does before it answers. */
let answer: RequestListener

const application: RequestListener = (request, response) => {
  const entry = { request, at: performance.now(), bytes: 0, complete: false }
  reached.push(entry)
  request.on('data', (chunk: Buffer) => (entry.bytes += chunk.length))
  request.on('end', () => (entry.complete = true))
  answer(request, response)
}

const ALICE: SignInIdentity = {
  subject: 'alice',
  issuer: 'https://issuer.example',
  name: 'Alice',
  email: 'alice@contoso.example',
  groups: ['staff'],
  roles: [],
  authenticatedAt: Date.now(),
  expiresAt: Date.now() + 3_600_000,
}

describe.each(TRANSPORTS)('access to a published application, %s', (transport) => {
  let tunnel: Tunnel
  let sessionCookie: string
  beforeAll(async () => {
    tunnel = await startTunnel({ transport, backend: application })
    sessionCookie = await cookieOf(ALICE)
  })
  afterAll(() => tunnel.close())
  beforeEach(() => {
    reached.length = 0
    answer = (_request, response) => response.end('the page')
  })

  async function cookieOf(identity: SignInIdentity): Promise<string> {
    const { setCookie } = await tunnel.sessions.start(secureApplication(), 'secure.localhost', {
      ...identity,
      issuer: tunnel.issuer.url,
    })
    return setCookie.split(';')[0]!
  }

  function secureApplication() {
    return createDirectory({
      tenants: [{ id: 'contoso', issuer: tunnel.issuer.url, registrars: { audience: 'x' } }],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [
        {
          id: 'secure',
          groupId: 'default',
          externalUrl: 'http://secure.localhost/',
          internalUrl: 'http://unused.internal/',
          preAuthentication: 'oidc',
          client: { id: 'secure' },
        },
      ],
    }).application('secure')!
  }

  function ask(
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
    host = 'open.localhost',
  ): ClientRequest {
    return httpRequest({
      host: '127.0.0.1',
      port: tunnel.port,
      path,
      method,
      headers: { host, ...headers },
    })
  }

  function signedIn(path: string, headers: Record<string, string> = {}): ClientRequest {
    return ask(
      path,
      { cookie: `theme=dark; ${sessionCookie}`, ...headers },
      'GET',
      'secure.localhost',
    )
  }

  test('R3.1a when a user comes to an application, the cloud consults its configuration', async () => {
    expect((await whole(ask('/'))).status).toBe(200)
    expect((await whole(ask('/', {}, 'GET', 'secure.localhost'))).status).not.toBe(200)
    expect((await whole(ask('/', {}, 'GET', 'nobody.localhost'))).status).toBe(404)
  })

  test('R3.1c a passthrough application skips all of pre-authentication', async () => {
    expect(await whole(ask('/open'))).toMatchObject({ status: 200, body: 'the page' })
    expect(tunnel.offers.at(-1)!.user).toBeUndefined()
  })

  test('R3.2a for every request the cloud validates that pre-authentication has been met', async () => {
    expect((await whole(signedIn('/one'))).status).toBe(200)
    const without = ask(
      '/two',
      { accept: 'application/json', 'sec-fetch-mode': 'cors' },
      'GET',
      'secure.localhost',
    )
    expect((await whole(without)).status).toBe(401)
    expect(reached.map(({ request }) => request.url)).toEqual(['/one'])
  })

  test('R3.2b the cloud validates that the cookie is still valid', async () => {
    const ended = await cookieOf({ ...ALICE, expiresAt: Date.now() - 1_000 })
    const tampered = `${sessionCookie.slice(0, -4)}AAAA`
    for (const cookie of [ended, tampered]) {
      const request = ask('/', { cookie, 'sec-fetch-mode': 'cors' }, 'GET', 'secure.localhost')
      expect((await whole(request)).status).toBe(401)
    }
    expect(reached).toEqual([])
  })

  test('R3.2c the request is put on the queue of the group that serves the application', async () => {
    const before = tunnel.offers.length
    await whole(ask('/queued'))
    expect(tunnel.offers.slice(before)).toMatchObject([
      { applicationId: 'open', target: '/queued' },
    ])
  })

  test('R3.2e the queued request says application, headers, user and request id', async () => {
    await whole(signedIn('/page?q=1', { 'x-custom': 'kept' }))
    const offer = tunnel.offers.at(-1)!
    expect(offer).toMatchObject({
      applicationId: 'secure',
      method: 'GET',
      target: '/page?q=1',
      user: { subject: 'alice', issuer: tunnel.issuer.url, groups: ['staff'] },
    })
    expect(offer.id).toMatch(/^[0-9a-f]{32}$/)
    expect(offer.headers).toContain('x-custom')
    expect(reached[0]!.request.headers).toMatchObject({ 'x-user': 'alice', 'x-groups': 'staff' })
  })

  test('R3.2f the encrypted cookie is never sent to the connector', async () => {
    await whole(signedIn('/'))
    const value = sessionCookie.slice(sessionCookie.indexOf('=') + 1)
    expect(JSON.stringify(tunnel.offers.at(-1))).not.toContain(value)
    expect(JSON.stringify(tunnel.offers.at(-1))).not.toContain('app-proxy-session')
    expect(reached[0]!.request.headers.cookie).toBe('theme=dark')
  })

  test('R3.2d a connector holds a connection open, and a request is queued on it', async () => {
    const [link] = tunnel.links
    expect(link!.grants).toBeGreaterThan(0)
    await whole(ask('/queued-on-a-link'))
    expect(tunnel.offers.at(-1)).toMatchObject({ target: '/queued-on-a-link', attempt: 1 })
  })

  test('R3.3 the connector picks the request up over the connection it holds open', async () => {
    expect(tunnel.cloud.origin.isServed(tenantKey('contoso', 'default'))).toBe(true)
    const before = tunnel.links.length
    await whole(ask('/picked-up'))
    expect(reached.map(({ request }) => request.url)).toEqual(['/picked-up'])
    // No link was opened to bring it: the one that stood there before did.
    expect(tunnel.links).toHaveLength(before)
    expect(tunnel.offers.at(-1)).toMatchObject({ target: '/picked-up', attempt: 1 })
  })

  test('R3.3.2 for a request without a body it connects at once and awaits the response', async () => {
    const gate = gateOf()
    answer = (_request, response) => void gate.promise.then(() => response.end('at last'))
    const answered = whole(ask('/waits'))
    await until(() => reached.length === 1)
    expect(tunnel.offers.at(-1)!.body).toEqual({ kind: 'none' })
    gate.resolve(undefined)
    expect((await answered).body).toBe('at last')
  })

  test('R3.3.3a for a request with a body the connector asks the cloud for the data, and connects', async () => {
    const headers = { 'content-length': '10', expect: '100-continue' }
    const request = ask('/upload', headers, 'POST')
    const answered = whole(request, false)
    // The user is told to go on by nothing but the connector's call for the data.
    const continued = new Promise((resolve) => request.on('continue', resolve))
    request.flushHeaders()
    await continued
    request.end('0123456789')
    expect((await answered).status).toBe(200)
    await until(() => reached[0]?.complete === true)
    expect(reached[0]!.bytes).toBe(10)
  })

  test('R3.3.3b only when the connector asks for the data does the cloud accept the body', async () => {
    const { socket, sent } = await postRaw(tunnel.port, 40 * 1024 * 1024)
    // The application is connected to, and reads nothing: the pull came, and its credit is spent.
    answer = (request) => void request.pause()
    await until(() => tunnel.offers.at(-1)?.body.kind === 'length')
    await until(() => reached.length === 1)
    const stalledAt = await settled(sent)
    expect(stalledAt).toBeLessThan(40 * 1024 * 1024)
    reached[0]!.request.resume()
    await until(() => sent() > stalledAt)
    socket.destroy()
    await until(() => tunnel.cloud.origin.open === 0)
  })

  test('R3.3.3b before the pull not a byte of the body is asked for', async () => {
    const idle = await startTunnel({
      transport,
      backend: application,
      noConnector: true,
      limits: { queueWaitMs: 800 },
    })
    try {
      const request = httpRequest({
        host: '127.0.0.1',
        port: idle.port,
        path: '/upload',
        method: 'POST',
        headers: { host: 'open.localhost', 'content-length': '10', expect: '100-continue' },
      })
      let continued = false
      request.on('continue', () => (continued = true))
      request.flushHeaders()
      const status = await new Promise<number>((resolve, reject) => {
        request.on('response', (response) => resolve(response.statusCode!)).on('error', reject)
      })
      request.destroy()
      expect({ continued, status }).toEqual({ continued: false, status: 504 })
    } finally {
      await idle.close()
    }
  })

  test('R3.3.3c the connector forwards the body to the application', async () => {
    const body = randomBytes(3_000_000)
    answer = (request, response) => {
      const hash = createHash('sha256')
      request.on('data', (chunk: Buffer) => hash.update(chunk))
      request.on('end', () => response.end(hash.digest('hex')))
    }
    const request = ask('/upload', { 'content-length': String(body.length) }, 'POST')
    const answered = whole(request, false)
    request.end(body)
    expect((await answered).body).toBe(createHash('sha256').update(body).digest('hex'))
    expect(reached[0]).toMatchObject({ bytes: body.length, complete: true })
  })

  test('R3.4 once the whole request has reached the application, the connector waits', async () => {
    const gate = gateOf()
    answer = (_request, response) => void gate.promise.then(() => response.end('done'))
    const request = ask('/upload', { 'content-length': '4' }, 'PUT')
    const answered = whole(request, false)
    request.end('body')
    await until(() => reached[0]?.complete === true)
    expect(tunnel.cloud.origin.open).toBe(1)
    gate.resolve(undefined)
    expect((await answered).body).toBe('done')
  })

  test('R3.5a the connector returns status and header fields', async () => {
    answer = (_request, response) => {
      response.writeHead(418, 'teapot', ['X-Twice', '1', 'X-Twice', '2', 'Set-Cookie', 'a=b']).end()
    }
    const { status, response } = await whole(ask('/'))
    expect(status).toBe(418)
    expect(response.headersDistinct).toMatchObject({ 'x-twice': ['1', '2'], 'set-cookie': ['a=b'] })
  })

  test('R3.5b the connector streams the response body as it comes', async () => {
    let write: (text: string) => void = () => undefined
    answer = (_request, response) => {
      response.writeHead(200)
      write = (text) => void (text === '' ? response.end() : response.write(text))
      write('first')
    }
    const request = ask('/trickle')
    request.end()
    const response = await new Promise<IncomingMessage>((resolve) =>
      request.on('response', resolve),
    )
    const parts: string[] = []
    response.on('data', (chunk: Buffer) => parts.push(chunk.toString()))
    await until(() => parts.join('') === 'first')
    write('second')
    await until(() => parts.join('') === 'firstsecond')
    write('')
    await until(() => response.complete)
  })

  test('R3.6a the cloud streams the body to the user, at the pace of the user', async () => {
    let written = 0
    answer = (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024, 7)
      const more = (): void => {
        while (written < 64 * 1024 * 1024) {
          written += chunk.length
          if (!response.write(chunk)) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    }
    const request = ask('/large')
    request.end()
    const response = await new Promise<IncomingMessage>((resolve) => {
      request.on('response', resolve)
    })
    // The user does not read: the application cannot write on.
    const stalledAt = await settled(() => written)
    expect(stalledAt).toBeLessThan(64 * 1024 * 1024)
    let bytes = 0
    response.on('data', (chunk: Buffer) => (bytes += chunk.length))
    await until(() => response.complete)
    expect(bytes).toBe(64 * 1024 * 1024)
  })

  test('R3.6b header fields are processed on the way as the application defines', async () => {
    answer = (request, response) => {
      response
        .writeHead(302, [
          ...['Location', `http://${request.headers.host}/elsewhere`],
          ...['Set-Cookie', 'app-proxy-session-open=planted; Path=/'],
          ...['Set-Cookie', 'theme=light'],
          ...['Connection', 'X-Hop'],
          ...['X-Hop', 'gone'],
        ])
        .end()
    }
    const { response } = await whole(ask('/'))
    expect(response.headers.location).toBe('http://open.localhost/elsewhere')
    expect(response.headers['set-cookie']).toEqual(['theme=light'])
    expect(response.headers['x-hop']).toBeUndefined()
    expect(reached[0]!.request.headers.host).toMatch(/^127\.0\.0\.1:/)
    expect(reached[0]!.request.headers.forwarded).toContain('host="open.localhost"')
  })
})

describe('between connector and cloud', () => {
  let tunnel: Tunnel
  beforeAll(async () => {
    tunnel = await startTunnel({ backend: (_request, response) => response.end('ok') })
  })
  afterAll(() => tunnel.close())

  test('R0.1 all communication is over TLS: a plain call gets no answer', async () => {
    const { port } = new URL(tunnel.connectorUrl)
    const socket = connect(Number(port), '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => undefined)
    socket.write('POST /configuration HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n')
    await new Promise((closed) => socket.on('close', closed))
    expect(Buffer.concat(chunks).toString('latin1')).not.toContain('HTTP/1.1 2')
    expect(tunnel.connector.configuration.instances['cloud-1']).toMatch(/^https:/)
  })

  test('R0.2 the connector dials out and listens nowhere', async () => {
    // This process holds the cloud's listeners for users (two of them, one by TLS) and for connectors, the issuer and the application; the connector adds none.
    const listening = process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap')
    expect(listening).toHaveLength(5)
    expect(tunnel.connector.isReady).toBe(true)
  })
})

interface Whole {
  status: number
  response: IncomingMessage
  body: string
}

function whole(request: ClientRequest, end = true): Promise<Whole> {
  return new Promise((resolve, reject) => {
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
      response.on('end', () => {
        resolve({ status: response.statusCode!, response, body: Buffer.concat(chunks).toString() })
      })
    })
    request.on('error', reject)
    if (end) request.end()
  })
}

/** Posts as much as the socket takes, and counts what it took. */
async function postRaw(
  port: number,
  bytes: number,
): Promise<{ socket: Socket; sent: () => number }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(`POST /upload HTTP/1.1\r\nHost: open.localhost\r\nContent-Length: ${bytes}\r\n\r\n`)
  const chunk = Buffer.alloc(64 * 1024)
  let sent = 0
  const more = (): void => {
    while (sent < bytes && !socket.destroyed) {
      sent += chunk.length
      if (!socket.write(chunk)) return void socket.once('drain', more)
    }
  }
  more()
  return { socket, sent: () => sent }
}

/** The value once it has stopped changing. */
async function settled(value: () => number): Promise<number> {
  for (let last = -1; last !== value(); await new Promise((later) => setTimeout(later, 250)))
    last = value()
  return value()
}

function gateOf(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => undefined
  const promise = new Promise((done) => (resolve = done))
  return { promise, resolve }
}
