/** Header fields between the inside and the outside, on every binding, with a real application behind. */
import { once } from 'node:events'
import { request as ask, type IncomingMessage, type RequestListener } from 'node:http'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BINDINGS, codeOf, publishedWorld, type PublishedWorld } from './published-world.ts'

const open = (id: string, externalUrl: string, more: object = {}) => ({
  ...{ id, externalUrl, preAuthentication: 'passthrough' },
  ...more,
})
/** Where the private server is, as it calls itself by `Host`. */
const here = ({ headers }: IncomingMessage) => `http://${headers.host}`

/** Builds absolute URLs, and compares origins, by what its requests tell it. */
const serve: RequestListener = (request, response) => {
  const { pathname } = new URL(request.url!, here(request))
  const told = (name: string) => request.headers[name]
  if (request.headers.origin !== undefined && request.method === 'POST') {
    const isSame = request.headers.origin === here(request)
    response.setHeader('Access-Control-Allow-Origin', request.headers.origin)
    return void response.writeHead(isSame ? 201 : 403).end()
  }
  if (request.method === 'MOVE')
    return void response.end(JSON.stringify([told('destination'), told('if'), told('referer')]))
  if (pathname.endsWith('/told'))
    return void response.end(
      JSON.stringify(
        [
          'host',
          'x-forwarded-host',
          'x-forwarded-proto',
          'x-forwarded-port',
          'x-forwarded-prefix',
          'forwarded',
        ].map(told),
      ),
    )
  if (pathname.endsWith('/hints'))
    response.writeEarlyHints({ link: `<${here(request)}/style>; rel=preload` })
  response.writeHead(302, {
    Location: `${here(request)}/next?a=b`,
    'Content-Location': `https://${request.headers.host}/content`,
    Refresh: `0;URL='${here(request)}/again'`,
    Link: `<${here(request)}/a,b>; rel="next"; anchor="${here(request)}/#x", <https://else.example/>`,
    'Set-Cookie': `id=1; Path=/; Domain=${request.headers.host!.split(':')[0]!}`,
    'Content-Security-Policy': `default-src 'self' ${here(request)} https://else.example`,
    'Reporting-Endpoints': `default="${here(request)}/reports"`,
    NEL: '{"report_to":"default","max_age":1,"include_subdomains":true}',
    'Alt-Svc': 'h3=":443"',
  })
  response.end()
}

let world: PublishedWorld
beforeAll(async () => {
  world = await publishedWorld({
    applications: [open('wiki', 'https://wiki.example/')],
    ...{ serve, cloud: { auditRequests: true } },
    upgrade: (request: IncomingMessage, socket: Duplex) => {
      const isSame = request.headers.origin === here(request)
      socket.end(
        isSame
          ? 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
          : 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      )
    },
  })
})
afterAll(() => world.close())
beforeEach(() => world.publish(open('wiki', 'https://wiki.example/')))

describe.each(BINDINGS)('%s', (binding) => {
  test('R7.1a URLs of the inside lead outside, wherever they stand', async () => {
    const { headers } = await world.ask(binding, 'wiki.example')
    expect(headers).toMatchObject({
      location: 'https://wiki.example/next?a=b',
      'content-location': 'https://wiki.example/content',
      refresh: "0;URL='https://wiki.example/again'",
      link: '<https://wiki.example/a,b>; rel="next"; anchor="https://wiki.example/#x", <https://else.example/>',
    })
    expect(headers['alt-svc']).toBeUndefined()
  })

  test('R7.1a what another tenant publishes, or nobody, stays', async () => {
    world.publish(open('shop', 'https://shop.example/', { internalUrl: 'http://else.internal/' }), {
      ...open('wiki', 'https://wiki.example/'),
      translate: { headers: false },
    })
    const { headers } = await world.ask(binding, 'wiki.example')
    expect(headers.location).toBe(`${world.internalUrl}next?a=b`)
  })

  test('R7.1b a cookie comes for the application alone, and by https alone', async () => {
    const shown = async () =>
      String((await world.ask(binding, 'wiki.example', '/docs/')).headers['set-cookie'])
    world.publish(
      open('wiki', 'https://wiki.example/docs/'),
      open('root', 'https://wiki.example/', { internalUrl: 'http://root.internal/' }),
    )
    expect(await shown()).toBe('id=1; Path=/docs/; Secure')
  })

  test('R7.1c an application finds its own pages where it is, and no others', async () => {
    const post = async (origin: string) => {
      const { status, headers } = await world.ask(binding, 'wiki.example', '/', {
        ...{ method: 'POST', body: 'a' },
        headers: { origin },
      })
      return [status, headers['access-control-allow-origin'], headers.vary]
    }
    expect(await post('https://wiki.example')).toEqual([201, 'https://wiki.example', 'Origin'])
    for (const origin of ['https://else.example', 'null', 'http://wiki.example'])
      expect(await post(origin)).toEqual([403, origin, undefined])
  })

  test('R7.1d what is moved stays within what is published', async () => {
    const move = (destination: string) =>
      world.ask(binding, 'wiki.example', '/a', {
        method: 'MOVE',
        headers: {
          destination,
          if: '<https://wiki.example/a> (<urn:uuid:1>)',
          referer: 'https://wiki.example/',
        },
      })
    const inside = world.internalUrl
    expect(JSON.parse((await move('https://wiki.example/b')).body)).toEqual([
      `${inside}b`,
      `<${inside}a> (<urn:uuid:1>)`,
      inside,
    ])
    const refused = await move('https://wiki.example/a/%2e%2e/%2e%2e/b')
    expect([refused.status, codeOf(refused)]).toEqual([400, 'user-malformed'])
  })

  test('R7.1e a policy allows no more, and nobody reports inside', async () => {
    const { headers } = await world.ask(binding, 'wiki.example')
    expect(headers['content-security-policy']).toBe(
      "default-src 'self' https://wiki.example https://else.example",
    )
    expect(headers['reporting-endpoints']).toBe('default="https://wiki.example/reports"')
    expect(headers['nel']).toBeUndefined()
  })

  test.each(['internal', 'external'])(
    'R7.1f what is said of the outside is the same where the host shown is %s',
    async (hostHeader) => {
      world.publish(open('wiki', 'https://wiki.example:8443/docs/', { hostHeader }))
      const { body } = await world.ask(binding, 'wiki.example:8443', '/docs/told')
      expect(JSON.parse(body)).toEqual([
        hostHeader === 'external' ? 'wiki.example:8443' : new URL(world.internalUrl).host,
        ...['wiki.example:8443', 'https', '8443', '/docs'],
        expect.stringContaining(';host="wiki.example:8443";proto=https'),
      ])
    },
  )

  test('R7.1f what is built of it leads outside', async () => {
    world.publish(open('wiki', 'https://wiki.example/', { hostHeader: 'external' }))
    const { headers } = await world.ask(binding, 'wiki.example')
    expect([headers.location, headers['content-location']]).toEqual([
      'https://wiki.example/next?a=b',
      'https://wiki.example/content',
    ])
  })

  test('R7.1g which rules changed something is told, and no value', async () => {
    const before = world.audit.length
    await world.ask(binding, 'wiki.example')
    await expect
      .poll(() => world.audit.slice(before).some(({ type }) => type === 'access.request'))
      .toBe(true)
    const event = world.audit.slice(before).find(({ type }) => type === 'access.request')!
    expect(String(event.detail?.['translated']).split(', ').sort()).toEqual([
      ...['content-location', 'content-security-policy', 'link', 'location', 'nel-dropped'],
      ...['refresh', 'reporting-endpoints', 'set-cookie'],
    ])
    expect(JSON.stringify(event)).not.toContain('127.0.0.1:')
  })
})

test('R7.1a early hints lead outside', async () => {
  const call = ask({
    ...{ host: '127.0.0.1', port: world.port, path: '/hints', agent: false },
    headers: { host: 'wiki.example' },
  })
  const hints: unknown[] = []
  call.on('information', ({ headers }) => hints.push(headers['link']))
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  response.resume()
  expect(hints).toEqual(['<https://wiki.example/style>; rel=preload'])
})

test('R7.1c a connection that is switched comes from the application’s own pages', async () => {
  const open = async (origin: string): Promise<number> => {
    const call = ask({
      ...{ host: '127.0.0.1', port: world.port, agent: false },
      headers: { host: 'wiki.example', origin, connection: 'upgrade', upgrade: 'echo' },
    })
    call.end()
    const [response] = (await Promise.race([once(call, 'upgrade'), once(call, 'response')])) as [
      IncomingMessage,
    ]
    call.destroy()
    return response.statusCode!
  }
  expect(await open('https://wiki.example')).toBe(101)
  expect(await open('https://else.example')).toBe(403)
})
