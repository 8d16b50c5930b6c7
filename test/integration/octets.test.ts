import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawUser } from './raw-user.ts'
import { startTunnel, until, type Tunnel } from './tunnel.ts'

/** Where an octet may stand in a request head, with the name of HTTP/2's field. */
const PLACES = {
  path: (octet: string) => ({ ':path': `/a${octet}b` }),
  query: (octet: string) => ({ ':path': `/a?b${octet}c` }),
  'first octet of the target': (octet: string) => ({ ':path': `${octet}/a` }),
  method: (octet: string) => ({ ':method': `GE${octet}T` }),
  host: (octet: string) => ({ ':authority': `open.local${octet}host` }),
  'field value': (octet: string) => ({ 'x-value': `a${octet}b` }),
} as const
type Place = keyof typeof PLACES

/** What no application is shown anywhere in a target: it is refused before the request is anybody's. */
const FORBIDDEN = [...octets(0x00, 0x20), '#', ...octets(0x7f, 0xff)]

let tunnel: Tunnel
/** What came to the application. */
const seen: string[] = []
const values: (string | string[] | undefined)[] = []
beforeAll(async () => {
  tunnel = await startTunnel({
    transport: 'in memory',
    backend: (request, response) => {
      seen.push(request.url!)
      values.push(request.headers['x-value'])
      response.end('ok')
    },
  })
})
afterAll(() => tunnel.close())

describe('T11 an octet that HTTP/1.1 refuses is refused over HTTP/2', () => {
  test.each(['path', 'query', 'first octet of the target'] as const)('in a %s', async (place) => {
    seen.length = 0
    for (const octet of FORBIDDEN)
      expect([octet, await overHttp2(place, octet)]).toEqual([octet, expect.toSatisfy(isRefused)])
    const first = await Promise.all(octets(0x80, 0xff).map((octet) => overHttp1(place, octet)))
    expect(first).toEqual(first.map(() => 400))
    expect(seen).toEqual([])
  })

  const BOTH = [...octets(0, 0x1f), ...'\x7f\x80\xa0', ...'# "@/\\\xff']

  test.each(['method', 'host'] as const)('in a %s', async (place) => {
    const all = await Promise.all(BOTH.map((octet) => overHttp1(place, octet)))
    for (const [i, octet] of BOTH.entries()) {
      const [first, second] = [all[i]!, await overHttp2(place, octet)]
      const isSame = isRefused(first) === isRefused(second)
      expect([octet, first, second, isSame]).toEqual([octet, first, second, true])
    }
  })

  // Node's HTTP/2 leaves such a field out.
  test('in the value of a field: it does not arrive', async () => {
    for (const octet of BOTH) {
      values.length = 0
      const first = await overHttp1('field value', octet)
      await overHttp2('field value', octet)
      const passed = isRefused(first) ? [] : [`a${octet}b`, `a${octet}b`]
      expect([octet, values.filter((value) => value !== undefined)]).toEqual([octet, passed])
    }
  })

  test('in a scheme', async () => {
    for (const scheme of ['ht tp', 'http#', 'https\xff', 'ftp'])
      expect(await ask({ ':scheme': scheme })).toSatisfy(isRefused)
  })

  test('and every octet that a target may have is passed on as it is', async () => {
    seen.length = 0
    const text = octets(0x21, 0x7e).filter((octet) => !'#%\\'.includes(octet))
    for (const octet of text) expect(await overHttp2('query', octet)).toBe(200)
    expect(seen).toEqual(text.map((octet) => `/a?b${octet}c`))
  })
})

describe('hosts', () => {
  test.each([
    ['two of them', 'Host: open.localhost\r\nHost: open.localhost\r\n', 400],
    ['two of them, the first unknown', 'Host: a\r\nHost: open.localhost\r\n', 400],
    ['none', '', 400],
    ['an empty one', 'Host:\r\n', 400],
    ['one that is none', 'Host: open.localhost@a\r\n', 400],
    ['one with a port that is none', 'Host: open.localhost:x\r\n', 400],
    ['one that is none here', 'Host: nobody.localhost\r\n', 404],
  ])('%s: %s', async (_, fields, status) => {
    const user = new RawUser(tunnel.port)
    user.socket.write(`GET / HTTP/1.1\r\n${fields}\r\n`)
    await until(() => user.isComplete)
    expect(user.status).toBe(status)
    expect(user.received).toMatch(/^content-type: application\/problem\+json/im)
    user.leave()
  })

  test('none, by HTTP/1.0', async () => {
    const user = new RawUser(tunnel.port)
    user.socket.write('GET / HTTP/1.0\r\n\r\n')
    await user.closed
    expect(user.status).toBe(404)
  })
})

function octets(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => String.fromCharCode(first + i))
}

/** Refused with 400 or 501, with 404 where a host is none, or by a reset (0). */
function isRefused(status: number): boolean {
  return status === 0 || status === 400 || status === 404 || status === 501
}

async function overHttp1(place: Place, octet: string): Promise<number> {
  const { method, path, authority, ...fields } = requestOf(PLACES[place](octet))
  const user = new RawUser(tunnel.port)
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\n${lines.join('')}\r\n`
  user.socket.write(head, 'latin1')
  await until(() => user.isComplete)
  user.leave()
  return user.status!
}

function requestOf(fields: Record<string, string>): Record<string, string> {
  const whole = { ':method': 'GET', ':path': '/', ':authority': 'open.localhost', ...fields }
  return Object.fromEntries(
    Object.entries(whole).map(([name, value]) => [name.replace(':', ''), value]),
  )
}

let session: ClientHttp2Session | undefined
afterAll(() => session?.destroy())

function overHttp2(place: Place, octet: string): Promise<number> {
  return ask(PLACES[place](octet))
}

/** The status, or 0 when the stream was reset. */
function ask(fields: Record<string, string>): Promise<number> {
  if (session === undefined || session.destroyed || session.closed) {
    session = connectHttp2(`https://127.0.0.1:${tunnel.tlsPort}`, { rejectUnauthorized: false })
    session.on('error', () => undefined)
  }
  return new Promise((resolve) => {
    const stream = session!.request({ ':authority': 'open.localhost', ...fields })
    stream.on('error', () => undefined)
    stream.on('response', ({ ':status': status }) => resolve(status!))
    stream.on('close', () => resolve(0))
    stream.resume()
  })
}
