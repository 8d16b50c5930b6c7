/** A load balancer before the user listener says, by the PROXY protocol, whose a connection is. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createServerAuthority, type AuditEvent } from '../src/cloud/index.ts'
import { createUserListener, type UserListenerOptions } from '../src/cloud/node/index.ts'
import { memoryAuthorityStore } from '../test/cloud/trust.ts'
import { describeWithPackages, fileOf } from '../test/debian-packages.ts'
import { listen } from '../test/integration/listen.ts'
import { Example } from '../test/integration/processes.ts'
import { RawUser } from '../test/integration/raw-user.ts'
import { startTunnel, until, type Tunnel } from '../test/integration/tunnel.ts'
import { freePort } from '../test/served-process.ts'

/** Clients of the load balancer come from here: it is told, and nobody could have guessed it. */
const CLIENT = '127.0.0.2'
const LISTED = { from: ['127.0.0.1/32'] }
const HOST = 'open.localhost'
const V1 = 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n'
const V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000207c6336401126701bb', 'hex')

let tunnel: Tunnel
let credentials: { readonly key: string; readonly cert: string }
let servers: Server[] = []
beforeAll(async () => {
  const sockets = new WebSocketServer({ noServer: true })
  sockets.on('connection', (socket) => socket.on('message', (text) => socket.send(`${text}!`)))
  tunnel = await startTunnel({
    backend: (request, response) => void response.end(`served ${request.url}`),
    upgrade: (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (one) => sockets.emit('connection', one)),
    auditRequests: true,
    trustedProxies: { networks: ['192.0.2.80/32'] },
  })
  const authority = await createServerAuthority({ store: memoryAuthorityStore() })
  const { key, certificate: cert } = await authority.issue()
  credentials = { key, cert }
})
afterAll(() => tunnel.close())
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  }
  servers = []
})

async function users(options: UserListenerOptions): Promise<number> {
  const server = createUserListener(tunnel.cloud.edge, options)
  servers.push(server)
  return listen(server)
}

/** Where the request for this path came from, by the audit. */
async function addressOf(path: string): Promise<string | undefined> {
  const asked = () =>
    tunnel.offers.find(({ target }) => target === path) &&
    tunnel.audit.events.filter(({ type }) => type === 'access.request')
  await until(() => asked() !== undefined)
  const { length } = tunnel.offers
  await until(() => asked()!.length >= length)
  return asked()!.at(-1)!.address
}

const REQUEST = (path: string, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n${more}\r\n`

describe('R8.9c a listed load balancer says whose a connection is', () => {
  test.each([
    ['version 1', Buffer.from(V1)],
    ['version 2', V2],
  ])('by %s, in whatever pieces', async (_, header) => {
    const port = await users({ proxyProtocol: LISTED })
    const path = `/pieces/${header.length}`
    const octets = Buffer.concat([header, Buffer.from(REQUEST(path))])
    // One octet, all but one, at the border, beyond it, and all at once.
    for (const at of [1, header.length - 1, header.length, header.length + 5, octets.length]) {
      const user = new RawUser(port)
      user.socket.setNoDelay(true)
      user.socket.write(octets.subarray(0, at))
      await new Promise((later) => setTimeout(later, 20))
      user.socket.write(octets.subarray(at))
      await user.closed
      expect(user.received).toMatch(new RegExp(`^HTTP/1\\.1 200 [^]*served ${path}$`))
      expect(await addressOf(path)).toBe('192.0.2.7')
    }
  })

  test('before TLS, together with its first octets', async () => {
    const port = await users({ proxyProtocol: LISTED, tls: credentials })
    const carrier = connectTcp(port, '127.0.0.1')
    // In one segment with what begins the handshake.
    carrier.cork()
    carrier.write(V2)
    const socket = connectTls({ socket: carrier, rejectUnauthorized: false, servername: HOST })
    carrier.uncork()
    let received = ''
    socket.on('data', (octets) => (received += octets))
    socket.write(REQUEST('/tls'))
    await once(socket, 'close')
    expect(received).toContain('served /tls')
    expect(await addressOf('/tls')).toBe('192.0.2.7')
  })

  test('and is itself the client of its own checks; whose it does not know is nobody’s', async () => {
    const port = await users({ proxyProtocol: LISTED })
    for (const [header, address] of [
      [Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'), '127.0.0.1'],
      [Buffer.from('PROXY UNKNOWN\r\n'), 'unknown'],
    ] as const) {
      const user = new RawUser(port)
      user.socket.write(Buffer.concat([header, Buffer.from(REQUEST(`/${address}`))]))
      await user.closed
      expect(user.received).toContain(`served /${address}`)
      expect(await addressOf(`/${address}`)).toBe(address)
    }
  })

  test('a proxy before it, which it names, is asked in its turn', async () => {
    const port = await users({ proxyProtocol: LISTED })
    for (const [from, address] of [
      ['192.0.2.80', '203.0.113.5'],
      ['192.0.2.81', '192.0.2.81'],
    ] as const) {
      const user = new RawUser(port)
      user.socket.write(V1.replace('192.0.2.7', from))
      user.socket.write(REQUEST(`/behind/${from}`, 'X-Forwarded-For: 203.0.113.5\r\n'))
      await user.closed
      expect(await addressOf(`/behind/${from}`)).toBe(address)
    }
  })
})

describe('R8.9c nobody is guessed', () => {
  test.each([
    ['no header', REQUEST('/none')],
    ['another header', `${V1.replace('TCP4', 'TCP5')}${REQUEST('/other')}`],
    ['a header in the wrong place', `\r\n${V1}${REQUEST('/late')}`],
  ])('a listed peer with %s is closed without a word, and told of', async (_, octets) => {
    const port = await users({ proxyProtocol: LISTED })
    const before = tunnel.audit.events.length
    const user = new RawUser(port)
    user.socket.write(octets)
    await user.closed
    expect(user.received).toBe('')
    expect(tunnel.audit.events.slice(before)).toMatchObject([
      { type: 'access.failure', reason: 'user-malformed', address: '127.0.0.1' },
    ])
  })

  test('a listed peer that does not come to its end is closed', async () => {
    const port = await users({ proxyProtocol: LISTED, requestHeadMs: 200 })
    const user = new RawUser(port)
    user.socket.write(V1.slice(0, 20))
    await user.closed
    expect(user.received).toBe('')
  })

  test('who is not listed is a client like any: a header is no request, and no handshake', async () => {
    const proxyProtocol = { from: ['192.0.2.80/32'] }
    const port = await users({ proxyProtocol })
    const asked = new RawUser(port)
    asked.socket.write(REQUEST('/plain'))
    await asked.closed
    expect(await addressOf('/plain')).toBe('127.0.0.1')
    const told = new RawUser(port)
    told.socket.write(`${V1}${REQUEST('/forged')}`)
    await told.closed
    expect(told.status).toBe(400)
    const secure = new RawUser(await users({ proxyProtocol, tls: credentials }))
    secure.socket.write(V1)
    await secure.closed
    expect(secure.received).not.toContain('HTTP')
    expect(tunnel.offers.some(({ target }) => target === '/forged')).toBe(false)
  })

  test('a list of nobody is a mistake', async () => {
    const options = { proxyProtocol: { from: [] } }
    expect(() => createUserListener(tunnel.cloud.edge, options)).toThrow('names nobody')
  })
})

test('R8.9c a cloud that is run by a file reads the header from the peers that it lists', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'proxied-cloud-'))
  const file = join(directory, 'cloud.json')
  const configuration = {
    stateDir: join(directory, 'state'),
    users: { port: 0, proxyProtocol: LISTED },
    connectors: { port: 0 },
    audit: { to: { file: join(directory, 'audit.jsonl') } },
    directory: {
      tenants: [
        {
          ...{ id: 'contoso', issuer: 'https://id.example' },
          ...{ registrars: { audience: 'registration' }, defaultGroupId: 'default' },
        },
      ],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [
        {
          ...{ id: 'wiki', groupId: 'default', preAuthentication: 'passthrough' },
          ...{ externalUrl: 'http://wiki.localhost/', internalUrl: 'http://127.0.0.1:1/' },
        },
      ],
    },
  }
  await writeFile(file, JSON.stringify(configuration), { mode: 0o600 })
  const cloud = await Example.start<{ usersUrl: string }>('cloud run', ['--config', file])
  try {
    const { port } = new URL(cloud.ready.usersUrl)
    const told = new RawUser(Number(port))
    told.socket.write(Buffer.concat([V2, Buffer.from(REQUEST('/'))]))
    await told.closed
    expect(told.status).toBe(404)
    const untold = new RawUser(Number(port))
    untold.socket.write(REQUEST('/'))
    await untold.closed
    expect(untold.received).toBe('')
    const events = (await readFile(join(directory, 'audit.jsonl'), 'utf8')).trim().split('\n')
    const failures = events.map((line) => JSON.parse(line) as AuditEvent)
    expect(failures.filter(({ type }) => type === 'access.failure')).toMatchObject([
      { address: '192.0.2.7' },
      { address: '127.0.0.1', reason: 'user-malformed' },
    ])
  } finally {
    await cloud.stop()
    await rm(directory, { recursive: true, force: true })
  }
}, 90_000)

describeWithPackages('R8.9c behind haproxy', ['haproxy'], () => {
  let directory: string
  let haproxy: ChildProcess | undefined
  beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), 'haproxy-'))))
  afterAll(() => rm(directory, { recursive: true, force: true }))
  afterEach(async () => {
    if (haproxy?.exitCode === null) {
      haproxy.kill()
      await once(haproxy, 'exit')
    }
  })

  /** The port of a load balancer that says so, and now and then looks whether we are there. */
  async function balancer(send: 'send-proxy' | 'send-proxy-v2', to: number): Promise<number> {
    const port = await freePort()
    const file = join(directory, 'haproxy.cfg')
    await writeFile(
      file,
      `defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend users
  bind 127.0.0.1:${port}
  default_backend cloud
backend cloud
  server cloud 127.0.0.1:${to} ${send} check inter 100ms
`,
    )
    haproxy = spawn(fileOf('haproxy'), ['-db', '-f', file], { stdio: 'ignore' })
    await until(async () => {
      const socket = connectTcp(port, '127.0.0.1')
      const isUp = await once(socket, 'connect').then(
        () => true,
        () => false,
      )
      socket.destroy()
      return isUp
    })
    return port
  }

  test.each(['send-proxy', 'send-proxy-v2'] as const)(
    'by %s: HTTP and WebSockets',
    async (send) => {
      const port = await balancer(send, await users({ proxyProtocol: LISTED }))
      const socket = connectTcp({ port, host: '127.0.0.1', localAddress: CLIENT })
      let received = ''
      socket.on('data', (octets) => (received += octets))
      socket.write(REQUEST(`/${send}`))
      await once(socket, 'close')
      expect(received).toContain(`served /${send}`)
      expect(await addressOf(`/${send}`)).toBe(CLIENT)

      const client = new WebSocket(`ws://127.0.0.1:${port}/socket`, {
        headers: { host: HOST },
        localAddress: CLIENT,
      })
      await once(client, 'open')
      client.send('echo')
      expect(String((await once(client, 'message'))[0])).toBe('echo!')
      client.close()
      await once(client, 'close')
      expect(await addressOf('/socket')).toBe(CLIENT)
    },
  )

  test.each(['send-proxy', 'send-proxy-v2'] as const)('by %s: TLS and HTTP/2', async (send) => {
    const to = await users({ proxyProtocol: LISTED, tls: credentials })
    const port = await balancer(send, to)
    const session = connectHttp2(`https://${HOST}`, {
      createConnection: () =>
        connectTls({
          ...{ port, host: '127.0.0.1', localAddress: CLIENT },
          ...{ ALPNProtocols: ['h2'], rejectUnauthorized: false, servername: HOST },
        }),
    })
    const paths = [1, 2, 3].map((number) => `/${send}/h2/${number}`)
    const answers = paths.map(async (path) => {
      const stream = session.request({ ':path': path, ':authority': HOST })
      let body = ''
      stream.on('data', (octets) => (body += octets))
      await once(stream, 'end')
      return body
    })
    expect(await Promise.all(answers)).toEqual(paths.map((path) => `served ${path}`))
    session.close()
    await until(
      () =>
        tunnel.audit.events.filter(
          ({ type, address }) => type === 'access.request' && address === CLIENT,
        ).length >= 3,
    )
    expect(await addressOf(paths[0]!)).toBe(CLIENT)
  })
})
