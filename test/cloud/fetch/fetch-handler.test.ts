/** The edge's port on the Fetch API: bodies both ways, pace, and who leaves when. */
import { describe, expect, test } from 'vitest'
import { fetchHandler, type FetchTunnel } from '../../../src/cloud/fetch/fetch-handler.ts'
import type { UserEvents, UserExchange } from '../../../src/cloud/request/user-exchange.ts'
import { ApiMisuse, type HeaderList } from '../../../src/protocol/internal.ts'

const URL_ = 'https://wiki.example:8443/a%2Fb/../c?d=%20'
const bytes = (text: string) => new TextEncoder().encode(text)

/** What the edge does with one request, and what it is told. */
class Asked implements UserEvents {
  user!: UserExchange
  response: Promise<Response>
  readonly told: string[] = []
  #waiting: (() => void)[] = []

  constructor(request: Request, tunnel?: FetchTunnel) {
    const edge = {
      handle: (user: UserExchange) => {
        this.user = user
        user.listen(this)
      },
    }
    const handler = fetchHandler(edge, tunnel && { upgrade: () => tunnel })
    this.response = handler(request, { remoteAddress: '192.0.2.7' })
    this.response.catch(() => undefined)
  }

  data(octets: Uint8Array): void {
    this.#tell(new TextDecoder().decode(octets))
  }
  ended(trailers: HeaderList | undefined): void {
    this.#tell(`ended ${trailers}`)
  }
  drained(): void {
    this.#tell('drained')
  }
  gone(complete: boolean): void {
    this.#tell(`gone ${complete}`)
  }

  async until(told: string): Promise<void> {
    while (!this.told.includes(told)) await new Promise<void>((heard) => this.#waiting.push(heard))
  }

  #tell(what: string): void {
    this.told.push(what)
    for (const heard of this.#waiting.splice(0)) heard()
  }
}

/** A body that counts how often it was asked for octets. */
function counted(chunks: readonly string[]) {
  const rest = [...chunks]
  const body = { pulls: 0, cancelled: false, stream: undefined as never as ReadableStream }
  body.stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        body.pulls += 1
        const chunk = rest.shift()
        if (chunk === undefined) controller.close()
        else controller.enqueue(bytes(chunk))
      },
      cancel: () => void (body.cancelled = true),
    },
    { highWaterMark: 0 },
  )
  return body
}
const post = (body: BodyInit, more: RequestInit = {}) =>
  new Request(URL_, { method: 'POST', body, duplex: 'half', ...more } as RequestInit)

describe('the head', () => {
  test('is the request’s, and what the caller says of the connection', () => {
    const { user } = new Asked(new Request(URL_, { headers: { 'X-One': '1', host: 'wiki' } }))
    expect(user.head).toMatchObject({
      ...{ method: 'GET', authority: 'wiki', secure: true, httpVersion: '1.1' },
      // As the URL of a request has it: dots are resolved, escapes are not.
      ...{ target: '/a%2Fb/../c?d=%20'.replace('/a%2Fb/..', ''), remoteAddress: '192.0.2.7' },
    })
    expect(user.head.headers).toEqual(expect.arrayContaining(['x-one', '1']))
    expect(user.head.upgrade).toBeUndefined()
  })

  test('takes its host from the URL where no field says it', () => {
    expect(new Asked(new Request(URL_)).user.head.authority).toBe('wiki.example:8443')
  })

  test('says that a body comes, where its runtime does not', () => {
    const { headers } = new Asked(post('x')).user.head
    expect(headers).toEqual(expect.arrayContaining(['transfer-encoding', 'chunked']))
    const known = new Asked(post('x', { headers: { 'content-length': '1' } })).user.head
    expect(known.headers).not.toContain('transfer-encoding')
  })
})

describe('the request’s body', () => {
  test('is read only when it is asked for, and no further than one piece after a pause', async () => {
    const body = counted(['one', 'two', 'three'])
    const asked = new Asked(post(body.stream))
    await new Promise((later) => setImmediate(later))
    expect(body.pulls).toBe(0)
    asked.user.startBody()
    asked.user.pauseBody()
    await asked.until('one')
    await new Promise((later) => setImmediate(later))
    expect(asked.told).toEqual(['one'])
    asked.user.resumeBody()
    await asked.until('ended undefined')
    expect(asked.told).toEqual(['one', 'two', 'three', 'ended undefined'])
  })

  test('that is empty ends when it is asked for', async () => {
    const asked = new Asked(new Request(URL_))
    asked.user.startBody()
    await asked.until('ended undefined')
  })

  test('that breaks off is a user who left', async () => {
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('x')) })
    const asked = new Asked(post(broken))
    asked.user.startBody()
    await asked.until('gone false')
    expect((await asked.response).status).toBe(499)
  })

  test('is not read to its end once the answer is whole', async () => {
    const body = counted(['one', 'two', 'three'])
    const asked = new Asked(post(body.stream))
    asked.user.startBody()
    asked.user.pauseBody()
    await asked.until('one')
    asked.user.respond({ status: 204, headers: [] }, false)
    asked.user.end()
    await asked.until('gone true')
    expect(body.cancelled).toBe(true)
  })

  test('that was read before is refused at once', async () => {
    const request = post('x')
    await request.text()
    await expect(new Asked(request).response).rejects.toThrow(ApiMisuse)
    const locked = post('x')
    locked.body!.getReader()
    await expect(new Asked(locked).response).rejects.toThrow(/a parser came first/)
  })
})

describe('a length that was said', () => {
  const said = (length: number, ...chunks: string[]) =>
    new Asked(post(counted(chunks).stream, { headers: { 'content-length': String(length) } }))

  test('is that of the body', async () => {
    const asked = said(6, 'one', 'two')
    asked.user.startBody()
    await asked.until('ended undefined')
  })

  test.each([
    ['longer', 5, ['one', 'gone false']],
    ['shorter', 7, ['one', 'two', 'gone false']],
  ])('and is not: a body that is %s is not taken for whole', async (_is, length, told) => {
    const asked = said(length, 'one', 'two')
    asked.user.startBody()
    await asked.until('gone false')
    expect(asked.told).toEqual(told)
  })

  test('of a body that the runtime withholds is nothing to wait for', () => {
    const headers = { 'content-length': '5', 'x-one': '1' }
    expect(new Asked(new Request(URL_, { headers })).user.head.headers).toEqual(['x-one', '1'])
  })
})

describe('the answer', () => {
  test('keeps its fields, each of a name that comes twice, besides those of a connection', async () => {
    const asked = new Asked(new Request(URL_))
    const fields = ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Transfer-Encoding', 'chunked']
    asked.user.respond({ status: 201, headers: [...fields, 'X-One', '1'] }, false)
    asked.user.end()
    const response = await asked.response
    expect(response.status).toBe(201)
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect([...response.headers.keys()]).toEqual(['set-cookie', 'set-cookie', 'x-one'])
  })

  test('is whole when its last octet was read, and not before', async () => {
    const asked = new Asked(new Request(URL_))
    asked.user.respond({ status: 200, headers: [] }, false)
    asked.user.write(bytes('hello '))
    asked.user.write(bytes('there'))
    asked.user.end()
    const response = await asked.response
    await new Promise((later) => setImmediate(later))
    expect(asked.told).toEqual([])
    expect(await response.text()).toBe('hello there')
    await asked.until('gone true')
  })

  test('waits for its reader beyond 64 KiB', async () => {
    const asked = new Asked(new Request(URL_))
    asked.user.respond({ status: 200, headers: [] }, false)
    expect(asked.user.write(new Uint8Array(64 * 1024 - 1))).toBe(true)
    expect(asked.user.write(new Uint8Array(1))).toBe(false)
    const reader = (await asked.response).body!.getReader()
    await reader.read()
    await reader.read()
    await new Promise((later) => setImmediate(later))
    expect(asked.told).toEqual([])
    const next = reader.read()
    await asked.until('drained')
    asked.user.write(bytes('x'))
    expect((await next).value).toEqual(bytes('x'))
  })

  test.each([
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
  ])('of %s with %i has no octets', async (method, status) => {
    const asked = new Asked(new Request(URL_, { method }))
    asked.user.respond({ status, headers: ['ETag', '"1"'] }, false)
    expect(asked.user.write(bytes('lost'))).toBe(true)
    asked.user.end()
    const response = await asked.response
    expect([response.body, response.headers.get('etag')]).toEqual([null, '"1"'])
    await asked.until('gone true')
  })

  test('whose head cannot be said leaves room for another', async () => {
    const asked = new Asked(new Request(URL_))
    const bad = { status: 200, headers: ['X-Bad', 'a\nb'] }
    expect(() => asked.user.respond(bad, false)).toThrow(TypeError)
    asked.user.respond({ status: 502, headers: [] }, false)
    expect((await asked.response).status).toBe(502)
  })

  test('that is broken off is not taken for whole', async () => {
    const asked = new Asked(new Request(URL_))
    asked.user.respond({ status: 200, headers: [] }, false)
    asked.user.write(bytes('half'))
    const response = await asked.response
    asked.user.abort()
    await expect(response.text()).rejects.toThrow(/broke off/)
    await asked.until('gone false')
  })

  test('that was not begun is 500 when the edge breaks it off', async () => {
    const asked = new Asked(new Request(URL_))
    asked.user.abort()
    expect((await asked.response).status).toBe(500)
  })
})

describe('a user leaves', () => {
  test('by the request’s signal', async () => {
    const controller = new AbortController()
    const asked = new Asked(new Request(URL_, { signal: controller.signal }))
    asked.user.respond({ status: 200, headers: [] }, false)
    controller.abort()
    await asked.until('gone false')
    expect(asked.user.write(bytes('late'))).toBe(true)
    asked.user.end()
    expect(asked.told).toEqual(['gone false'])
  })

  test('before it was asked', async () => {
    const asked = new Asked(new Request(URL_, { signal: AbortSignal.abort() }))
    await asked.until('gone false')
    await asked.response
  })

  test('by cancelling the answer', async () => {
    const asked = new Asked(new Request(URL_))
    asked.user.respond({ status: 200, headers: [] }, false)
    asked.user.write(bytes('x'))
    await (await asked.response).body!.cancel()
    await asked.until('gone false')
  })
})

describe('a tunnel', () => {
  const WISH = { upgrade: 'chat', connection: 'Upgrade' }

  function tunnelled() {
    const up = new TransformStream<Uint8Array, Uint8Array>()
    const down = new TransformStream<Uint8Array, Uint8Array>()
    const switched = new Response(null, { status: 200 })
    const tunnel = { response: switched, readable: up.readable, writable: down.writable }
    const asked = new Asked(new Request(URL_, { headers: WISH }), tunnel)
    return { asked, says: up.writable.getWriter(), hears: down.readable.getReader(), switched }
  }

  test('is wished for only where a runtime can hand connections over', () => {
    expect(new Asked(new Request(URL_, { headers: WISH })).user.head.upgrade).toBeUndefined()
    expect(tunnelled().asked.user.head.upgrade).toBe('chat')
  })

  test('carries octets both ways; each direction ends by itself', async () => {
    const { asked, says, hears, switched } = tunnelled()
    asked.user.upgrade({ status: 101, headers: ['Upgrade', 'chat'] })
    expect(await asked.response).toBe(switched)
    asked.user.startBody()
    void says.write(bytes('ping'))
    await asked.until('ping')
    asked.user.write(bytes('pong'))
    expect((await hears.read()).value).toEqual(bytes('pong'))
    void says.close()
    await asked.until('ended undefined')
    expect(asked.told).not.toContain('gone true')
    asked.user.write(bytes('last'))
    asked.user.end()
    expect((await hears.read()).value).toEqual(bytes('last'))
    expect((await hears.read()).done).toBe(true)
    await asked.until('gone true')
  })

  test('ends with the user’s side when ours ended first', async () => {
    const { asked, says, hears } = tunnelled()
    asked.user.upgrade({ status: 101, headers: ['Upgrade', 'chat'] })
    asked.user.startBody()
    asked.user.end()
    expect((await hears.read()).done).toBe(true)
    void says.close()
    await asked.until('gone true')
  })

  test('ends with our side when that ended first, and is read last', async () => {
    const { asked, says, hears } = tunnelled()
    asked.user.upgrade({ status: 101, headers: ['Upgrade', 'chat'] })
    asked.user.startBody()
    asked.user.write(bytes('one'))
    asked.user.write(bytes('last'))
    asked.user.end()
    void says.close()
    await asked.until('ended undefined')
    expect(asked.told).not.toContain('gone true')
    expect((await hears.read()).value).toEqual(bytes('one'))
    expect((await hears.read()).value).toEqual(bytes('last'))
    expect((await hears.read()).done).toBe(true)
    await asked.until('gone true')
  })

  test('breaks when nobody hears it', async () => {
    const { asked, hears } = tunnelled()
    asked.user.upgrade({ status: 101, headers: ['Upgrade', 'chat'] })
    asked.user.write(bytes('x'))
    await hears.cancel()
    await asked.until('gone false')
  })
})
