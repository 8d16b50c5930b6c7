import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTunnel, TRANSPORTS, until, type Tunnel } from './tunnel.ts'

/** What the application saw and did, for the tests to look at. */
const seen = { aborted: 0, requests: 0, last: undefined as IncomingMessage | undefined }

const backend: RequestListener = (request, response) => {
  seen.requests += 1
  seen.last = request
  request.on('close', () => {
    if (!request.complete) seen.aborted += 1
  })
  response.on('close', () => {
    if (!response.writableFinished) seen.aborted += 1
  })
  const { pathname } = new URL(request.url!, 'http://backend')
  if (pathname === '/headers') {
    return response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        method: request.method,
        target: request.url,
        headers: request.rawHeaders,
      }),
    )
  }
  if (pathname === '/upload') {
    const hash = createHash('sha256')
    request.on('data', (chunk) => hash.update(chunk))
    return request.on('end', () => response.end(hash.digest('hex')))
  }
  if (pathname === '/die') {
    response.writeHead(200).write('the first part')
    return setTimeout(() => request.socket.destroy(), 50)
  }
  if (pathname === '/slow') return setTimeout(() => response.end('at last'), 1_500)
  if (pathname === '/never') return response.writeHead(200).write('begun')
  if (pathname === '/early') return response.writeHead(413).end('too large')
  if (pathname === '/empty') return response.writeHead(204).end()
  return response.end(`hello from ${request.url}`)
}

let tunnel: Tunnel

interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
}

function call(
  path: string,
  options: {
    method?: string
    headers?: Record<string, string>
    body?: Uint8Array | Iterable<Uint8Array>
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: '127.0.0.1',
        port: tunnel.port,
        path,
        method: options.method ?? 'GET',
        headers: { host: 'open.localhost', ...options.headers },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: Buffer.concat(chunks),
          })
        })
      },
    )
    request.on('error', reject)
    if (options.body === undefined || options.body instanceof Uint8Array) request.end(options.body)
    else {
      for (const chunk of options.body) request.write(chunk)
      request.end()
    }
  })
}

describe.each(TRANSPORTS)('through cloud and connector, %s', (transport) => {
  beforeAll(async () => {
    tunnel = await startTunnel({ transport, backend, limits: { claimMs: 1_000 } })
  })
  afterAll(() => tunnel.close())

  test('a GET reaches the application and its answer the user', async () => {
    const answer = await call('/some/page?q=1')
    expect(answer.status).toBe(200)
    expect(answer.body.toString()).toBe('hello from /some/page?q=1')
  })

  test('the target arrives octet for octet', async () => {
    const target = "/a%2Fb;p=1/%7Efoo/?x=%20&y=/../z'"
    const { body } = await call(`/headers${target}`)
    void body
    const answer = await call(target)
    expect(answer.body.toString()).toBe(`hello from ${target}`)
  })

  test('a HEAD and a 204 have no body, and the connection goes on', async () => {
    expect(await call('/', { method: 'HEAD' })).toMatchObject({
      status: 200,
      body: Buffer.alloc(0),
    })
    expect(await call('/empty')).toMatchObject({ status: 204, body: Buffer.alloc(0) })
  })

  test.each([0, 1, 65_536, 5_000_000])('an upload of %i bytes arrives whole', async (bytes) => {
    const body = randomBytes(bytes)
    const answer = await call('/upload', { method: 'POST', body })
    expect(answer.body.toString()).toBe(createHash('sha256').update(body).digest('hex'))
  })

  test('an upload of unknown length arrives whole', async () => {
    const chunks = Array.from({ length: 50 }, () => randomBytes(40_000))
    const answer = await call('/upload', { method: 'PUT', body: chunks })
    expect(answer.body.toString()).toBe(
      createHash('sha256').update(Buffer.concat(chunks)).digest('hex'),
    )
  })

  test('Expect: 100-continue is answered by the pull', async () => {
    const answer = await new Promise<{ continued: boolean; body: string }>((resolve, reject) => {
      const request = httpRequest({
        host: '127.0.0.1',
        port: tunnel.port,
        path: '/upload',
        method: 'POST',
        headers: { host: 'open.localhost', expect: '100-continue', 'content-length': '3' },
      })
      let continued = false
      request.on('continue', () => {
        continued = true
        request.end('abc')
      })
      request.on('response', (response) => {
        let body = ''
        response
          .on('data', (chunk) => (body += chunk))
          .on('end', () => resolve({ continued, body }))
      })
      request.on('error', reject)
      request.flushHeaders()
    })
    expect(answer).toEqual({
      continued: true,
      body: createHash('sha256').update('abc').digest('hex'),
    })
  })

  test('a page slower than the claim limit is asked for once', async () => {
    const before = seen.requests
    const answer = await call('/slow')
    expect(answer.body.toString()).toBe('at last')
    expect(seen.requests).toBe(before + 1)
  })

  test('an early answer to a body still under way comes through, and the connection closes', async () => {
    const answer = await new Promise<{ status: number; connection: string | undefined }>(
      (resolve, reject) => {
        const request = httpRequest({
          host: '127.0.0.1',
          port: tunnel.port,
          path: '/early',
          method: 'POST',
          headers: { host: 'open.localhost', 'content-length': '10000000' },
        })
        request.on('response', ({ statusCode, headers }) => {
          resolve({ status: statusCode!, connection: headers.connection })
          request.destroy()
        })
        request.on('error', reject)
        request.write(randomBytes(100_000))
      },
    )
    expect(answer).toEqual({ status: 413, connection: 'close' })
  })

  test('an application that dies mid-answer breaks the user’s connection', async () => {
    await expect(call('/die')).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('a user who leaves has the application’s request cancelled', async () => {
    const before = seen.aborted
    const request = httpRequest({
      host: '127.0.0.1',
      port: tunnel.port,
      path: '/never',
      headers: { host: 'open.localhost' },
    })
    request.on('error', () => undefined)
    await new Promise<void>((resolve) => {
      request.on('response', (response) => response.once('data', () => resolve()))
      request.end()
    })
    request.destroy()
    await until(() => seen.aborted > before, 1_000)
  })

  test('what a user says of forwarding and connection does not reach the application', async () => {
    const { body } = await call('/headers', {
      headers: {
        'x-forwarded-for': '6.6.6.6',
        x_forwarded_host: 'evil',
        connection: 'x-secret',
        'x-secret': '1',
        cookie: 'app-proxy-session-open=stolen; theme=dark',
      },
    })
    const { headers } = JSON.parse(body.toString()) as { headers: string[] }
    const pairs = Array.from({ length: headers.length / 2 }, (_, i) => [
      headers[2 * i]!.toLowerCase(),
      headers[2 * i + 1],
    ])
    const map = Object.fromEntries(pairs) as Record<string, string>
    expect(map['x-forwarded-for']).toBe('127.0.0.1')
    expect(map['x-forwarded-host']).toBe('open.localhost')
    expect(map).not.toHaveProperty('x-secret')
    expect(map).not.toHaveProperty('x_forwarded_host')
    expect(map['cookie']).toBe('theme=dark')
    expect(map['host']).toMatch(/^127\.0\.0\.1:/)
  })

  test('an unknown host, a dot segment and the reserved path are answered by the edge', async () => {
    expect((await call('/', { headers: { host: 'other.localhost' } })).status).toBe(404)
    expect((await call('/a/../b')).status).toBe(400)
    expect((await call('/.app-proxy/x')).status).toBe(404)
  })

  test('200 requests at once, and nothing is left open', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => call(`/n/${i}`)))
    expect(answers.every(({ body }, i) => body.toString() === `hello from /n/${i}`)).toBe(true)
    await until(() => tunnel.cloud.origin.open === 0)
  })
})
