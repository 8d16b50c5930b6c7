/** The links of an application's pages, on every binding: what is translated, what is not, and what the head says then. */
import { createHash } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nodeContentCodings } from '../src/cloud/node/index.ts'
import { BINDINGS, publishedWorld, type Answer, type PublishedWorld } from './published-world.ts'

const OUTSIDE = 'https://pages.example'
const application = {
  ...{ id: 'pages', externalUrl: `${OUTSIDE}/`, preAuthentication: 'passthrough' },
  translate: { bodies: 'links' },
}
const listed = {
  ...{ ...application, id: 'listed', externalUrl: 'https://listed.example/' },
  translate: { bodies: 'links', mediaTypes: ['application/json', 'text/css'] },
}
const plain = {
  ...{ id: 'plain', externalUrl: 'https://plain.example/', preAuthentication: 'passthrough' },
}

let world: PublishedWorld
/** The internal origin. */
let inside: string
let serve: RequestListener
const asked: IncomingMessage[] = []
const failures: unknown[] = []
beforeAll(async () => {
  world = await publishedWorld({
    applications: [application, listed, plain],
    cloud: {
      contentCodings: nodeContentCodings(),
      onError: ({ port, error }) => failures.push(`${port}: ${String(error)}`),
    },
    serve: (request, response) => {
      asked.push(request)
      serve(request, response)
    },
  })
  inside = world.internalUrl.slice(0, -1)
})
afterAll(() => world.close())
beforeEach(() => {
  asked.length = 0
  failures.length = 0
})

const HTML = 'text/html; charset=utf-8'
/** From now on the application answers so. */
function answers(
  body: string | Uint8Array,
  headers: Record<string, string> = { 'content-type': HTML },
  status = 200,
): void {
  serve = (_request, response) =>
    response
      .writeHead(status, { 'content-length': String(Buffer.from(body).length), ...headers })
      .end(body)
}
const page = (origin: string) =>
  `<!doctype html><title>a</title><link rel=stylesheet href="${origin}/s.css">` +
  `<a href='${origin}/x?a=1&amp;b=2'>x</a><img srcset="${origin}/1 1x, /2 2x" style="background:url(${origin}/b)">` +
  `<style>@import "${origin}/i.css";</style><meta http-equiv=refresh content="9; url=${origin}/next">`
/** Nobody takes it for whole. */
const broken = (answer: Promise<Answer>) =>
  expect(answer.then(({ octets }) => `${octets.length} octets`)).rejects.toThrow()

describe.each(BINDINGS)('%s', (binding) => {
  const ask = (
    headers: Record<string, string> = {},
    { host = 'pages.example', method = 'GET' } = {},
  ) => world.ask(binding, host, '/', { headers, method })

  test('R7.2a links of a page lead outside', async () => {
    answers(page(inside))
    const answer = await ask()
    expect(answer.body).toBe(page(OUTSIDE))
    expect(answer.headers['content-length']).toBeUndefined()
  })

  test('R7.2a a page without internal links is the same, octet for octet', async () => {
    const octets = Buffer.concat([
      Buffer.from(page('https://elsewhere.example')),
      Buffer.from([0, 0xff, 0xfe, 0x80]),
    ])
    answers(octets)
    expect((await ask()).octets).toEqual(octets)
  })

  test('R7.2a a policy in a page allows what its links have become', async () => {
    const policy = (origin: string) =>
      `<meta http-equiv="Content-Security-Policy" content="img-src ${origin} https:"><img src="${origin}/x">`
    answers(policy(inside))
    expect((await ask()).body.replaceAll('&#32;', ' ').replaceAll('&#39;', "'")).toBe(
      policy(OUTSIDE),
    )
  })

  test('R7.2a links to another application of the tenant lead to that', async () => {
    world.publish(application, listed, { ...plain, internalUrl: 'http://wiki.internal/w/' })
    answers('<a href="http://wiki.internal/w/Main">x</a><a href="http://wiki.internal/other">y</a>')
    expect((await ask()).body).toBe(
      '<a href="https://plain.example/Main">x</a><a href="http://wiki.internal/other">y</a>',
    )
    world.publish(application, listed, plain)
  })

  test('R7.2a of an application with another base path outside, paths are links as well', async () => {
    const based = { ...application, internalUrl: `${world.internalUrl}app/` }
    world.publish(based, listed, plain)
    answers(`<a href="/app/x">x</a><a href=/other>y</a><a href=${inside}/app/z>z</a>`)
    expect((await ask()).body).toBe(
      `<a href="/x">x</a><a href=/other>y</a><a href=${OUTSIDE}/z>z</a>`,
    )
    world.publish(application, listed, plain)
  })

  test('R7.2a other media types are looked at where the application lists them', async () => {
    const json = (origin: string) =>
      `{"self":"${origin.replaceAll('/', '\\/')}\\/1","html":"${origin}/2"}`
    answers(json(inside), { 'content-type': 'application/json' })
    expect((await ask()).body).toBe(json(inside))
    expect((await ask({}, { host: 'listed.example' })).body).toBe(json('https://listed.example'))
  })

  test('R7.2a an application that does not ask for it has nothing translated', async () => {
    answers(page(inside))
    const answer = await ask({}, { host: 'plain.example' })
    expect(answer.body).toBe(page(inside))
    expect(answer.headers['content-length']).toBe(String(answer.octets.length))
  })

  test('R7.2b scripts and event handlers keep their octets', async () => {
    const code = `<script>x="<a href='${inside}/'>"</script><p onclick="open('${inside}/')">`
    answers(code)
    expect((await ask()).body).toBe(code)
  })

  test('R7.2b style sheets that a policy has hashed keep their octets', async () => {
    const styled = (origin: string) =>
      `<style>a{b:url(${inside}/c)}</style><p style="b:url(${inside}/d)"><a href="${origin}/">`
    answers(styled(inside), {
      'content-type': HTML,
      'content-security-policy': "style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
    })
    expect((await ask()).body).toBe(styled(OUTSIDE))
  })

  test.each(['script', 'style', 'worker'])(
    'R7.2b what is fetched as a %s is translated only where it is listed',
    async (destination) => {
      const css = `a{b:url(${inside}/c)}`
      answers(css, { 'content-type': 'text/css' })
      const asked = { 'sec-fetch-dest': destination }
      expect((await ask(asked)).body).toBe(css)
      expect((await ask(asked, { host: 'listed.example' })).body).toBe(
        'a{b:url(https://listed.example/c)}',
      )
      expect((await ask()).body).toBe(`a{b:url(${OUTSIDE}/c)}`)
    },
  )

  const CODINGS = {
    gzip: [gzipSync, gunzipSync],
    'x-gzip': [gzipSync, gunzipSync],
    br: [brotliCompressSync, brotliDecompressSync],
    deflate: [deflateSync, inflateSync],
    'deflate without its head': [deflateRawSync, inflateSync],
  } as const
  test.each(Object.entries(CODINGS))(
    'R7.2c %s is opened and closed',
    async (name, [code, decode]) => {
      const coding = name.split(' ')[0]!
      answers(code(page(inside)), { 'content-type': HTML, 'content-encoding': coding })
      const answer = await ask({ 'accept-encoding': coding })
      expect(answer.headers['content-encoding']).toBe(coding)
      expect(decode(answer.octets).toString()).toBe(page(OUTSIDE))
    },
  )

  test('R7.2c a large page passes in pieces, at the pace of its reader', async () => {
    const rows = (origin: string) =>
      Array.from(
        { length: 40_000 },
        (_, i) => `<p>${Math.imul(i, 2_654_435_761)}<a href="${origin}/${i}">`,
      ).join('')
    answers(gzipSync(rows(inside)), { 'content-type': HTML, 'content-encoding': 'gzip' })
    expect(gunzipSync((await ask()).octets).toString()).toBe(rows(OUTSIDE))
    answers(rows(inside))
    expect((await ask()).body).toBe(rows(OUTSIDE))
  })

  test('R7.2c of a page that is sent bit by bit each shows at once', async () => {
    let response: ServerResponse | undefined
    serve = (_request, to) => {
      response = to
      to.writeHead(200, { 'content-type': HTML }).write(`<a href="${inside}/1">`)
    }
    const answer = ask()
    await expect.poll(() => response, { timeout: 10_000 }).toBeDefined()
    response!.write('<a hre')
    response!.end(`f="${inside}/2">`)
    expect((await answer).body).toBe(`<a href="${OUTSIDE}/1"><a href="${OUTSIDE}/2">`)
  })

  const BAD = {
    'a bomb': gzipSync(Buffer.alloc(20_000_000)),
    'one that is cut off': gzipSync(page('x')).subarray(0, 60),
    'one that is none': Buffer.from('not gzip at all'),
  }
  test.each(Object.entries(BAD))('R7.2c %s is broken off', async (_, octets) => {
    answers(octets, { 'content-type': HTML, 'content-encoding': 'gzip' })
    await broken(ask())
    expect(failures.join()).toMatch(/translate/)
  })

  test('R7.2c a window beyond 8 MiB is broken off', async () => {
    const params = { [constants.BROTLI_PARAM_LGWIN]: 24 }
    answers(brotliCompressSync(page(inside), { params }), {
      ...{ 'content-type': HTML, 'content-encoding': 'br' },
    })
    await broken(ask())
    expect(failures.join()).toMatch(/window/)
  })

  test('R7.2c users are asked only for codings that can be opened', async () => {
    answers(page(inside))
    await ask({ 'accept-encoding': 'zstd, gzip;q=0.8, br, *;q=0.1' })
    await ask({ 'accept-encoding': 'zstd' })
    const said = asked.map(({ headers }) => headers['accept-encoding'])
    expect(said).toEqual(['gzip;q=0.8, br, br;q=0.1, gzip;q=0.1, deflate;q=0.1', 'identity'])
  })

  test('R7.2d what was true of other octets is not said', async () => {
    const digest = createHash('sha256').update(page(inside)).digest('base64')
    answers(page(inside), {
      ...{
        'content-type': HTML,
        'accept-ranges': 'bytes',
        'content-md5': 'x',
        digest: `sha-256=${digest}`,
      },
      ...{ 'content-digest': `sha-256=:${digest}:`, 'repr-digest': `sha-256=:${digest}:` },
      ...{ etag: '"x"', vary: 'cookie', 'last-modified': 'Mon, 30 Nov 2026 00:00:00 GMT' },
    })
    const { headers } = await ask()
    for (const name of [
      'accept-ranges',
      'content-md5',
      'digest',
      'content-digest',
      'repr-digest',
      'content-length',
    ])
      expect(headers[name]).toBeUndefined()
    expect(headers['etag']).toMatch(/^W\/"x~[0-9a-f]{8}"$/)
    expect([headers['vary'], headers['last-modified']]).toEqual([
      'cookie',
      'Mon, 30 Nov 2026 00:00:00 GMT',
    ])
  })

  test.each(['"x"', 'W/"x"'])(
    'R7.2d %s is asked for and found by its translated tag',
    async (etag) => {
      serve = (request, response) => {
        const isKnown = request.headers['if-none-match'] === etag
        response.writeHead(isKnown ? 304 : 200, { 'content-type': HTML, etag })
        response.end(isKnown || request.method === 'HEAD' ? undefined : page(inside))
      }
      const first = await ask()
      const tag = first.headers['etag']!
      const again = await ask({ 'if-none-match': tag })
      expect([again.status, again.headers['etag'], again.body]).toEqual([304, tag, ''])
      const head = await ask({}, { method: 'HEAD' })
      expect([head.status, head.headers['etag'], head.body]).toEqual([200, tag, ''])
      // Of another external URL, or an older rule.
      const other = tag.replace(/~.*"/, '~00000000"')
      expect((await ask({ 'if-none-match': other })).status).toBe(200)
      // Kept from before the application was translated.
      const page1 = await ask({ 'if-none-match': etag, 'sec-fetch-dest': 'document' })
      expect([page1.status, page1.body]).toEqual([200, page(OUTSIDE)])
    },
  )

  test('R7.2d a change is made under the condition of a translated tag', async () => {
    serve = (request, response) => {
      response.writeHead(request.method === 'GET' ? 200 : 204, {
        'content-type': HTML,
        etag: '"x"',
      })
      response.end()
    }
    const tag = (await ask()).headers['etag']!
    await ask({ 'if-match': tag }, { method: 'DELETE' })
    expect(asked[1]!.headers['if-match']).toBe('"x"')
  })

  test('R7.2d of what is not translated tags stay', async () => {
    serve = (request, response) => {
      const isKnown = request.headers['if-none-match'] === '"p"'
      response.writeHead(isKnown ? 304 : 200, { 'content-type': 'image/png', etag: '"p"' }).end()
    }
    expect((await ask()).headers['etag']).toBe('"p"')
    const again = await ask({ 'if-none-match': '"p"', 'sec-fetch-dest': 'image' })
    expect([again.status, again.headers['etag']]).toEqual([304, '"p"'])
  })

  test('R7.2e a part is passed as it is, under its own tag', async () => {
    const part = `<a href="${inside}/`
    answers(part, { 'content-type': HTML, 'content-range': 'bytes 0-9/99', etag: '"x"' }, 206)
    const answer = await ask({ range: 'bytes=0-9', 'if-range': '"x"' })
    expect([answer.status, answer.body, answer.headers['etag']]).toEqual([206, part, '"x"'])
    const { headers } = asked[0]!
    expect([headers['range'], headers['if-range']]).toEqual(['bytes=0-9', '"x"'])
  })

  const UNTOUCHED: Record<string, Record<string, string>> = {
    'what may not be transformed': { 'cache-control': 'max-age=1, no-transform' },
    'a file': { 'content-disposition': 'attachment; filename=a.html' },
    'UTF-16': { 'content-type': 'text/html; charset=utf-16le' },
    'a charset that nobody knows': { 'content-type': 'text/html; charset=x-unknown' },
    'a charset of several octets': { 'content-type': 'text/html; charset=shift_jis' },
    'another media type': { 'content-type': 'text/plain' },
    'two content types': { 'content-type': 'text/html, text/plain' },
    'a coding that cannot be opened': { 'content-encoding': 'zstd' },
    'several codings': { 'content-encoding': 'gzip, br' },
  }
  test.each(Object.entries(UNTOUCHED))('R7.2e %s is passed as it is', async (_, headers) => {
    answers(page(inside), { 'content-type': HTML, etag: '"x"', ...headers })
    const answer = await ask()
    expect(answer.octets.toString('latin1')).toBe(page(inside))
    expect(answer.headers['etag']).toBe('"x"')
    expect(answer.headers['content-length']).toBe(String(page(inside).length))
  })

  test('R7.2e whoever asks that nothing be transformed gets what there is', async () => {
    answers(page(inside))
    expect((await ask({ 'cache-control': 'no-transform' })).body).toBe(page(inside))
  })
})
