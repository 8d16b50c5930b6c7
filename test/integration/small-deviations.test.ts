import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawUser } from './raw-user.ts'
import { startTunnel, until, type Tunnel } from './tunnel.ts'

let tunnel: Tunnel
beforeAll(async () => {
  tunnel = await startTunnel({
    transport: 'in memory',
    backend: (request, response) => {
      if (request.url === '/205') {
        response.writeHead(205, { 'content-length': 7 })
        return void response.end('content')
      }
      if (request.url === '/205-chunked') {
        response.writeHead(205, { trailer: 'x' }).write('con')
        return void setTimeout(() => response.end('tent'), 20)
      }
      if (request.url === '/426') {
        const protocols = { upgrade: 'TLS/1.0, HTTP/1.1', connection: 'upgrade' }
        return void response.writeHead(426, protocols).end('upgrade')
      }
      response.end(request.url)
    },
  })
})
afterAll(() => tunnel.close())

/** All that one request in HTTP/1.1's own words gets on a connection of its own. */
async function ask(octets: string, { tls = false } = {}): Promise<RawUser> {
  const user = new RawUser(tls ? tunnel.tlsPort : tunnel.port, { tls })
  user.socket.write(octets, 'latin1')
  await user.closed
  return user
}

const HOST = 'Host: open.localhost\r\n'
const get = (target: string, fields = 'Connection: close\r\n', method = 'GET') =>
  ask(`${method} ${target} HTTP/1.1\r\n${HOST}${fields}\r\n`)

interface Answer {
  readonly head: IncomingHttpHeaders
  readonly body: string
  readonly code: number | undefined
}

function overHttp2(fields: Record<string, string>): Promise<Answer> {
  const session = connectHttp2(`https://127.0.0.1:${tunnel.tlsPort}`, { rejectUnauthorized: false })
  session.on('error', () => undefined)
  const stream = session.request({ ':authority': 'open.localhost', ...fields })
  let [head, body]: [IncomingHttpHeaders, string] = [{}, '']
  stream.on('error', () => undefined).on('response', (fields) => (head = fields))
  stream.on('data', (bytes: Buffer) => (body += bytes.toString()))
  return new Promise((resolve) => {
    stream.on('close', () => {
      session.destroy()
      resolve({ head, body, code: stream.rstCode })
    })
  })
}

describe('a 205 has no content, whatever the application sends', () => {
  test.each(['/205', '/205-chunked'])('%s', async (target) => {
    const user = new RawUser(tunnel.port).ask('GET', target).ask('GET', '/next')
    await until(() => user.received.endsWith('/next'))
    expect(user.received).toMatch(/^HTTP\/1\.1 205 .*?\r\n\r\nHTTP\/1\.1 200 /s)
    expect(user.received).toMatch(/^content-length: 0\r/im)
    user.leave()
    const second = await overHttp2({ ':path': target })
    expect([second.head[':status'], second.body, second.code]).toEqual([205, '', 0])
    expect(second.head['content-length']).toBe('0')
  })
})

test('a 426 says what to, and of which connection', async () => {
  const kept = new RawUser(tunnel.port).ask('GET', '/426').ask('GET', '/next')
  await until(() => kept.received.endsWith('/next'))
  kept.leave()
  expect(kept.received).toMatch(/^upgrade: TLS\/1\.0, HTTP\/1\.1\r\n/im)
  expect(kept.received).toMatch(/^connection: upgrade\r\n/im)
  const closed = await get('/426')
  expect(closed.received).toMatch(/^connection: upgrade, close\r\n/im)
  expect((await overHttp2({ ':path': '/426' })).head.upgrade).toBeUndefined()
})

test('OPTIONS * is answered here', async () => {
  const first = await get('*', 'Connection: close\r\n', 'OPTIONS')
  expect(first.status).toBe(204)
  const second = await overHttp2({ ':method': 'OPTIONS', ':path': '*' })
  expect([second.head[':status'], second.body]).toEqual([204, ''])
  expect((await get('*')).status).toBe(400)
})

test('an address that is too long is 414, fields that are too many are 431', async () => {
  const long = `/${'x'.repeat(9_000)}`
  const longer = `/${'x'.repeat(40_000)}`
  expect([(await get(long)).code, (await get(longer)).code]).toEqual(
    Array.from({ length: 2 }, () => 'target-too-long'),
  )
  expect((await get(longer)).status).toBe(414)
  const fields = Array.from({ length: 300 }, (_, i) => [`x-${i}`, '1'] as const)
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  expect((await get('/', `Connection: close\r\n${lines}`)).status).toBe(431)
  expect((await get('/', `X: ${'x'.repeat(40_000)}\r\n`)).status).toBe(431)
  for (const path of [long, longer]) {
    const { head, code } = await overHttp2({ ':path': path })
    expect([head[':status'], code]).toEqual([414, 0])
  }
  const { head, code } = await overHttp2(Object.fromEntries(fields))
  expect([head[':status'], code]).toEqual([431, 0])
})

describe('what the parser refuses', () => {
  const broken = (method: string, more = '') =>
    ask(`${method} / HTTP/1.1\r\n${HOST}${more}no field\r\n\r\n`)

  test('is answered with a date, in words or as a page', async () => {
    const program = await broken('GET')
    expect(program.received).toMatch(/^date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r$/im)
    expect(program.received).toMatch(/^content-type: application\/problem\+json/im)
    const browser = await broken('GET', 'Accept: text/html\r\n')
    expect(browser.received).toMatch(/^content-type: text\/html/im)
    expect([browser.status, browser.isComplete]).toEqual([400, true])
  })

  test('has no content for HEAD', async () => {
    for (const user of [
      await broken('HEAD'),
      await ask(`HEAD /${'x'.repeat(40_000)}`),
      await ask(`HEAD / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`),
    ]) {
      expect(user.status).toBeGreaterThanOrEqual(400)
      expect(user.received.endsWith('\r\n\r\n')).toBe(true)
      expect(user.received.match(/\r\n\r\n/g)).toHaveLength(1)
    }
    const second = await overHttp2({ ':method': 'HEAD', ':path': '/../a' })
    expect([second.head[':status'], second.body, second.code]).toEqual([400, '', 0])
  })

  test('names a proxy error that is registered for such a status', async () => {
    const user = await get('/', 'Connection: close\r\n', 'FOO')
    expect(user.status).toBe(501)
    expect(user.received).toMatch(/^proxy-status: app-proxy; error=proxy_internal_response/im)
  })
})
