/** Programs of users through the demo, signed in: the clients that people write with, `ws` and `undici`. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { LookupFunction } from 'node:net'
import { Readable, type Duplex } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import * as undici from 'undici'
import { WebSocket, type ClientOptions } from 'ws'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startDemo, UserAgent, type DemoProcess } from './demo-process.ts'
import { OwnSite } from './own-site.ts'

const MIB = 1024 * 1024
/** Every `*.localhost` is this machine, also where the resolver does not know. */
const here: LookupFunction = (_, options, found) =>
  options.all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4)

const site = new OwnSite()
let demo: DemoProcess
/** Application id → the cookie of Alice's session. */
const cookies: Record<string, string> = {}
beforeAll(async () => {
  demo = await startDemo('--publish', `own=${await site.start()}`)
  for (const id of ['intranet', 'own']) {
    const agent = new UserAgent()
    await agent.signIn(demo.url(id), demo.users[0]!)
    cookies[id] = agent.cookie
  }
})
afterAll(async () => {
  await demo?.stop()
  await site.stop()
})

/** What a program sends to be taken for Alice in her browser. */
const signedIn = (id: string) => ({
  cookie: cookies[id]!,
  origin: new URL(demo.url(id)).origin,
})

describe('ws', () => {
  const all: WebSocket[] = []
  afterEach(() => all.splice(0).forEach((one) => one.terminate()))

  function dial(id: string, path: string, protocols: string[] = [], options: ClientOptions = {}) {
    const url = demo.url(id, path).replace('http', 'ws')
    const socket = new WebSocket(url, protocols, {
      headers: signedIn(id),
      lookup: here,
      ...options,
    })
    all.push(socket)
    return socket
  }
  const next = async (socket: WebSocket) => {
    const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
    return isBinary ? data : String(data)
  }
  /** What came instead of a WebSocket. */
  const refusal = async (socket: WebSocket) => {
    socket.on('error', () => undefined) // closed before it was ever open
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
    return { response, body: await textOf(response) }
  }
  const closing = async (socket: WebSocket) => {
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
    return [code, String(reason)]
  }

  test('the site learns who opens it, and agrees on a sub-protocol', async () => {
    const socket = dial('intranet', '/echo?greet', ['whisper', 'shout', 'echo'])
    const { rawHeaders } = JSON.parse((await next(socket)) as string) as {
      rawHeaders: [string, string][]
    }
    const values = (name: string) =>
      rawHeaders.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value)
    expect(socket.protocol).toBe('shout')
    expect(values('sec-websocket-protocol')).toEqual(['whisper,shout,echo'])
    expect(values('x-user-email')).toEqual(['alice@contoso.example'])
    expect(values('cookie')).toEqual([])
    socket.send('grüße')
    expect(await next(socket)).toBe('GRÜSSE')
  })

  test('pings are answered from the other end, both ways', async () => {
    const socket = dial('own', '/socket')
    await once(socket, 'open')
    socket.ping('there?')
    expect(String((await once(socket, 'pong'))[0])).toBe('there?')
    const other = site.opened.at(-1)!
    other.ping('and you?')
    expect(String((await once(other, 'pong'))[0])).toBe('and you?')
  })

  test.each([
    ['as they are', false],
    ['compressed from end to end', true],
  ])('messages of several MiB, %s', async (_, perMessageDeflate) => {
    const socket = dial('intranet', '/echo', [], { perMessageDeflate })
    await once(socket, 'open')
    expect(socket.extensions).toBe(perMessageDeflate ? 'permessage-deflate' : '')
    const octets = randomBytes(3 * MIB + 1)
    socket.send(octets)
    expect(octets.equals((await next(socket)) as Buffer)).toBe(true)
    const words = 'all work and no play '.repeat(200_000)
    socket.send(words)
    expect((await next(socket)) === words).toBe(true)
  })

  test('a message in fragments is one message', async () => {
    const socket = dial('intranet', '/echo')
    await once(socket, 'open')
    socket.send('one, ', { fin: false })
    socket.send('two, ', { fin: false })
    socket.send('three')
    expect(await next(socket)).toBe('one, two, three')
  })

  test('a hundred WebSockets at once keep to themselves', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const socket = dial('intranet', '/echo')
        await once(socket, 'open')
        socket.send(`number ${i}`)
        return next(socket)
      }),
    )
    expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => `number ${i}`))
  })

  test('code and reason of a close go both ways', async () => {
    const told = dial('own', '/socket')
    await once(told, 'open')
    site.opened.at(-1)!.close(4001, 'enough')
    expect(await closing(told)).toEqual([4001, 'enough'])

    const telling = dial('own', '/socket')
    await once(telling, 'open')
    telling.close(4002, 'had it')
    expect(await closing(site.opened.at(-1)!)).toEqual([4002, 'had it'])
  })

  test('who breaks off is seen to have broken off, on either side', async () => {
    const left = dial('own', '/socket')
    await once(left, 'open')
    site.opened.at(-1)!.terminate()
    expect((await closing(left))[0]).toBe(1006)

    const leaving = dial('own', '/socket')
    await once(leaving, 'open')
    leaving.terminate()
    expect((await closing(site.opened.at(-1)!))[0]).toBe(1006)
  })

  test('a cookie that the site sets with the 101 reaches the program', async () => {
    const socket = dial('own', '/socket')
    const [response] = (await once(socket, 'upgrade')) as [IncomingMessage]
    expect(response.headers['set-cookie']).toEqual(['room=12; Path=/'])
  })

  test('the refusal of the site passes as it is', async () => {
    const unauthorized = await refusal(dial('own', '/401'))
    expect(unauthorized.response.statusCode).toBe(401)
    expect(unauthorized.response.headers['www-authenticate']).toBe('Basic realm="site"')
    expect(unauthorized.body).toBe('not today\n')
    const missing = await refusal(dial('own', '/404'))
    expect(missing.response).toMatchObject({ statusCode: 404, headers: { 'x-site': 'own' } })
    expect(missing.body).toBe('nothing\n')
  })

  test.each([
    ['without a session', () => ({ origin: 'http://intranet.localhost' }), 401, 'sign-in-required'],
    ['without an origin', () => ({ cookie: cookies['intranet']! }), 403, 'origin-refused'],
    [
      'from a page of somebody else',
      () => ({ cookie: cookies['intranet']!, origin: 'http://evil.example' }),
      ...([403, 'origin-refused'] as const),
    ],
    [
      'with the session of another application',
      () => ({ ...signedIn('intranet'), cookie: cookies['own']! }),
      ...([401, 'sign-in-required'] as const),
    ],
  ])('%s there is none', async (_, headers, status, code) => {
    const own = { ...headers(), accept: 'application/json' }
    const { response, body } = await refusal(dial('intranet', '/echo', [], { headers: own }))
    expect(response.statusCode).toBe(status)
    expect(JSON.parse(body)).toMatchObject({ code })
  })
})

describe('undici', () => {
  const dispatcher = new undici.Agent({ connect: { lookup: here } })
  afterAll(() => dispatcher.close())
  const asked = (id: string) => ({ dispatcher, headers: signedIn(id) })

  test('fetch reads, also many at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const answer = await undici.fetch(demo.url('intranet', `/headers?n=${i}`), {
          ...asked('intranet'),
        })
        return ((await answer.json()) as { target: string }).target
      }),
    )
    expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => `/headers?n=${i}`))
  })

  test('request reads a stream', async () => {
    const url = demo.url('intranet', `/download?bytes=${8 * MIB + 1}`)
    const { statusCode, headers, body } = await undici.request(url, asked('intranet'))
    expect(statusCode).toBe(200)
    const hash = createHash('sha256')
    for await (const part of body as AsyncIterable<Buffer>) hash.update(part)
    expect(headers['repr-digest']).toBe(`sha-256=:${hash.digest('base64')}:`)
  })

  test('a download that dies is no complete answer', async () => {
    const url = demo.url('intranet', '/die?bytes=100000')
    const { body } = await undici.request(url, asked('intranet'))
    await expect(body.arrayBuffer()).rejects.toThrow()
  })

  test('a stream of unknown length is uploaded', async () => {
    const parts = Array.from({ length: 128 }, () => randomBytes(64 * 1024))
    const { body } = await undici.request(demo.url('intranet', '/upload'), {
      ...asked('intranet'),
      method: 'POST',
      body: Readable.from(parts),
    })
    const sha256 = parts.reduce((hash, part) => hash.update(part), createHash('sha256'))
    expect(await body.json()).toEqual({ bytes: 8 * MIB, sha256: sha256.digest('hex') })
  })

  test('an event is there before the next one is sent', async () => {
    const { headers, body } = await undici.request(demo.url('own', '/events'), asked('own'))
    expect(headers['content-type']).toBe('text/event-stream')
    const events = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    for (const event of ['one', 'two', 'three']) {
      site.tell(event)
      expect(String((await events.next()).value)).toBe(`data: ${event}\n\n`)
    }
    body.destroy()
  })

  test('its WebSocket opens, echoes and closes', async () => {
    const socket = new undici.WebSocket(demo.url('intranet', '/echo').replace('http', 'ws'), {
      ...asked('intranet'),
      protocols: ['reverse'],
    })
    const event = (name: string) =>
      new Promise<Event>((resolve) => socket.addEventListener(name as 'open', resolve as never))
    await event('open')
    expect(socket.protocol).toBe('reverse')
    const answered = event('message')
    socket.send('stressed')
    expect(await answered).toMatchObject({ data: 'desserts' })
    const closed = event('close')
    socket.close(4003, 'done')
    expect(await closed).toMatchObject({ code: 4003, wasClean: true })
  })

  test('a direction that has ended leaves the other one open', async () => {
    for (const first of ['program', 'site'] as const) {
      const { socket } = await undici.upgrade(demo.url('own', '/lines'), {
        ...asked('own'),
        protocol: 'lines',
      })
      ;(socket as Duplex & { allowHalfOpen: boolean }).allowHalfOpen = true
      const other = site.lines.at(-1)!
      const [early, late] = first === 'program' ? [socket, other] : [other, socket]
      early.end('the last word of one')
      expect(await allOf(late)).toBe('the last word of one')
      late.write('and of the ')
      late.end('other')
      expect(await allOf(early)).toBe('and of the other')
    }
  })
})

/** Reads to the end; unlike an iterator it leaves the other direction alone. */
async function allOf(socket: Duplex): Promise<string> {
  let all = ''
  socket.on('data', (part: Buffer) => (all += part.toString()))
  await once(socket, 'end')
  return all
}
