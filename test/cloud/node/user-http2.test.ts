import { once } from 'node:events'
import { constants } from 'node:http2'
import { afterEach, describe, expect, test } from 'vitest'
import { until } from '../../integration/tunnel.ts'
import { curl } from './direct-edge.ts'
import { Asked, edge, ended, session, start, stop } from './http2-client.ts'

afterEach(stop)

describe('a request', () => {
  test('has a head in order, its cookies in one, and no pseudo field', async () => {
    await start((visit) => visit.answer(200, 'ok'))
    const asked = new Asked({
      ':path': '/a%2F?b',
      'X-One': '1',
      cookie: ['a=1', 'b=2'],
      accept: '*/*',
    })
    expect(await asked.closed()).toBe(constants.NGHTTP2_NO_ERROR)
    expect(edge.last.user.head).toEqual({
      method: 'GET',
      target: '/a%2F?b',
      headers: ['x-one', '1', 'accept', '*/*', 'cookie', 'a=1; b=2'],
      authority: 'a.example',
      secure: true,
      httpVersion: '2',
      remoteAddress: '127.0.0.1',
      upgrade: undefined,
    })
    expect(asked.body).toBe('ok')
    await until(() => edge.last.gone === true)
  })

  test.each([
    [{ ':authority': 'a.example', host: 'b.example' }, 400],
    [{ ':authority': 'a.example', host: 'A.example' }, 200],
    [{ ':method': 'CONNECT', ':authority': 'a.example:443' }, 501],
  ])('%j: %s', async (headers, status) => {
    await start((visit) => visit.answer(200, 'ok'))
    const asked = new Asked(headers)
    await asked.closed()
    expect(asked.head![':status']).toBe(status)
    expect(edge.visits).toHaveLength(status === 200 ? 1 : 0)
    if (status === 200) return
    expect(asked.head!['proxy-status']).toMatch(
      /^app-proxy; error=(?:http_request_error|proxy_internal_response);/,
    )
    const code = status === 501 ? 'method-unsupported' : 'user-malformed'
    expect(JSON.parse(asked.body)).toMatchObject({ status, code })
  })

  test('brings body and trailers, with or without a declared length', async () => {
    await start((visit) => visit.echo())
    const asked = new Asked({ ':method': 'PUT' }, false)
    await until(() => edge.visits.length === 1)
    expect(edge.last.user.head.headers).toEqual(['transfer-encoding', 'chunked'])
    asked.stream.on('wantTrailers', () => undefined)
    asked.stream.end('body')
    await asked.closed()
    expect(asked.body).toBe('PUT body')
    const trailed = session.request(
      { ':method': 'POST', 'content-length': 4 },
      { waitForTrailers: true },
    )
    trailed.on('wantTrailers', () => trailed.sendTrailers({ 'x-sum': '7' })).resume()
    trailed.end('body')
    await once(trailed, 'close')
    expect(edge.last.user.head.headers).toEqual(['content-length', '4'])
    expect(edge.last.trailers).toEqual(['x-sum', '7'])
  })

  test('whose body ends empty before it is asked for is complete', async () => {
    await start(() => undefined)
    const asked = new Asked({ ':method': 'PUT' }, false)
    asked.stream.end()
    await until(() => edge.visits.length === 1)
    // What the client sent is there once the server has answered it.
    await new Promise((done) => session.ping(done))
    expect(edge.last.isEnded).toBe(false)
    edge.last.echo()
    await asked.closed()
    expect(asked.body).toBe('PUT ')
  })

  test('longer or shorter than it says is reset, and never complete', async () => {
    await start((visit) => visit.echo())
    for (const body of ['abc', 'abcdef']) {
      const asked = new Asked({ ':method': 'POST', 'content-length': 5 }, false)
      asked.stream.end(body)
      expect(await asked.closed()).toBe(constants.NGHTTP2_PROTOCOL_ERROR)
      await until(() => edge.last.gone === false)
      expect(edge.last.isEnded).toBe(false)
    }
  })

  test('that the user takes back is gone, during its body and during the answer', async () => {
    await start(({ user }) => {
      user.startBody()
      if (user.head.target === '/answered') {
        user.respond({ status: 200, headers: [] }, false)
        user.write(Buffer.from('some'))
      }
    })
    // Without waiting for trailers the client would end its body before the reset.
    const asked = session.request({ ':method': 'POST' }, { waitForTrailers: true })
    asked.on('error', () => undefined)
    await until(() => edge.visits.length === 1)
    asked.close(constants.NGHTTP2_CANCEL)
    await until(() => edge.last.gone === false)
    expect(edge.last.isEnded).toBe(false)
    const answered = new Asked({ ':path': '/answered' })
    await until(() => answered.body === 'some')
    answered.stream.close(constants.NGHTTP2_CANCEL)
    await until(() => edge.last.gone === false)
    const left = new Asked({ ':path': '/left' })
    await until(() => edge.visits.length === 3)
    session.destroy()
    await until(() => edge.last.gone === false)
    expect(left.head).toBeUndefined()
  })

  test('is paced: a paused body is not read beyond its window', async () => {
    await start(({ user }) => {
      user.startBody()
      user.pauseBody()
    })
    const paused = new Asked({ ':method': 'POST' }, false)
    paused.stream.end(Buffer.alloc(4 << 20))
    await until(() => edge.visits.length === 1)
    const [visit] = edge.visits
    // Another body on the same connection passes it.
    const other = new Asked({ ':method': 'POST' }, false)
    await until(() => edge.visits.length === 2)
    edge.last.user.resumeBody()
    other.stream.end(Buffer.alloc(1 << 20))
    await until(() => edge.last.bytes === 1 << 20 && edge.last.isEnded)
    expect(visit!.bytes).toBeLessThanOrEqual(65_535)
    visit!.user.resumeBody()
    await until(() => visit!.isEnded)
    expect(visit!.bytes).toBe(4 << 20)
  })
})

describe('an answer', () => {
  test('keeps several fields of one name, and nothing of a connection', async () => {
    await start((visit) => {
      const hop = ['Connection', 'x', 'Keep-Alive', '1', 'Transfer-Encoding', 'chunked', 'TE', 'a']
      const twice = ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Vary', 'a', 'Vary', 'b']
      const single = visit.user.head.target === '/single' ? ['ETag', '"1"', 'ETag', '"2"'] : []
      visit.answer(200, 'ok', [...hop, 'Upgrade', 'h2c', ...twice, ...single, 'X-Octet', '\xe9'])
    })
    const asked = new Asked({})
    await asked.closed()
    expect(asked.head).toMatchObject({
      'set-cookie': ['a=1', 'b=2'],
      vary: 'a, b',
      'x-octet': '\xe9',
      'content-length': '2',
    })
    for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'te', 'upgrade'])
      expect(asked.head).not.toHaveProperty(name)
    const single = new Asked({ ':path': '/single' })
    await single.closed()
    expect(single.head).toMatchObject({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] })
  })

  test('T7 refuses an octet that would begin another field', async () => {
    let thrown: unknown
    await start((visit) => {
      try {
        visit.user.respond({ status: 200, headers: ['X', 'a\0evil\0b\0'] }, false)
      } catch (error) {
        thrown = error
      }
      visit.user.abort()
    })
    await new Asked({}).closed()
    expect(thrown).toBeInstanceOf(TypeError)
  })

  test('comes with interim ones and trailers', async () => {
    await start(({ user }) => {
      user.inform({ status: 103, headers: ['Link', '</a>; title="x y"', 'Link', '</b>'] })
      user.inform({ status: 102, headers: [] })
      user.inform({ status: 101, headers: [] })
      user.respond({ status: 200, headers: ['Trailer', 'x-sum'] }, false)
      user.inform({ status: 103, headers: [] })
      user.write(Buffer.from('body'))
      user.end(['X-Sum', '1', 'x-sum', '2'])
    })
    const asked = new Asked({})
    expect(await asked.closed()).toBe(constants.NGHTTP2_NO_ERROR)
    expect(asked.interim.map((head) => head[':status'])).toEqual([103, 102])
    expect(asked.interim[0]!.link).toBe('</a>; title="x y", </b>')
    expect(asked.body).toBe('body')
    expect(asked.trailers).toEqual(['x-sum', '1', 'x-sum', '2'])
    await until(() => edge.last.gone === true)
  })

  test('to Expect: 100-continue begins when the body is asked for', async () => {
    await start(() => undefined)
    const asked = new Asked({ ':method': 'PUT', expect: '100-continue' }, false)
    let continued = false
    asked.stream.on('continue', () => (continued = true))
    await until(() => edge.visits.length === 1)
    expect(continued).toBe(false)
    edge.last.echo()
    await until(() => continued)
    asked.stream.end('a')
    await asked.closed()
    expect(asked.body).toBe('PUT a')
  })

  test.each([
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
  ])('without a body: %s %s', async (method, status) => {
    await start(({ user }) => {
      user.respond({ status, headers: ['X', '1'] }, false)
      user.write(Buffer.from('none'))
      user.end(['x-t', '1'])
    })
    const asked = new Asked({ ':method': method })
    expect(await asked.closed()).toBe(constants.NGHTTP2_NO_ERROR)
    expect(asked.head![':status']).toBe(status)
    expect(asked.body).toBe('')
    await until(() => edge.last.gone === true)
  })

  test.each([
    ['with a length', ['Content-Length', '300000'], false],
    ['without one', [], false],
    ['with trailers, after a part was read', [], true],
  ])(
    'before the request is whole, %s: comes whole, and the connection goes on',
    async (_case, headers, trailed) => {
      const body = 'x'.repeat(300_000)
      await start(({ user }) => {
        if (user.head.target === '/next') {
          user.respond({ status: 200, headers: ['Content-Length', '0'] }, false)
          return user.end()
        }
        if (trailed) {
          user.startBody()
          user.pauseBody()
        }
        user.respond({ status: 413, headers }, true)
        user.write(Buffer.from(body))
        user.end(trailed ? ['x-t', '1'] : undefined)
      })
      const asked = new Asked({ ':method': 'POST' }, false)
      asked.stream.write(Buffer.alloc(1 << 20))
      expect(await asked.closed()).toBe(constants.NGHTTP2_NO_ERROR)
      expect(asked.head![':status']).toBe(413)
      expect(asked.body).toBe(body)
      expect(asked.isEnded).toBe(true)
      if (trailed) expect(asked.trailers).toEqual(['x-t', '1'])
      await until(() => edge.last.gone === true)
      const next = new Asked({ ':path': '/next' })
      await next.closed()
      expect(next.head![':status']).toBe(200)
      expect(ended.closed).toBe(false)
    },
  )

  test.each([0, 1, 200_000])('broken off after %s bytes is never a clean end', async (bytes) => {
    await start(({ user }) => {
      user.respond({ status: 200, headers: [] }, false)
      if (bytes > 0) user.write(Buffer.alloc(bytes))
      user.abort()
    })
    const asked = new Asked({})
    expect(await asked.closed()).toBe(constants.NGHTTP2_INTERNAL_ERROR)
    await until(() => edge.last.gone === false)
  })

  test('is paced by its reader', async () => {
    await start(() => undefined)
    const asked = new Asked({})
    asked.stream.pause()
    await until(() => edge.visits.length === 1)
    const { last } = edge
    last.user.respond({ status: 200, headers: [] }, false)
    let written = 0
    while (last.user.write(Buffer.alloc(64 << 10)) && written < 1_000) written += 1
    expect(written).toBeLessThan(1_000)
    asked.stream.resume()
    await until(() => last.drained > 0)
    last.user.end()
    expect(await asked.closed()).toBe(constants.NGHTTP2_NO_ERROR)
  })
})

test('curl takes HTTP/2 or HTTP/1.1, as it likes', async () => {
  await start((visit) => visit.echo())
  const url = `https://127.0.0.1:${edge.port}/`
  const format = ' %{http_version} %{num_connects}\n'
  const one = ['-k', '-d', 'x=1', '-w', format, url]
  expect((await curl('--http2', ...one, '--next', '-sS', '--http2', ...one)).out).toBe(
    'POST x=1 2 1\nPOST x=1 2 0\n',
  )
  expect((await curl('--http1.1', ...one)).out).toBe('POST x=1 1.1 1\n')
})

test.each([
  ['of unknown length', []],
  ['of known length', ['Content-Length', '9']],
])('curl does not take an answer %s that was broken off for whole', async (_case, headers) => {
  await start(({ user }) => {
    user.respond({ status: 200, headers }, false)
    user.write(Buffer.from('some'))
  })
  const asked = curl('--http2', '-k', '-w', ' %{errormsg}', `https://127.0.0.1:${edge.port}/`)
  await until(() => edge.visits.length === 1)
  edge.last.user.abort()
  expect((await asked).out).toContain('INTERNAL_ERROR')
})
