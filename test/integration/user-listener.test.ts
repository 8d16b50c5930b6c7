import type { Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createServerAuthority } from '../../src/cloud/index.ts'
import { createUserListener } from '../../src/cloud/node/index.ts'
import { curl } from '../cloud/node/direct-edge.ts'
import { memoryAuthorityStore } from '../cloud/trust.ts'
import { RawUser } from './raw-user.ts'
import { listen, startTunnel, until, type Tunnel } from './tunnel.ts'

// What the user's side does is told by test/cloud/node; here it is one with the rest of the way.
describe('users over the whole way', () => {
  let tunnel: Tunnel
  let users: Server
  let url: string
  let port: number
  /** Requests at the application that were broken off. */
  let aborted = 0
  let cookies: string | undefined
  beforeAll(async () => {
    tunnel = await startTunnel({
      transport: 'in memory',
      backend: (request, response) => {
        response.on('close', () => {
          if (!response.writableFinished) aborted += 1
        })
        cookies = request.headers.cookie
        if (request.url === '/hang') return
        if (request.url === '/close') response.setHeader('Connection', 'close')
        if (request.url === '/early') return void response.writeHead(413).end('too large')
        if (request.url === '/broken') {
          response.writeHead(200).write('begun')
          return void setImmediate(() => response.destroy())
        }
        let body = ''
        request.on('data', (bytes) => (body += bytes))
        request.on('end', () => response.end(`${request.method} ${body}`))
      },
    })
    const authority = await createServerAuthority({ store: memoryAuthorityStore() })
    const { key, certificate: cert } = await authority.issue()
    users = createUserListener(tunnel.cloud.edge, { tls: { key, cert } })
    port = await listen(users)
    url = `https://open.localhost:${port}`
  })
  afterAll(async () => {
    const closed = new Promise((done) => users.close(done))
    users.closeAllConnections()
    await closed
    await tunnel.close()
  })

  const ask = (...args: string[]) => curl('-k', '-w', ' %{http_code} %{http_version}', ...args)

  test('HTTP/2: body both ways, of known and of unknown length', async () => {
    const known = await ask(
      '--http2',
      '-H',
      'Cookie: a=1',
      '-H',
      'Cookie: b=2',
      '-d',
      'x',
      `${url}/`,
    )
    expect(known.out).toBe('POST x 200 2')
    expect(cookies).toBe('a=1; b=2')
    const unknown = await ask('--http2', '-T', '-', `${url}/`)
    expect(unknown.out).toBe('PUT  200 2')
    expect((await ask('--http2', '-I', `${url}/`)).out).toMatch(/^HTTP\/2 200/)
  })

  test('HTTP/2: an early answer, and one that is broken off', async () => {
    const early = await ask('--http2', '-d', 'x'.repeat(100_000), `${url}/early`)
    expect(early.out).toBe('too large 413 2')
    const broken = await ask('--http2', `${url}/broken`)
    expect(broken.code).not.toBe(0)
    await until(() => tunnel.cloud.origin.open === 0)
  })

  test('HTTP/2: who leaves cancels the request at the application', async () => {
    const before = aborted
    const left = await curl('-k', '--http2', '--max-time', '0.5', `${url}/hang`)
    expect(left.code).toBe(28)
    await until(() => tunnel.cloud.origin.open === 0 && aborted === before + 1)
  })

  test("the application's Connection: close is not the user's", async () => {
    const { out } = await curl(
      '-k',
      '--http1.1',
      '-w',
      ' %{num_connects} ',
      ...[`${url}/close`, `${url}/`],
    )
    expect(out).toBe('GET  1 GET  0 ')
  })

  test('HTTP/1.1: who leaves cancels it too', async () => {
    const before = aborted
    const user = new RawUser(port, { tls: true }).ask('GET', '/hang')
    await until(() => tunnel.cloud.origin.open === 1)
    user.leave()
    await until(() => tunnel.cloud.origin.open === 0 && aborted === before + 1)
  })
})
